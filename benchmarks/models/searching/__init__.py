"""From what somebody wants to have trained to a recipe; tuned rows are searched for again.

`api` comes in with an order. This is the one part of models that measures cells, so it lies above
execution, and the rest of them below: there a fitted algorithm is saved and asked, too.
"""

from recbench.benchmarks.models.searching.recipes import Order, settle_recipe

__all__ = ["Order", "settle_recipe"]
