"""Is the gate calibrated? `python -m tests.gate_experiment DIR [N_SEEDS]` runs suite `ci` with many seeds on the same
folds, compares all pairs of runs, and makes runs worse on purpose. It takes some minutes.
"""

import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks import gate
from benchmarks.gate import FAILING, Limit, Verdict, parse
from benchmarks.results import Record, Run
from benchmarks.samples import samples
from benchmarks.statistics import Sample

DATASET = "netflix-filtered[simulated_users=0.1]"  # as in the Makefile, and so are the limits
LIMITS = [parse("rmse:+0.5%"), parse("precision@10:-2.5%")]
WORSE = {"rmse": 1.01**2, "precision@10": 0.95}  # squared errors, so 1.01 times the RMSE


def main(directory: Path, n_seeds: int) -> None:
    runs = [_run(directory / f"seed-{seed}", seed) for seed in range(n_seeds)]
    rows = [_samples(run) for run in runs]
    pairs = list(itertools.combinations(range(n_seeds), 2))
    failed, seeded, caught, n_worse = 0, Counter[str](), Counter[str](), Counter[str]()
    too_fine = 0
    for one, other in pairs:
        verdicts = [v for limit in LIMITS for v in _judged(rows[one], rows[other], limit)]
        failed += any(verdict.verdict in FAILING for verdict in verdicts)
        too_fine += bool(gate.unresolved(verdicts))
        seeded.update(f"{v.row} {v.limit.column}" for v in verdicts if v.change)
        for limit in LIMITS:
            for verdict in _judged(rows[one], _worse(rows[other], limit), limit):
                n_worse[f"{verdict.row} {limit.column}"] += 1
                caught[f"{verdict.row} {limit.column}"] += verdict.verdict == "REGRESSED"
    print(f"{len(pairs)} comparisons of unchanged code with new seeds: {failed} fail, {too_fine} are too fine")
    print(f"with a difference at all: {', '.join(sorted(seeded))}")
    for name, total in n_worse.items():
        print(f"made worse, new seed: {name:<40} caught {caught[name]} of {total}")


def _run(directory: Path, seed: int) -> Run:
    command = [sys.executable, "-m", "benchmarks.run", "--dataset", DATASET, "--suite", "ci", "--no-report"]
    command += ["--seed", str(seed), "--split-seed", "0", "--out", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Run(directory)


def _samples(run: Run) -> dict[str, dict[str, Sample]]:
    rows: dict[str, list[Record]] = {}
    for record in run.records():
        if record.cell.algorithm != "oracle":
            rows.setdefault(record.cell.row, []).append(record)
    return samples(run, rows, [limit.column for limit in LIMITS])


def _judged(old: dict[str, dict[str, Sample]], new: dict[str, dict[str, Sample]], limit: Limit) -> list[Verdict]:
    pairs = ((row, sample, new[limit.column][row]) for row, sample in old[limit.column].items())
    return [gate.judged(row, limit, (one, other), suspicious=0.1) for row, one, other in pairs]


def _worse(found: dict[str, dict[str, Sample]], limit: Limit) -> dict[str, dict[str, Sample]]:
    """Everything in the limit's column made worse by the amount that has to be noticed."""
    factor = np.float64(WORSE[limit.column])
    return {limit.column: {row: Sample(s.sums * factor, s.weights) for row, s in found[limit.column].items()}}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 21)
