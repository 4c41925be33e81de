"""A report on several data sets: which runs can stand beside each other, mean ranks, what is said
of them.

The report's builder comes in.
"""

from recbench.reports.several.comparison import Comparison

__all__ = ["Comparison"]
