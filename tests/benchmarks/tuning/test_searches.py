"""What a search tries: the space, the order of trials, the budget, and what is chosen."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import pytest

from recbench.adapters import available
from recbench.adapters.shared.parameters import Choose, Count, Positive
from recbench.adapters.shared.parameters import Search as Declared
from recbench.benchmarks.metrics import Evaluation, parse_column
from recbench.benchmarks.records import Cell, Record, Run
from recbench.benchmarks.records.facts import DataDescription, Environment, PhaseCost
from recbench.benchmarks.tuning import (
    History,
    RowSearch,
    Searches,
    Trial,
    TuningBudget,
    TuningDesign,
    choose_inner_split,
    describe_search,
    find_replay_errors,
    find_space,
    parse_budget,
)
from recbench.benchmarks.tuning.search import N_RANDOM
from recbench.benchmarks.tuning.spaces import Interval, Options
from recbench.datasets import UsageError


def design(trials: int | None = None, seconds: float | None = None, **more: Any) -> TuningDesign:
    """What searches of so many trials, or so long, have in common."""
    return TuningDesign(TuningBudget(trials, seconds), **more)


def make_cell(algorithm: str = "ease", **changes: Any) -> Cell:
    """A cell of a row with its defaults, of data that are nowhere."""
    adapter: Any = available()[algorithm]
    parameters = {
        name: getattr(adapter(), name) for name in adapter.__dataclass_fields__
    } | changes.get("given", {})
    cell = Cell(
        dataset="nowhere",
        digest="0" * 64,
        algorithm=algorithm,
        parameters=parameters,
        given={},
        revision=1,
        libraries={},
        split="kfold",
        n_folds=5,
        fold=0,
        seed=0,
        protocol=Evaluation().to_json(),
        threads=1,
        source="0",
    )
    return replace(cell, **changes)


def answer(cell: Cell, value: float | None, status: str = "ok", seconds: float = 1.0) -> Record:
    """The record of a trial."""
    metrics = {"ndcg@10": value, "rmse": value} if status == "ok" else {}
    costs = {"fit": PhaseCost(seconds=9.0, cpu_seconds=seconds, cpu_samples=[seconds])}
    return Record(
        cell=cell,
        status=status,
        reason=None if status == "ok" else "because",
        started="",
        data=DataDescription(),
        environment=Environment(),
        costs=costs if status == "ok" else {},
        metrics=metrics,
    )


def near_a_thousand(cell: Cell) -> float:
    """The higher, the nearer the regularisation is to a thousand."""
    return 1 - abs(math.log10(cell.parameters["regularisation"]) - 3) / 10


def run_search(search: RowSearch, n_trials: int = 1000) -> RowSearch:
    """Answer the next trials of a search, as far as its budget goes."""
    for _ in range(n_trials):
        if search.is_over:
            break
        cell = search.next_cell
        search.tell(answer(cell, near_a_thousand(cell)), 0.0)
    return search


@dataclass(eq=False)
class Declaring:
    sees_truth: ClassVar[bool] = False
    whole: Annotated[Count | None, Declared(1, 9, "a paper")] = None
    real: Annotated[Positive, Declared(0.1, 10, "another", log=True)] = 1.0
    word: Annotated[Literal["a", "b"], Choose("a manual")] = "a"
    truth: Annotated[bool, Choose("a manual")] = True
    fixed: Count = 3


def test_a_space_is_read_off_the_annotations() -> None:
    space = find_space(Declaring)  # type: ignore[arg-type]
    assert space == {
        "whole": Interval(1, 9, log=False, is_whole=True),
        "real": Interval(0.1, 10, log=True, is_whole=False),
        "word": Options(("a", "b")),
        "truth": Options((False, True)),
    }
    sources = [dimension.source for dimension in space.values()]
    assert sources == ["a paper", "another", "a manual", "a manual"]
    assert [str(dimension) for dimension in space.values()] == [
        "1 to 9",
        "0.1 to 10, log",
        "a or b",
        "False or True",
    ]
    without = find_space(Declaring, ["real", "word"])  # type: ignore[arg-type]
    assert list(without) == ["whole", "truth"]
    assert find_space(available()["oracle"]) == find_space(available()["popularity"]) == {}
    with pytest.raises(ValueError, match="empty"):
        Declared(2, 2, "a paper")
    with pytest.raises(ValueError, match="logarithm"):
        Declared(0, 2, "a paper", log=True)


def test_values_near_an_end_are_on_the_border_but_for_an_end_of_zero() -> None:
    log = Interval(1, 10_000, log=True, is_whole=False)
    linear = Interval(0, 100, log=False, is_whole=False)
    assert [log.is_border(value) for value in (1.0, 1.1, 2.0, 9000.0, None)] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert [linear.is_border(value) for value in (0.0, 50.0, 99.0)] == [False, False, True]
    assert linear.round(12.3456789) == 12.3457 and linear.round(0.0) == 0.0


@pytest.mark.parametrize(
    "text", ["", "0", "-3", "many", "10 trials", "1.5", "10,20", "5m,5m", "10,", "1,2,3m"]
)
def test_a_budget_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError, match="--tune"):
        parse_budget(text)


def test_a_budget_is_a_number_of_trials_or_processor_time() -> None:
    assert parse_budget("50") == TuningBudget(trials=50)
    assert parse_budget("10m") == TuningBudget(seconds=600.0)
    assert (
        str(parse_budget("50")) == "50"
        and parse_budget(str(TuningBudget(seconds=90.0))).seconds == 90
    )
    assert parse_budget("30, 5m") == parse_budget("5m,30") == TuningBudget(30, 300.0)
    assert str(TuningBudget(30, 300.0)) == "30,300s"
    search = RowSearch(make_cell(), design(seconds=3.5))
    assert len(run_search(search).trials) == 4, "one that has begun is finished"


@pytest.mark.parametrize(("budget", "n_trials"), [("2,1h", 2), ("50,3.5s", 4)])
def test_of_two_limits_the_first_that_is_reached_ends_the_search(
    budget: str, n_trials: int
) -> None:
    search = RowSearch(make_cell(), TuningDesign(parse_budget(budget)))
    assert len(run_search(search).trials) == n_trials


@pytest.mark.parametrize(
    ("split", "predicts", "inner"),
    [
        ("kfold", "ratings", "holdout"),
        ("kfold", "order", "user-kfold"),
        ("u", "ratings", "holdout"),
        ("time", "ratings", "time"),
        ("time[at=0.9]", "order", "time"),
        ("last-out", "order", "last-out"),
    ],
)
def test_the_inner_split_is_as_the_outer_one_and_the_row(
    split: str, predicts: Any, inner: str
) -> None:
    assert choose_inner_split(split, predicts) == inner


def test_the_default_comes_first_then_fifteen_at_random_then_the_estimator_that_finds_more() -> (
    None
):
    search = run_search(RowSearch(make_cell(), design(30)))
    tried = [float(trial.tried["regularisation"] or 0) for trial in search.trials]
    assert tried[0] == 500.0 and len(set(tried)) == 30
    first = RowSearch(make_cell(), design(1)).next_cell
    assert first.row == "ease" and first.inner == "user-kfold" and first.place.endswith(first.inner)

    distance = [abs(math.log10(value) - 3) for value in tried]
    at_random, estimated = distance[1 : N_RANDOM + 1], distance[N_RANDOM + 1 :]
    assert sum(estimated) / len(estimated) < sum(at_random) / len(at_random) / 2
    assert search.history.chosen == {"regularisation": tried[distance.index(min(distance))]} | {
        "relevant_share": 0.75
    }


def test_a_search_that_is_taken_up_after_trial_23_goes_on_as_it_would_have() -> None:
    whole = run_search(RowSearch(make_cell(), design(26)))
    begun = run_search(RowSearch(make_cell(), design(26)), 23)
    again = RowSearch(make_cell(), design(26), trials=list(begun.trials))
    assert run_search(again).trials == whole.trials
    recalled = RowSearch(make_cell(), design(26), remembered=begun.history)
    assert run_search(recalled).trials == whole.trials
    assert find_replay_errors(whole.history) == []


def prefer_dice(search: RowSearch, n_trials: int) -> RowSearch:
    """Answer as if dice, normalised, were the best, whatever the numbers are."""
    for _ in range(n_trials):
        tried = search.next_cell.parameters
        value = (tried["similarity"] == "dice") + tried["normalise"] / 2
        search.tell(answer(search.next_cell, value), 0.0)
    return search


@pytest.mark.slow
def test_words_and_truths_are_searched_and_found() -> None:
    search = prefer_dice(RowSearch(make_cell("item-knn"), design(40)), 40)
    words = [str(trial.tried["similarity"]) for trial in search.trials]
    assert set(words[1 : N_RANDOM + 1]) == {"cosine", "dice", "jaccard"}
    assert search.trials[0].tried["weighting"] == "tf-idf"
    assert {type(trial.tried["normalise"]) for trial in search.trials} == {bool}
    estimated = words[N_RANDOM + 1 :]
    assert estimated.count("dice") > len(estimated) / 2
    chosen = search.history.chosen
    assert chosen["similarity"] == "dice" and chosen["normalise"] is True
    borders = search.history.borders
    assert not {"similarity", "normalise", "weighting"} & set(borders)
    assert find_replay_errors(search.history) == []
    read = History.model_validate_json(search.history.model_dump_json())
    assert read == search.history and isinstance(read.space["normalise"], Options)
    assert find_replay_errors(read) == []


def test_without_the_default_trial_a_search_begins_at_random() -> None:
    plan = design(26, default_trial=False)
    search = run_search(RowSearch(make_cell(), plan))
    tried = [float(trial.tried["regularisation"] or 0) for trial in search.trials]
    assert 500.0 not in tried and len(search.trials) == 26
    distance = [abs(math.log10(value) - 3) for value in tried]
    at_random, estimated = distance[:N_RANDOM], distance[N_RANDOM:]
    assert sum(estimated) / len(estimated) < sum(at_random) / len(at_random) / 2

    history = search.history
    assert not history.default_trial and find_replay_errors(history) == []
    assert find_replay_errors(history.model_copy(update={"default_trial": True}))
    assert all("regularisation" in cell.given for cell in search.trial_cells)
    begun = run_search(RowSearch(make_cell(), plan), 20)
    assert (
        run_search(RowSearch(make_cell(), plan, remembered=begun.history)).trials == search.trials
    )

    skipped = RowSearch(make_cell(), plan)
    skipped.tell(answer(skipped.next_cell, None, "skipped"), 0.1)
    assert not skipped.is_over, "other values may need less memory"


@pytest.mark.parametrize(
    ("columns", "of_raters", "of_rankers"),
    [
        ((), "rmse", "ndcg@10"),
        (("precision@5", "rmse", "mae", "ndcg@10"), "rmse", "ndcg@10"),
        (("mean_error", "coverage", "mae", "auc", "recall@5"), "mae", "auc"),
        (("tois-2021:precision@10", "tois-2021:recall@10"),) + ("tois-2021:precision@10",) * 2,
        (("mae", "novelty@10"), "mae", "ndcg@10"),
    ],
)
def test_a_search_goes_by_the_headline_metric_of_its_row(
    columns: tuple[str, ...], of_raters: str, of_rankers: str
) -> None:
    shown = design(1, columns=columns)
    assert shown.choose_metric("ratings") == of_raters
    assert shown.choose_metric("order") == of_rankers
    assert RowSearch(make_cell(), shown).metric == of_rankers
    for metric in shown.metrics:
        protocol, _ = parse_column(metric)
        assert protocol in shown.evaluation.protocols
    if not columns:
        assert shown.evaluation == Evaluation(), "trials of earlier runs keep their keys"


def test_trials_that_the_sampler_did_not_propose_are_found() -> None:
    history = run_search(RowSearch(make_cell(), design(4))).history
    trials = list(history.trials)
    trials[2] = trials[2].model_copy(update={"tried": {"regularisation": 5.0}})
    assert find_replay_errors(history.model_copy(update={"trials": trials})) == [2]


def test_another_seed_tries_something_else() -> None:
    mine = run_search(RowSearch(make_cell(), design(3))).trials
    theirs = run_search(RowSearch(make_cell(seed=1), design(3))).trials
    assert mine[0].tried == theirs[0].tried and mine[1].tried != theirs[1].tried


def test_a_failure_is_a_trial_and_is_never_chosen() -> None:
    search = RowSearch(make_cell(), design(3))
    search.tell(answer(search.next_cell, None, "diverged"), 2.5)
    search.tell(answer(search.next_cell, 0.1), 0.0)
    search.tell(answer(search.next_cell, None), 0.0)
    assert search.is_over
    assert [trial.status for trial in search.trials] == ["diverged", "ok", "ok"]
    assert search.trials[0].cpu_seconds == 2.5, "the wall time of what does not say its cost"
    best = search.history.best
    assert best is not None and best.number == 1
    assert search.history.values_so_far == [None, 0.1, 0.1]


def test_nothing_can_come_of_a_row_that_is_skipped_and_what_does_not_run_stops_a_search() -> None:
    skipped = RowSearch(make_cell(), design(9))
    skipped.tell(answer(skipped.next_cell, None, "skipped"), 0.1)
    assert skipped.is_over and skipped.history.chosen == skipped.cell.parameters
    stopped = RowSearch(make_cell(), design(9))
    stopped.tell(answer(stopped.next_cell, None, "not_run"), 0.0)
    assert stopped.is_stopped and not stopped.is_over and not stopped.trials


def test_values_set_on_purpose_are_kept_and_defaults_outside_of_the_space_are_tried_first() -> None:
    row = make_cell("item-knn", given={"k": 20, "similarity": "dice"})
    search = RowSearch(row, design(2))
    assert list(search.space) == ["shrink", "weighting", "normalise"]
    sliced = RowSearch(make_cell("slim"), design(2))
    sliced.tell(answer(sliced.next_cell, 0.1), 0.0)
    assert sliced.trials[0].tried["n_neighbours"] is None
    assert isinstance(sliced.next_cell.given["n_neighbours"], int)


def test_one_search_for_several_folds_is_refused() -> None:
    search = run_search(RowSearch(make_cell(), design(2)))
    tuned = search.tune(make_cell(seed=3))
    assert tuned.row == "ease (tuned)" and tuned.untuned_row == "ease"
    with pytest.raises(ValueError, match="the others' test ratings"):
        search.tune(make_cell(fold=1))


def test_the_key_of_a_tuned_cell_holds_space_budget_division_seed_and_values() -> None:
    cell = make_cell()
    assert cell.key == replace(cell, inner="", tuning=None).key
    tuning = describe_search(cell, design(5), n_trials=5)
    tuned = replace(cell, tuning=tuning)
    others = [
        replace(tuned, parameters=cell.parameters | {"regularisation": 7.0}),
        *(
            replace(tuned, tuning=tuning | {name: "other"})
            for name in (
                "space",
                "n_trials",
                "inner",
                "seed",
                "metric",
                "sampler",
                "default_trial",
            )
        ),
    ]
    keys = {one.key for one in (cell, replace(cell, inner="holdout"), tuned, *others)}
    assert len(keys) == 3 + len(others)
    assert tuned.arguments == tuned.parameters and cell.arguments == cell.given


def test_searches_go_side_by_side_and_fill_in_only_what_is_over(tmp_path: Any) -> None:
    rows = [make_cell(), make_cell(fold=1)]
    two_trials = design(2)
    pending = [replace(cell, tuning=describe_search(cell, two_trials, 0)) for cell in rows]
    assert all(cell.is_untuned for cell in pending)
    searches = Searches([*rows, *pending], two_trials, Run(tmp_path))
    for _ in range(2):
        records = {}
        for cell in searches.next_cells():
            status = "not_run" if cell.fold else "ok"
            records[cell.name] = answer(cell, 0.2, status)
        searches.tell(records, {})
    assert not searches.n_left
    filled = searches.fill_in([*rows, *pending])
    assert [cell.is_untuned for cell in filled] == [False, False, False, True]
    assert filled[2].tuning is not None and filled[2].tuning["n_trials"] == 2


def test_a_trial_keeps_the_epochs_that_early_stopping_allowed() -> None:
    search = RowSearch(make_cell(), design(1))
    record = replace(answer(search.next_cell, 0.1), trace=[{"epoch": 1.0}, {"epoch": 2.0}])
    search.tell(record, 0.0)
    assert isinstance(search.trials[0], Trial) and search.trials[0].epochs == 2
