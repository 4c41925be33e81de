"""All that a report writes for a paper: tables, set-up, bibliography, and a document of them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from recbench.reports.papers.block_tables import BlockTable, tabulate_blocks
from recbench.reports.papers.escape import make_environment
from recbench.reports.papers.heatmap_tables import PaperTable
from recbench.reports.papers.references import collect_references
from recbench.reports.papers.setup_text import describe_setup, write_latex, write_markdown
from recbench.reports.rendering import Block
from recbench.reports.results import Results

FOLDER = "tables"

AnyTable = PaperTable | BlockTable


class SectionOfReport(Protocol):
    """What a report has described: the name of a section, and its blocks."""

    @property
    def name(self) -> str:
        """As in `--sections`."""

    @property
    def blocks(self) -> list[Block]:
        """What it says."""


def list_tables(
    title: str, parts: Sequence[SectionOfReport], drawn: Iterable[PaperTable]
) -> list[AnyTable]:
    """Every table of the described sections: those that are `drawn` for paper, and all others."""
    names = {part.name for part in parts}
    tables: list[AnyTable] = [table for table in drawn if table.section in names]
    replaced = {
        label for table in drawn if isinstance(table, PaperTable) for label in table.replaces
    }
    for part in parts:
        tables += tabulate_blocks(part.name, title, part.blocks, replaced)
    return tables


def make_paper_files(tables: Sequence[AnyTable], results: Results | None) -> dict[str, bytes]:
    """The files below `tables/`, by name; set-up and bibliography only of one run's `results`.

    `paper.tex` prints all of it: `pdflatex paper`, `bibtex paper`, `pdflatex paper` twice.
    """
    texts = {f"{table.name}.tex": table.source() for table in tables}
    if results is not None:
        bibliography = collect_references(results)
        passages = describe_setup(results, bibliography)
        texts["references.bib"] = bibliography.write()
        texts["setup.tex"] = write_latex(passages)
        texts["setup.md"] = write_markdown(passages, bibliography)
    names = [table.name for table in tables]
    template = make_environment().get_template("paper.tex")
    texts["paper.tex"] = template.render(names=names, is_whole=results is not None)
    return {f"{FOLDER}/{name}": text.encode() for name, text in texts.items()}
