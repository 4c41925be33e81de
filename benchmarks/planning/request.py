"""What a user asks for, whether on the command line or in a notebook, and what follows from it.

Whatever can be wrong is refused here, before anything is loaded or written.
"""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from recbench.adapters import available
from recbench.benchmarks.certainty import name_moment
from recbench.benchmarks.metrics import (
    Evaluation,
    find_metric,
    metric_columns,
    protocols_of_columns,
)
from recbench.benchmarks.planning.cells import Design, plan_cells
from recbench.benchmarks.planning.shard import Shard, parse_shard
from recbench.benchmarks.planning.suite import (
    PlannedRow,
    Suite,
    parse_rows,
    read_suite,
    with_found_values,
    with_truth_seers,
)
from recbench.benchmarks.records import TUNED, Cell, PublishedNumber, find_users
from recbench.benchmarks.splits import (
    PUBLISHED,
    SPLITS,
    canonical_spec,
    filtered_spec,
    grown_specs,
    order_in_time,
    resolve_n_folds,
)
from recbench.benchmarks.tuning import TuningDesign, find_space, parse_budget, read_found_values
from recbench.command import command_to_type
from recbench.datasets import check_spec
from recbench.datasets.foundation import UsageError, pick_name
from recbench.datasets.ratings import Dataset

USUAL_SUITE = "standard"
USUAL_SPLIT = "kfold"
USUAL_CUTOFF = 10
ALL_METRICS = "all"


@dataclass(frozen=True)
class Request:
    """What somebody wants to compare; None or () leaves it to the suite, or to what is usual."""

    dataset: str
    suite: str = USUAL_SUITE
    algorithms: tuple[str, ...] = ()  # the rows, in place of those of the suite
    folds: int | None = None
    split: str | None = None
    seed: int | None = None
    split_seed: int | None = None  # of the folds alone
    also_split: str | None = None
    repeats: int = 1
    cutoffs: tuple[int, ...] = ()
    metrics: tuple[str, ...] = ()  # the columns of the report
    threads: int = 1
    forced_rows: tuple[str, ...] = ()  # to be measured again although they are there
    users: tuple[str, ...] = ()  # whose recommendations are shown, by their ids
    plugins: tuple[str, ...] = ()  # modules with more adapters, imported before
    tune: str = ""  # trials or processor time of each search, as it is typed; "": no row is tuned
    parameters: str = ""  # where found values come from, as it is typed; "": defaults
    default_trial: bool = True  # whether each search tries the row's own hyperparameters first
    filters: str = ""  # to train behind, such as 0/0,5/20, as they are typed; "": none
    grow: str = ""  # shares of users to train on, as they are typed; "": the whole data alone
    shard: str = ""  # the part of the plan that is measured here, as it is typed; "": all of it
    latency: bool = False  # whether it is measured what serving each row would cost


