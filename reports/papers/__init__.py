"""What a report writes for a paper: tables in LaTeX, the set-up in words, whom to cite.

`heatmap_tables` and `block_tables` make every table of the page one for paper, `references` finds
the papers that adapters and data sets name, `setup_text` describes the experiment, `document` puts
all of it into files. The report's builder and the archive come in. Everything from data goes
through `escape`.
"""

from recbench.reports.papers.document import AnyTable, list_tables, make_paper_files
from recbench.reports.papers.escape import escape_latex
from recbench.reports.papers.heatmap_tables import (
    PaperTable,
    tabulate_comparison,
    tabulate_pair,
    tabulate_run,
)
from recbench.reports.papers.references import (
    collect_references,
    find_papers,
    list_unknown_papers,
    read_references,
)

__all__ = [
    "AnyTable",
    "PaperTable",
    "collect_references",
    "escape_latex",
    "find_papers",
    "list_tables",
    "list_unknown_papers",
    "make_paper_files",
    "read_references",
    "tabulate_comparison",
    "tabulate_pair",
    "tabulate_run",
]
