"""The toy that algorithms are fitted to; and whether the same seed gives the same numbers, declared
or found by fitting twice.

What two fits to a toy have shown is kept in the cache with all that it depends on: code, libraries,
hyperparameters and machine. As long as these are the same, it need not be shown again. So is the
machine code that JAX makes for the toy: a cell is a process, and each would compile it again.
"""

import contextlib
import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbench.adapters import Recommender
from recbench.adapters.base import Floats
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.records import Cell, Certificate, Repeatability
from recbench.datasets.ratings import Catalogue, Ratings
from recbench.datasets.storage import cache_directory, write_atomically

TOLERANCE = 1e-4  # of the range of the scores
N_PAIRS = 4096
TWO_TOY_FITS = "2 fits to a toy"

# What JAX is told to take programs from a directory: all of them, however small, and to keep no
# caches but that one
CACHE_OF_JAX = {
    "jax_compilation_cache_dir": None,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
    "jax_persistent_cache_enable_xla_caches": "none",
}
PROCESSOR = Path("/proc/cpuinfo")

Doubles = NDArray[np.float64]


def certify_fits(reason: str | None, fits: Sequence[Floats], checked_on: str) -> Certificate | None:
    """How alike the scores are that several fits gave to the same pairs.

    None where there are no two to compare. A `reason` declared by the adapter always wins: that two
    fits agreed once proves nothing then. `checked_on` says in words what was fitted.
    """
    if len(fits) > 1:
        difference, is_same = _compare_scores(np.stack(fits).astype(np.float64))
        repeatability: Repeatability = "not deterministic"
        if reason is None and is_same:
            repeatability = "within tolerance" if difference else "bit-identical"
        return Certificate(repeatability, difference, checked_on, reason)

    if reason is None:
        return None
    return Certificate("not deterministic", None, checked_on, reason)


def _compare_scores(scores: Doubles) -> tuple[float, bool]:
    """How far the fits (rows) are apart on any pair (column), and whether that is within TOLERANCE.

    A score that is not finite is no opinion: all fits must have none about the same pairs.
    """
    is_known = np.isfinite(scores)
    known_by_all = is_known.all(axis=0)
    values = scores[:, known_by_all]
    if not values.size:
        return 0.0, np.array_equal(known_by_all, is_known.any(axis=0))

    difference = float(np.ptp(values, axis=0).max())
    extent = float(np.ptp(values))
    has_same_gaps = np.array_equal(known_by_all, is_known.any(axis=0))
    return difference, has_same_gaps and difference <= TOLERANCE * extent


def sample_scores(algorithm: Recommender, train: Ratings) -> Floats:
    """The scores of the first training pairs, at most N_PAIRS.

    It is always the same call, so that the batch's size explains no difference. Not of test pairs,
    since these are no algorithm's business before it has been asked for its recommendations.
    """
    return algorithm.score(train.users[:N_PAIRS], train.items[:N_PAIRS]).copy()


def make_toy(scale: tuple[float, float]) -> tuple[Ratings, Catalogue, Floats]:
    """About half of the pairs of 40 users and 30 items, with a planted taste.

    Returned are the ratings, the catalogue, and a truth of the shape that simulated data have.
    """
    n_users = 40
    n_items = 30
    lowest, highest = scale
    users, items = np.divmod(np.arange(n_users * n_items, dtype=np.int32), np.int32(n_items))
    is_loved = (users + items) % 2 == 0
    is_rated = (users * 7 + items * 5) % 11 % 2 == 0
    values = np.where(is_loved, highest, lowest).astype(np.float32)
    times = np.arange(len(users), dtype=np.int64)
    ratings = Ratings(
        users[is_rated],
        items[is_rated],
        values[is_rated],
        n_users,
        n_items,
        scale,
        times[is_rated],
    )

    titles = tuple(f"Toy {item}" for item in range(n_items))
    years = (None,) * n_items
    genres = tuple((("Comedy",), ("Drama", "War"))[item % 2] for item in range(n_items))
    truth = np.full((3, n_users, n_items), 0.5, np.float32)
    return ratings, Catalogue(titles, years, genres), truth


