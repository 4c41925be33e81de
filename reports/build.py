"""From the records in a directory to report.md, report.html and figures. `python -m reports.build DIR`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import reports
from benchmarks.command_line import FAILED, FINE, serve
from benchmarks.table import embedded
from datasets.cache import write_atomically
from datasets.spec import UsageError, import_all
from reports import words
from reports.figures import pictures
from reports.sections import SECTIONS
from reports.tables import Results

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Part:
    """A section ready to be rendered: its template's name without ending, and what it shows."""

    file: str
    name: str
    heading: str
    context: dict[str, Any]


def build(directory: Path) -> Path:
    """Write `report.md`, `report.html` and `figures/` from the records in `directory`; the path of the HTML.

    UsageError if the directory holds no results or cannot be written.
    """
    try:
        for name, content in made(directory).items():
            write_atomically(directory / name, content)
    except OSError as error:
        raise UsageError(f"cannot write the report to {directory}: {error}") from None
    return directory / "report.html"


def made(directory: Path) -> dict[str, bytes]:
    """The report of the records in `directory`, its files by name: figures first, the pages that show them last.

    The same records give the same bytes. UsageError if the directory holds no results.
    """
    results = Results.read(directory)
    parts = gather(results)
    drawn = [picture for part in parts for picture in pictures(part.context)]
    files = {f"figures/{name}": content for picture in drawn for name, content in picture.files.items()}
    return files | {f"report.{kind}": render(results, parts, kind).encode() for kind in ("md", "html")}


def gather(results: Results) -> list[Part]:
    """Every section that has a template and something to say, in the order of the templates' names."""
    import_all(reports)
    files = sorted(path.stem for path in (TEMPLATES / "sections").glob("*.html"))
    parts = []
    for file in files:
        name = file.partition("-")[2]
        context = SECTIONS[name].context(results)
        if context is not None:
            parts.append(Part(file, name, SECTIONS[name].heading, context))
    return parts


def render(results: Results, parts: list[Part], kind: str) -> str:
    """The whole page as `kind`, "html" or "md". A value that a template misses is an error, not a gap."""
    templates = _environment(kind)
    common = {"results": results, "title": words.title(results), "words": words}
    sections = [
        {
            "name": part.name,
            "heading": part.heading,
            "body": Markup(templates.get_template(f"sections/{part.file}.{kind}").render(common | part.context)),
        }
        for part in parts
    ]
    shown = embedded(results.about, results.records)
    page = templates.get_template(f"page.{kind}").render(common, sections=sections, shown=shown)
    return page.rstrip() + "\n"


def _environment(kind: str) -> Environment:
    """Templates that escape whatever is put into them, as HTML or as Markdown."""
    is_html = kind == "html"
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=is_html,
        finalize=None if is_html else words.markdown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"code": words.code, "fenced": words.fenced}
    return templates


def main(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What benchmarks.run has left.")],
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit code 1 if a file would differ")] = False,
) -> int:
    """Build report.md, report.html and figures from the records in DIR."""
    if check:
        files = made(directory).items()
        other = [name for name, new in files if not (file := directory / name).exists() or file.read_bytes() != new]
        typer.echo("".join(f"{directory / name}: not what the records give\n" for name in other), nl=False)
        return FAILED if other else FINE
    typer.echo(build(directory).resolve().as_uri())
    return FINE


if __name__ == "__main__":
    serve(main)
