"""Is the gate calibrated? `python -m tests.proof.gate_experiment DIR [N_SEEDS] [LIMIT ...]` runs
suite `ci` with many seeds on the same folds, compares all pairs of runs as the gate does, and makes
one of each pair worse on purpose.

All runs are read together, so that users are drawn once: these are the draws that each pair would
have by itself, since the users of the folds are the same. Finished runs are kept, and the
experiment goes on where it stopped.
"""

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recbench.benchmarks.certainty.estimate import Estimate
from recbench.benchmarks.gating.gate import GatedRun, judge_rows, read_gated_runs
from recbench.benchmarks.gating.outcome import Outcome, conclude
from recbench.benchmarks.gating.tolerances import Tolerance, parse_tolerance
from recbench.benchmarks.records.record import Run

DATASET = "netflix-filtered[simulated_users=0.1]"  # as in the Makefile, and so are the limits
LIMITS = ("rmse:+0.5%", "precision@10:-2.5%")
WORSE = {"rmse": 1.01, "precision@10": 0.95}
SUSPICIOUS = 0.1


def main(directory: Path, n_seeds: int, limits: Sequence[Tolerance]) -> None:
    sides = read_gated_runs(
        [_run(directory / f"seed-{seed}", seed) for seed in range(n_seeds)], limits
    )
    failing = Counter[str]()
    seeded = Counter[str]()
    caught = Counter[str]()
    total = Counter[str]()
    pairs = list(itertools.combinations(sides, 2))
    for base, head in pairs:
        found = judge_rows(base, head, limits, SUSPICIOUS)
        outcome = conclude(found)
        if outcome is Outcome.FAILED:
            failing.update(["regressed"])
        if outcome is Outcome.UNJUDGED:
            failing.update(["too fine"])
        failing.update(
            f"{v.verdict} {v.row} {v.tolerance.text}"
            for v in found
            if v.verdict not in ("PASS", "IMPROVED", "WORSE")
        )
        seeded.update(
            f"{verdict.row} {verdict.tolerance.column}" for verdict in found if verdict.change
        )
        for limit in limits:
            for verdict in judge_rows(base, _worse(head, limit.column), [limit], SUSPICIOUS):
                total[f"{verdict.row} {limit.text}"] += 1
                caught[f"{verdict.row} {limit.text}"] += verdict.verdict == "REGRESSED"
    regressed = failing.pop("regressed", 0)
    fine = failing.pop("too fine", 0)
    share = (regressed + fine) / len(pairs)
    print(
        f"{len(pairs)} comparisons of unchanged code with new seeds: {regressed + fine} "
        f"fail ({share:.1%}),"
    )
    print(
        f"{regressed} of them because a row has regressed and {fine} because a tolerance "
        f"is too fine"
    )
    for name, count in failing.most_common():
        print(f"  {count:>4} {name}")
    print(f"with a difference at all: {', '.join(sorted(seeded))}")
    removals = zip(pairs, itertools.cycle(sides[0].rows), strict=False)
    removed = [
        conclude(judge_rows(base, _without(head, row), limits, SUSPICIOUS))
        for (base, head), row in removals
    ]
    print(f"a row removed: caught {removed.count(Outcome.INCOMPLETE)} of {len(removed)}")
    for name, number in total.items():
        print(
            f"made worse, new seed: {name:<44} caught {caught[name]} of {number} "
            f"({caught[name] / number:.1%})"
        )


def _run(directory: Path, seed: int) -> Run:
    command = [
        sys.executable,
        "-m",
        "benchmarks.run",
        "--dataset",
        DATASET,
        "--suite",
        "ci",
        "--no-report",
    ]
    command += ["--seed", str(seed), "--split-seed", "0", "--out", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Run(directory)


def _worse(side: GatedRun, column: str) -> GatedRun:
    """The column of every row made worse by the amount that has to be noticed."""
    made = {
        row: Estimate.of(lambda value: WORSE[column] * value, e)
        for row, e in side.estimates[column].items()
    }
    return replace(side, estimates={**side.estimates, column: made})


def _without(side: GatedRun, row: str) -> GatedRun:
    return replace(side, rows={name: records for name, records in side.rows.items() if name != row})


if __name__ == "__main__":
    given = sys.argv[2:]
    chosen = [parse_tolerance(text) for text in given[1:] or LIMITS]
    main(Path(sys.argv[1]), int(given[0]) if given else 21, chosen)
