"""What blocks say, as plain texts: tables by their labels, lines by their rows."""

from collections.abc import Iterable

from recbench.reports.rendering import (
    AnyCell,
    Block,
    Details,
    FailedCells,
    IntervalCell,
    MissingCell,
    RowName,
    Spoken,
    Table,
    TableLine,
    Words,
)


def plain_text(words: Words) -> str:
    """What is seen of some words."""
    pieces = words if isinstance(words, tuple) else (words,)
    texts = []
    for piece in pieces:
        if isinstance(piece, RowName):
            texts.append(piece.name)
        elif isinstance(piece, str):
            texts.append(piece)
        elif not isinstance(piece, Spoken):
            texts.append(piece.text)
    return "".join(texts)


def find_tables(blocks: Iterable[Block]) -> dict[str, Table]:
    """All tables by their labels, those that are folded away too."""
    tables: dict[str, Table] = {}
    for block in blocks:
        if isinstance(block, Table):
            assert block.label not in tables
            tables[block.label] = block
        if isinstance(block, Details):
            tables |= find_tables(block.blocks)
    return tables


def lines_of(table: Table) -> list[TableLine]:
    """The lines that are about something; remarks on what is left out are not."""
    return [line for line in table.lines if isinstance(line, TableLine)]


def heads_of(table: Table) -> list[str]:
    """What each line is about, in order."""
    return [plain_text(line.head) for line in lines_of(table)]


def cell_text(cell: AnyCell) -> str:
    """The text of a cell, or why it has none."""
    if isinstance(cell, FailedCells):
        return cell.failure
    if isinstance(cell, MissingCell):
        return cell.reason
    if isinstance(cell, IntervalCell):
        return cell.text
    return plain_text(cell.words)


def texts_of(table: Table) -> list[list[str]]:
    """Each line's head and the texts of its cells."""
    return [
        [plain_text(line.head), *(cell_text(cell) for cell in line.cells)]
        for line in lines_of(table)
    ]
