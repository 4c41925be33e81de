"""Blocks as Markdown, as GitHub shows it: tables, links to pictures, and HTML only to fold."""

from collections.abc import Iterable, Sequence
from typing import assert_never

from markupsafe import Markup, escape

from recbench.datasets.foundation import find_addresses, make_legible
from recbench.reports import words as writing
from recbench.reports.drawing import Heatmap, Line, Picture, Square
from recbench.reports.rendering.blocks import (
    AnyCell,
    Appendix,
    Beside,
    Block,
    Bullets,
    Card,
    Cards,
    Cautions,
    Choice,
    Code,
    Command,
    Commands,
    Definitions,
    Details,
    FailedCells,
    Figure,
    Gallery,
    Glossary,
    Heading,
    HeatmapTable,
    IntervalCell,
    Link,
    MatrixTable,
    MissingCell,
    Note,
    Pairs,
    Paragraph,
    Piece,
    References,
    RowName,
    SectionLink,
    Sign,
    Spoken,
    StarredTitles,
    Strong,
    Table,
    TableCell,
    TableHead,
    TableLine,
    TableRemark,
    Tag,
    Verbatim,
    Words,
    list_pieces,
)

BREAK = "<br>"
# Entries of a legend that are about colours, which a table of text does not have.
OF_COLOURS = ("grey:", "hatched:")
OF_INTERVALS = "small:"


def render_markdown(blocks: Iterable[Block]) -> str:
    """The blocks with an empty line between them, their text escaped.

    An unknown one is an error.
    """
    return "\n\n".join(_render_block(block) for block in blocks)


def _render_block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_escape(block.text)}"
        case Paragraph() | Note():
            return _render_words(block.words)
        case Verbatim():
            return writing.fenced(block.text)
        case Bullets():
            return "\n".join(f"- {_escape(entry)}" for entry in block.entries)
        case References():
            numbered = enumerate(block.entries, start=1)
            return "\n".join(f"{number}. {_escape(entry)}" for number, entry in numbered)
        case StarredTitles():
            return "\n".join(f"- {stars} ★ {_escape(title)}" for stars, title in block.entries)
        case Definitions():
            return _render_definitions(block)
        case Pairs():
            lines = [[_escape(name), _render_words(value)] for name, value in block.entries]
            return f"{_introduce(block.caption)}\n\n{_draw_table(['', ''], [False, False], lines)}"
        case Commands():
            fenced = "\n".join(writing.fenced(command) for _, command in block.entries)
            return f"{_introduce(block.caption)}\n\n{fenced}"
        case Table():
            return _render_table(block)
        case Figure():
            return _render_figure(block)
        case Gallery():
            return "\n\n".join(_render_figure(figure) for figure in block.figures)
        case HeatmapTable():
            return _render_heatmap(block)
        case MatrixTable():
            return f"{_link_picture(block.picture)}\n\n{_escape(block.caption)}"
        case Details():
            return _fold(block.summary, render_markdown(block.blocks))
        case Appendix():
            return f"[{_escape(block.summary)}]({block.name}.md)"
        case Glossary():
            terms = [f"**{_escape(term.word)}**: {_escape(term.meaning)}" for term in block.terms]
            return "\n\n".join(terms)
        case Cards():
            return "\n".join(_render_card(card) for card in block.cards)
        case Cautions():
            entries = [f"> - {_render_words(entry)}" for entry in block.entries]
            return "\n".join([f"> **{_escape(block.lead)}**", ">", *entries])
        case Beside():
            return f"{_render_block(block.first)}\n\n{_render_block(block.second)}"
        case Choice():
            return _render_choice(block)
        case _:
            assert_never(block)


def _escape(text: str) -> Markup:
    return writing.markdown(text)


def _fold(summary: str, content: str) -> str:
    # Up to the first empty line GitHub reads HTML, so the summary is escaped as HTML.
    parts = []
    for part, is_address in find_addresses(make_legible(summary, keeps_lines=False)):
        parts.append(f"<code>{escape(part)}</code>" if is_address else escape(part))
    return f"<details>\n<summary>{''.join(parts)}</summary>\n\n{content}\n\n</details>"


def _introduce(caption: str) -> str:
    """A table's caption as a paragraph above it: one sentence, or words that lead to the table."""
    if caption.endswith((".", "?", "!")):
        return _escape(caption)
    return f"{_escape(caption)}:"


def _render_words(words: Words) -> str:
    return "".join(_render_piece(piece) for piece in list_pieces(words))


def _render_piece(piece: Piece) -> str:
    match piece:
        case str():
            return _escape(piece)
        case Code() | Command():
            return writing.code(piece.text)
        case Strong():
            return f"**{_escape(piece.text)}**"
        case Link():
            return f"[{_escape(piece.text)}]({_escape(piece.address)})"
        case RowName():
            return _escape(piece.name)
        case Sign() | Tag():
            return _escape(piece.text)
        case Spoken() | SectionLink():
            return ""  # GitHub makes the anchors of headings itself, and of their words
        case _:
            assert_never(piece)


