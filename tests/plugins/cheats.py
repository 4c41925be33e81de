"""Adapters that cheat, as a plug-in: what the harness must make useless, refuse, or let us find
out.
"""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from recbench import datasets
from recbench.adapters.base import Floats, Indices, Recommender
from recbench.datasets.ratings import Catalogue, Ratings

_hoard: dict[tuple[int, int], float] = {}  # survives a cell only if the process does


class _Cheat(Recommender):
    family = "cheats"
    predicts = "ratings"

    def fit(self, data: Any, seed: int) -> None:
        pass

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.full(len(users), 3.0, np.float32)


@dataclass(eq=False)
class Hoarder(_Cheat):
    """Keeps all ratings it has ever been given and knows these only; what one fold trains on,
    another one tests.
    """

    name = "cheats-hoarder"
    abstains = True
    where: Literal["globals", "file"] = "globals"
    file: str = ""

    def fit(self, data: Ratings, seed: int) -> None:
        if data.n_users == 40:
            return  # the toy of the warm-up
        pairs = zip(data.users.tolist(), data.items.tolist(), strict=True)
        new = dict(zip(pairs, data.values.tolist(), strict=True))
        if self.where == "globals":
            _hoard.update(new)
            self.known_ = dict(_hoard)
        else:
            path = Path(self.file)
            path.touch()
            old = [line.split() for line in path.read_text().splitlines()]
            self.known_ = {(int(u), int(i)): float(r) for u, i, r in old} | new
            path.write_text("".join(f"{u} {i} {r}\n" for (u, i), r in self.known_.items()))

    def score(self, users: Indices, items: Indices) -> Floats:
        known: dict[tuple[int, int], float] = getattr(self, "known_", {})
        pairs = zip(users.tolist(), items.tolist(), strict=True)
        return np.array([known.get(pair, np.nan) for pair in pairs], np.float32)


@dataclass(eq=False)
class Reader(_Cheat):
    """Opens a file, or loads a data set by its name."""

    name = "cheats-reader"
    file: str = ""
    dataset: str = ""

    def fit(self, data: Ratings, seed: int) -> None:
        if self.file:
            Path(self.file).read_bytes()
        if self.dataset:
            datasets.load(self.dataset)


@dataclass(eq=False)
class Listener(_Cheat):
    """Recommends first whatever pairs it has been asked about before."""

    name = "cheats-listener"
    listens: bool = True
    heard: ClassVar[set[tuple[int, int, int]]] = set()

    def score(self, users: Indices, items: Indices) -> Floats:
        if self.listens:
            self.heard.update(
                (self.n_items_, u, i) for u, i in zip(users.tolist(), items.tolist(), strict=True)
            )
        return super().score(users, items)

    def score_items(self, users: Indices) -> Floats:
        asked = [
            [(self.n_items_, u, i) in self.heard for i in range(self.n_items_)]
            for u in users.tolist()
        ]
        return np.array(asked, np.float32)


@dataclass(eq=False)
class EarlyStopper(_Cheat):
    """Stops at that of two numbers which is best on the ratings that the harness has left lying
    about.
    """

    name = "cheats-early-stopper"
    validation: ClassVar[Ratings | None] = None

    def fit(self, data: Ratings, seed: int) -> None:
        watched = data if self.validation is None else self.validation
        self.number_ = min(
            (2.0, 4.0), key=lambda number: float(np.abs(watched.values - number).sum())
        )

    def score(self, users: Indices, items: Indices) -> Floats:
        return np.full(len(users), self.number_, np.float32)


@dataclass(eq=False)
class Spy(_Cheat):
    """Does nothing but keep what it gets, with what it was for."""

    name = "cheats-spy"
    seen: ClassVar[list[tuple[str, Any]]] = []

    def skip(self, train: Ratings, catalogue: Catalogue, memory_mb: float) -> str | None:
        self.seen.append(("skip", (train, catalogue)))
        return None

    def prepare(self, train: Ratings, threads: int = 1) -> None:
        super().prepare(train, threads)
        self.seen.append(("prepare", train))

    def convert(self, train: Ratings, catalogue: Catalogue) -> Any:
        self.seen.append(("convert", (train, catalogue)))
        return train

    def fit(self, data: Ratings, seed: int) -> None:
        self.seen.append(("fit", (data, vars(self))))

    def score_items(self, users: Indices) -> Floats:
        self.seen.append(("score_items", users))
        return super().score_items(users)


SCANNER = """
import json, sys
from pathlib import Path
pid, needles, answer = sys.argv[1:]
needles = {name: [bytes.fromhex(text) for text in texts]
           for name, texts in json.loads(Path(needles).read_text()).items()}
found = dict.fromkeys(needles, 0)
with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights = line.split()[:2]
        if "r" not in rights or ".so" in line or "[v" in line:
            continue
        begin, end = (int(address, 16) for address in span.split("-"))
        memory.seek(begin)
        try:
            content = memory.read(end - begin)
        except OSError:
            continue
        for name, some in needles.items():
            found[name] += sum(needle in content for needle in some)
        if all(found[name] >= len(some) for name, some in needles.items()):
            break  # there is nothing else to find
Path(answer).write_text(json.dumps(found))
"""


@dataclass(eq=False)
class Searcher(_Cheat):
    """Searches all memory of its process, its open files and its frames for ratings.

    Another process looks for them, so that what is sought stands nowhere here. What it finds in
    each phase goes into files whose names begin with `report`.
    """

    name = "cheats-searcher"
    needles: str = ""  # JSON: what is sought, in hexadecimal digits, by kind
    report: str = ""
    only_fit: bool = False

    def fit(self, data: Any, seed: int) -> None:
        self.is_toy_ = data.n_users == 40
        self._search("fit")

    def score(self, users: Indices, items: Indices) -> Floats:
        self._search("score")
        return super().score(users, items)

    def score_items(self, users: Indices) -> Floats:
        self._search("score_items")
        return np.zeros((len(users), self.n_items_), np.float32)

    def _search(self, phase: str) -> None:
        if self.is_toy_ or (self.only_fit and phase != "fit"):
            return
        if Path(f"{self.report}-{phase}-memory").exists():
            return
        arguments = [str(os.getpid()), self.needles, f"{self.report}-{phase}-memory"]
        subprocess.run([sys.executable, "-c", SCANNER, *arguments], check=True)

        links = []
        for path in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # that of this listing
                links.append(str(path.readlink()))
        Path(f"{self.report}-{phase}-files").write_text("\n".join(links))

        frame = sys._getframe()
        names: set[str] = set()
        while frame.f_back is not None:
            frame = frame.f_back
            names.update(f"{frame.f_code.co_name}.{name}" for name in frame.f_locals)
        Path(f"{self.report}-{phase}-frames").write_text("\n".join(sorted(names)))
