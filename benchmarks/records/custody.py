"""The files of a run, held so that what a cell deletes can be written again.

An algorithm runs with the rights of its user, so it can delete the directory of the results. What
is held here are the contents of small files, and of large ones an open file, which the system keeps
until it is closed, whatever happens to its name.
"""

import contextlib
import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.record import Record, Run
from recbench.datasets.storage import write_atomically

MOST_FILES = 1 << 16  # to be open at the same time, where the system allows it
FILES_OF_RUN = ("plan.json", "profile.json")
N_NAMED = 3  # deleted files that a reason names


@dataclass
class Custody:
    """Holds the plan and the finished cells of a run. Use as a context manager."""

    run: Run
    _contents: dict[Path, bytes] = field(default_factory=dict)
    _answers: dict[Path, int] = field(default_factory=dict)  # open files, by the record's path

    def __enter__(self) -> Self:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):  # then fewer raw answers are held
            limit = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
        self.hold_run()
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._answers.values():
            os.close(descriptor)
        self._answers.clear()

    def hold_run(self) -> None:
        """Hold the plan and the profile that the run has now."""
        for name in FILES_OF_RUN:
            self._hold_content(self.run.directory / name)

    def hold(self, cells: Iterable[Cell]) -> None:
        """Hold the records, raw answers and logs that these cells have now."""
        for cell in cells:
            record = self.run.path(cell)
            self._hold_content(record)
            self._hold_content(self.run.path(cell, ".log"))

            descriptor = self._answers.pop(record, None)
            if descriptor is not None:
                os.close(descriptor)
            with contextlib.suppress(OSError):  # it has none, or too many files are open
                self._answers[record] = os.open(self.run.path(cell, ".npz"), os.O_RDONLY)

    def restore(self) -> list[Path]:
        """Write again what was deleted; the files that were.

        A record whose raw answers cannot be had again is not written either.
        """
        lost = [path for path in self._contents if not path.exists()]
        for record, descriptor in self._answers.items():
            answers = record.with_suffix(".npz")
            if not answers.exists():
                write_atomically(answers, _read_all(descriptor))
                lost.append(answers)

        for path in lost:
            answers = path.with_suffix(".npz")
            is_whole = answers.exists() or not self._promises_answers(path)
            if path in self._contents and is_whole:
                write_atomically(path, self._contents[path])
        return lost

    def _hold_content(self, path: Path) -> None:
        self._contents.pop(path, None)
        with contextlib.suppress(OSError):
            self._contents[path] = path.read_bytes()

    def _promises_answers(self, path: Path) -> bool:
        """Whether this is the record of a cell that is ok."""
        if path.suffix != ".json" or path.parent == self.run.directory:
            return False
        return Record.from_json(self._contents[path]).answers is not None


def blame_cell(run: Run, record: Record, lost: list[Path]) -> Record:
    """`record` as that of a crashed cell, during which the files `lost` of the run were deleted.

    It is written and returned. The caller has restored the files.
    """
    names = ", ".join(path.name for path in lost[:N_NAMED])
    if len(lost) > N_NAMED:
        names += ", ..."
    blamed = replace(
        record,
        status="crashed",
        reason=f"while it ran, {len(lost)} files of {run.directory} were deleted ({names}); "
        "they were written again",
        costs={},
        metrics={},
        slices=[],
        trace=[],
        determinism=None,
        raw_scores=None,
        cold=None,
        fold_in=None,
        serving=None,
        answers=None,
        evaluation=None,
    )
    run.write(blamed)
    return blamed


def _read_all(descriptor: int) -> bytes:
    """The content of an open file."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
