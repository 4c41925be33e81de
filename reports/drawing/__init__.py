"""What a report draws: heatmaps, scatter plots, intervals, histories, data; from plain numbers.

Sections come in, renderers for what they show, and who shows a run elsewhere: in LaTeX, in a
notebook. Pictures are the same bytes for the same numbers.
"""

from recbench.reports.drawing.boxes import Box, draw_boxes
from recbench.reports.drawing.bump import RankLine, draw_ranks_by_metric
from recbench.reports.drawing.data import (
    draw_activity,
    draw_grid,
    draw_stars,
    draw_times,
    draw_years,
    period_starts,
)
from recbench.reports.drawing.differences import (
    Change,
    Gap,
    Matrix,
    difference_matrix,
    draw_changes,
    draw_matrix,
    draw_ranks,
)
from recbench.reports.drawing.fold_heatmap import MOST_FOLDS, heatmap_by_fold, list_folds
from recbench.reports.drawing.growth import (
    Crossing,
    Growth,
    GrowthPanel,
    draw_growth,
    find_crossings,
)
from recbench.reports.drawing.heatmap import (
    ALL_PHASES,
    Column,
    Heatmap,
    Line,
    Square,
    accuracy_heatmap,
    colour_key,
    cost_heatmap,
)
from recbench.reports.drawing.history_lines import HistoryPanel, draw_history
from recbench.reports.drawing.learning_curves import (
    PARTS,
    Curves,
    RowCurves,
    draw_curves,
    read_curves,
)
from recbench.reports.drawing.picture import Picture, draw_heatmap
from recbench.reports.drawing.processes import draw_pictures
from recbench.reports.drawing.scatter import (
    LATENCY,
    TOTAL,
    TRAINING,
    WORK,
    Cost,
    Point,
    describe_front,
    describe_points,
    draw_distances,
    draw_overview,
    draw_scatter,
    find_points,
)
from recbench.reports.drawing.variety import VarietyPoint, draw_variety

__all__ = [
    "ALL_PHASES",
    "LATENCY",
    "MOST_FOLDS",
    "PARTS",
    "TOTAL",
    "TRAINING",
    "WORK",
    "Box",
    "Change",
    "Column",
    "Cost",
    "Crossing",
    "Curves",
    "Gap",
    "Growth",
    "GrowthPanel",
    "Heatmap",
    "HistoryPanel",
    "Line",
    "Matrix",
    "Picture",
    "Point",
    "RankLine",
    "RowCurves",
    "Square",
    "VarietyPoint",
    "accuracy_heatmap",
    "colour_key",
    "cost_heatmap",
    "describe_front",
    "describe_points",
    "difference_matrix",
    "draw_activity",
    "draw_boxes",
    "draw_changes",
    "draw_curves",
    "draw_distances",
    "draw_grid",
    "draw_growth",
    "draw_heatmap",
    "draw_history",
    "draw_matrix",
    "draw_overview",
    "draw_pictures",
    "draw_ranks",
    "draw_ranks_by_metric",
    "draw_scatter",
    "draw_stars",
    "draw_times",
    "draw_variety",
    "draw_years",
    "find_crossings",
    "find_points",
    "heatmap_by_fold",
    "list_folds",
    "period_starts",
    "read_curves",
]
