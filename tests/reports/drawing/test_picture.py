"""A picture's SVG is small, and what is written in it stays as it is."""

import re

from matplotlib.figure import Figure

from recbench.reports.drawing import Picture


def draw() -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.add_axes((0.2, 0.2, 0.7, 0.7))
    axes.plot([0.123456789, 0.5], [1 / 3, 0.7], label="x")
    axes.text(0.2, 0.5, "0.123456 <b> 7.654321")
    return figure


def test_coordinates_have_two_decimals_and_texts_all_of_theirs() -> None:
    svg = Picture("name", "what it says", draw).svg.decode()
    assert "0.123456 &lt;b&gt; 7.654321" in svg
    tags = re.findall(r"<[a-z][^>]*>", svg)
    assert len(tags) > 50
    assert not [tag for tag in tags if re.search(r"\d\.\d{3}", tag)]
    assert not re.search(r">\n +<", svg)
