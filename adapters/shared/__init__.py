"""What several algorithms share: kinds of hyperparameters, factor models, likes and item-item
models, items in words, what an algorithm says about memory and about its own answers, memory that
is fetched before its turn, and in which unit it sees ratings.

Adapters come in, and import the module they need, so that the code that makes an algorithm's
answers is known exactly; execution comes in for `units`. It exports its modules: factors,
interactions, least_squares, likeness, memory, parameters, prefetch, texts, units.
"""
