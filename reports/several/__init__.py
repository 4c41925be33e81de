"""A report on several data sets: which runs can be compared, mean ranks, what is said of them.

The report's builder comes in for the comparison and its sections, and so do the tables for LaTeX.
"""

from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.sections import SECTIONS
from recbench.reports.several.words import title_figure, title_report

__all__ = ["SECTIONS", "DatasetComparison", "title_figure", "title_report"]
