"""`recbench.load` and `recbench.run`, as they are used in a notebook, and the notebook itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recbench
from recbench.benchmarks.records import Run
from recbench.datasets import UsageError
from tests.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "first_comparison.ipynb"

# Runs the cells of a notebook as Jupyter does: in `__main__`, which has no file, and showing the
# value of a cell's last line. Prints one JSON line: for each such value its type, and its SVG.
KERNEL = """
import ast, json, sys

shown = []
notebook = json.loads(open(sys.argv[1]).read())
for cell in notebook["cells"]:
    if cell["cell_type"] != "code":
        continue
    body = ast.parse("".join(cell["source"])).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), cell["id"], "exec"), globals())
    if last is not None:
        value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), globals())
        drawn = getattr(value, "_repr_svg_", lambda: "")()
        shown.append([cell["id"], type(value).__name__, drawn])
print(json.dumps(shown))
"""


def run_python(
    code: str, *arguments: object, directory: Path
) -> "subprocess.CompletedProcess[str]":
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result


@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    result = run_python(KERNEL, NOTEBOOK, directory=tmp_path)
    (line,) = result.stdout.splitlines()  # the library has printed nothing
    shown = {cell: (kind, drawn) for cell, kind, drawn in json.loads(line)}
    assert shown["run"][0] == "Comparison"
    assert "<svg" in shown["run"][1] and "user-item-bias" in shown["run"][1]
    assert shown["table"][0] == shown["cells"][0] == "DataFrame"

    run = Run(tmp_path / "runs" / "first-comparison")
    assert (run.directory / "report.html").is_file()
    records = run.records()
    assert {record.status for record in records} == {"ok"}
    in_process = {record.cell.row for record in records if record.environment.in_process}
    assert in_process == {"halfway"}, "only what is defined in the notebook runs in its process"
    rmse = {record.cell.row: record.metrics["rmse"] or 0.0 for record in records}
    assert rmse["user-item-bias"] < rmse["halfway"] < rmse["random"]


def test_completion_offers_what_is_fetched_when_it_is_used(tmp_path: Path) -> None:
    code = "import recbench; print(*dir(recbench))"
    offered = run_python(code, directory=tmp_path).stdout.split()
    assert {"load", "run", "Comparison", "is_checkout", "__all__"} <= set(offered)


def test_comparisons_of_one_directory_are_equal_and_have_a_hash(tmp_path: Path) -> None:
    ours = recbench.Comparison(tmp_path)
    assert {ours: "ours"}[recbench.Comparison(tmp_path)] == "ours"
    assert ours != recbench.Comparison(tmp_path / "another")


def make_frame(n_users: int = 12, n_items: int = 9) -> pd.DataFrame:
    users, items = np.divmod(np.arange(n_users * n_items), n_items)
    return pd.DataFrame(
        {
            "userId": users,
            "Item": [f"i{item}" for item in items],
            "stars": (users + items) % 5 + 1,
            "timestamp": pd.to_datetime(users * 86_400 + items, unit="s"),
            "comment": [["no", "rating"]] * len(users),
        }
    )


def test_frames_of_pandas_and_polars_are_loaded_like_the_file_they_could_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path / "cache"))
    frame = make_frame()
    data = recbench.load(frame, name="mine")
    assert data.name.startswith("table:mine-")

    file = tmp_path / "ratings.csv"
    frame.drop(columns="comment").to_csv(file, index=False)
    of_file = recbench.load(f"table:{file}")
    in_polars = pl.DataFrame(
        {
            "user": frame["userId"].to_list(),
            "item": frame["Item"].to_list(),
            "rating": frame["stars"].to_list(),
            "time": frame["timestamp"].to_list(),
        }
    )
    of_polars = recbench.load(in_polars)
    for other in (of_file, of_polars):
        assert other.digest == data.digest
        assert other.ratings.scale == data.ratings.scale == (1, 5)

    renamed = frame.rename(columns={"stars": "how much"})
    assert recbench.load(renamed, rating="how much").digest == data.digest
    (halved,) = {recbench.load(frame, scale="0:10").ratings.scale}
    assert halved == (0, 10)


def test_frames_that_hold_no_ratings_are_refused_with_what_is_valid() -> None:
    frame = make_frame()
    with pytest.raises(UsageError, match=r"a column for the rating, one of rating.*none fits"):
        recbench.load(frame.drop(columns="stars"))
    with pytest.raises(UsageError, match="more than one fits"):
        recbench.load(frame.assign(rating=3))
    with pytest.raises(UsageError, match="'when', but none fits"):
        recbench.load(frame, time="when")
    with pytest.raises(UsageError, match="neither numbers, texts nor times"):
        recbench.load(frame.assign(stars=frame["comment"]))
    with pytest.raises(UsageError, match="got a list"):
        recbench.load([1, 2])  # type: ignore[arg-type]


def test_names_and_options_of_what_is_no_frame_are_refused(
    ratings_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path / "cache"))
    data = recbench.load(make_frame())
    assert recbench.load(data) is data
    with pytest.raises(UsageError, match="name=, scale= and the data set table:dataframe-"):
        recbench.load(data, name="mine", scale="nonsense")
    with pytest.raises(UsageError, match=r"name= and table:.*a name is for a DataFrame"):
        recbench.load(f"table:{ratings_file}", name="mine")
    with pytest.raises(UsageError, match=r"rating= and table:.*stand in its name"):
        recbench.load(f"table:{ratings_file}", rating="stars")


@pytest.mark.parametrize(
    ("algorithms", "options", "message"),
    [
        (["item-mena"], {}, "Did you mean 'item-mean'"),
        ([], {}, "algorithms is empty"),
        ([3], {}, "3 is no algorithm"),
        (["item-mean"], {"suite": "quick"}, "algorithms or a suite, not both"),
        (["item-mean"], {"metrics": "rsme"}, "rmse"),
        (["item-mean"], {"time_limit": "soon"}, "--time-limit 'soon'"),
        (["item-mean"], {"force": "item-mena"}, "unknown row to force 'item-mena'"),
        (["item-mean"], {"show_users": "nobody"}, "--show-user nobody: table:"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(
    algorithms: list[str], options: dict[str, str], message: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=message):
        recbench.run(make_frame(), algorithms, out=out, **options)  # type: ignore[arg-type]
    assert not out.exists()


def test_what_the_data_do_not_allow_leaves_no_directory(tmp_path: Path) -> None:
    out = tmp_path / "out"
    timeless = make_frame().drop(columns="timestamp")
    with pytest.raises(UsageError, match="time"):
        recbench.run(timeless, ["item-mean"], split="time", out=out)
    assert not out.exists()


PLUGIN = '''
from dataclasses import dataclass
import numpy as np
from recbench.adapters.base import Recommender

@dataclass(eq=False)
class Mine(Recommender):
    """The level that is given, for every pair."""

    name = "mine"
    family = "mine"
    predicts = "ratings"
    level: float = 3.0

    def fit(self, data, seed):
        pass

    def score(self, users, items):
        return np.full(len(users), self.level, np.float32)
'''
NAMED = """
import sys
import mine, recbench

