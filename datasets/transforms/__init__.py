"""Ratings to ratings: what is done about pairs rated twice, which users and items are kept, how ids
become dense.

Loaders come in. Every function says what it dropped, as a step that reports can show.
"""

from recbench.datasets.transforms.duplicates import Policy, resolve
from recbench.datasets.transforms.filters import dense, filter_rule, more_than, sizes

__all__ = ["Policy", "dense", "filter_rule", "more_than", "resolve", "sizes"]
