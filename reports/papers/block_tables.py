"""Every table of a page as one for a paper: LaTeX with booktabs, made from the blocks of sections.

Long ones are cut into parts that fit on a page, and wide ones are made smaller.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from markupsafe import Markup

from recbench.reports import words as writing
from recbench.reports.papers.escape import escape_latex, make_environment
from recbench.reports.rendering import (
    AnyCell,
    Appendix,
    Beside,
    Block,
    Choice,
    Code,
    Command,
    Details,
    FailedCells,
    IntervalCell,
    Link,
    MissingCell,
    Piece,
    RowName,
    SectionLink,
    Sign,
    Spoken,
    Strong,
    Table,
    TableCell,
    TableHead,
    TableLine,
    TableRemark,
    Tag,
    Words,
    list_pieces,
)

LINES_ON_A_PAGE = 40
WIDEST_WORD = 30  # characters of a text that need not be broken
WIDTH_OF_TEXT = "5cm"


@dataclass(frozen=True)
class BlockTable:
    """A table of a section on paper."""

    section: str
    name: str  # of its file, without the ending
    title: str  # the data, and what else stands before the caption
    table: Table

    def source(self) -> str:
        """The LaTeX of one `table`, or of several where there are many lines."""
        lines = [_join_cells(_render_line(self.table, line)) for line in self.table.lines]
        starts = range(0, len(lines), LINES_ON_A_PAGE) or [0]  # one page of a table without lines
        n_pages = len(starts)

        parts = []
        for number, start in enumerate(starts, 1):
            caption = f"{self.title}: {self.table.caption.rstrip('.:')}."
            if n_pages > 1:
                caption += f" Part {number} of {n_pages}."
            label = self.name if number == 1 else f"{self.name}-{number}"
            lines_of_page = lines[start : start + LINES_ON_A_PAGE]
            parts.append({"caption": caption, "label": label, "lines": lines_of_page})

        template = make_environment().get_template("blocks.tex")
        heads = _join_cells(_render_head(head) for head in self.table.heads)
        spec = Markup(_choose_columns(self.table))
        return template.render(parts=parts, spec=spec, heads=heads)


def tabulate_blocks(
    section: str, title: str, blocks: Iterable[Block], without: Iterable[str] = ()
) -> Iterator[BlockTable]:
    """Each table among the blocks and inside of them, but for those whose label is in `without`."""
    left_out = set(without)
    seen: set[str] = set()
    for table in _list_tables(blocks):
        if table.label in left_out:
            continue
        name = f"{section}-{writing.slug(table.label)}"
        number = 1
        while name in seen:
            number += 1
            name = f"{section}-{writing.slug(table.label)}-{number}"
        seen.add(name)
        yield BlockTable(section, name, title, table)


def _list_tables(blocks: Iterable[Block]) -> Iterator[Table]:
    for block in blocks:
        match block:
            case Table():
                yield block
            case Details() | Appendix():
                yield from _list_tables(block.blocks)
            case Beside():
                yield from _list_tables([block.first, block.second])
            case Choice():
                for option in block.options:
                    yield from _list_tables(option.blocks)


def _choose_columns(table: Table) -> str:
    """What `tabular` is told of the columns: numbers on the right, long texts broken."""
    longest = [0] * len(table.heads)
    for line in table.lines:
        if isinstance(line, TableLine):
            texts = _texts_of_line(line)
            for place, text in enumerate(texts[: len(longest)]):
                longest[place] = max(longest[place], len(text))

    columns = []
    for place, head in enumerate(table.heads):
        if head.content == "number" and place:
            columns.append("r")
        elif longest[place] > WIDEST_WORD and place:
            columns.append(f">{{\\raggedright\\arraybackslash}}p{{{WIDTH_OF_TEXT}}}")
        else:
            columns.append("l")
    return "".join(columns)


def _render_head(head: TableHead) -> Markup:
    """The words, and smaller lines below them."""
    lines = [str(_render_words(head.words)), *(str(escape_latex(line)) for line in head.small)]
    if len(lines) == 1:
        return Markup(f"{{{lines[0]}}}")
    stacked = r" \\ ".join(lines)
    return Markup(f"\\shortstack{{{stacked}}}")


def _render_line(table: Table, line: TableLine | TableRemark) -> list[Markup]:
    """The cells of a line, each in braces where a bracket at its head would mean something."""
    if isinstance(line, TableRemark):
        text = escape_latex(line.text)
        return [Markup(f"\\multicolumn{{{len(table.heads)}}}{{l}}{{\\emph{{{text}}}}}")]
    head = _render_words(line.head)
    cells = [Markup(f"{{\\textbf{{{head}}}}}" if line.stands_out else f"{{{head}}}")]
    cells += [_render_cell(cell) for cell in line.cells]
    return cells


def _join_cells(cells: Iterable[Markup]) -> Markup:
    """A line of a tabular, without its end."""
    return Markup(" & ".join(cells))


def _texts_of_line(line: TableLine) -> list[str]:
    """The cells as they are read, for their widths."""
    texts = [str(_render_words(line.head))]
    for cell in line.cells:
        if isinstance(cell, FailedCells):
            texts += [""] * cell.n_columns
        else:
            texts.append(str(_render_cell(cell)))
    return texts


def _render_cell(cell: AnyCell) -> Markup:
    match cell:
        case FailedCells():
            failure = escape_latex(cell.failure)
            return Markup(f"\\multicolumn{{{cell.n_columns}}}{{c}}{{\\emph{{{failure}}}}}")
        case MissingCell():
            return escape_latex(writing.NONE)
        case TableCell():
            text = _render_words(cell.words)
            if not cell.small:
                return Markup(f"{{{text}}}")
            small = _render_words(cell.small)
            return Markup(f"\\shortstack{{{text} \\\\ {{\\scriptsize {small}}}}}")
        case IntervalCell():
            return escape_latex(cell.text)
        case _:
            assert_never(cell)


def _render_words(words: Words) -> Markup:
    return Markup("".join(_render_piece(piece) for piece in list_pieces(words)))


def _render_piece(piece: Piece) -> str:
    match piece:
        case str():
            return str(escape_latex(piece))
        case Code() | Command():
            return f"\\texttt{{{escape_latex(piece.text)}}}"
        case Strong():
            return f"\\textbf{{{escape_latex(piece.text)}}}"
        case Link() | Sign() | Tag():
            return str(escape_latex(piece.text))
        case RowName():
            return str(escape_latex(piece.name))
        case Spoken() | SectionLink():
            return ""
        case _:
            assert_never(piece)
