"""From the records in a directory, or in several, to report.md, report.html and figures.

`python -m reports.build DIR`, or `DIR DIR ...` for several data sets in one report.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from recbench import reports
from recbench.benchmarks.console import FAILED, FINE, serve
from recbench.benchmarks.records import embedded, refuse_foreign_report
from recbench.datasets.foundation import UsageError, import_all, pick_name
from recbench.datasets.storage import write_atomically
from recbench.reports import latex, stale, words
from recbench.reports.drawing import pictures
from recbench.reports.results import Results
from recbench.reports.sections import SECTIONS, Section
from recbench.reports.several import Comparison
from recbench.reports.several import sections as comparison_sections
from recbench.reports.several import words as comparison_words

TEMPLATES = Path(__file__).parent / "templates"
TOGETHER = Path("runs") / "comparison"  # where a report on several runs goes


@dataclass(frozen=True)
class Subject:
    """What a report is about, one run or several, and what there is to show of it."""

    results: Results | Comparison
    title: str
    folder: str  # of the sections' templates
    sections: Mapping[str, Section]
    shown: dict[str, Any]  # the JSON inside the page
    tables: Iterable[latex.Table]


@dataclass(frozen=True)
class Part:
    """A section ready to be rendered: its template's name without ending, and what it shows."""

    file: str
    name: str
    heading: str
    context: dict[str, Any]


def build(
    *directories: Path, out: Path | None = None, sections: Collection[str] = (), tex: bool = False
) -> Path:
    """Write `report.md`, `report.html` and `figures/` from the records in `directories`; the path of the HTML.

    `sections` are all if none is named; `tex` adds `tables/`. Figures and tables of an earlier report that this one
    has not are removed. UsageError if a directory holds no results, if several are not comparable, or if the report
    cannot be written or would replace a file that no build wrote.
    """
    target = out or destination(directories)
    files = made(*directories, out=target, sections=sections, tex=tex)
    refuse_foreign_report(target, files)
    try:
        stale.remove(target, files)
        write_atomically(target / stale.LIST, stale.announced(target, files))
        for name, content in files.items():
            write_atomically(target / name, content)
    except OSError as error:
        raise UsageError(f"cannot write the report to {target}: {error}") from None
    return target / "report.html"


def destination(directories: Sequence[Path]) -> Path:
    """Where the report goes that is not told where to go."""
    return directories[0] if len(directories) == 1 else TOGETHER


def made(
    *directories: Path, out: Path | None = None, sections: Collection[str] = (), tex: bool = False
) -> dict[str, bytes]:
    """The report of the records in `directories`, its files by name: figures first, the pages that show them last.

    The same records give the same bytes. UsageError as in `build`.
    """
    subject = _subject(directories, out or destination(directories))
    parts = gather(subject, sections)
    names = {part.name for part in parts}
    drawn = [picture for part in parts for picture in pictures(part.context)]
    files = {
        f"figures/{name}": content for picture in drawn for name, content in picture.files.items()
    }
    if tex:
        kept = [table for table in subject.tables if table.section in names]
        files |= {f"tables/{table.drawn.name}.tex": table.source().encode() for table in kept}
    files |= {f"report.{kind}": render(subject, parts, kind).encode() for kind in ("md", "html")}
    return files | {stale.LIST: stale.listed(files)}


def _subject(directories: Sequence[Path], out: Path) -> Subject:
    """One run or several, as what a report is about."""
    import_all(reports)
    if (out / "plan.json").exists() and [path.resolve() for path in directories] != [out.resolve()]:
        raise UsageError(
            f"--out {out} holds a run, whose report would be lost: name another directory"
        )
    if len(directories) == 1:
        results = Results.read(directories[0])
        shown = embedded(results.about, results.records)
        return Subject(
            results, words.title(results), "sections", SECTIONS, shown, latex.of_run(results)
        )
    several = Comparison.read(directories, out)
    tables, title = latex.of_comparison(several), comparison_words.title(several)
    return Subject(
        several, title, "comparison", comparison_sections.SECTIONS, several.shown(), tables
    )


def gather(subject: Subject, wanted: Collection[str] = ()) -> list[Part]:
    """Every section, or those `wanted`, that has something to say, in the order of the templates' names.

    UsageError if a wanted one does not exist, or if none of them has anything to say.
    """
    files = {
        path.stem.partition("-")[2]: path.stem
        for path in sorted((TEMPLATES / subject.folder).glob("*.html"))
    }
    for name in wanted:
        pick_name("section", name, files)
    parts = []
    for name, file in files.items():
        if wanted and name not in wanted:
            continue
        context = subject.sections[name].context(subject.results)
        if context is not None:
            parts.append(Part(file, name, subject.sections[name].heading, context))
    if not parts:
        raise UsageError(
            f"nothing to say under {words.listed(wanted)}: leave --sections out to see what there is"
        )
    return parts


def render(subject: Subject, parts: list[Part], kind: str) -> str:
    """The whole page as `kind`, "html" or "md". A value that a template misses is an error, not a gap."""
    templates = _environment(kind)
    common = {"results": subject.results, "title": subject.title, "words": words}
    sections = [
        {
            "name": part.name,
            "heading": part.heading,
            "body": Markup(
                templates.get_template(f"{subject.folder}/{part.file}.{kind}").render(
                    common | part.context
                )
            ),
        }
        for part in parts
    ]
    page = templates.get_template(f"page.{kind}").render(
        common, sections=sections, shown=subject.shown
    )
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
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="What a run has left.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="where the report goes [default: DIR; runs/comparison for several]"),
    ] = None,
    sections: Annotated[
        str, typer.Option(help="only these, as in accuracy,cost [default: all]")
    ] = "",
    tex: Annotated[
        bool, typer.Option("--latex", help="write tables/*.tex too, for LaTeX with booktabs")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit code 1 if a file would differ")
    ] = False,
) -> int:
    """Build report.md, report.html and figures from the records in DIR, or from several data sets together."""
    target = out or destination(directories)
    wanted = [name.strip() for name in sections.split(",") if name.strip()]
    if check:
        files = made(*directories, out=target, sections=wanted, tex=tex).items()
        other = [
            name
            for name, new in files
            if not (file := target / name).exists() or file.read_bytes() != new
        ]
        typer.echo(
            "".join(f"{target / name}: not what the records give\n" for name in other), nl=False
        )
        return FAILED if other else FINE
    typer.echo(build(*directories, out=out, sections=wanted, tex=tex).resolve().as_uri())
    return FINE


if __name__ == "__main__":
    serve(main)
