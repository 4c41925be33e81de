"""Ratings to ratings: what is done about pairs rated twice, which users and items are kept, how ids
become dense.

Loaders come in, and the parser of rating lines for dense ids. What is dropped is counted, so that a
step can say it which reports show.
"""

from recbench.datasets.transforms.duplicates import Policy, resolve_duplicates
from recbench.datasets.transforms.filters import count_sizes, filter_rule, index_ids, more_than

__all__ = ["Policy", "count_sizes", "filter_rule", "index_ids", "more_than", "resolve_duplicates"]
