"""Blends of tuned rows: weights over stored answers, chosen on validation parts alone.

No model is fitted. The best trial of each tuned row has left its answers on the inner division of
every fold, and the tuned row its answers on the fold's test part: weights are chosen on the former
and judged on the latter. Ratings are blended by non-negative least squares, lists by reciprocal
ranks with weights from ensemble selection (Caruana et al. 2004).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls
from typer import Argument, Option

from recbench.adapters import available
from recbench.benchmarks.certainty import LEVEL, UserShares, bootstrap_users
from recbench.benchmarks.console import FINE, import_plugin, serve
from recbench.benchmarks.evaluation import (
    Answers,
    KnownRatings,
    complete_predictions,
    compute_metrics,
)
from recbench.benchmarks.metrics import STANDARD, Doubles, Evaluation, Shares, find_metric
from recbench.benchmarks.planning import division_of, load_same_data
from recbench.benchmarks.records import Record, Run, group_by_role
from recbench.benchmarks.splits import divide, rows_of_histories
from recbench.benchmarks.tuning import (
    Blend,
    History,
    find_trials,
    read_histories,
    write_blends,
)
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, open_console
from recbench.datasets.ratings import Dataset, Ratings
from recbench.datasets.storage import write_atomically

Kind = Literal["ratings", "lists"]

N_ROUNDS = 25  # of ensemble selection: weights are multiples of 1/25
RANK_OFFSET = 1.0  # the first place of a list counts 1, the second 1/2
DEPTH = 20  # places of a blended list, as many as are stored of others; more with a deeper cutoff

LEAST_MEMBERS = 2


@dataclass(frozen=True)
class Member:
    """A tuned row: the record of its best trial and its own, by fold."""

    row: str
    predicts: Literal["ratings", "order"]
    inner: str
    trials: tuple[Record, ...]
    tests: tuple[Record, ...]


def blend(
    directory: Annotated[Path, Argument(metavar="RUN", help="what a run with --tune has left")],
    row: Annotated[
        list[str] | None, Option(help="a tuned row; repeatable [default: all that can be blended]")
    ] = None,
    dataset: Annotated[
        str | None, Option(help="where the data are now [default: as the run named them]")
    ] = None,
    json_file: Annotated[Path | None, Option("--json", help="write every number here")] = None,
    plugin: Annotated[
        list[str] | None, Option(help="module with more adapters; repeatable")
    ] = None,
) -> int:
    """Blend the tuned rows of RUN, and say whether that beats the best of them on the test parts.

    Nothing is fitted: the weights come from the answers of the best trials on the validation parts.
    What comes out is kept in RUN as blends.json, and the next report of RUN shows it.
    """
    for module in plugin or []:
        import_plugin(module)
    run = Run(directory)
    _, about = run.read_plan()
    members = find_members(run, row or [])
    data = load_same_data(about, dataset, "--dataset says where they are now.")

    blends = []
    for group in _group_members(members):
        blends.append(_blend_group(run, group, data))
    if json_file is not None:
        content = [each.model_dump(mode="json") for each in blends]
        text = json.dumps(content, indent=1, allow_nan=False)
        write_atomically(json_file, f"{text}\n".encode())

    console = open_console(soft_wrap=True)
    _print_blends(console, blends)
    path = write_blends(directory, blends)
    console.print(f"kept as {path}, which {command_to_type('report')} shows", markup=False)
    return FINE


def find_members(run: Run, rows: Sequence[str]) -> list[Member]:
    """The tuned rows of `run`, or those of `rows`, with the records that a blend needs.

    Rows that are not ok, or whose search has no best trial, are left out unless they were asked
    for. UsageError for a run without tuned rows, and for a row that cannot be blended.
    """
    histories: dict[str, list[History]] = {}
    for history in read_histories(run.directory):
        histories.setdefault(history.row, []).append(history)
    if not histories:
        raise UsageError(
            f"{run.directory} has no tuned rows: blends need the answers of their trials on "
            "validation parts; run again with --tune 20"
        )
    for name in rows:
        if name not in histories:
            valid = ", ".join(histories)
            raise UsageError(f"--row {name}: no tuned row of {run.directory}; there are: {valid}")

    records: dict[str, list[Record]] = {}
    for record in run.records():
        if record.cell.tuning is not None:
            records.setdefault(record.cell.untuned_row, []).append(record)

    members = []
    for name, of_row in histories.items():
        if rows and name not in rows:
            continue
        member = _read_member(run, name, of_row, records.get(name, []))
        if member is not None:
            members.append(member)
        elif name in rows:
            raise UsageError(f"--row {name}: it is not ok on every fold, or no trial of it is")
    return members


def _read_member(
    run: Run, name: str, histories: Sequence[History], records: Sequence[Record]
) -> Member | None:
    """A tuned row with its best trials; None if any record is not ok."""
    if not records:
        return None
    tests, _, _ = group_by_role(records)
    trials = []
    for test in tests:
        history = next((each for each in histories if _is_search_of(each, test)), None)
        best = history.best if history is not None else None
        if best is None:
            return None
        path = find_trials(run).directory / "records" / f"{best.cell}.json"
        try:
            trials.append(Record.from_json(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}; run again to measure it") from None
    if any(record.status != "ok" for record in [*tests, *trials]):
        return None

    adapter = available().get(tests[0].cell.algorithm)
    if adapter is None:
        raise UsageError(f"{name} is not known here: name its module with --plugin")
    return Member(name, adapter.predicts, trials[0].cell.inner, tuple(trials), tuple(tests))


def _is_search_of(history: History, test: Record) -> bool:
    """Whether the search was made on the training part of this fold.

    A second split and other divisions have folds of the same numbers.
    """
    cell = test.cell
    of_history = (history.split, history.n_folds, history.fold, history.split_seed)
    return of_history == (cell.split, cell.n_folds, cell.fold, cell.split_seed)


def _group_members(members: Sequence[Member]) -> list[list[Member]]:
    """Members that were validated on the same folds and predict the same, two at least each.

    UsageError if there is no such group.
    """
    groups: dict[tuple[object, ...], list[Member]] = {}
    for member in members:
        folds = tuple(test.cell.seeded_fold for test in member.tests)  # a shard lacks some
        groups.setdefault((member.predicts, member.inner, folds), []).append(member)
    blendable = [group for group in groups.values() if len(group) >= LEAST_MEMBERS]
    if not blendable:
        raise UsageError(
            "a blend needs two tuned rows that both predict ratings, or both rank only, and that "
            "are ok on the same folds: rows of one kind then have the same validation parts"
        )
    return blendable


def _blend_group(run: Run, members: Sequence[Member], data: Dataset) -> Blend:
    """Choose the weights of each fold, and judge the blend beside its members."""
    kind: Kind = "ratings" if members[0].predicts == "ratings" else "lists"
    evaluation = Evaluation((members[0].tests[0].cell.first_cutoff,))
    column = "rmse" if kind == "ratings" else f"ndcg@{evaluation.ks[0]}"

    weights = []
    shares_by_row: dict[str, list[Shares]] = {}
    for fold in range(len(members[0].tests)):
        chosen = choose_weights(run, members, fold, data, kind, evaluation)
        weights.append({each.row: float(w) for each, w in zip(members, chosen, strict=True)})

        train, test = _parts_of(members[0].tests[fold], data)
        answers = [_answers_of(run, each.tests[fold]) for each in members]
        blended = _blend_answers(answers, chosen, train, test, kind)
        judged = {"blend": blended, **dict(zip([m.row for m in members], answers, strict=True))}
        for row, each in judged.items():
            shares = _judge(each, train, test, data, evaluation, kind, column)
            shares_by_row.setdefault(row, []).append(shares)

    rows = list(shares_by_row)
    shares_of_rows = [_join_folds(folds) for folds in shares_by_row.values()]
    metric = find_metric(column)
    bootstrap = bootstrap_users(metric, shares_of_rows)
    losses = [metric.loss(value) for value in bootstrap.values]
    best = 1 + int(np.argmin(losses[1:]))
    p_value = float(bootstrap.pairwise_p_values[0, best])
    return Blend(
        row=f"blend[{'+'.join(member.row for member in members)}]",
        kind=kind,
        column=column,
        weights=weights,
        value=float(bootstrap.values[0]),
        interval=bootstrap.interval(0),
        best_member=rows[best],
        best_value=float(bootstrap.values[best]),
        difference=bootstrap.difference(0, best),
        p_value=p_value,
        beats_best=bool(losses[0] < losses[best] and p_value < LEVEL),
        answers=[test.answers or "" for member in members for test in member.tests],
    )


def choose_weights(
    run: Run,
    members: Sequence[Member],
    fold: int,
    data: Dataset,
    kind: Kind,
    evaluation: Evaluation,
) -> Doubles:
    """The weight of each member, from the best trials' answers on the validation part of a fold.

    Nothing else of the run is read.
    """
    train, validation = _parts_of(members[0].trials[fold], data)
    answers = [_answers_of(find_trials(run), each.trials[fold]) for each in members]
    if kind == "ratings":
        return _fit_least_squares(answers, train, validation)
    return _select_ensemble(answers, train, validation, data, evaluation)


def _fit_least_squares(answers: Sequence[Answers], train: Ratings, validation: Ratings) -> Doubles:
    """Non-negative weights that leave the least squared error of the predicted deviations from the
    training mean.
    """
    predicted = _predict(answers, validation, train.mean) - train.mean
    weights: Doubles
    weights, _ = nnls(predicted, validation.values.astype(np.float64) - train.mean)
    return weights


def _predict(answers: Sequence[Answers], test: Ratings, mean: float) -> Doubles:
    """The completed predictions, (n_test, n_members)."""
    columns = [complete_predictions(each, test, mean).predicted for each in answers]
    return np.column_stack(columns)


def _select_ensemble(
    answers: Sequence[Answers],
    train: Ratings,
    validation: Ratings,
    data: Dataset,
    evaluation: Evaluation,
) -> Doubles:
    """Shares of `N_ROUNDS` places: each goes to the member whose addition gives the best nDCG.

    Members may be taken again; of equal ones the first is.
    """
    column = f"ndcg@{evaluation.ks[0]}"
    counts = np.zeros(len(answers))
    for _ in range(N_ROUNDS):
        values = []
        for place in range(len(answers)):
            tried = counts.copy()
            tried[place] += 1
            blended = _blend_answers(answers, tried, train, validation, "lists")
            sums, weights = _judge(blended, train, validation, data, evaluation, "lists", column)
            values.append(sums.sum() / weights.sum())
        counts[int(np.argmax(values))] += 1
    return counts / N_ROUNDS


def _blend_answers(
    answers: Sequence[Answers], weights: Doubles, train: Ratings, test: Ratings, kind: Kind
) -> Answers:
    """The answers of the blend: ratings, or lists, and nothing of the other kind."""
    if kind == "ratings":
        deviations = _predict(answers, test, train.mean) - train.mean
        scores = train.mean + deviations @ weights
        return Answers(scores.astype(np.float32), answers[0].lists)

    lists_of_members = [each.lists[STANDARD] for each in answers]
    top_items = blend_lists([lists.top_items for lists in lists_of_members], weights)
    places = np.arange(top_items.shape[1], dtype=np.int32)

    first = lists_of_members[0]
    blended = replace(
        first,
        top_items=top_items,
        ranks=np.broadcast_to(places, top_items.shape),
        auc=np.full(len(first.users), np.nan),  # a blend does not rank all items
    )
    return Answers(answers[0].scores, {STANDARD: blended})


def blend_lists(lists: Sequence[NDArray[np.int32]], weights: Doubles) -> NDArray[np.int32]:
    """The items with the greatest sums of weight over rank, best first: at most `DEPTH` a user, or
    as many as a list has places if that is more.

    `lists` are the members', (n_users, depth) each, -1 where candidates ran out, as in what comes
    out. Of equal items that with the lower index comes first. A member without weight adds nothing.

    >>> blend_lists([np.array([[1, 2, 3]]), np.array([[3, 4, -1]])], np.array([1.0, 1.0]))
    array([[3, 1, 2, 4]], dtype=int32)
    """
    depth = max(DEPTH, *(each.shape[1] for each in lists))
    points_by_member = []
    for each, weight in zip(lists, weights, strict=True):
        ranks = RANK_OFFSET + np.arange(each.shape[1])
        points_by_member.append(np.broadcast_to(weight / ranks, each.shape))
    items = np.concatenate(lists, axis=1)
    points = np.concatenate(points_by_member, axis=1)

    # Equal items of a user stand side by side: their points are summed at the first of them
    order = np.argsort(items, axis=1, kind="stable")
    items = np.take_along_axis(items, order, axis=1)
    points = np.take_along_axis(points, order, axis=1)
    points = np.where(items >= 0, points, 0.0)
    is_first = np.ones(items.shape, bool)
    is_first[:, 1:] = items[:, 1:] != items[:, :-1]
    group = np.cumsum(is_first.ravel()) - 1
    sums = np.bincount(group, points.ravel())[group].reshape(items.shape)
    sums = np.where(is_first & (items >= 0), sums, 0.0)

    best = np.argsort(-sums, axis=1, kind="stable")[:, :depth]
    top_items = np.take_along_axis(items, best, axis=1)
    has_points = np.take_along_axis(sums, best, axis=1) > 0
    top_items = np.where(has_points, top_items, -1).astype(np.int32)
    longest = int(has_points.sum(axis=1).max(initial=0))
    return top_items[:, :longest]


def _parts_of(record: Record, data: Dataset) -> tuple[Ratings, Ratings]:
    """What the bench knew when it asked, with what was told of new users, and what it asked."""
    division = division_of(record.cell)
    train_rows, test_rows = divide(data, *division)
    history_rows = rows_of_histories(data, *division)
    known = data.ratings.take(np.concatenate([train_rows, history_rows]))
    return KnownRatings.of(known, len(history_rows)), data.ratings.take(test_rows)


def _answers_of(run: Run, record: Record) -> Answers:
    """The raw answers of a record. UsageError if they are gone, damaged or another's."""
    arrays = run.answers_of(record)
    return Answers.from_arrays(arrays, (STANDARD,))


