"""From the records in a directory, or in several, to report.md, report.html and figures.

`python -m reports.build DIR`, or `DIR DIR ...` for several data sets in one report, or for two runs
on one.
"""

import fnmatch
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from recbench import reports
from recbench.benchmarks.console import FAILED, FINE, serve
from recbench.benchmarks.gating import History
from recbench.benchmarks.records import (
    embed_records,
    read_report_digests,
    refuse_foreign_report,
)
from recbench.datasets.foundation import UsageError, import_all, make_legible, pick_name
from recbench.datasets.storage import write_atomically
from recbench.reports import words, written_files
from recbench.reports.drawing import Picture, draw_pictures
from recbench.reports.papers import (
    PaperTable,
    list_tables,
    make_paper_files,
    tabulate_comparison,
    tabulate_pair,
    tabulate_run,
)
from recbench.reports.rendering import (
    Appendix,
    Block,
    list_appendices,
    list_pictures,
    render_html,
    render_markdown,
)
from recbench.reports.results import Results
from recbench.reports.sections import SECTIONS, Section, Sections
from recbench.reports.several import (
    COMPARISON_SECTIONS,
    HISTORY_SECTIONS,
    PAIR_SECTIONS,
    DatasetComparison,
    HistoryPage,
    TwoRuns,
    are_two_of_one_data_set,
    export_history,
    title_pair,
    title_report,
    write_league_answers,
    write_pair_answers,
)

TEMPLATES = Path(__file__).parent / "templates"
SECTION_START = re.compile(r'^<section id="([\w-]+)" ', re.MULTILINE)  # in the template
TOGETHER = Path("runs") / "comparison"  # where a report on several runs goes

Kind = Literal["md", "html"]
About = TypeVar("About")  # what a section is about: the results of a run, or of several


@dataclass(frozen=True)
class DescribedSection:
    """A section that has something to say: its name (and anchor), its heading and its blocks."""

    name: str
    heading: str
    blocks: list[Block]


# Sections by their names, each described when it is wanted; None of one with nothing to say
Deferred = Mapping[str, Callable[[], DescribedSection | None]]


@dataclass(frozen=True)
class Report:
    """What a report is about (a run, several, a history), and how its sections are described.

    `describe_by_name` has the sections in the order of the report; `embedded` is the JSON inside
    the page.
    """

    results: Results | DatasetComparison | TwoRuns | HistoryPage
    title: str
    describe_by_name: Deferred
    embedded: dict[str, Any]
    tables: Iterable[PaperTable]
    write_answers: Callable[[], list[str]] = list  # of several runs: the answers for a terminal


def build(
    *directories: Path,
    out: Path | None = None,
    sections: Collection[str] = (),
    tex: bool = False,
    pdf: bool = False,
    png: Collection[str] = (),
    results: Results | None = None,
) -> Path:
    """Write `report.md`, `report.html` and `figures/` from the records; the path of the HTML.

    `sections` are all if none is named; `tex` adds `tables/`, `pdf` figures as PDF; `png` has names
    of figures, or patterns such as `overview-*`, that are to be there as PNG beside their SVG:
    those that are so already if it has none. Figures and tables of an earlier report that this one
    has not are removed. UsageError if a directory holds no results, if several are not comparable,
    or if the report cannot be written or would replace a file that no build wrote. `results` are
    those of the one directory, if they have been read already.
    """
    target = out or choose_destination(directories)
    files = make_files(
        *directories, out=target, sections=sections, tex=tex, pdf=pdf, png=png, results=results
    )
    return _write_report(target, files)


def build_history(history: History, out: Path) -> Path:
    """Write the report of a history, `history.json` and `exports/`; the path of the HTML.

    UsageError if it cannot be written, would replace what no build wrote, or if `out` holds a run.
    """
    if (out / "plan.json").exists():
        raise UsageError(f"--out {out} holds a run, whose report would be lost: name another")
    page = HistoryPage(history)
    sections = _defer_all(HISTORY_SECTIONS, page)
    subject = Report(page, page.title, sections, page.embedded(), ())
    numbers = json.dumps(subject.embedded, indent=1, allow_nan=False) + "\n"
    more = export_history(history) | {"history.json": numbers.encode()}
    return _write_report(out, _render_files(subject, (), out, more=more))


