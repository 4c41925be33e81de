"""Pictures that other processes draw are those that this one would draw."""

import os
from functools import partial

from matplotlib.figure import Figure

from recbench.reports.drawing.picture import Picture
from recbench.reports.drawing.processes import draw_in_processes


def draw_square(title: str) -> Figure:
    """A small figure with a text."""
    figure = Figure(figsize=(1, 1))
    figure.add_axes((0, 0, 1, 1)).text(0.1, 0.5, title)
    return figure


def make_pictures() -> list[Picture]:
    """Three pictures, none of them drawn yet."""
    return [Picture(name, "", partial(draw_square, name)) for name in ("first", "second", "third")]


def test_processes_draw_the_same_bytes_and_only_the_pngs_that_are_wanted() -> None:
    drawn = make_pictures()
    draw_in_processes(drawn, {"second"}, n_processes=2)
    for picture, here in zip(drawn, make_pictures(), strict=True):
        assert "_figure" not in vars(picture)  # nothing was drawn here
        assert picture.svg == here.svg
        assert ("png" in vars(picture)) == (picture.name == "second")
        assert picture.png == here.png


def test_what_a_process_did_not_live_to_draw_is_drawn_here() -> None:
    keeper = os.getpid()

    def draw_or_die() -> Figure:
        if os.getpid() != keeper:
            os._exit(1)
        return draw_square("mortal")

    picture = Picture("mortal", "", draw_or_die)
    draw_in_processes([picture], (), n_processes=1)
    assert b"mortal" in picture.svg
