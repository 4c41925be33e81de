"""What two seeds of unchanged code differ by is not called a change."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recbench.benchmarks.certainty.bootstrap import bootstrap_users
from recbench.benchmarks.certainty.estimate import Estimate
from recbench.benchmarks.certainty.user_shares import UserShares
from recbench.benchmarks.gating.gate import judge_rows, judge_runs, read_gated_runs
from recbench.benchmarks.gating.seeds import SeedEffect, SeedVariance, estimate_seed_effect
from recbench.benchmarks.gating.tolerances import parse_tolerance
from recbench.benchmarks.gating.verdicts import judge_metric
from recbench.benchmarks.metrics.registry import METRICS, Doubles
from recbench.benchmarks.records.certificate import Certificate
from recbench.benchmarks.records.record import Record, Run
from tests.conftest import RunBench
from tests.reports import invented_runs

N_STUDIES = 200
N_USERS = 80
SEED_DEVIATION = 0.004  # of a squared error of 1; between users it is .3
OWN_DEVIATION = 0.012  # of a user's squared error between two seeds


def estimates_of(errors: list[Doubles]) -> list[Estimate]:
    """The RMSE of users who have one squared error each, all with the same draws."""
    shares = [UserShares(error[None], np.ones((1, N_USERS))) for error in errors]
    draws = bootstrap_users(METRICS["rmse"], shares, n_draws=300)
    return [draws.estimate(index) for index in range(len(errors))]


def simulate_seeds(rng: np.random.Generator, n_seeds: int) -> list[Doubles]:
    """The users' squared errors under so many seeds of one algorithm: a study of no change."""
    users = rng.gamma(10, 0.1, N_USERS)
    return [
        users + rng.normal(0, SEED_DEVIATION) + rng.normal(0, OWN_DEVIATION, N_USERS)
        for _ in range(n_seeds)
    ]


def test_half_of_the_intervals_over_users_exclude_0_and_few_do_with_repeats() -> None:
    """Two runs of five initialisations each, and one of each compared: the null is true."""
    rng = np.random.default_rng(5)
    tolerance = parse_tolerance("rmse:+5%")
    words: dict[str, list[str]] = {"over users": [], "differ": [], "repeats": []}
    for _ in range(N_STUDIES):
        seeds = simulate_seeds(rng, 10)
        old, new = estimates_of([seeds[0], seeds[5]])
        values = np.sqrt([seed.mean() for seed in seeds])
        variance = (values[:5].var(ddof=1) + values[5:].var(ddof=1)) / 2
        effects = {
            "over users": SeedEffect(),
            "differ": SeedEffect(None, "the seeds differ"),
            "repeats": SeedEffect(SeedVariance(float(np.sqrt(2 * variance)), 8)),
        }
        for name, effect in effects.items():
            words[name].append(judge_metric("row", tolerance, old, new, 0.1, effect).verdict)

    claimed = {
        name: sum(word in ("WORSE", "IMPROVED") for word in of_name) / N_STUDIES
        for name, of_name in words.items()
    }
    assert claimed["over users"] > 0.35
    assert claimed["differ"] == 0
    assert claimed["repeats"] < 0.08


def test_a_real_change_is_still_found_with_repeats() -> None:
    rng = np.random.default_rng(6)
    old, new = estimates_of(
        [seed * factor for seed, factor in zip(simulate_seeds(rng, 2), (1, 1.1), strict=True)]
    )
    effect = SeedEffect(SeedVariance(0.003, 8))
    verdict = judge_metric("row", parse_tolerance("rmse:+1%"), old, new, 0.1, effect)
    assert verdict.verdict == "REGRESSED" and "choice of users alone" not in verdict.reason
    unknown = SeedEffect(None, "the seeds differ (0 in the base, 1 in the head)")
    verdict = judge_metric("row", parse_tolerance("rmse:+1%"), old, new, 0.1, unknown)
    assert verdict.verdict == "REGRESSED"
    assert "the seeds differ (0 in the base, 1 in the head)" in verdict.reason
    assert "the interval covers the choice of users alone" in verdict.reason


