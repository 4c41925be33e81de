"""Adapters that misbehave for real, as a plug-in: what the harness must survive and call by its
name.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

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
    """Sleeps, and so does a process that it starts in a session of its own."""

    name = "faulty-sleeps"

    def fit(self, data: Ratings, seed: int) -> None:
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
