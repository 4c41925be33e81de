"""Whose the files in a results directory are: what no run of ours wrote is never replaced, and a run has it alone."""

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from recbench.benchmarks.records.leftovers import find_leftovers
from recbench.benchmarks.records.record import Run
from recbench.datasets.foundation import UsageError
from recbench.datasets.storage import hold_lock

REPORT_LIST = "report.sha256"  # the files of a report, as `sha256sum --check` reads them
PAGES = ("report.md", "report.html")
KEPT = (
    "plan.json",
    "profile.json",
    "examples.json",
    "results.csv",
    *PAGES,
    REPORT_LIST,
)  # beside the folders
MARKS = {  # by which a file of ours is known
    "profile.json": {"schema", "digest", "stars"},
    "examples.json": {"schema", "digest", "people"},
    "results.csv": {"dataset", "algorithm", "fold", "seed", "key", "status"},
}
RECORD = re.compile(r"records/[^/]+-[0-9a-f]{12}\.(json|npz|log)")
LONGEST = 2**26  # bytes; no file that is known by its content is longer
N_NAMED = 3  # strangers' files that a message names


def refuse_strangers(directory: Path, data_files: Iterable[Path] = ()) -> None:
    """UsageError if results must not go to `directory`, which need not exist. Nothing is written.

    A directory with a plan of ours is ours, and what else lies in it is left alone. Without a plan, as a run leaves
    it that was killed early, every file in it must be one that we write; hidden ones and `data_files`, those that
    the command reads itself, do no harm. A plan that is damaged, or of a newer schema, is not replaced.
    """
    if not directory.is_dir():
        return
    if os.path.lexists(directory / "plan.json"):
        _refuse_plan(directory)
        return
    strangers = _strangers(directory, {path.resolve() for path in data_files})
    some = list(islice(strangers, N_NAMED + 1))
    if some:
        raise UsageError(
            f"{directory} holds files that no run of recbench wrote ({_named(some)}), so nothing is written there: "
            "name a new or an empty directory, or move them away"
        )


def _refuse_plan(directory: Path) -> None:
    try:
        Run(directory).read_plan()
    except UsageError as error:
        raise UsageError(
            f"{error}. It is not replaced: name another directory; or, if it is of no use, move it away, and the "
            "records beside it are kept"
        ) from None


def _strangers(directory: Path, data_files: set[Path]) -> Iterator[str]:
    """The names, relative to `directory`, of the visible files in it that no run of ours wrote."""
    listed = report_digests(directory)
    for path in _visible_files(directory):
        name = path.relative_to(directory).as_posix()
        is_data = path.resolve() in data_files and name not in KEPT
        if not is_data and not _is_ours(path, name, listed):
            yield name


def _visible_files(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _is_ours(path: Path, name: str, listed: Mapping[str, set[str]]) -> bool:
    """Whether one of our runs wrote the file, as its name and what stands in it tell."""
    if RECORD.fullmatch(name):
        return True
    if name == REPORT_LIST:
        return bool(listed)
    if name in PAGES:
        return _sha256(path) in listed.get(name, ())
    if name in MARKS:
        return MARKS[name] <= _marks(path)
    return name in listed


def _marks(path: Path) -> set[str]:
    """The keys of a JSON object, or the columns of a table; none if it is neither or cannot be read."""
    try:
        if path.stat().st_size > LONGEST:
            return set()
        text = path.read_text()
        if path.suffix == ".json":
            content = json.loads(text)
            return set(content) if isinstance(content, dict) else set()
        return set(next(csv.reader(text.splitlines()[:1]), []))
    except (OSError, ValueError, RecursionError, csv.Error):
        return set()


def _sha256(path: Path) -> str | None:
    """Of a file; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _named(names: Sequence[str]) -> str:
    """The first of the names, as a message can hold them."""
    quoted = ", ".join(repr(name) for name in names[:N_NAMED])
    return f"{quoted} and others" if len(names) > N_NAMED else quoted


def report_digests(directory: Path) -> dict[str, set[str]]:
    """What the reports in `directory` consist of: the digests of each file; empty where none of ours was built.

    A build that was killed has left the digests of two reports.
    """
    try:
        lines = (directory / REPORT_LIST).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    listed: dict[str, set[str]] = {}
    for line in lines:
        if found := re.fullmatch(r"([0-9a-f]{64})  (.+)", line):
            listed.setdefault(found[2], set()).add(found[1])
    return listed if listed.keys() & set(PAGES) else {}


def refuse_foreign_report(directory: Path, files: Mapping[str, bytes]) -> None:
    """UsageError if a report of `files` would replace, in a `directory` without a run, what no build of ours wrote.

    Where a report of ours is, its figures and tables may be replaced; its pages only as they were written.
    """
    if (directory / "plan.json").exists():
        return
    listed = report_digests(directory)
    strangers = []
    for name, content in files.items():
        path = directory / name
        if not path.is_file() or (listed and name not in PAGES):
            continue
        digest = _sha256(path)
        if digest not in listed.get(name, ()) and digest != hashlib.sha256(content).hexdigest():
            strangers.append(name)
    if strangers:
        raise UsageError(
            f"{directory} holds files that the report would replace and no build of recbench left so "
            f"({_named(strangers)}): name another directory with --out, or move them away"
        )


@contextmanager
def claim_directory(directory: Path, data_files: Iterable[Path] = ()) -> Iterator[None]:
    """Hold `directory` for this run alone.

    UsageError if it cannot be written, holds what is not ours, or another run holds it.
    """
    refuse_strangers(directory, data_files)
    with ExitStack() as stack:
        try:
            (directory / "records").mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold_lock(directory / ".lock", wait=False))
        except BlockingIOError:
            raise UsageError(
                f"--out {directory}: another run is using it; wait, or name another directory"
            ) from None
        except OSError as error:
            raise UsageError(
                f"--out {directory}: cannot write there ({error.strerror}); name another directory"
            ) from None

        for leftover in find_leftovers(directory):
            leftover.unlink()
        yield
