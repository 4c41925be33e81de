"""Which processors a cell is bound to, so that no two cells on one host share one.

Each processor has a lock file in a directory that all users of the host share. A pool holds the
locks of the processors that its cells are bound to; the kernel releases them when its process ends,
however that happens. Processors are tried in the order of their numbers.

A cell for which too few are free runs unbound and is marked contended. It holds those that are
free, since it may run there. A cell with more threads than the host has processors does the same,
and is contended only if it does not get them all. Not seen: a cell that was there first is not told
when an unbound one joins it, and other programs take no locks. Pools meet only where they agree on
the directory for temporary files (TMPDIR).
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

DIRECTORY = "recbench-processors"
SHARED_BY_ALL_USERS = 0o1777  # who may write here, and who has made a file may remove it


@dataclass(frozen=True)
class Share:
    """What a cell gets: the processors that it is bound to, if any, and whether others run there
    too.
    """

    processors: tuple[int, ...]
    contended: bool
    locks: tuple[int, ...] = field(default=(), repr=False)  # open files

    def release(self) -> None:
        """Let others have the processors."""
        for lock in self.locks:
            os.close(lock)


class Processors:
    """The processors of one pool, whose cells have `threads` threads, `cells_at_once` of them at
    the same time.
    """

    def __init__(self, threads: int, cells_at_once: int, directory: Path | None = None) -> None:
        self._threads = threads
        self._directory = directory or Path(tempfile.gettempdir()) / DIRECTORY
        self._can_bind = can_bind(threads, cells_at_once)
        self._idle: list[Share] = []

    def take(self) -> Share:
        """A share for one cell: of processors that this pool holds, or that nobody does.

        Without processors the cell runs unbound, wherever the system puts it: where there are too
        few for a binding, or too few that nobody holds; then the share is contended. Never waits.
        """
        if self._idle:
            return self._idle.pop()
        allowed = allowed_processors()
        if not allowed:
            return Share((), contended=False)

        n_wanted = self._threads if self._can_bind else len(allowed)
        locks = self._lock_free(allowed, n_wanted)
        held = tuple(locks.values())
        is_complete = len(locks) == n_wanted
        if self._can_bind and is_complete:
            return Share(tuple(locks), contended=False, locks=held)
        return Share((), contended=not is_complete, locks=held)

    def give_back(self, share: Share) -> None:
        """Keep the processors of a cell that has ended for the next one; an unbound cell held what
        it could get.
        """
        if share.processors:
            self._idle.append(share)
        else:
            share.release()

    def release(self) -> None:
        """Let others have all processors that no cell of this pool runs on."""
        for share in self._idle:
            share.release()
        self._idle.clear()

    def _lock_free(self, processors: Iterable[int], n_wanted: int) -> dict[int, int]:
        """The first `n_wanted` of `processors` that nobody holds, or fewer, each with its open lock
        file.
        """
        locks: dict[int, int] = {}
        with contextlib.suppress(OSError):  # no such directory can be made: then nothing is known
            self._make_directory()

        for processor in processors:
            if len(locks) == n_wanted:
                break
            lock = None
            with contextlib.suppress(OSError):  # a file that is not ours: nothing is known of it
                lock = _lock_file(self._directory / f"{processor}.lock")
            if lock is not None:
                locks[processor] = lock
        return locks

    def _make_directory(self) -> None:
        with contextlib.suppress(FileExistsError):
            self._directory.mkdir()
            self._directory.chmod(SHARED_BY_ALL_USERS)  # mkdir heeds the umask


def allowed_processors() -> list[int]:
    """The processors that this process may use, in order; none where the platform does not bind
    processes.
    """
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))


def can_bind(threads: int, cells_at_once: int) -> bool:
    """Whether there are processors for all cells that run at the same time."""
    return threads * cells_at_once <= len(allowed_processors())


def _lock_file(file: Path) -> int | None:
    """The open, locked file, or None if somebody else holds it. OSError if it cannot be opened."""
    flags = os.O_RDONLY | os.O_NOFOLLOW
    try:
        descriptor = os.open(file, flags)
    except FileNotFoundError:
        descriptor = os.open(file, flags | os.O_CREAT, 0o644)
        os.fchmod(descriptor, 0o644)  # whatever the umask: to lock it, others need to read it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
