"""Several cuts in time: each a fold of the run, and reported by itself and as a mean."""

import re
import statistics
from pathlib import Path

import pytest

from recbench import datasets
from recbench.benchmarks.api import Settings, measure_plan, parse_limits
from recbench.benchmarks.planning import Request, check_request
from recbench.benchmarks.records import Record, Run
from recbench.benchmarks.verification import Ledger, recompute_metrics
from recbench.reports.build import build


def measure(out: Path, file: Path, split: str) -> list[Record]:
    """The records of two rows, measured in this process."""
    request = Request(dataset=f"table:{file}", algorithms=("item-mean", "popularity"), split=split)
    settings = Settings(run=Run(out), limits=parse_limits("10m", None, None), debug=True)
    return measure_plan(check_request(request), settings, "test", None)


@pytest.mark.parametrize("split", ["time[folds=3]", "time[at=0.5,folds=2,window=1d]", "time"])
@pytest.mark.slow
def test_each_cut_is_a_fold_with_its_counts(ratings_file: Path, tmp_path: Path, split: str) -> None:
    records = measure(tmp_path / "run", ratings_file, split)
    n_cuts = int(re.findall(r"folds=(\d)", f"{split}folds=1")[0])
    assert [record.cell.fold for record in records] == [*range(n_cuts)] * 2
    assert {record.status for record in records} == {"ok"}

    ledger = Ledger()
    data = datasets.load(f"table:{ratings_file}")
    recompute_metrics(
        Run(tmp_path / "run"), records, Run(tmp_path / "run").read_plan()[1], data, ledger
    )
    assert not ledger.findings
    if n_cuts == 1:
        assert records[0].fold is not None and records[0].fold.begins is None
        return

    build(tmp_path / "run", out=tmp_path / "report", sections=["division"])
    report = (tmp_path / "report" / "report.md").read_text()
    for record in records[:n_cuts]:
        fold = record.fold
        assert fold is not None and fold.cold_ratings is not None
        line = f"| cut {record.cell.fold + 1}, from 1970-01-01 | {fold.train:,} | {fold.test:,} |"
        assert f"{line} {fold.test - fold.cold_ratings:,} | {fold.cold_ratings:,} |" in report
    assert "RMSE at each cut and as a mean over them" in report

    values = [record.metrics["rmse"] for record in records[:n_cuts]]
    shown = re.findall(r"^\| item-mean \| (.*) \|$", report, re.M)[0].split(" | ")
    mean = statistics.fmean(value for value in values if value is not None)
    assert [float(text) for text in shown] == pytest.approx([*values, mean], abs=1e-4)
