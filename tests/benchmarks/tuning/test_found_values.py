"""Values that searches have found, from a run to a file and from there into another run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recbench.benchmarks.api import Settings, measure_plan, parse_limits
from recbench.benchmarks.planning import Request, RunPlan, check_request
from recbench.benchmarks.records import Run
from recbench.benchmarks.tuning import (
    collect_found_values,
    read_found_values,
    read_histories,
    shipped_names,
)
from recbench.datasets import UsageError
from recbench.reports.answers import list_cautions
from recbench.reports.results import Results
from recbench.reports.sections.summary import summary

ROWS = ("ease", "user-item-bias", "global-mean")


@pytest.fixture(scope="module")
def own_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECBENCH_DATA", str(tmp_path_factory.mktemp("data")))
        yield tmp_path_factory.mktemp("found")


def measure(out: Path, plan: RunPlan) -> Results:
    limits = parse_limits("10m", None, None)
    measure_plan(plan, Settings(run=Run(out), limits=limits, debug=True), "test")
    return Results.read(out)


def plan_rows(table: Path, *rows: str, tune: str = "", parameters: str = "") -> RunPlan:
    request = Request(
        dataset=f"table:{table}",
        algorithms=rows,
        split="holdout",
        tune=tune,
        parameters=parameters,
    )
    return check_request(request)


@pytest.fixture(scope="module")
def tuned(own_directory: Path, ratings_file: Path) -> Path:
    out = own_directory / "run"
    measure(out, plan_rows(ratings_file, *ROWS, tune="3"))
    return out


@pytest.fixture
def file(tuned: Path, tmp_path: Path) -> Path:
    """The values of the tuned run, as `list parameters RUN` prints them."""
    found = collect_found_values(tuned, Results.read(tuned).about)
    path = tmp_path / "found.toml"
    path.write_text(found.to_toml())
    return path


def test_a_file_has_what_the_searches_chose_and_where_it_comes_from(
    tuned: Path, file: Path
) -> None:
    found = read_found_values(str(file))
    histories = {history.row: history for history in read_histories(tuned)}
    assert set(found.rows) == set(histories) == {"ease", "user-item-bias"}
    for row, values in found.rows.items():
        assert values == {name: histories[row].chosen[name] for name in histories[row].space}
    assert (found.split, found.fold, found.budget) == ("holdout", 0, "3")
    assert found.digest == Results.read(tuned).about.data.digest


def test_rows_take_found_values_and_the_report_says_so(
    own_directory: Path, ratings_file: Path, file: Path
) -> None:
    found = read_found_values(str(file))
    rows = ("ease", "user-item-bias[damping_users=2]", "global-mean")
    results = measure(own_directory / "again", plan_rows(ratings_file, *rows, parameters=str(file)))

    by_algorithm = {row.records[0].cell.algorithm: row for row in results.rows}
    ease = by_algorithm["ease"]
    assert ease.records[0].cell.given == found.rows["ease"]
    assert ease.defaults.startswith("tuned here: regularisation on ")
    assert "3 a search, holdout fold 0" in ease.defaults
    assert ease.was_tuned_on(results.about.data.name)
    assert by_algorithm["user-item-bias"].values_from is None, "it has a value of its own"

    said = " ".join(caution.text for caution in list_cautions(results))
    assert "1 of 3 rows with values that searches have found on" in said
    assert "so perhaps with ratings that are tested here" in said
    assert "these data" in repr(summary(results))


def test_what_cannot_be_used_is_refused_in_words(ratings_file: Path, file: Path) -> None:
    def refuse(parameters: str, *rows: str, tune: str = "") -> str:
        with pytest.raises(UsageError) as refused:
            plan_rows(ratings_file, *(rows or ("ease",)), tune=tune, parameters=parameters)
        return str(refused.value)

    assert "Did you mean 'tuned:movielens-100k'" in refuse("tuned:movielens-100")
    assert "expected tuned:DATASET or a TOML file" in refuse("values.json")
    assert "No such file" in refuse("nowhere.toml")
    assert "leave one of the two out" in refuse(str(file), tune="3")
    assert "none of these is a row here" in refuse(str(file), "popularity")

    text = file.read_text()
    file.write_text(text.replace("regularisation =", "regularization ="))
    assert "regularisation" in refuse(str(file)), "the nearest name is proposed"
    file.write_text(text.replace("fold = 0", 'fold = "first"'))
    assert "fold: Input should be a valid integer" in refuse(str(file))
    file.write_text(f"{text}\n[")
    assert "list parameters RUN" in refuse(str(file))


def test_a_run_without_searches_has_none_to_give(own_directory: Path, ratings_file: Path) -> None:
    out = own_directory / "untuned"
    results = measure(out, plan_rows(ratings_file, "global-mean"))
    with pytest.raises(UsageError, match="its rows were not tuned"):
        collect_found_values(out, results.about)


@pytest.mark.parametrize("name", shipped_names())
def test_what_ships_can_be_used(name: str) -> None:
    request = Request(dataset=name, parameters=f"tuned:{name}")
    plan = check_request(request)
    assert [row for row in plan.suite.rows if row.values_from is not None]
    assert read_found_values(f"tuned:{name}").dataset == name