rows = ["mine[level=2]", "item-mean"]
comparison = recbench.run(sys.argv[1], rows, folds=2, metrics="rmse", out="out")
"""


@pytest.mark.slow
def test_a_plug_in_that_was_imported_can_be_named(ratings_file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    run_python(NAMED, f"table:{ratings_file}", directory=tmp_path)
    records = Run(tmp_path / "out").records()
    assert [(record.status, record.reason) for record in records] == [("ok", None)] * 4
    assert [record.cell.row for record in records[::2]] == ["mine[level=2.0]", "item-mean"]


@pytest.mark.slow
def test_a_run_is_a_table_of_its_rows_and_one_of_its_cells(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pd.concat([make_frame(60, 20)])
    rows = ["item-mean[damping=5]", "popularity"]
    comparison = recbench.run(frame, rows, folds=2, metrics=["rmse", "ndcg@5"], out=tmp_path)
    table = comparison.table()
    assert list(table.index) == ["item-mean[damping=5.0]", "popularity"]
    assert list(table["status"]) == ["ok", "ok"] and not table["simulated"].any()
    first = table.iloc[0]
    assert first["rmse_low"] < first["rmse"] < first["rmse_high"]
    assert table["rmse"].isna().tolist() == [False, True], "who ranks only has no error"

    cells = comparison.cells()
    assert len(cells) == 4
    assert cells["rmse"][:2].mean() == pytest.approx(first["rmse"])
    assert list(cells["params"]) == ["damping=5.0", "damping=5.0", "", ""]
    assert not (tmp_path / "report.html").exists()
    assert comparison.report() == tmp_path / "report.html"
    output = capfd.readouterr()
    assert output.out == output.err == ""
