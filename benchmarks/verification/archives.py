"""One file with a run for a reviewer: what its manifest says, and how it is unpacked and checked.

The manifest has the sha256 of every other file, so that it is known what was taken out, put in or
changed, also where the raw answers were left out because the licence of the data forbids to pass
them on.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from recbench.benchmarks.verification.ledger import Ledger
from recbench.datasets.foundation import UsageError
from recbench.datasets.storage import Archive, digest_of

MANIFEST = "archive.json"
FORMAT = 1


class Manifest(BaseModel):
    """What an archive of a run says of itself."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["recbench archive"] = "recbench archive"
    format: int = FORMAT
    run: str  # the name of the run's directory
    has_answers: bool  # whether the raw answers are in it
    why: str  # they are, or are not
    files: dict[str, str]  # sha256 of every other file, by its name

    def to_bytes(self) -> bytes:
        """As it is written."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def digest_bytes(content: bytes) -> str:
    """The sha256 of a content, as manifests have it."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def open_run_directory(path: Path) -> Iterator[Path]:
    """`path` itself if it is a directory; else the directory that it unpacks to, for as long.

    UsageError if it is no archive of a run, see `Archive` for what else is refused.
    """
    if not path.is_file():
        yield path
        return
    with TemporaryDirectory(prefix="recbench-archive-") as place:
        directory = Path(place)
        with Archive(path) as archive:
            if MANIFEST not in archive.sizes:
                raise UsageError(
                    f"{path} is no archive of a run: it holds no {MANIFEST}. Name the directory of "
                    "a run, of a model, or what `reports.archive` has written"
                )
            for name in archive.sizes:
                target = directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
        yield directory


def check_manifest(directory: Path, ledger: Ledger) -> Manifest | None:
    """Compare the files of an unpacked archive with its manifest; None where there is none.

    UsageError for a manifest that cannot be read or is of a newer version.
    """
    path = directory / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(f"{path} is damaged: {error}") from None
    if manifest.format > FORMAT:
        raise UsageError(f"{path} is of a newer version of recbench: verify it with that")

    found = {
        file.relative_to(directory).as_posix(): file
        for file in sorted(directory.rglob("*"))
        if file.is_file() and file != path
    }
    for name in sorted(manifest.files.keys() | found.keys()):
        digest = digest_of(found[name], "sha256") if name in found else None
        ledger.compare("files of the archive", name, "sha256", manifest.files.get(name), digest)
    if not manifest.has_answers:
        ledger.remarks.append(
            f"raw answers were left out of the archive ({manifest.why}), so no metric can be "
            "recomputed and the report cannot be built again: files are compared with each other"
        )
    return manifest
