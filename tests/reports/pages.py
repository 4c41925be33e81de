"""Pages of a report without its files: half the pictures need not be drawn."""

from collections.abc import Collection
from pathlib import Path

from recbench.reports.build import Kind, describe_run, describe_sections, render_page
from recbench.reports.results import Results


def page(directory: Path, kind: Kind, sections: Collection[str] = ()) -> str:
    """What `build` would write as report.html or report.md, of these sections or of all."""
    subject = describe_run(Results.read(directory))
    return render_page(subject, describe_sections(subject, sections), kind)


def written_page(directory: Path) -> Path:
    """The HTML page as a file beside its run, and nothing else of the report."""
    path = directory / "report.html"
    path.write_text(page(directory, "html"))
    return path
