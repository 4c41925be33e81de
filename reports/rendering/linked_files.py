"""What blocks show that the report keeps in files of their own: pictures and appendices."""

from collections.abc import Iterable, Iterator

from recbench.reports.drawing import Picture
from recbench.reports.rendering.blocks import (
    Appendix,
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
            case Details() | Appendix():
                yield from list_pictures(block.blocks)
            case Beside():
                yield from list_pictures((block.first, block.second))
            case Choice():
                for option in block.options:
                    yield from list_pictures(option.blocks)


def list_appendices(blocks: Iterable[Block]) -> Iterator[Appendix]:
    """The appendices among the blocks, in order; none lies inside another block."""
    for block in blocks:
        if isinstance(block, Appendix):
            yield block
