"""Where the defaults of each row come from: whose were tuned on the data at hand is seen in the
table, said in the summary, and decides an answer of the checklist.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from recbench.adapters import available, create
from recbench.benchmarks.list import KINDS
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.planning.suite import hyperparameters_of, parse_rows, read_suite
from recbench.benchmarks.records.cell import Cell
from recbench.benchmarks.records.csv_table import write_table
from recbench.benchmarks.records.describe import describe_algorithms
from recbench.benchmarks.records.facts import DataDescription, RunDescription
from recbench.benchmarks.records.record import Run
from recbench.benchmarks.tuning import RowSearch, TuningBudget, TuningDesign, write_histories
from recbench.reports.answers import answer_checklist, list_cautions, summarise_run
from recbench.reports.rendering import Commands
from recbench.reports.results import Results
from recbench.reports.sections.method import method
from recbench.reports.sections.occasional.tuning import tuning
from tests.reports.invented_runs import COLUMNS, DATA, cell, ok
from tests.reports.pages import page

QUESTION = "Are default and tuned rows kept apart?"


def planned(specs: Iterable[str], dataset: str = "movielens-100k") -> list[Cell]:
    """A cell for each row, with all of its hyperparameters as a plan has them."""
    cells = []
    for row in parse_rows(specs):
        parameters = hyperparameters_of(create(row.algorithm, row.given))
        invented = cell(row.algorithm, 0, 1, dataset)
        cells.append(replace(invented, parameters=parameters, given=row.given))
    return cells


def results_of(
    directory: Path, cells: list[Cell], dataset: str = "movielens-100k", *, says: bool = True
) -> Results:
    """A run of `cells`; one that is older than what plans say of origins unless it `says`."""
    described = describe_algorithms(cells)
    content = {name: algorithm.to_json() for name, algorithm in described.items()}
    if not says:
        for algorithm in content.values():
            del algorithm["origin"]

    about = RunDescription.model_validate(
        {
            "command": "python -m benchmarks.run",
            "reproduce": "python -m benchmarks.run",
            "metrics": COLUMNS,
            "protocol": Evaluation().to_json(),
            "published": [],
            "data": DATA | {"name": dataset},
            "algorithms": content,
            "environment": {},
        }
    )
    run = Run(directory)
    run.write_plan(cells, about)
    data = DataDescription.model_validate(DATA | {"name": dataset})
    for level, planned_cell in enumerate(cells):
        run.write(replace(ok(planned_cell, 1 + 0.01 * level), data=data), None)
    return Results.read(directory)


def answer(results: Results) -> tuple[str, str]:
    answers = {question: (word, why) for question, word, why in answer_checklist(results)}
    return answers[QUESTION]


def test_suite_standard_on_movielens_compares_tuned_defaults_with_others(tmp_path: Path) -> None:
    suite = read_suite("standard")
    results = results_of(tmp_path, planned(row.name for row in suite.rows))
    word, why = answer(results)
    assert word == "no"

    tuned = {row.name for row in results.defaults.tuned}
    untuned = {row.name for row in results.defaults.untuned}
    assert {"slim", "pure-svd", "ease", "rp3beta", "implicit-als", "implicit-bpr"} <= tuned
    assert {"bpr", "numpy-sgd", "numba-sgd", "keras-mf"} <= tuned
    assert {"surprise-svd", "lightfm-warp", "myfm-mf", "item-knn"} <= untuned
    assert not results.defaults.unsaid and not results.defaults.given
    assert not {"random", "popularity", "surprise-slope-one"} & (tuned | untuned)
    assert why.startswith("defaults of ") and "slim" in why.partition(", those of ")[0]


def test_it_is_marked_in_table_and_summary(tmp_path: Path) -> None:
    rows = ["ease", "surprise-svd", "random", "implicit-als[alpha=2]"]
    results = results_of(tmp_path, planned(rows))
    (warning,) = [text for text in summarise_run(results) if text.startswith("Not on equal terms")]
    assert warning == (
        "Not on equal terms: the defaults of 2 rows (ease and implicit-als[alpha=2.0]) were tuned "
        "on movielens-100k, those of 1 row (surprise-svd) come from elsewhere."
    )

    assert any(
        caution.text.startswith("Not on equal terms: the defaults of 2 of 4 rows were tuned on ")
        for caution in list_cautions(results)
    )

    markdown = page(tmp_path, "md")
    assert (
        "Rows whose defaults were tuned on these data: ease and implicit-als["
        in markdown.replace("\\", "")
    )
    lines = {
        name: line
        for name in ("ease", "surprise-svd", "random")
        for line in markdown.splitlines()
        if line.startswith(f"| {name} |") and "1 of 1" in line
    }
    assert "Ferrari Dacrema" in lines["ease"] and "tuned on these data" in lines["ease"]
    assert lines["surprise-svd"].endswith("| library: Surprise |")
    assert lines["random"].endswith("| none |")
    assert "given: alpha; others tuned here: " in markdown


def test_the_lists_and_the_table_of_numbers_say_it(tmp_path: Path) -> None:
    results = results_of(tmp_path, planned(["slim", "item-mean"]))
    slim = available()["slim"].origin
    assert slim is not None and slim.text.startswith("paper: Ferrari Dacrema et al. 2021")

    heading, *lines = KINDS["algorithms"]()
    (listed,) = [line[-1] for line in lines if line[0] == "slim"]
    assert "where their defaults come from" in heading[-1] and listed.endswith(slim.text)

    with write_table(tmp_path, results.records, results.about).open(newline="") as file:
        assert [line["defaults"] for line in csv.DictReader(file)] == [slim.text, "none"]
    with write_table(tmp_path, results.records).open(newline="") as file:
        assert {line["defaults"] for line in csv.DictReader(file)} == {""}


def test_rows_that_are_there_tuned_under_one_budget_are_on_equal_terms(tmp_path: Path) -> None:
    cells = []
    searches = []
    for row in planned(["ease", "surprise-svd"]):
        search = RowSearch(row, TuningDesign(TuningBudget(trials=1)))
        search.tell(ok(search.next_cell, 1.0), 0.0)
        cells += [row, search.tune(row)]
        searches.append(search.history)
    write_histories(tmp_path, searches)
    results = results_of(tmp_path, cells)
    word, why = answer(results)
    assert word == "yes" and "2 rows with defaults and tuned" in why
    assert why.startswith("defaults of ease were tuned on movielens-100k, but all rows beside")
    assert not [text for text in summarise_run(results) if text.startswith("Not on equal terms")]
    assert results.rows[1].defaults == "tuned in this run, trials on each fold: 1"

    (commands,) = [block for block in method(results) or [] if isinstance(block, Commands)]
    assert [row for row, _ in commands.entries] == [
        "ease and ease (tuned)",
        "surprise-svd and surprise-svd (tuned)",
    ]

    unequal = [searches[0], searches[1].model_copy(update={"budget": "2"})]
    write_histories(tmp_path, unequal)
    assert answer(Results.read(tmp_path))[0] == "no"


def test_a_search_that_chose_what_was_tuned_on_the_data_is_said_not_to_be_blind(
    tmp_path: Path,
) -> None:
    cells = []
    searches = []
    for row, second in zip(planned(["ease", "implicit-als", "als"]), (0.5, 2.0, 0.5), strict=True):
        search = RowSearch(row, TuningDesign(TuningBudget(trials=2)))
        for value in (1.0, second):
            result = ok(search.next_cell, value)
            search.tell(replace(result, metrics={search.metric: value}), 0.0)
        cells += [row, search.tune(row)]
        searches.append(search.history)
    write_histories(tmp_path, searches)
    results = results_of(tmp_path, cells)

    assert [search.row for search in results.searches_not_blind] == ["ease"]
    assert "searches of ease chose such defaults" in answer(results)[1]
    shown = repr(tuning(results))
    assert "Not independent of the test part: the searches of ease (1 fold) chose" in shown

    searches[0] = searches[1].model_copy(update={"row": "ease"})
    write_histories(tmp_path, searches)
    results = Results.read(tmp_path)
    assert not results.searches_not_blind and "Not independent" not in repr(tuning(results))


def test_the_same_rows_on_other_data_are_on_equal_terms(tmp_path: Path) -> None:
    rows = ["slim", "surprise-svd", "implicit-als"]
    results = results_of(tmp_path, planned(rows, "movielens-1m"), "movielens-1m")
    assert answer(results) == ("yes", "no row has a default that was tuned on movielens-1m")
    assert not [text for text in summarise_run(results) if "equal terms" in text]


def test_values_that_were_given_are_no_defaults(tmp_path: Path) -> None:
    rows = ["ease[regularisation=300]", "surprise-svd"]
    results = results_of(tmp_path, planned(rows))
    word, why = answer(results)
    assert word == "yes" and why.endswith("in the row's name: ease[regularisation=300.0]")


def test_a_filtered_copy_is_the_same_data(tmp_path: Path) -> None:
    name = "movielens-100k[min_user_ratings=50]"
    results = results_of(tmp_path, planned(["slim", "surprise-svd"], name), name)
    assert answer(results)[0] == "no"


def test_a_plan_of_before_origins_loads_and_goes_by_equal_defaults(tmp_path: Path) -> None:
    """What had today's defaults has their origin; a default that has changed since is not said."""
    cells = planned(["slim", "surprise-svd", "keras-mf"])
    cells[2] = replace(cells[2], parameters=cells[2].parameters | {"n_factors": 7})
    results = results_of(tmp_path, cells, says=False)
    assert "origin" not in json.loads((tmp_path / "plan.json").read_text())
    assert [row.defaults == "not said" for row in results.rows] == [False, False, True]
    word, why = answer(results)
    assert word == "no" and why.endswith("where those of keras-mf come from is not said")


def test_what_an_adapter_does_not_say_is_not_known(tmp_path: Path) -> None:
    cells = planned(["surprise-svd", "keras-mf"])
    results = results_of(tmp_path, cells)
    described: dict[str, Any] = dict(results.about.algorithms)
    described["keras-mf"] = described["keras-mf"].replaced(origin=None)
    silent = replace(results, about=results.about.replaced(algorithms=described))
    assert answer(silent)[0] == "not known"
    assert [row.defaults for row in silent.rows] == ["library: Surprise", "not said"]
