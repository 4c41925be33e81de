"""What an earlier report has left behind: a build takes away the figures and tables that the new report has not."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from recbench.benchmarks.records import REPORT_LIST, report_digests

LIST = REPORT_LIST
OURS = re.compile(
    r"(figures/[\w.@-]+\.(svg|png)|tables/[\w.@-]+\.tex)", re.ASCII
)  # what may be taken away


def listed(files: Mapping[str, bytes]) -> bytes:
    """The content of `LIST` for a report's files."""
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in sorted(files.items())
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def announced(directory: Path, files: Mapping[str, bytes]) -> bytes:
    """The content of `LIST` before `files` are written: theirs and the earlier ones, whose digests stay known.

    So a build that is killed among its files leaves none behind that the next one takes for somebody else's.
    """
    lines = [
        f"{digest}  {name}\n"
        for name, digests in report_digests(directory).items()
        for digest in digests
    ]
    content = {name: content for name, content in files.items() if name != LIST}
    return "".join(sorted(lines)).encode() + listed(content)


def remove(directory: Path, files: Mapping[str, bytes]) -> list[str]:
    """Remove what the last build wrote to `directory`, is as it was written, and is not among `files`; the names.

    A figure that somebody has changed or put there is theirs, and stays; so does anything outside `OURS`.
    """
    try:
        written = (directory / LIST).read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    removed = []
    for line in written.splitlines():
        digest, _, name = line.partition("  ")
        path = directory / name
        if (
            name in files
            or not OURS.fullmatch(name)
            or path.parent.is_symlink()
            or path.is_symlink()
        ):
            continue
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            path.unlink()
            removed.append(name)
    return removed
