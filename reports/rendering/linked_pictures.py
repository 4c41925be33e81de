"""The pictures that blocks show, which the report keeps in files of their own."""

from collections.abc import Iterable, Iterator

from recbench.reports.drawing import Picture
from recbench.reports.rendering.blocks import (
    Beside,
    Block,
    Choice,
    Details,
    Figure,
    Gallery,
    HeatmapTable,
    MatrixTable,
)


def list_pictures(blocks: Iterable[Block]) -> Iterator[Picture]:
    """Every picture of the blocks in order, however deep they are folded away."""
    for block in blocks:
        match block:
            case Figure() | HeatmapTable() | MatrixTable():
                yield block.picture
            case Gallery():
                for figure in block.figures:
                    yield figure.picture
            case Details():
                yield from list_pictures(block.blocks)
            case Beside():
                yield from list_pictures((block.first, block.second))
            case Choice():
                for option in block.options:
                    yield from list_pictures(option.blocks)
