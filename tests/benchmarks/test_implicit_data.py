"""A table without ratings: rankers run, rating predictors are skipped, and the report knows."""

import json
from pathlib import Path

from tests.conftest import RunHere
from tests.datasets.table.forms import ROWS, text_of, write_form


def test_a_table_of_plays_is_ranked_and_not_rated(run_here: RunHere, tmp_path: Path) -> None:
    lines = ["user,item,plays", *(f"{u},{i},{r * r * 7}" for u, i, r, _ in ROWS), "1,1,0"]
    spec = write_form(tmp_path, "plays.csv", text_of(lines))
    out = tmp_path / "run"
    result = run_here(
        "--dataset", f"{spec}[rating=count]", "--algorithm", "popularity", "--algorithm",
        "item-mean", "--folds", 2, "--out", out, check=4,
    )  # fmt: skip
    assert "2 of 4 cells ok" in result.stdout
    assert "skipped: predicts ratings, and these data have none" in result.stdout
    assert "kept: lines with a count above 0 in 'plays'; 1 of 91 ratings dropped" in result.stdout

    records = [json.loads(path.read_text()) for path in (out / "records").glob("*.json")]
    assert {record["data"]["feedback"] for record in records} == {"implicit"}
    by_status = {record["status"] for record in records}
    assert by_status == {"ok", "skipped"}
    report = (out / "report.md").read_text()
    assert "implicit: every line is a positive" in report
    assert "All 90 lines are positives" in report
