"""Whose the files in a results directory are.

What no run of ours wrote is never replaced, and a run has its directory alone.
"""

import csv
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from recbench.benchmarks.records.leftovers import find_leftovers
from recbench.benchmarks.records.record import Run
from recbench.datasets.foundation import UsageError, parse_json
from recbench.datasets.storage import digest_of, hold_lock

REPORT_LIST = "report.sha256"  # the files of a report, as `sha256sum --check` reads them
DIGEST_LINE = re.compile(r"([0-9a-f]{64})  (.+)")  # of REPORT_LIST: a digest and a name
PAGES = ("report.md", "report.html")

# The files of a run beside its folders
RUN_FILES = (
    "plan.json",
    "profile.json",
    "examples.json",
    "tuning.json",
    "results.csv",
    *PAGES,
    REPORT_LIST,
)

# Keys or columns by which a file of ours is known
KEYS_OF_OURS = {
    "profile.json": {"schema", "digest", "stars"},
    "examples.json": {"schema", "digest", "people"},
    "tuning.json": {"schema", "searches"},
    "tuning/plan.json": {"schema", "about", "cells"},
    "results.csv": {"dataset", "algorithm", "fold", "seed", "key", "status"},
}
RECORD_NAME = re.compile(r"(?:tuning/|differing/[^/]+/)?records/[^/]+-[0-9a-f]{12}\.(json|npz|log)")
LONGEST_BYTES = 2**26  # no file that is known by its content is longer
N_NAMED = 3  # foreign files that a message names


def refuse_foreign_files(directory: Path, data_files: Iterable[Path] = ()) -> None:
    """UsageError if results must not go to `directory`, which need not exist. Nothing is written.

    A directory with a plan of ours is ours, and what else lies in it is left alone. Without a plan,
    as a run leaves it that was killed early, every file in it must be one that we write; hidden
    ones and `data_files`, those that the command reads itself, do no harm. A plan that is damaged,
    or of a newer schema, is not replaced.
    """
    if not directory.is_dir():
        return
    if os.path.lexists(directory / "plan.json"):
        _refuse_unreadable_plan(directory)
        return

    foreign = _find_foreign_files(directory, {path.resolve() for path in data_files})
    # There can be very many: no more are looked for than a message needs
    first = list(islice(foreign, N_NAMED + 1))
    if first:
        raise UsageError(
            f"{directory} holds files that no run of recbench wrote ({_quote_names(first)}), so "
            "nothing is written there: name a new or an empty directory, or move them away"
        )


def _refuse_unreadable_plan(directory: Path) -> None:
    """UsageError if the plan in `directory` cannot be read: a run would replace it."""
    try:
        Run(directory).read_plan()
    except UsageError as error:
        raise UsageError(
            f"{error}. It is not replaced: name another directory; or, if it is of no use, move it "
            "away, and the records beside it are kept"
        ) from None


def _find_foreign_files(directory: Path, data_files: set[Path]) -> Iterator[str]:
    """The names, relative to `directory`, of the visible files in it that no run of ours wrote.

    Those among `data_files`, which are resolved, are left out.
    """
    digests = read_report_digests(directory)
    for path in _visible_files(directory):
        name = path.relative_to(directory).as_posix()
        is_data = path.resolve() in data_files and name not in RUN_FILES
        if not is_data and not _is_ours(path, name, digests):
            yield name


def _visible_files(directory: Path) -> Iterator[Path]:
    """The files below `directory`, sorted in each folder; hidden files and folders are left out."""
    for folder, folders, names in os.walk(directory):
        # `os.walk` goes into those that are left in the list
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder, name)


def _is_ours(path: Path, name: str, digests: Mapping[str, set[str]]) -> bool:
    """Whether one of our runs wrote the file, as its name and what stands in it tell.

    `name` is relative to the results directory, whose `read_report_digests` are given.
    """
    if RECORD_NAME.fullmatch(name):
        return True
    if name == REPORT_LIST:
        return bool(digests)
    if name in PAGES:
        return _sha256_of(path) in digests.get(name, ())
    if name in KEYS_OF_OURS:
        return KEYS_OF_OURS[name] <= _read_keys(path)
    return name in digests


def _read_keys(path: Path) -> set[str]:
    """The keys of a JSON object, or the columns of a CSV file.

    Empty if it is neither, cannot be read, or is too long to be ours.
    """
    try:
        if path.stat().st_size > LONGEST_BYTES:
            return set()
        text = path.read_text()
        if path.suffix == ".json":
            content = parse_json(text)
            return set(content) if isinstance(content, dict) else set()
        first_line = text.splitlines()[:1]
        return set(next(csv.reader(first_line), []))
    except (OSError, ValueError, RecursionError, csv.Error):
        return set()


def _sha256_of(path: Path) -> str | None:
    """The digest of a file in hexadecimal digits; None if it cannot be read."""
    try:
        return digest_of(path, "sha256")
    except OSError:
        return None


def _quote_names(names: Sequence[str]) -> str:
    """The first of the names, as a message can hold them."""
    quoted = ", ".join(repr(name) for name in names[:N_NAMED])
    if len(names) > N_NAMED:
        return f"{quoted} and others"
    return quoted


def read_report_digests(directory: Path) -> dict[str, set[str]]:
    """The sha256 of each file of the report in `directory`, by its name relative to that.

    Empty where no report of ours was built. A file has two digests where a build that was killed
    has left those of two reports.
    """
    try:
        lines = (directory / REPORT_LIST).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}

    digests: dict[str, set[str]] = {}
    for line in lines:
        match = DIGEST_LINE.fullmatch(line)
        if match:
            digest, name = match.groups()
            digests.setdefault(name, set()).add(digest)

    has_page = any(page in digests for page in PAGES)
    return digests if has_page else {}


def refuse_foreign_report(directory: Path, files: Mapping[str, bytes]) -> None:
    """UsageError if a report of `files` would replace what no build of ours wrote.

    `files` are contents by name. A `directory` with a run is ours. Where a report of ours is
    without one, its figures and tables may be replaced; its pages only as they were written.
    """
    if (directory / "plan.json").exists():
        return

    digests = read_report_digests(directory)
    foreign = []
    for name, content in files.items():
        path = directory / name
        is_part_of_ours = bool(digests) and name not in PAGES
        if not path.is_file() or is_part_of_ours:
            continue
        digest = _sha256_of(path)
        is_written_by_us = digest in digests.get(name, ())
        is_the_same = digest == hashlib.sha256(content).hexdigest()
        if not is_written_by_us and not is_the_same:
            foreign.append(name)

    if foreign:
        raise UsageError(
            f"{directory} holds files that the report would replace and no build of recbench left "
            f"so ({_quote_names(foreign)}): name another directory with --out, or move them away"
        )


@contextmanager
def claim_directory(directory: Path, data_files: Iterable[Path] = ()) -> Iterator[None]:
    """Hold `directory` for this run alone.

    It is made if it does not exist, and what a killed run has left half written is removed.
    UsageError if it cannot be written, holds what is not ours, or another run holds it.
    """
    refuse_foreign_files(directory, data_files)

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
