"""What several algorithms share: kinds of hyperparameters, factor models, likes and item-item
models, items in words, and what an algorithm says about memory.

Adapters come in, and import the module they need, so that the code that makes an algorithm's
answers is known exactly. It exports its modules: factors, interactions, memory, parameters, texts.
"""
