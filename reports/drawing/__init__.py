"""What a report draws: heatmaps, scatter plots, intervals, data, each from plain numbers.

Sections come in. Pictures are the same bytes for the same numbers.
"""

from recbench.reports.drawing.heatmap import Column, Heatmap, Line, Square
from recbench.reports.drawing.heatmap import accuracy as accuracy_heatmap
from recbench.reports.drawing.picture import Picture, pictures
from recbench.reports.drawing.picture import heatmap as draw_heatmap

__all__ = [
    "Column",
    "Heatmap",
    "Line",
    "Picture",
    "Square",
    "accuracy_heatmap",
    "draw_heatmap",
    "pictures",
]