def _render_card(card: Card) -> str:
    """One line of a list: question, answer, value and remark."""
    parts = [f"- {_escape(card.question)}: **{_render_words(card.answer)}**"]
    if card.value:
        parts.append(f", {_escape(card.value)}")
    parts.append(f". {_render_words(card.remark)}")
    return "".join(parts)


def _render_choice(block: Choice) -> str:
    """The first view, and the others folded away."""
    first, *others = block.options
    parts = [render_markdown(first.blocks)]
    parts += [_fold(other.name, render_markdown(other.blocks)) for other in others]
    return "\n\n".join(parts)


def _render_definitions(block: Definitions) -> str:
    """Terms with their meanings and notes; long meanings, such as formulas, keep their lines."""
    parts: list[str] = []
    for entry in block.entries:
        term = f"**{_escape(entry.term)}**"
        if block.are_long:
            parts += [term, writing.fenced(entry.meaning)]
            if entry.note:
                parts.append(_escape(entry.note))
        else:
            note = f" ({_escape(entry.note)})" if entry.note else ""
            parts.append(f"{term}: {_escape(entry.meaning)}{note}")

    return "\n\n".join(parts)


def _draw_table(
    heads: Sequence[str], are_numbers: Sequence[bool], lines: Iterable[Sequence[str]]
) -> str:
    """A table of texts that are Markdown already; numbers stand on the right."""
    rulers = ["--:" if is_number else ":--" for is_number in are_numbers]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, rulers, *lines))


def _render_table(table: Table) -> str:
    heads = [_render_head(head) for head in table.heads]
    are_numbers = [head.content == "number" for head in table.heads]
    lines = [_render_line(table, line) for line in table.lines]
    return f"{_introduce(table.caption)}\n\n{_draw_table(heads, are_numbers, lines)}"


def _render_head(head: TableHead) -> str:
    return BREAK.join([_render_words(head.words), *(_escape(line) for line in head.small)])


def _render_line(table: Table, line: TableLine | TableRemark) -> list[str]:
    if isinstance(line, TableRemark):
        return [_escape(line.text)] + [""] * (len(table.heads) - 1)
    texts = [_render_words(line.head)]
    for cell in line.cells:
        texts += _render_cell(cell)
    return texts


def _render_cell(cell: AnyCell) -> list[str]:
    """The texts of the columns that a cell takes: one, or as many as have failed together."""
    match cell:
        case FailedCells():
            dashes: list[str] = [writing.NONE] * (cell.n_columns - 1)
            return [f"{writing.NONE} (no mean: {_escape(cell.failure)})", *dashes]
        case MissingCell():
            return [f"{writing.NONE} ({_escape(cell.reason)})"]
        case TableCell():
            text = _render_words(cell.words)
            return [f"{text}{BREAK}{_render_words(cell.small)}" if cell.small else text]
        case IntervalCell():
            return [str(_escape(cell.text))]
        case _:
            assert_never(cell)


def _link_picture(picture: Picture) -> str:
    return f"![{_escape(picture.alternative)}](figures/{picture.name}.svg)"


def _render_figure(figure: Figure) -> str:
    return f"{_link_picture(figure.picture)}\n\n{_escape(figure.caption)}"


def _render_heatmap(block: HeatmapTable) -> str:
    """The picture, what it shows, and its numbers folded away."""
    drawn = block.heatmap
    heads = ["row"]
    for column in drawn.columns:
        heads.append(f"{_escape(column.name)}{BREAK}{_escape(f'{column.unit} {column.arrow}')}")

    are_numbers = [False] + [True] * len(drawn.columns)
    lines = [_render_heatmap_line(line, len(drawn.columns)) for line in drawn.lines]

    summary = "The numbers of this picture"
    if block.is_folded:
        summary = f"{drawn.title}: the numbers of this picture"

    parts = [_draw_table([head.strip() for head in heads], are_numbers, lines)]
    key = _explain_legend(drawn)
    if key:
        parts.append(key)

    return "\n\n".join(
        [
            _link_picture(block.picture),
            _escape(block.caption),
            _fold(summary, "\n\n".join(parts)),
        ]
    )


def _render_heatmap_line(line: Line, n_columns: int) -> list[str]:
    name = str(_escape(line.name))
    if line.failure:
        return [name, _escape(line.failure)] + [writing.NONE] * (n_columns - 1)
    return [name, *(_render_square(square) for square in line.squares)]


def _render_square(square: Square) -> str:
    sign = f"{square.sign.sign} " if square.sign else ""
    note = f"{BREAK}{_escape(square.note)}" if square.note else ""
    return f"{sign}{_escape(square.text)}{note}"


def _explain_legend(drawn: Heatmap) -> str:
    """A sentence for each mark in the table, and one for the intervals below its numbers."""
    sentences = []
    for entry in drawn.legend:
        sign, _, meaning = entry.partition(" ")
        if sign in OF_COLOURS:
            continue
        if sign == OF_INTERVALS:
            sentences.append(f"Below a number: its {_escape(meaning)}.")
        else:
            sentences.append(f"{sign.removesuffix(':')}: {_escape(meaning)}.")

    return "\n".join(sentences)
