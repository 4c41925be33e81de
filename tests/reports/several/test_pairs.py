"""Two runs on one data set: rows matched by name, paired differences, default beside tuned, what
may not be compared.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.metrics.registry import find_metric
from recbench.benchmarks.records.record import Record
from recbench.datasets.foundation.spec import UsageError
from recbench.reports.build import build, make_files
from recbench.reports.results import Results
from recbench.reports.several.pair_claims import (
    PairClaim,
    list_pair_cautions,
    list_pair_claims,
    rank_changes,
    write_pair_answers,
)
from recbench.reports.several.pairing import PairedDifference, TwoRuns
from tests.reports.invented_runs import MARKUP, failed
from tests.reports.several.test_report_several import (
    LEVELS,
    changed,
    on,
    table_below,
    tuned,
    unchanged,
)

DATA = "movielens-100k"


def scale(record: Record, **factors: float) -> Record:
    """The record with some metrics multiplied."""
    metrics = dict(record.metrics)
    for name, factor in factors.items():
        column = name.replace("_at_", "@")
        value = metrics[column]
        metrics[column] = None if value is None else factor * value
    return replace(record, metrics=metrics)


def change_some(record: Record) -> Record:
    """After: one row better and faster, one worse, one without a fold; the others as before."""
    cell = record.cell
    match cell.algorithm:
        case "surprise-svd":
            better = scale(record, rmse=0.97, ndcg_at_10=1.05)
            costs = {phase: replace_seconds(cost, 0.5) for phase, cost in record.costs.items()}
            return replace(better, cell=replace(cell, libraries={"surprise": "2"}), costs=costs)
        case "item-mean":
            return scale(record, rmse=1.02)
        case "random" if cell.fold == 1:
            return failed(cell, "timeout", MARKUP)
    return record


def replace_seconds(cost: Any, factor: float) -> Any:
    return cost.replaced(seconds=factor * cost.seconds, samples=[factor * cost.seconds])


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return on(tmp_path_factory.mktemp("runs") / "before", DATA)


@pytest.fixture(scope="module")
def two(before: Path) -> TwoRuns:
    after = on(before.parent / "after", DATA, change_some)
    return TwoRuns.of([Results.read(before), Results.read(after)], before.parent / "out")


def by_row(found: list[PairedDifference]) -> dict[str, PairedDifference]:
    return {one.pair.name: one for one in found}


def users_of(results: Results, row: str, column: str) -> np.ndarray[Any, Any]:
    """(n_folds, n_users): what each user adds, straight from the files beside the records."""
    folds = []
    for record in results.records:
        if record.cell.row == row:
            arrays = np.load(results.run.path(record.cell, ".npz"))
            place = arrays["share_columns"].tolist().index(column)
            folds.append(arrays["share_sums"][place])
    return np.array(folds, float)


def test_differences_are_those_of_the_means_and_their_intervals_those_of_users(
    two: TwoRuns,
) -> None:
    for column in ("rmse", "ndcg@10"):
        found = by_row(two.compare("same row", column))
        svd = found["surprise-svd"]
        metric = find_metric(column)
        sides = [users_of(results, "surprise-svd", column) for results in two.runs.values()]
        means = [float(metric.finish(side.mean(axis=1)).mean()) for side in sides]
        assert svd.difference == pytest.approx(means[1] - means[0])

        # An ordinary bootstrap of the same users gives nearly the same interval
        rng = np.random.default_rng(5)
        draws = []
        for _ in range(1500):
            users = rng.integers(0, sides[0].shape[1], sides[0].shape[1])
            ends = [metric.finish(side[:, users].mean(axis=1)).mean() for side in sides]
            draws.append(ends[1] - ends[0])
        low, high = np.quantile(draws, [0.025, 0.975])
        assert svd.bounds == pytest.approx((low, high), abs=0.15 * (high - low))
        assert svd.verdict == "better" and svd.gain > 0
        assert found["user-item-bias"].verdict == "equal"
        assert found["user-item-bias"].bounds == (0, 0)
        assert found["random"].verdict == "not known" and "timeout" in found["random"].reason
    rmse = by_row(two.compare("same row", "rmse"))
    assert rmse["item-mean"].verdict == "worse" and "popularity" not in rmse


def test_the_first_screen_counts_what_the_pairs_say(two: TwoRuns) -> None:
    claims = {claim.question: claim for claim in list_pair_claims(two)}
    rmse = claims["RMSE: run after against run before"]
    assert rmse.answer == "1 better, 1 worse"
    assert rmse.remark == "Of 4 rows compared, 1 equal for every user, 1 not known."
    assert re.match(r"largest: surprise-svd −0\.0\d+ \[−0\.0\d+, −0\.0\d+\]", rmse.value)
    assert claims["nDCG@10: run after against run before"].answer == "1 better, 0 worse"
    assert claims["Time of all phases"] == PairClaim(
        "Time of all phases",
        "1 faster, 0 slower",
        "median 1×; furthest: surprise-svd 0.5×",
        "A factor of 1.2 or less counts as the same; one measurement each, so no interval.",
        is_good_news=True,
    )
    # Green is what got better where nothing got worse
    assert claims["nDCG@10: run after against run before"].is_good_news and not rmse.is_good_news
    assert [one.pair.name for one in rank_changes(two, "same row", "rmse")][:2] == [
        "surprise-svd",
        "item-mean",
    ]
    texts = [caution.text for caution in list_pair_cautions(two)]
    assert "1 of 10 cells of after is not ok." in texts
    assert "What fixes the numbers differs in 1 row: surprise-svd." in texts


def test_page_and_terminal_say_the_same(two: TwoRuns, tmp_path: Path) -> None:
    directories = [results.run.directory for results in two.runs.values()]
    html = build(*directories, out=tmp_path / "out", tex=True).read_text()
    markdown = (tmp_path / "out" / "report.md").read_text()
    plain = markdown.replace("\\", "")
    assert markdown.startswith("# movielens-100k: before beside after")
    for claim in list_pair_claims(two):
        assert f"- {claim.question}: **{claim.answer}**" in plain and claim.remark in plain
    assert write_pair_answers(two)[0].startswith("nDCG@10: run after against run before: 1 better")

    rows = {row[0]: row[1:] for row in table_below(markdown, "RMSE, lower is better: first")[1:]}
    svd = by_row(two.compare("same row", "rmse"))["surprise-svd"]
    assert rows["surprise-svd"][3] == "better" and rows["random"][3].startswith("not known")
    assert rows["surprise-svd"][2].replace("\\", "").startswith(f"−{abs(svd.difference or 0):.4f}")
    causes = table_below(markdown, "What fixes a row's numbers and is not the same")
    assert causes[1:] == [["surprise-svd", "libraries.surprise", "nothing", "2"]]
    assert "<script>alert" not in html + markdown
    assert not re.search(r"<th[^>]*></th>", html)  # a column without a head says nothing aloud
    assert (tmp_path / "out" / "tables" / "changes-same-row-rmse.tex").is_file()
    embedded = re.search(r'application/json" id="records">(.*?)</script>', html, re.S)
    assert embedded
    differences = json.loads(embedded[1])["differences"]
    assert sum(one["verdict"] == "better" for one in differences if one["column"] == "rmse") == 1


def test_a_default_row_is_compared_with_itself_tuned_in_the_other_run(
    before: Path, tmp_path: Path
) -> None:
    def tune(record: Record) -> Record:
        found = tuned(4, 9.5)(record)
        return scale(found, rmse=0.99, ndcg_at_10=1.01) if found is not record else record

    other = on(tmp_path / "tuned", DATA, tune)
    both = TwoRuns.of([Results.read(before), Results.read(other)], tmp_path)
    (pair,) = both.pairs["default and tuned"]
    assert (pair.first.name, pair.second.name) == ("item-mean", "item-mean (tuned)")
    assert "item-mean" not in [pair.name for pair in both.pairs["same row"]]
    claims = {claim.question: claim for claim in list_pair_claims(both)}
    claim = claims["RMSE: tuned rows against their defaults"]
    assert claim.answer == "1 better, 0 worse" and "largest: item-mean −0.01" in claim.value
    assert claims["RMSE: run tuned against run before"].answer == "nothing changed"
    assert both.unmatched == {"before": [], "tuned": []}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (changed(split="time"), "split differs: kfold in the first, time in the second"),
        (changed(split_seed=5), "split_seed differs: 0 in the first, 5 in the second"),
        (changed(n_folds=3), "n_folds differs: 2 in the first, 3"),
        (
            changed(protocol=Evaluation((5, 10)).to_json()),
            r"protocol.ks differs: \[10\] in the first, \[5, 10\] in the second",
        ),
    ],
)
def test_users_who_were_asked_otherwise_are_refused_by_the_key(
    before: Path, tmp_path: Path, change: Callable[[Record], Record], key: str
) -> None:
    other = on(tmp_path / "other", DATA, change)
    with pytest.raises(UsageError, match=f"whose users cannot be compared: {key}"):
        make_files(before, other, out=tmp_path / "out")


def test_a_run_beside_itself_is_refused_and_beside_its_copy_nothing_changed(
    before: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is named twice"):
        make_files(before, before, out=tmp_path / "out")
    copy = on(tmp_path / "copy", DATA, unchanged, levels=LEVELS[DATA])
    same = TwoRuns.of([Results.read(before), Results.read(copy)], tmp_path)
    assert {claim.answer for claim in list_pair_claims(same)} == {
        "nothing changed",
        "about the same",
    }
    assert not any(claim.is_good_news for claim in list_pair_claims(same))