def _judge(
    answers: Answers,
    train: Ratings,
    test: Ratings,
    data: Dataset,
    evaluation: Evaluation,
    kind: Kind,
    column: str,
) -> Shares:
    """What each user adds to the metric."""
    metrics = compute_metrics(
        answers,
        train,
        test,
        data.catalogue,
        evaluation,
        predicts_ratings=kind == "ratings",
    )
    return metrics.shares[column]


def _join_folds(folds: Sequence[Shares]) -> UserShares:
    """The shares of all folds, (n_folds, n_users) each."""
    sums = np.array([sums for sums, _ in folds])
    weights = np.array([weights for _, weights in folds])
    return UserShares(sums, weights)


def _print_blends(console: Console, blends: Sequence[Blend]) -> None:
    """A sentence and the weights for each blend."""
    for each in blends:
        low, high = each.difference[1:]
        verdict = "beats" if each.beats_best else "does not beat"
        console.print(f"{each.row}", markup=False)
        console.print(
            f"  {each.column} {each.value:.4f} ({each.interval[0]:.4f} to {each.interval[1]:.4f}); "
            f"it {verdict} its best member on the test parts, {each.best_member} with "
            f"{each.best_value:.4f}: difference {each.difference[0]:+.4f} ({low:+.4f} to "
            f"{high:+.4f}), p {each.p_value:.2g}",
            markup=False,
        )
        console.print(_tabulate_weights(each.weights))


def _tabulate_weights(weights: Sequence[Mapping[str, float]]) -> Table:
    """The weights by member and fold."""
    table = Table(title="weights, chosen on the validation part of each fold")
    table.add_column("member")
    for fold in range(len(weights)):
        table.add_column(f"fold {fold}", justify="right")
    for row in weights[0]:
        table.add_row(row, *(f"{of_fold[row]:.3f}" for of_fold in weights))
    return table


if __name__ == "__main__":
    serve(blend)
