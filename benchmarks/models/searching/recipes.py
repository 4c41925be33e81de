"""From what somebody wants to have trained to a recipe: which row, with which hyperparameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recbench.benchmarks.execution import Limits
from recbench.benchmarks.models import MeasuredRun, Recipe
from recbench.benchmarks.models.searching.search import search_on_all
from recbench.benchmarks.planning import PlannedRow, parse_rows
from recbench.benchmarks.records import Record
from recbench.benchmarks.tuning import History, Trial, TuningDesign, parse_budget, read_histories
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset

USUAL_SPLIT = "kfold"  # of a row that was in no run; trials divide the ratings accordingly


@dataclass(frozen=True)
class Order:
    """What somebody wants to have trained: a row of a run, or an algorithm."""

    limits: Limits  # of each trial of a search
    run: MeasuredRun | None = None
    row: str | None = None
    best: str | None = None  # a metric of the run
    algorithm: str | None = None  # as it is typed, with hyperparameters
    parameters_of: int | None = None  # the fold whose tuned hyperparameters are taken
    tune: str = ""  # the budget of a search on all ratings; "" is that of the run
    seed: int | None = None  # None: that of the run, or 0
    threads: int | None = None
    plugins: Sequence[str] = ()
    out: Path | None = None  # where the model is to be written; None: nowhere

    @property
    def options(self) -> list[str]:
        """As they are typed: what was given that goes with any row of a run."""
        given = {
            "--out": self.out,
            "--tune": self.tune or None,
            "--seed": self.seed,
            "--threads": self.threads,
        }
        options = []
        for option, value in given.items():
            if value is not None:
                options += [option, str(value)]
        for plugin in self.plugins:
            options += ["--plugin", plugin]
        return options


def settle_recipe(
    order: Order, data: Dataset, on_trial: Callable[[Trial], None] = lambda trial: None
) -> Recipe:
    """The recipe of what was ordered; hyperparameters are searched if that is needed.

    UsageError, with what is valid, for what cannot be had.
    """
    if order.run is None:
        return _recipe_of_algorithm(order, data, on_trial)
    return _recipe_of_row(order, order.run, data, on_trial)


def _recipe_of_algorithm(order: Order, data: Dataset, on_trial: Callable[[Trial], None]) -> Recipe:
    """An algorithm that is named with its hyperparameters; the rest have their defaults."""
    if order.algorithm is None:
        raise UsageError("which algorithm? Name one with --algorithm, such as --algorithm ease")
    for option, value in (("--row", order.row), ("--best", order.best)):
        if value is not None:
            raise UsageError(f"{option} {value}: that is for a row of a run; name its directory")
    if order.parameters_of is not None:
        raise UsageError("--parameters-of takes the values of a fold of a run; name its directory")

    (row,) = parse_rows([order.algorithm])
    search = None
    if order.tune:
        tuning = TuningDesign(parse_budget(order.tune))
        search = _search(
            order, row, data, tuning, split=USUAL_SPLIT, seed=order.seed or 0, on_trial=on_trial
        )
    return Recipe(
        row=row.name,
        algorithm=row.algorithm,
        parameters=row.given if search is None else search.chosen,
        parameters_from=_describe_given(row) if search is None else _describe_search(search),
        seed=order.seed or 0,
        threads=order.threads or 1,
        search=search,
    )


def _recipe_of_row(
    order: Order, run: MeasuredRun, data: Dataset, on_trial: Callable[[Trial], None]
) -> Recipe:
    """A row of a run, as it was measured there."""
    choice = None
    if order.algorithm is not None:
        raise UsageError(
            f"--algorithm {order.algorithm}: in a run a row is named with --row; without the run, "
            "name the data with --dataset"
        )
    if order.best is not None:
        if order.row is not None:
            raise UsageError("--row names a row, and --best has one chosen: give one of them")
        choice = run.choose(order.best, order.options)
    name = choice.row if choice else _pick_row(order, run)

    records = run.find(name)
    cell = records[0].cell
    row = PlannedRow(cell.algorithm, cell.given)
    seed = cell.seed if order.seed is None else order.seed
    search = None
    if order.parameters_of is not None:
        parameters = _parameters_of_fold(order.parameters_of, name, records)
        described = f"those chosen on fold {order.parameters_of} of {run.run.directory}"
    elif cell.tuning is not None or order.tune:
        tuning = _design_search(order, run, cell.untuned_row)
        search = _search(order, row, data, tuning, split=cell.split, seed=seed, on_trial=on_trial)
        parameters = search.chosen
        described = _describe_search(search)
    else:
        parameters = row.given
        described = _describe_given(row)
    return Recipe(
        row=name,
        algorithm=cell.algorithm,
        parameters=parameters,
        parameters_from=described,
        seed=seed,
        threads=order.threads or cell.threads,
        search=search,
        measured=run.measure(name, choice),
    )


def _pick_row(order: Order, run: MeasuredRun) -> str:
    """The row that is named, or the only one; UsageError if it is not clear which is meant."""
    if order.row is not None:
        return order.row
    if len(run.rows) == 1:
        return next(iter(run.rows))
    metrics = "|".join(run.about.metrics)
    raise UsageError(
        f"which row of {run.run.directory}? Name it with --row, or have the best one chosen with "
        f"--best {metrics}. Rows: {', '.join(run.rows)}"
    )


def _parameters_of_fold(fold: int, row: str, records: Sequence[Record]) -> dict[str, object]:
    """The hyperparameters that a tuned row had on a fold."""
    cells = {record.cell.fold: record.cell for record in records}
    if records[0].cell.tuning is None:
        raise UsageError(
            f"--parameters-of {fold}: {row} was not tuned, so all folds have the same values; "
            "leave it out"
        )
    if fold not in cells:
        folds = ", ".join(map(str, cells))
        raise UsageError(f"--parameters-of {fold}: {row} has the folds {folds}")
    if cells[fold].is_untuned:
        raise UsageError(f"--parameters-of {fold}: the search on this fold is not over; run again")
    return dict(cells[fold].parameters)


def _design_search(order: Order, run: MeasuredRun, row: str) -> TuningDesign:
    """How the search on all ratings goes: as those of the run, with its budget or that of `order`.

    UsageError if nobody has said a budget.
    """
    searches = [one for one in read_histories(run.run.directory) if one.row == row]
    budget = order.tune or (searches[0].budget if searches else "")
    if not budget:
        raise UsageError(
            f"{run.run.directory} does not say how {row} was tuned; give a budget with --tune, or "
            "take the values of a fold with --parameters-of"
        )
    return TuningDesign(
        parse_budget(budget),
        columns=tuple(run.about.metrics),
        default_trial=searches[0].default_trial if searches else True,
    )


def _search(
    order: Order,
    row: PlannedRow,
    data: Dataset,
    tuning: TuningDesign,
    *,
    split: str,
    seed: int,
    on_trial: Callable[[Trial], None],
) -> History:
    return search_on_all(
        data,
        row.algorithm,
        row.given,
        tuning,
        split=split,
        seed=seed,
        threads=order.threads or 1,
        limits=order.limits,
        plugins=order.plugins,
        on_trial=on_trial,
    )


def _describe_given(row: PlannedRow) -> str:
    """Where the values of a row come from that were not searched."""
    if not row.given:
        return "the defaults"
    return f"given: {', '.join(row.given)}; else the defaults"


def _describe_search(search: History) -> str:
    """How the values were found, in words."""
    best = search.best
    found = f"; the best had {best.value:.4f}" if best and best.value is not None else ""
    return (
        f"searched on all ratings: {len(search.trials)} trials by {search.metric} on a "
        f"{search.split} division of them, seed {search.seed}{found}"
    )
