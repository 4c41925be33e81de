"""One file with all that a reviewer needs of a run; `benchmarks.verify` checks it as it is.

`python -m reports.archive RUN` writes RUN.zip: plan, records, results.csv, report with tables and
figures for a paper, bibliography, environment and command lines; and the raw answers where the
licence of the data lets them be passed on. The same run gives the same bytes.
"""

import io
import re
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

import typer

from recbench import reports
from recbench.benchmarks.console import FINE, serve
from recbench.benchmarks.records import DataDescription
from recbench.benchmarks.verification import MANIFEST, Manifest, digest_bytes
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, import_all, make_legible
from recbench.datasets.storage import write_atomically
from recbench.reports import words
from recbench.reports.build import make_files
from recbench.reports.results import Results
from recbench.reports.sections import SECTIONS, list_environment

MOMENT = (1980, 1, 1, 0, 0, 0)  # of every file in the archive
READABLE = 0o100644 << 16
OF_ANY_RUN = ("plan.json", "profile.json", "results.csv", "tuning.json", "tuning/plan.json")
RECORDS = ("records", "tuning/records")

# What shows ratings of single users
OF_USERS = ("recommendations",)
EXAMPLES = "examples.json"

PERMITS = re.compile(r"redistribution under|creative commons|\bcc[- ]by|public domain", re.I)
FORBIDS = re.compile(r"\bno redistribution|not be redistributed", re.I)


def pack_run(
    directory: Path,
    *,
    with_answers: bool | None = None,
    sections: Collection[str] = (),
) -> bytes:
    """The archive of the run in `directory`, a zip.

    `with_answers` says whether raw answers go along; None leaves that to the licence of the data.
    Without them what shows the ratings of single users is left out, too. `sections` of the report
    are all if none is named. UsageError if the directory holds no results.
    """
    results = Results.read(directory)
    permitted, why = judge_licence(results.about.data)
    if with_answers is not None:
        why = "whoever packed it has decided so"
        permitted = with_answers

    contents = _read_run_files(directory, with_answers=permitted)
    import_all(reports)  # so that every section is registered
    shown = [name for name in sections or SECTIONS if permitted or name not in OF_USERS]
    contents |= make_files(
        directory, out=directory, sections=shown, tex=True, pdf=True, results=results
    )
    contents["environment.txt"] = _describe_environment(results).encode()
    contents["commands.txt"] = _list_commands(results).encode()
    contents["README.txt"] = _introduce(results, permitted, why).encode()

    digests = {name: digest_bytes(content) for name, content in sorted(contents.items())}
    manifest = Manifest(
        run=make_legible(directory.resolve().name, keeps_lines=False),
        has_answers=permitted,
        why=why,
        files=digests,
    )
    return _zip_contents(contents | {MANIFEST: manifest.to_bytes()})


def judge_licence(data: DataDescription) -> tuple[bool, str]:
    """Whether answers about the data may be passed on, and why (not).

    What a licence does not permit in words is left out.
    """
    if data.simulated:
        return True, "the ratings are simulated"
    if FORBIDS.search(data.licence):
        return False, f"the licence of {data.name} forbids to pass the data on"
    if PERMITS.search(data.licence):
        return True, f"the licence of {data.name} permits it"
    return False, f"the licence of {data.name} does not say that they may be passed on"


def _read_run_files(directory: Path, *, with_answers: bool) -> dict[str, bytes]:
    """The files of the run itself, by name; those that are not there are left out."""
    endings = (".json", ".npz") if with_answers else (".json",)
    paths = [directory / name for name in OF_ANY_RUN]
    if with_answers:
        paths.append(directory / EXAMPLES)
    for folder in RECORDS:
        for path in sorted((directory / folder).glob("*")):
            if path.suffix in endings:
                paths.append(path)
    try:
        return {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in paths
            if path.is_file()
        }
    except OSError as error:
        raise UsageError(f"cannot read the run: {error}") from None


def _describe_environment(results: Results) -> str:
    """Machine and versions, a line each; where cells differ, every value."""
    lines = [f"{name}: {value}" for name, value in list_environment(results)]
    return "\n".join(make_legible(line, keeps_lines=False) for line in lines) + "\n"


def _list_commands(results: Results) -> str:
    """How the run was started, and how a row or a cell of it is measured again."""
    lines = ["# as it was typed", results.about.command, "", "# each row again"]
    lines += [words.again(results, row.name) for row in results.rows]
    lines += ["", "# one cell again, compared to the last bit", words.verify_command(results)]
    return "\n".join(make_legible(line, keeps_lines=False) for line in lines) + "\n"


def _introduce(results: Results, permitted: bool, why: str) -> str:
    """What is in the archive, what is not, and how it is checked."""
    data = results.about.data
    commit = results.about.environment.commit or "unknown"
    answers = "Raw answers are in it" if permitted else "Raw answers are NOT in it"
    lines = [
        words.title(results),
        "",
        "plan.json, records/     what was planned, and what came of each cell, unrounded",
        "results.csv             a line for each cell",
        "report.html, report.md  the report, with figures/ as SVG, PNG and PDF",
        "tables/                 every table for LaTeX, the set-up in words, references.bib",
        "environment.txt         machine and versions",
        "commands.txt            how all of it is measured again",
        f"{MANIFEST}            the sha256 of every other file",
        "",
        f"{answers}: {why}.",
        f"Data: {data.name}. Licence: {data.licence or 'not stated'}. {data.citation}",
        *([f"THE RATINGS ARE SIMULATED. {data.notice}"] if data.simulated else []),
        "",
        "To check it, packed or unpacked, with the bench as it was when this was packed: the",
        f"report is compared to the byte. The cells were measured at commit {commit}.",
        f"    {command_to_type('verify')} THIS-ARCHIVE.zip",
    ]
    return "\n".join(make_legible(line, keeps_lines=False) for line in lines) + "\n"


def _zip_contents(contents: Mapping[str, bytes]) -> bytes:
    """A zip of the contents by name, the same bytes for the same contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in sorted(contents):
            member = zipfile.ZipInfo(name, MOMENT)
            member.external_attr = READABLE
            member.create_system = 3  # Unix, wherever it is written
            member.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(member, contents[name])
    return buffer.getvalue()


def main(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="What a run has left.")],
    out: Annotated[
        Path | None, typer.Option(help="the file [default: RUN.zip, beside the run]")
    ] = None,
    answers: Annotated[
        bool | None,
        typer.Option(
            "--answers/--no-answers",
            help="whether raw answers go along [default: if the licence of the data permits it]",
        ),
    ] = None,
) -> int:
    """Pack RUN into one file for a reviewer, which `verify` checks as it is."""
    target = out or directory.resolve().with_name(f"{directory.resolve().name}.zip")
    content = pack_run(directory, with_answers=answers)
    try:
        write_atomically(target, content)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error}") from None
    typer.echo(f"{target}: {len(content) / 2**20:.1f} MB")
    return FINE


if __name__ == "__main__":
    serve(main)
