"""Matrix factorisation by stochastic gradient descent, written out: in NumPy's batches, and
compiled.

Nobody comes in: adapters are found by themselves. The seed fixes the numbers of both.
"""
