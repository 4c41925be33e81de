"""What a report says: one section a file, one function a section, which describes its answer.

The report's builder comes in by the registry, and others for what their pages or tables share with
a section. Pictures are drawn in `drawing`, and nothing here knows of HTML.
"""

from recbench.reports.sections.certainty import METHOD as STATISTICS
from recbench.reports.sections.division import tabulate_two_splits
from recbench.reports.sections.failures import Failure, describe_failures, list_failures
from recbench.reports.sections.method import (
    define_metrics,
    describe_protocol,
    list_environment,
    list_protocol,
)
from recbench.reports.sections.published import Agreement, compare_with_published
from recbench.reports.sections.registry import SECTIONS, Section, Sections, title_figure
from recbench.reports.sections.slices import GroupBest, find_best_of_groups, slices
from recbench.reports.sections.summary import explain_metrics, open_first_screen, tag_origin

__all__ = [
    "SECTIONS",
    "STATISTICS",
    "Agreement",
    "Failure",
    "GroupBest",
    "Section",
    "Sections",
    "compare_with_published",
    "define_metrics",
    "describe_failures",
    "describe_protocol",
    "explain_metrics",
    "find_best_of_groups",
    "list_environment",
    "list_failures",
    "list_protocol",
    "open_first_screen",
    "slices",
    "tabulate_two_splits",
    "tag_origin",
    "title_figure",
]
