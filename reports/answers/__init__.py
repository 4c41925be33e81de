"""What a run answers, as plain data and sentences: who is best, what it costs, what to be wary of.

The first section of a report shows it and the end of a run prints it, so both say the same. Nothing
here draws, so that a terminal need not wait for it.
"""

from recbench.reports.answers.cautions import Caution, describe_run, list_cautions
from recbench.reports.answers.checklist import answer_checklist
from recbench.reports.answers.claims import (
    VALUE,
    VALUE_TOLERANCE,
    Claim,
    list_claims,
    list_names,
    name_best,
)
from recbench.reports.answers.cold_starts import (
    Division,
    OrderComparison,
    TwoMeans,
    main_division,
    other_division,
)
from recbench.reports.answers.disagreement import (
    compare_splits,
    describe_disagreement,
    describe_disagreements,
)
from recbench.reports.answers.headlines import headline_columns, primary_column
from recbench.reports.answers.ranking import BestRows, RankedRow, rank_rows
from recbench.reports.answers.sentences import summarise_run
from recbench.reports.answers.short_histories import describe_short_histories
from recbench.reports.answers.terminal import write_answer, write_answers, write_cautions

__all__ = [
    "VALUE",
    "VALUE_TOLERANCE",
    "BestRows",
    "Caution",
    "Claim",
    "Division",
    "OrderComparison",
    "RankedRow",
    "TwoMeans",
    "answer_checklist",
    "compare_splits",
    "describe_disagreement",
    "describe_disagreements",
    "describe_run",
    "describe_short_histories",
    "headline_columns",
    "list_cautions",
    "list_claims",
    "list_names",
    "main_division",
    "name_best",
    "other_division",
    "primary_column",
    "rank_rows",
    "summarise_run",
    "write_answer",
    "write_answers",
    "write_cautions",
]
