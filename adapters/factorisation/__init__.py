"""Factorisations but for the descent in `sgd`: alternating least squares on ratings and on likes,
BPR, PureSVD, NMF and FunkSVD on likes, and the libraries implicit and myFM.

Nobody comes in: adapters are found by themselves.
"""
