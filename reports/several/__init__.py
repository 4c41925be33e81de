"""Reports on several runs. On several data sets: a league, with a winner only where they agree. On
one data set: two runs user by user. On one table over many runs: its history.

The report's builder comes in for all three, their sections and their answers for a terminal, the
command `history` for what it prints; and so do the tables for LaTeX.
"""

from recbench.reports.several.claims import write_league_answers
from recbench.reports.several.comparable import are_two_of_one_data_set
from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.exchange import export_history
from recbench.reports.several.history import HISTORY_SECTIONS, HistoryPage, summarise_history
from recbench.reports.several.pair_claims import write_pair_answers
from recbench.reports.several.pair_sections import SECTIONS as PAIR_SECTIONS
from recbench.reports.several.pair_sections import title_pair
from recbench.reports.several.pairing import PairedDifference, TwoRuns
from recbench.reports.several.sections import SECTIONS as COMPARISON_SECTIONS
from recbench.reports.several.words import title_figure, title_report

__all__ = [
    "COMPARISON_SECTIONS",
    "HISTORY_SECTIONS",
    "PAIR_SECTIONS",
    "DatasetComparison",
    "HistoryPage",
    "PairedDifference",
    "TwoRuns",
    "are_two_of_one_data_set",
    "export_history",
    "summarise_history",
    "title_figure",
    "title_pair",
    "title_report",
    "write_league_answers",
    "write_pair_answers",
]
