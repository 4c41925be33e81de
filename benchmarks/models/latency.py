"""What serving a model would cost: one user's list at a time, and many users at once.

Timed by the rules of the bench: nothing but the call, after a warm-up, the collector switched off;
the load of the machine is noted, and a tail that does not repeat itself is flagged.
"""

import os
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from recbench.adapters.base import Indices
from recbench.benchmarks.evaluation import time_questions
from recbench.benchmarks.models.model import Model
from recbench.benchmarks.records import ServingCost
from recbench.datasets.foundation import format_seconds

N_DRAWN = 1000  # users who are asked for, one at a time
N_ROUNDS = 5
N_WARM = 20  # users before the clock starts
WARM_SECONDS = 2.0  # after which fewer will do
N_IN_BULK = 4096
BULK_SECONDS = 10.0  # in which many users are asked for again


def measure_latency(
    model: Model, n_items: int = 10, *, seed: int = 0, most: float | None = None
) -> ServingCost:
    """Ask for the lists of drawn users, one after the other, in several rounds; then in bulk.

    The same users in each round, who have ratings. A model with fewer users than are drawn is asked
    for some of them more than once. A round that takes longer than `most` seconds has fewer users.
    """
    known = np.flatnonzero(np.diff(model.rated.indptr)).astype(np.int32)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(known, N_DRAWN, replace=len(known) < N_DRAWN)
    alone = np.split(drawn, N_DRAWN)
    load = _read_load()

    rank = partial(model.rank_users, n=n_items)
    with threadpool_limits(model.description.training.threads):
        time_questions(rank, alone[:N_WARM], WARM_SECONDS)
        rounds = [time_questions(rank, alone, most)]
        asked = alone[: len(rounds[0])]
        rounds += [time_questions(rank, asked) for _ in range(1, N_ROUNDS)]
        p50_seconds = float(np.median(np.quantile(rounds, 0.5, axis=1)))
        bulk = np.resize(drawn, _count_in_bulk(len(known), p50_seconds, most))
        users_per_second = _measure_bulk(model, bulk, n_items)

    p99_of_rounds = np.quantile(rounds, 0.99, axis=1)
    return ServingCost(
        users=len(asked),
        items=n_items,
        p50_seconds=p50_seconds,
        p99_seconds=float(np.median(p99_of_rounds)),
        p99_of_rounds=tuple(p99_of_rounds.tolist()),
        users_per_second=users_per_second,
        load_seconds=model.description.load_seconds,
        megabytes=model.description.megabytes,
        load=load,
    )


def _read_load() -> float | None:
    """The load average of the minute before; None where the platform does not say."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _count_in_bulk(n_users: int, p50_seconds: float, most: float | None) -> int:
    """How many users are asked for at once: as many as one by one would take `most` seconds."""
    n_in_bulk = min(N_IN_BULK, n_users)
    if most is not None and n_in_bulk * p50_seconds > most:
        n_in_bulk = max(1, int(most / p50_seconds))
    return n_in_bulk


def _measure_bulk(model: Model, users: Indices, n_items: int) -> float:
    """Lists a second when all of `users` are asked for, the median of some rounds."""

    def rank_all(users: Indices) -> None:
        for _ in model.rank_in_blocks(users, n_items):
            pass

    seconds = time_questions(rank_all, [users] * N_ROUNDS, BULK_SECONDS)
    return float(len(users) / np.median(seconds))


def describe_latency(cost: ServingCost) -> list[str]:
    """The measurement in words, as lines; what cannot be relied on is said."""
    load = "unknown" if cost.load is None else f"{cost.load:.1f}"
    lines = [
        f"top {cost.items} of one user, warm: p50 {format_seconds(cost.p50_seconds)} s, "
        f"p99 {format_seconds(cost.p99_seconds)} s ({cost.users:,} users, {N_ROUNDS} rounds)",
        f"in bulk: {cost.users_per_second:,.0f} users a second",
        f"loaded in {format_seconds(cost.load_seconds)} s when it was written; "
        f"{cost.megabytes:.1f} MB on disk; load of the machine {load}",
    ]
    if not cost.is_steady:
        low = format_seconds(min(cost.p99_of_rounds))
        high = format_seconds(max(cost.p99_of_rounds))
        lines.append(
            f"NOT STEADY: p99 was {low} to {high} s in the rounds, more than a fifth apart; "
            "measure again when the machine does nothing else"
        )
    return lines
