"""Factorisations other than descent by hand: alternating least squares, BPR, PureSVD, and the
libraries implicit and myFM.

Nobody comes in: adapters are found by themselves.
"""