@dataclass(frozen=True)
class RunPlan:
    """A request that was found good, with everything settled that needs no data."""

    request: Request
    suite: Suite
    split: str
    also_split: str | None
    seed: int
    forced_rows: frozenset[str]
    columns: list[str]  # the metric columns of the report
    evaluation: Evaluation
    tune: TuningDesign | None = None  # of the search of each row on each fold
    filters: tuple[str, ...] = ()  # splits that train on what a filter keeps, see `--filters`
    grow: tuple[str, ...] = ()  # splits that train on samples of the users, see `--grow`
    shard: Shard | None = None  # the part of the cells that is measured here; None: all

    @property
    def repeats(self) -> int:
        """As many as were asked for, or as many as the suite needs, whichever is more."""
        return max(self.request.repeats, self.suite.repeats or 1)

    def make_cells(self, data: Dataset) -> list[Cell]:
        """The cells of the run on `data`; those of the second split, if there is one, come last.

        UsageError for a split or a user that the data do not have, and for an empty fold.
        """
        request = self.request
        find_users(data, request.users)  # refuses unknown ones before anything runs
        self._refuse_split_of_suite(data)
        self._refuse_one_moment(data)

        rows = self.suite.rows
        if not request.algorithms:
            rows = with_truth_seers(rows, data)

        usual_folds = None if request.split else self.suite.folds
        design = Design(
            split=self.split,
            n_folds=resolve_n_folds(data, self.split, request.folds, usual_folds),
            seed=self.seed,
            evaluation=self.evaluation,
            threads=request.threads,
            repeats=self.repeats,
            split_seed=request.split_seed,
            tune=self.tune,
        )
        cells = plan_cells(data, rows, design)
        more_splits = [*self.grow, *self.filters]
        if self.also_split is not None:
            more_splits.insert(0, self.also_split)
        for split in more_splits:
            further = Design(
                split=split,
                n_folds=resolve_n_folds(data, split, None),
                seed=self.seed,
                evaluation=self.evaluation,
                threads=request.threads,
                tune=self.tune if split == self.also_split else None,
            )
            cells += plan_cells(data, rows, further)
        return cells

    def is_served(self, cell: Cell) -> bool:
        """Whether it is measured what serving the cell's model would cost: on one fold of a row.

        That is the first one of the run's own split, with its first seeds; all models of a row cost
        about the same. Answers from files are no model.
        """
        if cell.external is not None:
            return False
        request = self.request
        split_seed = self.seed if request.split_seed is None else request.split_seed
        is_first = (cell.split, cell.fold) == (self.split, 0)
        has_first_seeds = (cell.seed, cell.split_seed) == (self.seed, split_seed)
        return request.latency and is_first and has_first_seeds and not cell.inner

    def pick_cells(self, cells: Sequence[Cell]) -> list[Cell]:
        """Those of the planned `cells` that are measured here: all, or those of a shard.

        UsageError if there are more shards than cells.
        """
        if self.shard is None:
            return list(cells)
        return self.shard.pick(cells)

    def _refuse_split_of_suite(self, data: Dataset) -> None:
        """UsageError if the split comes from the suite, and `data` do not have it."""
        is_known = self.split.partition("[")[0] in {*SPLITS, *PUBLISHED, *data.splits}
        if not self.request.split and not is_known:
            raise UsageError(
                f"suite {self.request.suite!r} is defined for the split {self.split!r}, which "
                f"{data.name} does not have"
            )

    def _refuse_one_moment(self, data: Dataset) -> None:
        """UsageError for a split by time of ratings that share one moment.

        The order of rows in a file would decide what is tested.
        """
        times = data.ratings.times
        if times is None or not len(times) or times.min() < times.max():
            return

        remedies = {
            "--split": (self.split, "use kfold or holdout"),
            "--also-split": (self.also_split, "leave --also-split out"),
        }
        for option, (split, remedy) in remedies.items():
            if split is None or split.partition("[")[0] not in SPLITS:
                continue  # the rows of an official split are given
            if order_in_time(split) != "none":
                raise UsageError(
                    f"{option} {split}: all ratings of {data.name} share the moment "
                    f"{name_moment(data.ratings)}, so none comes before another; {remedy}"
                )

    def published_numbers(self, data: Dataset, cell: Cell) -> list[PublishedNumber]:
        """What others have measured on `data` in the way of `cell`.

        Empty on simulated data, or if the data are not divided as the suite has it.
        """
        if data.provenance.simulated:
            return []

        split_of_suite = self.suite.split or USUAL_SPLIT
        if cell.split != split_of_suite or self.suite.folds not in (None, cell.n_folds):
            return []

        return [number for number in self.suite.published if number.dataset == data.name]

    def command_to_reproduce(self, cell: Cell) -> str:
        """The command that measures a row of the run of `cell` again, up to the row's name."""
        words = [*command_to_type("run").split(), "--dataset", self.request.dataset]
        words += ["--split", cell.split, "--folds", str(cell.n_folds), "--seed", str(cell.seed)]
        if cell.split_seed != cell.seed:
            words += ["--split-seed", str(cell.split_seed)]

        cutoffs = cell.protocol["ks"]
        for cutoff in cutoffs:
            words += ["--k", str(cutoff)]
        if self.columns != metric_columns(tuple(cutoffs), headline=True):
            for column in self.columns:
                words += ["--metric", column]

        words += ["--threads", str(cell.threads)]
        if self.repeats > 1:
            words += ["--repeats", str(self.repeats)]
        if self.tune is not None:
            words += ["--tune", str(self.tune.budget)]
            if not self.tune.default_trial:
                words.append("--no-default-trial")
        if self.request.latency:
            words.append("--latency")
        if self.request.filters:
            words += ["--filters", self.request.filters]
        if self.request.grow:
            words += ["--grow", self.request.grow]
        for plugin in self.request.plugins:
            words += ["--plugin", plugin]
        return shlex.join(words)


