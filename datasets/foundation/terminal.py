"""A console on which nothing is printed that is not legible."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from recbench.datasets.foundation.legible import make_legible


class LegibleConsole(Console):
    """A console of rich whose text is made legible, whatever is printed on it."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich does, but for the text of the segments; its own control codes stay."""
        for segment in super().render(renderable, options):
            if segment.control is None:
                yield Segment(make_legible(segment.text), segment.style)
            else:
                yield segment
