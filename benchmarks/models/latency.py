"""What serving a model would cost: one user's list at a time, and all users in bulk.

Timed by the rules of the bench: nothing but the call, after a warm-up, the collector switched off;
the load of the machine is noted, and a tail that does not repeat itself is flagged.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from recbench.benchmarks.models.model import Model
from recbench.datasets.foundation import format_seconds

N_DRAWN = 1000  # users who are asked for, one at a time
N_ROUNDS = 5
N_WARM = 20  # users before the clock starts
STEADY = 0.2  # the p99 of all rounds may differ by this share of their median
N_IN_BULK = 4096


@dataclass(frozen=True)
class Latency:
    """Seconds of one user's list from a loaded model, and users a second in bulk."""

    n_users: int  # that were asked for, in each round
    n_items: int  # of a list
    p50_seconds: float  # medians over the rounds
    p99_seconds: float
    p99_of_rounds: tuple[float, ...]
    users_per_second: float
    load: float  # average of the minute before, of the whole machine

    @property
    def is_steady(self) -> bool:
        """Whether the p99 of all rounds lie within a fifth of their median."""
        furthest = max(abs(p99 - self.p99_seconds) for p99 in self.p99_of_rounds)
        return furthest <= STEADY * self.p99_seconds


def measure_latency(model: Model, n_items: int = 10, *, seed: int = 0) -> Latency:
    """Ask for the lists of drawn users, one after the other, in several rounds; then in bulk.

    The same users in each round. A model with fewer users than are drawn is asked for some of them
    more than once.
    """
    n_users = len(model.user_ids)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(n_users, N_DRAWN, replace=n_users < N_DRAWN).astype(np.int32)
    alone = np.split(drawn, N_DRAWN)
    load = os.getloadavg()[0]
    for user in alone[:N_WARM]:
        model.rank_users(user, n_items)

    seconds = np.empty((N_ROUNDS, N_DRAWN))
    with _without_collector():
        for round_number in range(N_ROUNDS):
            for place, user in enumerate(alone):
                begun = perf_counter()
                model.rank_users(user, n_items)
                seconds[round_number, place] = perf_counter() - begun

        bulk = np.resize(drawn, min(N_IN_BULK, max(n_users, 1)))
        begun = perf_counter()
        for _ in model.rank_in_blocks(bulk, n_items):
            pass
        bulk_seconds = perf_counter() - begun

    p99_of_rounds = np.quantile(seconds, 0.99, axis=1)
    return Latency(
        n_users=N_DRAWN,
        n_items=n_items,
        p50_seconds=float(np.median(np.quantile(seconds, 0.5, axis=1))),
        p99_seconds=float(np.median(p99_of_rounds)),
        p99_of_rounds=tuple(p99_of_rounds.tolist()),
        users_per_second=len(bulk) / bulk_seconds,
        load=load,
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Collect garbage, and then no more of it until the end."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def describe_latency(latency: Latency, model: Model) -> list[str]:
    """The measurement in words, as lines; what cannot be relied on is said."""
    lines = [
        f"top {latency.n_items} of one user, warm: p50 {format_seconds(latency.p50_seconds)} s, "
        f"p99 {format_seconds(latency.p99_seconds)} s ({latency.n_users:,} users, {N_ROUNDS} "
        "rounds)",
        f"in bulk: {latency.users_per_second:,.0f} users a second",
        f"loaded in {model.description.load_seconds:.2f} s when it was written; "
        f"{model.description.megabytes:.1f} MB on disk; load of the machine {latency.load:.1f}",
    ]
    if not latency.is_steady:
        low = format_seconds(min(latency.p99_of_rounds))
        high = format_seconds(max(latency.p99_of_rounds))
        lines.append(
            f"NOT STEADY: p99 was {low} to {high} s in the rounds, more than a fifth apart; "
            "measure again when the machine does nothing else"
        )
    return lines