def records_of(seeds: list[int], means: list[float]) -> list[list[Record]]:
    """A row of two folds with the first seed, and its other initialisations."""
    rows: list[list[Record]] = [[], []]
    for seed, mean in zip(seeds, means, strict=True):
        for fold in (0, 1):
            record = invented_runs.ok(invented_runs.cell("als", fold), 0.9)
            cell = replace(record.cell, seed=seed)
            metrics = record.metrics | {"rmse": mean + (0.01, -0.01)[fold]}
            rows[seed != seeds[0]].append(replace(record, cell=cell, metrics=metrics))
    return rows


def test_the_variance_of_seeds_is_pooled_over_both_runs_and_counts_twice() -> None:
    old, old_starts = records_of([0, 1, 2], [0.90, 0.91, 0.92])
    new, new_starts = records_of([5, 6], [0.90, 0.92])
    effect = estimate_seed_effect("rmse", old, new, old_starts, new_starts)
    assert effect.variance is not None and effect.variance.freedom == 3
    pooled = (2 * 0.01**2 + 0.0002) / 3
    assert effect.variance.deviation == pytest.approx(np.sqrt(2 * pooled))
    assert not effect.is_unknown and effect.caveat == ""

    alone = estimate_seed_effect("rmse", old, new, [], [])
    assert alone.is_unknown and "(0 in the base, 5 in the head)" in alone.caveat
    assert estimate_seed_effect("rmse", old, old, [], []) == SeedEffect()
    certificate = Certificate("not deterministic", 0.1, "2 fits", None)
    loose = [replace(record, determinism=certificate) for record in old]
    assert estimate_seed_effect("rmse", loose, loose, [], []).is_unknown


def test_a_crashed_initialisation_is_left_out() -> None:
    old, starts = records_of([0, 1, 2], [0.90, 0.91, 0.92])
    starts[-1] = replace(starts[-1], status="crashed", metrics={})
    effect = estimate_seed_effect("rmse", old, old, starts, [])
    assert effect.variance is not None and effect.variance.freedom == 1


def test_between_runs_with_other_seeds_repeats_widen_the_interval(tmp_path: Path) -> None:
    old, old_starts = records_of([0, 1, 2], [0.90, 0.91, 0.92])
    new, new_starts = records_of([5, 6, 7], [0.91, 0.90, 0.92])
    tolerances = [parse_tolerance("rmse:+50%")]
    directories = {"old": [*old, *old_starts], "new": [*new, *new_starts], "a": old, "b": new}
    runs = {
        name: Run(invented_runs.write(tmp_path / name, records))
        for name, records in directories.items()
    }
    [widened] = judge_runs(runs["old"], runs["new"], tolerances, 0.1)
    [narrow] = judge_runs(runs["a"], runs["b"], tolerances, 0.1)
    assert widened.low is not None and widened.high is not None
    assert narrow.low is not None and narrow.high is not None
    assert narrow.change == widened.change
    assert widened.low < 0 < narrow.low < narrow.high < widened.high
    assert (widened.verdict, widened.reason) == ("PASS", "")
    assert narrow.verdict == "PASS" and "no change can be claimed" in narrow.reason


@pytest.mark.proof
def test_seeds_of_a_real_algorithm_are_told_from_changes(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    """An A/A study: six runs of unchanged code with other seeds, all pairs of them compared."""
    runs = []
    for seed in (0, 10, 20, 30, 40, 50):
        arguments = ["--dataset", f"table:{ratings_file}", "--folds", 2, "--repeats", 4]
        arguments += ["--seed", seed, "--split-seed", 0, "--out", tmp_path / str(seed)]
        run_bench(*arguments, "--algorithm", "numba-sgd", "--no-report", check=0)
        runs.append(Run(tmp_path / str(seed)))

    tolerances = [parse_tolerance(text) for text in ("rmse:+10%", "mae:+10%")]
    with_repeats = read_gated_runs(runs, tolerances)
    without = [replace(side, starts={}) for side in with_repeats]
    shares = {}
    for name, sides in (("without", without), ("with", with_repeats)):
        verdicts = [
            verdict
            for old, new in itertools.combinations(sides, 2)
            for verdict in judge_rows(old, new, tolerances, 0.1)
        ]
        excluding = [v for v in verdicts if v.low is not None and not v.low <= 0 <= (v.high or 0)]
        shares[name] = len(excluding) / len(verdicts)
        claimed = [verdict for verdict in verdicts if verdict.verdict in ("WORSE", "IMPROVED")]
        assert len(claimed) <= 0.15 * len(verdicts), name
    assert shares["with"] < 0.15 and shares["with"] < shares["without"]
