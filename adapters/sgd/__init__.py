"""Matrix factorisation by stochastic gradient descent, written by hand: once in numpy, once
compiled.

Nobody comes in: adapters are found by themselves. `descent.py` is meant to be read.
"""