def check_request(request: Request) -> RunPlan:
    """`request` with everything settled that needs no data.

    UsageError, which says what is valid, for an unknown algorithm, suite, metric, split, row or
    data set, and for a cutoff below 1.
    """
    if request.algorithms:
        suite = Suite(name="", description="", rows=parse_rows(request.algorithms))
    else:
        suite = read_suite(request.suite)
    if request.parameters:
        suite = replace(suite, rows=_take_found_values(suite.rows, request))

    split = canonical_spec(request.split or suite.split or USUAL_SPLIT)
    also_split = canonical_spec(request.also_split) if request.also_split else None
    if also_split == split:
        raise UsageError(
            f"--also-split {also_split} is the split of the run itself; name another, such as time"
        )

    planned = suite.rows
    if not request.algorithms:
        planned = with_truth_seers(planned)
    rows = [row.name for row in planned]
    if request.tune:
        rows += [
            row.name + TUNED for row in planned if find_space(available()[row.algorithm], row.given)
        ]
    forced_rows = frozenset(pick_name("row to force", row, rows) for row in request.forced_rows)
    columns, cutoffs = _choose_columns(request.cutoffs, request.metrics or suite.metrics or ())
    check_spec(request.dataset)
    return RunPlan(
        request=request,
        suite=suite,
        split=split,
        also_split=also_split,
        seed=_first_seed(request, suite),
        forced_rows=forced_rows,
        columns=columns,
        evaluation=Evaluation(cutoffs, protocols_of_columns(columns)),
        tune=_design_tuning(request, columns),
        filters=_parse_filters(request.filters) if request.filters else (),
        grow=tuple(grown_specs(_parse_shares(request.grow))) if request.grow else (),
        shard=parse_shard(request.shard) if request.shard else None,
    )


def _take_found_values(rows: tuple[PlannedRow, ...], request: Request) -> tuple[PlannedRow, ...]:
    """`rows` with the values of `--parameters`; UsageError beside `--tune`, which finds others."""
    if request.tune:
        raise UsageError(
            f"--parameters {request.parameters} and --tune {request.tune}: values that are given "
            "are not searched for; leave one of the two out"
        )
    return with_found_values(rows, read_found_values(request.parameters), request.parameters)


def _design_tuning(request: Request, columns: Sequence[str]) -> TuningDesign | None:
    """How the rows are tuned, in a report with these columns; None if they are not."""
    if request.tune:
        budget = parse_budget(request.tune)
        return TuningDesign(budget, tuple(columns), request.default_trial)
    if not request.default_trial:
        raise UsageError("--no-default-trial: without --tune, such as --tune 50, nothing is tried")
    return None


def _parse_filters(text: str) -> tuple[str, ...]:
    """The splits of `--filters`: that without a filter first, whether it was named or not.

    UsageError for anything but pairs of numbers.
    """
    pairs = {(0, 0)}
    for pair in text.split(","):
        items, stroke, users = pair.partition("/")
        if not (stroke and items.strip().isdecimal() and users.strip().isdecimal()):
            raise UsageError(
                f"--filters {text}: expected pairs ITEMS/USERS, such as 5/20,20/50: items with "
                "more than 5 and users with more than 20 ratings are kept"
            )
        pairs.add((int(items), int(users)))
    return tuple(filtered_spec(items, users) for items, users in sorted(pairs))


def _parse_shares(text: str) -> list[float]:
    """The shares of `--grow`, such as .05, .2 and 1; UsageError for anything else."""
    try:
        shares = sorted({float(share) for share in text.split(",")})
    except ValueError:
        shares = []
    if len(shares) < 2 or not 0 < shares[0] < shares[-1] <= 1:
        raise UsageError(
            f"--grow {text}: expected two or more shares of the users above 0 and up to 1, such as "
            ".05,.2,1"
        )
    return shares


def _first_seed(request: Request, suite: Suite) -> int:
    """The seed that was asked for, else that of the suite, else 0."""
    if request.seed is not None:
        return request.seed
    return suite.seed or 0


def _choose_columns(
    cutoffs: Collection[int], metrics: Sequence[str]
) -> tuple[list[str], tuple[int, ...]]:
    """The metric columns of the report, and every cutoff that is asked for or that they need.

    Without `metrics` they are the usual ones at each cutoff, without cutoffs at 10; `all` stands
    for every metric. UsageError for an unknown metric and for a cutoff below 1.
    """
    lowest = min(cutoffs, default=1)
    if lowest < 1:
        raise UsageError(f"--k {lowest}: expected a cutoff of at least 1")

    usual_cutoffs = tuple(sorted(set(cutoffs))) or (USUAL_CUTOFF,)
    columns = list(metrics)
    if columns == [ALL_METRICS]:
        columns = metric_columns(usual_cutoffs)
    elif not columns:
        columns = metric_columns(usual_cutoffs, headline=True)
    for column in columns:
        find_metric(column)

    needed = {int(column.partition("@")[2]) for column in columns if "@" in column}
    if not needed:
        needed = set(usual_cutoffs)
    return columns, tuple(sorted(needed | set(cutoffs)))
