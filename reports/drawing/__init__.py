"""What a report draws: heatmaps, scatter plots, intervals, data, each from plain numbers.

Sections come in, and what shows a run elsewhere, such as in a notebook. Pictures are the same bytes
for the same numbers.
"""

from recbench.reports.drawing import (
    data,
    differences,
    fold_heatmap,
    heatmap,
    learning_curves,
    picture,
    scatter,
)
from recbench.reports.drawing.heatmap import Column, Heatmap, Line, Square
from recbench.reports.drawing.heatmap import accuracy as accuracy_heatmap
from recbench.reports.drawing.picture import Picture
from recbench.reports.drawing.picture import heatmap as draw_heatmap

__all__ = [
    "Column",
    "Heatmap",
    "Line",
    "Picture",
    "Square",
    "accuracy_heatmap",
    "data",
    "differences",
    "draw_heatmap",
    "fold_heatmap",
    "heatmap",
    "learning_curves",
    "picture",
    "scatter",
]
