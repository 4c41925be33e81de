"""What an earlier report has left: a build takes away figures and tables that the new one lacks."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from recbench.benchmarks.records import REPORT_LIST, read_report_digests

LIST = REPORT_LIST  # the file with the digests of all others

# Only files that a build writes under such names may be taken away.
REMOVABLE = re.compile(
    r"(figures/[\w.@-]+\.(svg|png|pdf)|tables/[\w.@-]+\.(tex|bib|md)|exports/[\w.@-]+\.json)",
    re.ASCII,
)


def list_digests(files: Mapping[str, bytes]) -> bytes:
    """The content of `LIST` for a report's files, as `sha256sum` writes and checks it."""
    lines = []
    for name, content in sorted(files.items()):
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    return "".join(lines).encode()


def list_old_and_new_digests(directory: Path, files: Mapping[str, bytes]) -> bytes:
    """The content of `LIST` before `files` are written: theirs and the earlier ones.

    The earlier digests stay known, so a build that is killed among its files leaves none behind
    that the next one takes for somebody else's.
    """
    old_lines = []
    for name, digests in read_report_digests(directory).items():
        old_lines += [f"{digest}  {name}\n" for digest in digests]
    new_files = {name: content for name, content in files.items() if name != LIST}
    return "".join(sorted(old_lines)).encode() + list_digests(new_files)


def remove_stale_files(directory: Path, files: Mapping[str, bytes]) -> list[str]:
    """Remove what the last build wrote to `directory` and the new `files` lack; the names of those.

    A figure that somebody has changed or put there is theirs, and stays; so does anything that is
    not `REMOVABLE`. Without a list from the last build nothing is removed.
    """
    try:
        written = (directory / LIST).read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return []

    removed = []
    for line in written.splitlines():
        digest, _, name = line.partition("  ")
        if name not in files and _is_as_written(directory, name, digest):
            (directory / name).unlink()
            removed.append(name)

    return removed


def _is_as_written(directory: Path, name: str, digest: str) -> bool:
    """Whether a name of the list is a file of ours that nobody has changed, moved or linked."""
    path = directory / name
    if not REMOVABLE.fullmatch(name) or path.parent.is_symlink() or path.is_symlink():
        return False
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest
