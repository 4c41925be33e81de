"""Pictures drawn on several processors, in processes forked from this one.

A picture is drawn by a function that knows what it draws, so it cannot be sent to another process:
a fork has it already, and sends back the bytes.
"""

import os
import sys
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context

from recbench.reports.drawing.picture import Picture

FEWEST = 4  # of fewer pictures a process more is not worth its start

_held: list[Picture] = []  # in a process that draws: all pictures, one after the other


def draw_pictures(pictures: Sequence[Picture], png_names: Collection[str]) -> None:
    """Have every picture drawn as SVG, and those of `png_names` as PNG, on all processors.

    Where that cannot be had, or a process ends too early, a picture is drawn here when it is
    wanted: its bytes are the same.
    """
    n_processes = min(_count_processors(), len(pictures))
    if n_processes < 2 or len(pictures) < FEWEST:
        return
    draw_in_processes(pictures, png_names, n_processes)


def draw_in_processes(
    pictures: Sequence[Picture], png_names: Collection[str], n_processes: int
) -> None:
    """As `draw_pictures`, in so many processes whatever this one is like."""
    numbers = range(len(pictures))
    as_png = [picture.name in png_names for picture in pictures]
    context = get_context("fork")
    with (
        suppress(BrokenProcessPool),
        ProcessPoolExecutor(n_processes, context, _held.extend, (pictures,)) as pool,
    ):
        drawn = pool.map(_draw_held, numbers, as_png)
        for picture, (svg, png) in zip(pictures, drawn, strict=True):
            picture.keep(svg, png)


def _draw_held(number: int, as_png: bool) -> tuple[bytes, bytes | None]:
    """In a process that draws: a picture as SVG and, if wanted, as PNG."""
    picture = _held[number]
    return picture.svg, picture.png if as_png else None


def _count_processors() -> int:
    """How many processes may draw: one where a fork could harm.

    It copies no thread but the one that forks, and the locks that others hold stay locked for ever.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))
