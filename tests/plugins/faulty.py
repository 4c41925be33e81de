"""Adapters that misbehave for real, as a plug-in: what the harness must survive and call by its
name.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np
import psutil

from recbench.adapters.base import Floats, Indices, Recommender
from recbench.datasets.ratings import Catalogue, Ratings


class _Faulty(Recommender):
    family = "faulty"
    predicts = "ratings"

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.full(len(users), 3.0, np.float32)


@dataclass(eq=False)
class Raises(_Faulty):
    """Raises in fit, with markup in its message."""

    name = "faulty-raises"

    def fit(self, data: Ratings, seed: int) -> None:
        raise RuntimeError("no such luck <script>alert(1)</script> | **bold**")


@dataclass(eq=False)
class Exits(_Faulty):
    """Leaves without a word."""

    name = "faulty-exits"

    def fit(self, data: Ratings, seed: int) -> None:
        os._exit(13)


@dataclass(eq=False)
class Segfaults(_Faulty):
    """Reads address 0."""

    name = "faulty-segfaults"

    def fit(self, data: Ratings, seed: int) -> None:
        ctypes.string_at(0)


@dataclass(eq=False)
class Sleeps(_Faulty):
    """Sleeps, and so does a process that it starts in a session of its own; only in the first fit
    if there is a file to note that in.
    """

    name = "faulty-sleeps"
    once: str = ""

    def fit(self, data: Ratings, seed: int) -> None:
        if self.once:
            if Path(self.once).exists():
                return
            Path(self.once).write_text("has slept")
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(321)"], start_new_session=True
        )
        time.sleep(60)


@dataclass(eq=False)
class Devours(_Faulty):
    """Allocates memory without end, 200 MB at a time."""

    name = "faulty-devours"

    def fit(self, data: Ratings, seed: int) -> None:
        self.hoard_ = []
        while True:
            self.hoard_.append(np.ones(200 << 17))
            time.sleep(0.1)


@dataclass(eq=False)
class ChildDevours(_Faulty):
    """Lets a process of its own allocate memory without end."""

    name = "faulty-child-devours"

    def fit(self, data: Ratings, seed: int) -> None:
        code = (
            "import time\nhoard = []\nwhile hoard.append(b'x' * (200 << 20)) is None: "
            "time.sleep(0.1)"
        )
        subprocess.run([sys.executable, "-c", code], check=False)


@dataclass(eq=False)
class MemoryErrors(_Faulty):
    """Asks for more memory than any machine has."""

    name = "faulty-memory-error"

    def fit(self, data: Ratings, seed: int) -> None:
        np.ones((1 << 50,))


@dataclass(eq=False)
class Nan(_Faulty):
    """Scores that are not numbers."""

    name = "faulty-nan"

    def fit(self, data: Ratings, seed: int) -> None:
        pass

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.full(len(users), np.nan, np.float32)


@dataclass(eq=False)
class WrongShape(_Faulty):
    """Too few scores."""

    name = "faulty-shape"

    def fit(self, data: Ratings, seed: int) -> None:
        pass

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.zeros(1, np.float32)


@dataclass(eq=False)
class NotInstalled(_Faulty):
    """Needs a library that nobody has."""

    name = "faulty-not-installed"
    requires = ("a_library_that_nobody_has",)

    def fit(self, data: Ratings, seed: int) -> None:
        raise AssertionError("never reached")


@dataclass(eq=False)
class Skips(_Faulty):
    """Declines the data."""

    name = "faulty-skips"

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        return f"declines {len(train)} ratings"

    def fit(self, data: Ratings, seed: int) -> None:
        raise AssertionError("never reached")


@dataclass(eq=False)
class Abstains(_Faulty):
    """Has no opinion on odd items, and says so."""

    name = "faulty-abstains"
    abstains = True

    def fit(self, data: Ratings, seed: int) -> None:
        pass

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.where(items % 2, np.nan, 3.0).astype(np.float32)


@dataclass(eq=False)
class Surrogates(_Faulty):
    """Raises a message that cannot be encoded, and is far too long."""

    name = "faulty-surrogates"

    def fit(self, data: Ratings, seed: int) -> None:
        raise ValueError("no file caf\udce9.csv \x1b[31m" + "x" * 1_000_000)


@dataclass(eq=False)
class StrangeSignal(_Faulty):
    """Is killed by a signal that has no name."""

    name = "faulty-strange-signal"

    def fit(self, data: Ratings, seed: int) -> None:
        os.kill(os.getpid(), signal.SIGRTMIN + 6)


@dataclass(eq=False)
class SysExits(_Faulty):
    """Says a lot and leaves politely."""

    name = "faulty-sys-exits"

    def fit(self, data: Ratings, seed: int) -> None:
        for line in range(200_000):
            sys.stdout.write(f"line {line}\n")
        sys.exit(3)


@dataclass(eq=False)
class Cheats(_Faulty):
    """Tries to change the users it is asked about, so that it would be judged by others."""

    name = "faulty-cheats"

    def fit(self, data: Ratings, seed: int) -> None:
        pass

    def score_items(self, users: Indices) -> Floats:
        users[:] = 0
        return np.zeros((len(users), self.n_items_), np.float32)


@dataclass(eq=False)
class Daemonic(_Faulty):
    """Works, but leaves a process behind in a session of its own, and a learning curve with a
    hole.
    """

    name = "faulty-daemonic"

    def fit(self, data: Ratings, seed: int) -> None:
        self.trace_ = [
            {"epoch": 1, "train_rmse": float("nan")},
            {"epoch": 2, "train_rmse": float(np.float32(0.5))},
        ]
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(321)"], start_new_session=True
        )


@dataclass(eq=False)
class Dawdles(_Faulty):
    """Works, but takes its time."""

    name = "faulty-dawdles"

    def fit(self, data: Ratings, seed: int) -> None:
        time.sleep(0.3)


def _allocate_apart(megabytes: int) -> None:
    """Have a process allocate memory that is in a session of its own, and nobody's child."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    hoard = []
    for _ in range(megabytes // 50):
        hoard.append(np.ones(50 << 17))
        time.sleep(0.02)
    time.sleep(321)


@dataclass(eq=False)
class OrphanDevours(_Faulty):
    """Forks twice, and what nobody waits for allocates a lot of memory."""

    name = "faulty-orphan-devours"

    def fit(self, data: Ratings, seed: int) -> None:
        _allocate_apart(4000)
        time.sleep(60)


def _parent_of(pid: int) -> int:
    return psutil.Process(pid).ppid()


@dataclass(eq=False)
class KillsParents(_Faulty):
    """Sends a signal to the process that has started it, or to one further up."""

    name = "faulty-kills-parents"
    generations: int = 1
    number: int = int(signal.SIGKILL)

    def fit(self, data: Ratings, seed: int) -> None:
        if data.n_users == 40:
            return  # the toy of the warm-up
        pid = os.getpid()
        for _ in range(self.generations):
            pid = _parent_of(pid)
        os.kill(pid, self.number)
        time.sleep(60)


@dataclass(eq=False)
class LeavesSharedMemory(_Faulty):
    """Leaves shared memory of both kinds, its name in a file, and its process without a word."""

    name = "faulty-leaves-shared-memory"
    file: str = ""

    def fit(self, data: Ratings, seed: int) -> None:
        memory = shared_memory.SharedMemory(create=True, size=1 << 20)
        assert memory.buf is not None
        memory.buf[:4] = b"mine"
        Path("/dev/shm/recbench-test-left").write_text("mine")
        segment = ctypes.CDLL(None).shmget(0, 1 << 20, 0o1600)  # IPC_PRIVATE, IPC_CREAT
        assert segment >= 0
        Path(self.file).write_text(memory.name)
        os._exit(13)


@dataclass(eq=False)
class Deletes(_Faulty):
    """Deletes a directory, in the way that is given."""

    name = "faulty-deletes"
    directory: str = ""
    way: str = "rm"

    def fit(self, data: Ratings, seed: int) -> None:
        if self.way == "rm":
            subprocess.run(["rm", "-rf", self.directory], check=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


@dataclass(eq=False)
class Hangs(_Faulty):
    """Works on the toy, and then never comes back from a place of its own."""

    name = "faulty-hangs"
    phase: str = "fit"

    def fit(self, data: Ratings, seed: int) -> None:
        self.is_toy_ = data.n_users == 40
        if self.phase == "fit":
            self._wait_for_ever()

    def score_items(self, users: Indices) -> Floats:
        if self.phase == "rank":
            self._wait_for_ever()
        return super().score_items(users)

    def _wait_for_ever(self) -> None:
        while not self.is_toy_:
            time.sleep(60)


@dataclass(eq=False)
class Unservable(_Faulty):
    """Answers like others, and fails when its model is saved."""

    name = "faulty-unservable"
    way: str = "raises"

    def fit(self, data: Ratings, seed: int) -> None:
        """There is nothing to be learned."""

    def state(self) -> dict[str, object]:
        match self.way:
            case "raises":
                raise RuntimeError("nothing to remember")
            case "exits":
                os._exit(7)
            case "hangs":
                time.sleep(600)
            case "devours":
                self.hoard_ = np.ones(1 << 28)  # 2 GB
        return super().state()


@dataclass(eq=False)
class Forgets(_Faulty):
    """Keeps what it has learned under a name that no model holds."""

    name = "faulty-forgets"

    def fit(self, data: Ratings, seed: int) -> None:
        self.memory = data.n_items