def _write_report(target: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files of a report, in place of those of an earlier one; the path of the HTML."""
    refuse_foreign_report(target, files)
    try:
        written_files.remove_stale_files(target, files)
        # The list comes first, so a build that is killed leaves no file that looks like another's.
        digests = written_files.list_old_and_new_digests(target, files)
        write_atomically(target / written_files.LIST, digests)
        for name, content in files.items():
            write_atomically(target / name, content)
    except OSError as error:
        raise UsageError(f"cannot write the report to {target}: {error}") from None

    return target / "report.html"


def choose_destination(directories: Sequence[Path]) -> Path:
    """Where a report goes by default: beside its run, or to a place for those on several."""
    if len(directories) == 1:
        return directories[0]
    return TOGETHER


def make_files(
    *directories: Path,
    out: Path | None = None,
    sections: Collection[str] = (),
    tex: bool = False,
    pdf: bool = False,
    png: Collection[str] = (),
    results: Results | None = None,
) -> dict[str, bytes]:
    """The report of the records in `directories`, its files by name: figures first, pages last.

    The same records give the same bytes. UsageError as in `build`.
    """
    target = out or choose_destination(directories)
    if results is None:
        subject = _read_subject(directories, target)
    else:
        subject = describe_run(results)
    return _render_files(subject, sections, target, tex=tex, pdf=pdf, png=png)


def _render_files(
    subject: Report,
    sections: Collection[str],
    target: Path,
    *,
    tex: bool = False,
    pdf: bool = False,
    png: Collection[str] = (),
    more: Mapping[str, bytes] = MappingProxyType({}),
) -> dict[str, bytes]:
    """The files of a report for `target` by name: `more`, then figures and tables, the pages, their
    digests.
    """
    parts = describe_sections(subject, sections)
    files = dict(more) | _draw_figures(parts, png, target, pdf=pdf)
    if tex:
        tables = list_tables(subject.title, parts, list(subject.tables))
        of_run = subject.results if isinstance(subject.results, Results) else None
        files |= make_paper_files(tables, of_run)

    for part in parts:
        for appendix in list_appendices(part.blocks):
            files[f"{appendix.name}.md"] = _render_appendix(subject, appendix).encode()
    files["report.md"] = render_page(subject, parts, "md").encode()
    files["report.html"] = render_page(subject, parts, "html").encode()
    return files | {written_files.LIST: written_files.list_digests(files)}


def _draw_figures(
    parts: Sequence[DescribedSection], png: Collection[str], target: Path, *, pdf: bool
) -> dict[str, bytes]:
    """The figures of the sections by file name: SVG, PDF if wanted, and PNG of those that `png`
    names.

    If it names none, of those that stand in `target` as PNG. UsageError for a pattern that is that
    of no figure.
    """
    pictures: dict[str, Picture] = {}
    for part in parts:
        for picture in list_pictures(part.blocks):
            pictures[picture.name] = picture

    if png:
        png_names = _match_names(pictures, png)
    else:
        png_names = {name for name in pictures if (target / f"figures/{name}.png").is_file()}

    draw_pictures(list(pictures.values()), png_names)
    files = {}
    for name, picture in pictures.items():
        files[f"figures/{name}.svg"] = picture.svg
        if name in png_names:
            files[f"figures/{name}.png"] = picture.png
        if pdf:
            files[f"figures/{name}.pdf"] = picture.pdf
    return files


def _match_names(names: Iterable[str], patterns: Iterable[str]) -> set[str]:
    """The names of figures that match a pattern. UsageError for a pattern that none matches."""
    known = sorted(names)
    chosen: set[str] = set()
    for pattern in patterns:
        matching = fnmatch.filter(known, pattern)
        if not matching:
            raise UsageError(
                f"--png {pattern}: no figure of this report is called so. "
                f"Valid: {', '.join(known) or 'none, since it has no figures'}"
            )
        chosen.update(matching)
    return chosen


def _read_subject(directories: Sequence[Path], out: Path) -> Report:
    """One run or several, as what a report is about; UsageError as in `build`."""
    holds_run = (out / "plan.json").exists()
    if holds_run and [path.resolve() for path in directories] != [out.resolve()]:
        raise UsageError(
            f"--out {out} holds a run, whose report would be lost: name another directory"
        )
    if len(directories) == 1:
        return describe_run(Results.read(directories[0]))
    runs = [Results.read(directory) for directory in directories]
    if are_two_of_one_data_set(runs):
        return describe_pair(TwoRuns.of(runs, out))
    return describe_comparison(DatasetComparison.of(runs, out))


def describe_run(results: Results) -> Report:
    """One run as what a report is about."""
    return Report(
        results,
        words.title(results),
        _defer_all(SECTIONS, results),
        embed_records(results.about, results.records),
        tabulate_run(results),
    )


def describe_comparison(comparison: DatasetComparison) -> Report:
    """Several runs as what a report is about."""
    return Report(
        comparison,
        title_report(comparison),
        _defer_all(COMPARISON_SECTIONS, comparison),
        comparison.embedded(),
        tabulate_comparison(comparison),
        lambda: write_league_answers(comparison),
    )


def describe_pair(two: TwoRuns) -> Report:
    """Two runs on the same data as what a report is about."""
    return Report(
        two,
        title_pair(two),
        _defer_all(PAIR_SECTIONS, two),
        two.embedded(),
        tabulate_pair(two),
        lambda: write_pair_answers(two),
    )


def _defer_all(sections: Sections[About], about: About) -> Deferred:
    """Each section by its name, described when it is wanted."""
    import_all(reports)  # so that every section is registered
    return {name: _defer(section, about) for name, section in sections.items()}


def _defer(section: Section[About], about: About) -> Callable[[], DescribedSection | None]:
    """A function that describes the section when it is wanted; None if it has nothing to say."""

    def describe() -> DescribedSection | None:
        blocks = section.describe(about)
        if blocks is None:
            return None
        return DescribedSection(section.name, section.heading, blocks)

    return describe


def describe_sections(subject: Report, wanted: Collection[str] = ()) -> list[DescribedSection]:
    """Every section, or those `wanted`, that has something to say, in the order of the report.

    UsageError if a wanted one does not exist, or if none of them has anything to say.
    """
    for name in wanted:
        pick_name("section", name, subject.describe_by_name)

    parts = []
    for name, describe in subject.describe_by_name.items():
        if wanted and name not in wanted:
            continue
        part = describe()
        if part is not None:
            parts.append(part)

    if not parts:
        raise UsageError(
            f"nothing to say under {words.listed(wanted)}: leave --sections out to see what there "
            "is"
        )
    return parts


def render_page(subject: Report, parts: Sequence[DescribedSection], kind: Kind) -> str:
    """The whole page as HTML or Markdown. A value that a template misses is an error, not a gap."""
    sections = []
    for part in parts:
        if kind == "html":
            body = render_html(part.blocks)
        else:
            body = Markup(render_markdown(part.blocks))
        sections.append({"name": part.name, "heading": part.heading, "body": body})

    page = _make_environment(kind).get_template(f"page.{kind}")
    text = page.render(
        results=subject.results,
        notice=_shorten_notice(subject.results),
        title=subject.title,
        sections=sections,
        embedded=subject.embedded,
    )
    # Whatever a template has put in by itself; a page has no bound, its pieces do
    return make_legible(text.rstrip(), longest=len(text)) + "\n"


def _render_appendix(subject: Report, appendix: Appendix) -> str:
    """A page of Markdown of its own, whose title says of which report it is a part."""
    heading = f"# {words.markdown(subject.title)}: {words.markdown(appendix.summary.lower())}"
    text = f"{heading}\n\n{render_markdown(appendix.blocks)}"
    return make_legible(text.rstrip(), longest=len(text)) + "\n"


def _shorten_notice(results: Results | DatasetComparison | TwoRuns | HistoryPage) -> str:
    """What is said of simulated data, without the folders of the machine; empty of real data."""
    if not results.simulated:
        return ""
    return words.hide_paths(results.about.data.notice.removeprefix("SIMULATED: "))


def _make_environment(kind: Kind) -> Environment:
    """Templates that escape whatever is put into them, as HTML or as Markdown."""
    is_html = kind == "html"
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=is_html,
        finalize=None if is_html else words.markdown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The numbers inside the page, without the blanks that only people need.
    compact = {"sort_keys": True, "separators": (",", ":")}
    environment.policies["json.dumps_kwargs"] = compact
    return environment


def list_shown_sections(target: Path) -> list[str]:
    """The names of those sections that the page in `target` has, in their order.

    Empty without a page. A report may have been built with some of its sections only.
    """
    page = target / "report.html"
    if not page.is_file():
        return []

    import_all(reports)  # so that every section is registered
    known = SECTIONS.keys() | COMPARISON_SECTIONS.keys() | PAIR_SECTIONS.keys()
    shown = SECTION_START.findall(page.read_text(errors="replace"))
    return [name for name in shown if name in known]


def list_differing_files(target: Path, files: Mapping[str, bytes]) -> list[str]:
    """The names of the files that are not in `target`, or not as `files` has them."""
    differing = []
    for name, content in files.items():
        path = target / name
        if not path.is_file() or path.read_bytes() != content:
            differing.append(name)
    return differing


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
        bool,
        typer.Option(
            "--latex",
            help="write tables/ too: every table for LaTeX, the set-up in words, references.bib",
        ),
    ] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="write figures as PDF too, with their fonts inside")
    ] = False,
    png: Annotated[
        str,
        typer.Option(
            help="these figures as PNG too, as in accuracy,overview-* [default: those that are]"
        ),
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit code 1 if a file would differ")
    ] = False,
) -> int:
    """Build report.md, report.html and figures from DIR, or from several.

    Runs on several data sets become a league, two runs on one data set a comparison user by user.

    What is checked are the sections that the page has, unless some are named, and the tables for
    papers and the PDFs that were written with it.
    """
    wanted = _split_names(sections)
    as_png = _split_names(png)
    if not check:
        target = out or choose_destination(directories)
        subject = _read_subject(directories, target)
        files = _render_files(subject, wanted, target, tex=tex, pdf=pdf, png=as_png)
        page = _write_report(target, files)
        for line in subject.write_answers():
            typer.echo(line)
        typer.echo(page.resolve().as_uri())
        return FINE

    target = out or choose_destination(directories)
    shown = wanted or list_shown_sections(target)
    written = read_report_digests(target)
    tex = tex or any(name.startswith("tables/") for name in written)
    pdf = pdf or any(name.endswith(".pdf") for name in written)
    files = make_files(*directories, out=target, sections=shown, tex=tex, pdf=pdf, png=as_png)
    differing = list_differing_files(target, files)
    for name in differing:
        typer.echo(f"{target / name}: not what the records give")
    return FAILED if differing else FINE


def _split_names(text: str) -> list[str]:
    """The names in a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    serve(main)
