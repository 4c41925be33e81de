"""A report on several runs. On several data sets: which of them can be compared, mean ranks, what
is said of them. On one table over many runs: its history.

The report's builder comes in for the comparison, the history and their sections, the command
`history` for what it prints; and so do the tables for LaTeX.
"""

from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.exchange import export_history
from recbench.reports.several.history import HISTORY_SECTIONS, HistoryPage, summarise_history
from recbench.reports.several.sections import SECTIONS
from recbench.reports.several.words import title_figure, title_report

__all__ = [
    "HISTORY_SECTIONS",
    "SECTIONS",
    "DatasetComparison",
    "HistoryPage",
    "export_history",
    "summarise_history",
    "title_figure",
    "title_report",
]