def find_certificate(job: Job) -> Certificate | None:
    """What two fits to a toy have shown before of the algorithm of `job` on such a machine, if
    anything.
    """
    path = _place_certificate(job)
    try:
        return Certificate(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):  # none, or not what this version writes
        return None


def keep_certificate(job: Job, certificate: Certificate | None) -> None:
    """Let `find_certificate` find it, if it is of two fits to a toy that both gave scores.

    Where the cache cannot be written, the next cell finds out for itself.
    """
    if certificate is None or certificate.checked_on != TWO_TOY_FITS:
        return
    if certificate.largest_difference is None or not job.cell.source:
        return
    with contextlib.suppress(OSError):
        write_atomically(_place_certificate(job), json.dumps(asdict(certificate)).encode())


def _place_certificate(job: Job) -> Path:
    """The file for what depends on everything that the scores of a toy depend on."""
    cell = job.cell
    machine = job.environment
    depends_on = (
        (cell.algorithm, cell.parameters, cell.revision, cell.libraries, cell.source, cell.seed),
        (cell.threads, job.units, job.data.scale),
        (machine.python, machine.platform, machine.cpu, machine.versions),
        Path(__file__).read_text("utf-8"),
    )
    digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
    return cache_directory() / "certificates" / f"{digest}.json"


@dataclass
class KeptPrograms:
    """What machine code a warm-up has found in the cache, and what it has added."""

    n_found: int = 0
    n_added: int = 0

    @property
    def are_complete(self) -> bool:
        """Whether all that was needed was there, left by an earlier cell."""
        return self.n_found > 0 and self.n_added == 0


@contextlib.contextmanager
def keep_programs(cell: Cell) -> Iterator[KeptPrograms]:
    """While this lasts, JAX takes machine code from the cache, and what it compiles is kept there.

    What is told is complete when it is over. Nothing happens where JAX is not imported, or where
    its user has given it a directory for all that it compiles. It is for the toy only: programs for
    the data are compiled within the fit that needs them, so its time does not depend on who came
    first. JAX writes its files in place, so a cell that is killed would leave half of one: it
    writes into a directory of this process, and whole files are kept.
    """
    programs = KeptPrograms()
    jax = sys.modules.get("jax")
    if jax is None or jax.config.jax_compilation_cache_dir is not None:
        yield programs
        return

    from jax.experimental.compilation_cache import compilation_cache

    kept = _place_programs(cell)
    with TemporaryDirectory(prefix="recbench-programs-") as directory:
        own = Path(directory)
        for path in kept.glob("[!.]*"):
            (own / path.name).symlink_to(path)
            programs.n_found += 1

        before = {name: getattr(jax.config, name) for name in CACHE_OF_JAX}
        settings = CACHE_OF_JAX | {"jax_compilation_cache_dir": str(own)}
        try:
            _configure_jax(jax.config, settings)
            compilation_cache.reset_cache()
            yield programs
        finally:
            _configure_jax(jax.config, before)
            compilation_cache.reset_cache()

        for path in own.iterdir():
            if path.is_file() and not path.is_symlink():
                programs.n_added += 1
                with contextlib.suppress(OSError):  # then the next cell compiles it again
                    write_atomically(kept / path.name, path.read_bytes())


def _configure_jax(config: Any, settings: Mapping[str, Any]) -> None:
    """Set what JAX is to do."""
    for name, value in settings.items():
        config.update(name, value)


def _place_programs(cell: Cell) -> Path:
    """The directory for machine code that runs on this processor, from these libraries.

    JAX knows by its own names which program each file is.
    """
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = PROCESSOR.read_text().splitlines()
        processor = "".join(line for line in lines if line.startswith(("model name", "flags")))
    depends_on = (cell.algorithm, cell.libraries, processor, platform.platform(), sys.version)
    digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
    return cache_directory() / "programs" / digest[:24]
