"""What a report says: one function a section, which returns what there is to show, or nothing.

The report's builder comes in by the registry. Nothing here draws or knows of HTML.
"""

from recbench.reports.sections.failures import not_ok
from recbench.reports.sections.method import in_words
from recbench.reports.sections.published import published
from recbench.reports.sections.registry import SECTIONS, Section, titled

__all__ = ["SECTIONS", "Section", "in_words", "not_ok", "published", "titled"]
