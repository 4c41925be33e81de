"""What several algorithms share: factor models, interactions, texts.

Adapters come in, and import the module they need, so that the code that makes an algorithm's
answers is known exactly. Its exports are its modules.
"""
