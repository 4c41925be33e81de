"""Small Keras models of ratings, from the notebooks this bench began with, each beside the same
done right.

Nobody comes in: adapters are found by themselves. Keras is imported only when a model is built, and
of the modules here only `compiled_epoch` calls JAX.
"""
