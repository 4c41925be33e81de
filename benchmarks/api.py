"""The bench for Python, notebooks above all: `recbench.load` and `recbench.run`.

>>> import recbench
>>> algorithms = ["item-mean", "ease[regularisation=100]"]
>>> comparison = recbench.run("movielens-100k", algorithms)  # doctest: +SKIP
>>> comparison.table()  # doctest: +SKIP

`python -m benchmarks.run` is the same thing for the command line: both make a `Request`, have it
checked, and call `measure_plan`. Nothing here prints; who wants to see what happens, listens.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import psutil

from recbench import datasets
from recbench.adapters import Recommender, available
from recbench.benchmarks.certainty import find_blind_spots
from recbench.benchmarks.execution import (
    Executor,
    Job,
    Limits,
    keep_record,
    kernel_seconds,
    make_jobs,
    open_executor,
    record_ending,
    remove_leftovers,
)
from recbench.benchmarks.models import (
    MeasuredRun,
    Model,
    load_model,
    refuse_place,
    save_model,
    train_model,
)
from recbench.benchmarks.models.searching import Order, settle_recipe
from recbench.benchmarks.planning import (
    TO_MEASURE,
    Estimator,
    Request,
    RowCosts,
    RunPlan,
    State,
    add_seeds,
    check_request,
    choose_directory,
    describe_replacement,
    estimate_rows,
    files_of,
    load_data_of,
    resume_plan,
    state_of,
    suite_names,
)
from recbench.benchmarks.records import (
    PHASES,
    AlgorithmDescription,
    BlindSpot,
    Cell,
    Custody,
    Record,
    Run,
    RunDescription,
    blame_cell,
    claim_directory,
    describe_algorithms,
    describe_data,
    evaluation_source,
    find_users,
    is_of_session,
    is_plugin,
    refuse_foreign_files,
    table_values,
    write_examples,
    write_table,
)
from recbench.benchmarks.tuning import Searches, Trial
from recbench.datasets.foundation import UsageError, parse_megabytes, parse_seconds, parse_spec
from recbench.datasets.profile import write_profile
from recbench.datasets.ratings import Dataset
from recbench.datasets.table import is_frame, keep_frame

if TYPE_CHECKING:
    import pandas
    import polars

    from recbench.reports.results import Results, Row

    Data: TypeAlias = str | Dataset | pandas.DataFrame | polars.DataFrame

Algorithm: TypeAlias = str | type[Recommender]

__all__ = [
    "USUAL_TIME_LIMIT",
    "Beginning",
    "Comparison",
    "Listener",
    "Model",
    "Preview",
    "Settings",
    "find_run",
    "load",
    "load_model",
    "measure_plan",
    "parse_limits",
    "preview_plan",
    "run",
    "train",
]

KERNEL_TRIES = 50  # of the fixed piece of work that tells how fast the machine is, when it is free
USUAL_NAME = "dataframe"  # of a frame
USUAL_TIME_LIMIT = "10m"  # for each cell
USUAL_SHARE_OF_MEMORY = 0.8  # of the machine, for each cell

# The specs that data sets were loaded by: a data set alone does not know the path of its files.
_specs: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Settings:
    """Where and how a plan is carried out; nothing of it changes an answer."""

    run: Run
    limits: Limits
    jobs: int = 1
    rounds: int = 1  # how often everything is measured, all rows in turn
    debug: bool = False
    cluster: str = ""  # where a Dask scheduler is; "": on this machine, without Dask
    real_only: bool = False  # never stand in simulated data
    skips: bool = True  # cells whose estimate is far above a limit are not tried
    is_reported: bool = False  # a report is built afterwards, for which the budget leaves time
    begun: float = field(default_factory=perf_counter)  # when the budget began to run

    @property
    def are_limits_held(self) -> bool:
        """Whether cells run here under limits, so that estimates can say which of them are kept."""
        return not self.debug and not self.cluster

    @property
    def one_at_a_time(self) -> bool:
        """Whether never two cells run at the same time, so that one is to blame for a loss."""
        return self.jobs == 1 and not self.cluster


@dataclass(frozen=True)
class Beginning:
    """What is known when the first cell is about to be measured."""

    data: Dataset
    n_cells: int
    n_waiting: int  # the other cells are kept from before
    remarks: list[str]  # why earlier work was not kept as it was
    columns: list[str]  # the metrics of the report
    blind_spots: list[BlindSpot]  # what these data cannot tell


class Listener:
    """Hears what happens during a run. This one ignores it; a command's shows it."""

    def on_replacement(self, lines: list[str]) -> None:
        """What of an earlier run goes, a line each; nothing has been written yet."""

    def on_beginning(self, beginning: Beginning) -> None:
        """Everything is ready, and the plan is written."""

    def on_more(self, reason: str, n_cells: int) -> None:
        """So many more cells are measured than were planned in the beginning, and why."""

    def on_start(self, cell: Cell) -> None:
        """A cell begins."""

    def on_record(self, record: Record) -> None:
        """A cell has ended."""


def load(data: "Data", *, name: str | None = None, **options: str) -> Dataset:
    """A data set: by its name, or from the ratings in a DataFrame of pandas or polars.

    The columns of a frame are called as usual, such as `user`, `item`, `rating` and, if there is
    one, `timestamp`; or `options` say how, as in `rating="stars"`. The other options are those of
    the data set kind `table:PATH`, such as `scale="1:5"`.

    Reports call a frame `table:NAME-DIGEST.parquet`, by `name`, which is `dataframe` if it is not
    given, and a digest of the content. UsageError, with what is valid, for an unknown name or
    option, for `name` or options of what is no frame, for files that are missing, and for content
    that does not fit.
    """
    _refuse_names_and_options(data, name, options)
    if isinstance(data, Dataset):
        return data
    spec = _find_spec(data, USUAL_NAME if name is None else name, options)
    dataset = datasets.load(spec)
    _specs[dataset] = spec
    return dataset


def _refuse_names_and_options(data: "Data", name: str | None, options: Mapping[str, str]) -> None:
    """UsageError if there are any, and `data` are no frame: nothing would come of them."""
    given = [f"{option}=" for option in options]
    if name is not None:
        given.insert(0, "name=")
    if not given or is_frame(data):
        return

    if isinstance(data, Dataset):
        raise UsageError(
            f"{', '.join(given)} and the data set {data.name}, which is loaded already: give its "
            "ratings as a DataFrame, or leave the rest out"
        )
    raise UsageError(
        f"{', '.join(given)} and {data}: a name is for a DataFrame, and options of a named data "
        "set stand in its name, as in 'table:ratings.csv[rating=stars]'"
    )


def _find_spec(data: "Data", name: str = USUAL_NAME, options: Mapping[str, str] = {}) -> str:
    """The spec by which `data` are loaded; a frame is written to the cache for it."""
    if isinstance(data, Dataset):
        if data not in _specs:
            raise UsageError(
                f"the data set {data.name} was not loaded by recbench.load, so the cells could not "
                "find it: give its name, or its ratings as a DataFrame"
            )
        return _specs[data]
    if is_frame(data):
        return keep_frame(data, name, options)  # type: ignore[arg-type]
    if not isinstance(data, str):
        raise UsageError(
            f"expected the name of a data set, a DataFrame or what recbench.load gives, got a "
            f"{type(data).__name__}"
        )
    return data


def run(
    data: "Data",
    algorithms: Algorithm | Sequence[Algorithm] | None = None,
    *,
    folds: int | None = None,
    metrics: str | Sequence[str] = (),
    k: int | Sequence[int] = (),
    out: str | Path | None = None,
    split: str | None = None,
    seed: int | None = None,
    split_seed: int | None = None,
    also_split: str | None = None,
    repeats: int = 1,
    suite: str | None = None,
    jobs: int = 1,
    rounds: int = 1,
    threads: int = 1,
    time_limit: str = USUAL_TIME_LIMIT,
    memory_limit: str | None = None,
    budget: str | None = None,
    force: str | Sequence[str] = (),
    show_users: str | int | Sequence[str | int] = (),
    real_only: bool = False,
    cluster: str = "",
    tune: str | int = "",
    parameters: str = "",
    default_trial: bool = True,
    filters: str = "",
    grow: str = "",
    shard: str = "",
    no_skip: bool = False,
    latency: bool = False,
) -> "Comparison":
    """Compare algorithms on `data`, each fold in a process of its own.

    `data` is a name such as "movielens-100k", a DataFrame, or what `load` gives. `algorithms` are
    names, with hyperparameters as in "ease[regularisation=100]", or classes; or the name of a
    suite; None is the suite `standard`. A class that is defined in the notebook itself is measured
    in the notebook's process, without limits of time and memory, and its records say so; it is
    measured again in each run, since nobody can tell whether it has changed. Other arguments are as
    those of `python -m benchmarks.run --help`: `out` is the directory of the results, and what
    stands there of the same code, data and question is kept.

    UsageError, with what is valid, for anything that cannot be done; nothing has been written to
    `out` then.
    """
    chosen = _choose_algorithms(algorithms, suite)
    spec = _find_spec(data)
    request = Request(
        dataset=spec,
        suite=chosen.suite,
        algorithms=chosen.specs,
        folds=folds,
        split=split,
        seed=seed,
        split_seed=split_seed,
        also_split=also_split,
        repeats=repeats,
        cutoffs=(k,) if isinstance(k, int) else tuple(k),
        metrics=_list_texts(metrics),
        threads=threads,
        forced_rows=_list_texts(force),
        users=_list_texts(show_users),
        plugins=chosen.plugins,
        tune=str(tune),
        parameters=parameters,
        default_trial=default_trial,
        filters=filters,
        grow=grow,
        shard=shard,
        latency=latency,
    )
    plan = check_request(request)
    settings = Settings(
        run=find_run(spec, None if out is None else Path(out)),
        limits=parse_limits(time_limit, memory_limit, budget),
        jobs=jobs,
        rounds=rounds,
        cluster=cluster,
        real_only=real_only,
        skips=not no_skip,
    )
    command = f"recbench.run({spec!r}, {[*chosen.specs] or chosen.suite!r}, ...)"
    measure_plan(plan, settings, command)
    return Comparison(settings.run.directory)


def train(
    data: "Data | None" = None,
    algorithm: Algorithm | None = None,
    *,
    out: str | Path | None = None,
    run: "str | Path | Comparison | None" = None,
    row: str | None = None,
    best: str | None = None,
    parameters_of: int | None = None,
    tune: str | int = "",
    seed: int | None = None,
    threads: int | None = None,
    plugins: Sequence[str] = (),
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> Model:
    """A row fitted to all ratings, which can be asked and saved.

    Either `data` and `algorithm`, as those of `recbench.run`; or a `run`, what `recbench.run` gave
    or its directory, and a `row` of it, or the metric in which the `best` row is to be taken. A
    tuned row is searched again on all ratings with the budget of the run, unless `parameters_of`
    says of which fold to take the values; `tune` is another budget. With `out` it is written there,
    and what comes back is what was read from there again.

    UsageError, with what is valid, for anything that cannot be done.
    """
    if out is not None:
        refuse_place(Path(out))  # before any work
    measured = None
    if run is not None:
        if data is not None:
            raise UsageError("give data or a run, not both: a run names its data")
        directory = run.directory if isinstance(run, Comparison) else Path(run)
        measured = MeasuredRun.read(directory)
        dataset = _load_measured_data(measured)
    elif data is None:
        raise UsageError("what to train on? Give data and an algorithm, or a run and a row")
    else:
        dataset = load(data)

    order = Order(
        limits=parse_limits(USUAL_TIME_LIMIT, None, None),
        run=measured,
        row=row,
        best=best,
        algorithm=None if algorithm is None else _spec_of(algorithm),
        parameters_of=parameters_of,
        tune=str(tune),
        seed=seed,
        threads=threads,
        plugins=plugins or (() if algorithm is None else _modules_to_import([_spec_of(algorithm)])),
        out=None if out is None else Path(out),
    )
    spec = measured.dataset if measured else _specs.get(dataset, dataset.name)
    model = train_model(dataset, settle_recipe(order, dataset, on_trial), spec)
    return model if out is None else save_model(model, out)


def _load_measured_data(measured: MeasuredRun) -> Dataset:
    """The data of a run; UsageError if they are not there, or not what they were."""
    about = measured.about
    advice = "To train on other data, name them and an algorithm instead of the run."
    dataset = load_data_of(about, None, advice)
    if dataset.digest != about.data.digest:
        raise UsageError(
            f"{measured.dataset} is not what it was when {measured.run.directory} was run: its "
            f"numbers would not be those of the model. Run again. {advice}"
        )
    return dataset


def _list_texts(values: str | int | Sequence[str | int]) -> tuple[str, ...]:
    """`values` as texts; a text that stands alone is one of them, and not its characters."""
    if isinstance(values, str | int):
        return (str(values),)
    return tuple(map(str, values))


@dataclass(frozen=True)
class _Chosen:
    """The algorithms of a run: the specs of its rows or, if there are none, its suite."""

    specs: tuple[str, ...]
    suite: str
    plugins: tuple[str, ...] = ()  # the modules of those that are not of the house


def _choose_algorithms(
    algorithms: Algorithm | Sequence[Algorithm] | None, suite: str | None
) -> _Chosen:
    """What `algorithms` or `suite` stand for; UsageError if both are given, or none is named."""
    if algorithms is None:
        return _Chosen((), suite or Request.suite)
    if suite is not None:
        raise UsageError("give algorithms or a suite, not both")
    if isinstance(algorithms, str) and algorithms in suite_names():
        return _Chosen((), algorithms)

    listed: list[Algorithm] = []
    if isinstance(algorithms, str | type):
        listed.append(algorithms)
    else:
        listed.extend(algorithms)
    if not listed:
        raise UsageError("algorithms is empty: name one, or leave it out for the suite standard")

    specs = tuple(_spec_of(algorithm) for algorithm in listed)
    return _Chosen(specs, "", _modules_to_import(specs))


def _spec_of(algorithm: Algorithm) -> str:
    """The row of `algorithm`, a spec or a class; UsageError for what is no algorithm."""
    if isinstance(algorithm, str):
        return algorithm
    if not (isinstance(algorithm, type) and issubclass(algorithm, Recommender)):
        raise UsageError(
            f"{algorithm!r} is no algorithm: expected a name, or a subclass of "
            "recbench.adapters.base.Recommender"
        )
    if available().get(getattr(algorithm, "name", "")) is not algorithm:
        raise UsageError(
            f"{algorithm.__qualname__} has no `name` of its own, or was defined again since"
        )
    return algorithm.name


def _modules_to_import(specs: Sequence[str]) -> tuple[str, ...]:
    """The modules, each once, that a process of its own has to import to know the algorithms.

    Unknown algorithms have none: they are refused with the request.
    """
    adapters = available()
    modules = []
    for spec in specs:
        name, _ = parse_spec(spec)
        adapter = adapters.get(name)
        if adapter is not None and is_plugin(adapter) and not is_of_session(adapter):
            modules.append(adapter.__module__)
    return tuple(dict.fromkeys(modules))


def find_run(dataset: str, out: Path | None) -> Run:
    """Where the results on `dataset` go: `out`, or the usual directory below `runs`.

    Absolute, since an adapter may change the directory. UsageError if it holds what no run wrote.
    """
    directory = (out or choose_directory(dataset)).absolute()
    refuse_foreign_files(directory, files_of(dataset))
    return Run(directory)


def parse_limits(time_limit: str, memory_limit: str | None, budget: str | None) -> Limits:
    """The resource limits as people write them; UsageError, naming the option, for another form."""
    if memory_limit:
        memory_mb = parse_megabytes("--memory-limit", memory_limit)
    else:
        memory_mb = USUAL_SHARE_OF_MEMORY * psutil.virtual_memory().total / 2**20
    return Limits(
        seconds=parse_seconds("--time-limit", time_limit),
        memory_mb=memory_mb,
        budget_seconds=parse_seconds("--budget", budget) if budget else None,
    )


@dataclass(frozen=True)
class Preview:
    """What a run would do."""

    states: list[tuple[Cell, State]]
    replacement: list[str]  # what of an earlier run would go, a line each
    rows: list[RowCosts]  # what is to be measured, and what it will take
    other_seconds: float  # what it takes before the first cell and after the last


def preview_plan(plan: RunPlan, settings: Settings) -> Preview:
    """What `measure_plan` would do with the same arguments.

    The data are loaded, nothing is written. UsageError for a damaged record.
    """
    data = datasets.load(plan.request.dataset, real_only=settings.real_only)
    cells, _ = _settle_cells(plan, data, settings.run)
    states = _states_of(cells, plan, settings.run, evaluation_source())
    estimator = _make_estimator(data, settings, plan)
    waiting = [cell for cell in cells if states[cell.name] in TO_MEASURE]
    other_seconds = estimator.start_seconds
    if settings.is_reported:
        other_seconds += estimator.estimate_report(len({cell.row for cell in cells}))
    return Preview(
        states=[(cell, states[cell.name]) for cell in cells],
        replacement=describe_replacement(cells, settings.run),
        rows=estimate_rows(estimator, waiting, settings.limits.seconds, settings.limits.memory_mb),
        other_seconds=other_seconds,
    )


def _make_estimator(data: Dataset, settings: Settings, plan: RunPlan) -> Estimator:
    """What tells how long cells on `data` will take here, corrected by the records of the run."""
    from threadpoolctl import threadpool_limits

    # As in cells: many threads that wait for each other tell of other programs, not of the machine
    with threadpool_limits(1):
        estimator = Estimator.for_machine(data, kernel_seconds(KERNEL_TRIES), plan.is_served)
    estimator.learn(settings.run.every_record())
    return estimator


def _settle_cells(plan: RunPlan, data: Dataset, run: Run) -> tuple[list[Cell], Searches | None]:
    """The cells of a run, as far as its records say them, and the searches if there are any.

    Tuned rows have the values chosen by searches that an earlier run has finished.
    """
    cells = plan.pick_cells(plan.make_cells(data))
    if plan.tune is None:
        return add_seeds(cells, run), None

    evaluation = evaluation_source()

    def is_kept(cell: Cell) -> bool:
        is_known = not _is_of_session(cell)
        return is_known and state_of(searches.trials, cell, (), evaluation) == "kept"

    searches = Searches(cells, plan.tune, run)
    searches.replay(is_kept)
    return add_seeds(searches.fill_in(cells), run), searches


def _states_of(cells: Sequence[Cell], plan: RunPlan, run: Run, evaluation: str) -> dict[str, State]:
    """What is to be done about each cell, by its name; rows of the session are always measured."""
    forced_rows = {cell.row for cell in cells if _is_of_session(cell)} | plan.forced_rows
    return {
        cell.name: state_of(run, cell, forced_rows, evaluation, is_served=plan.is_served(cell))
        for cell in cells
    }


def _is_of_session(cell: Cell) -> bool:
    """Whether the algorithm was defined in this notebook or script, and not in a module."""
    return is_of_session(available()[cell.algorithm])


def measure_plan(
    plan: RunPlan, settings: Settings, command: str, listener: Listener | None = None
) -> list[Record]:
    """Carry out `plan`: a record for each of its cells, in its order, all of them written.

    Beside them stand the plan, which quotes `command`, the profile of the data, results.csv and
    examples. UsageError, before anything is written, for what the data do not allow, and if another
    run holds the directory. HarnessError if the bench itself breaks.
    """
    run = settings.run
    listener = listener or Listener()

    with ExitStack() as stack:
        pool = open_executor(
            plan.request.threads, settings.jobs, debug=settings.debug, cluster=settings.cluster
        )
        executor = stack.enter_context(pool)
        # Loaded while the executor imports the libraries
        data = datasets.load(plan.request.dataset, real_only=settings.real_only)
        # Before the directory is made, since it may refuse
        cells, searches = _settle_cells(plan, data, run)
        executor.refuse_unsuitable(cells, settings.limits, plan.request.plugins)
        stack.enter_context(claim_directory(run.directory, files_of(plan.request.dataset)))

        # Before anything is written: a record that cannot be read, and what the new plan replaces
        states = _states_of(cells, plan, run, evaluation_source())
        listener.on_replacement(describe_replacement(cells, run))

        about = _describe_run(plan, cells, data, executor, command)
        run.write_plan(cells, about)
        write_profile(run.directory / "profile.json", data)
        custody = stack.enter_context(Custody(run))
        estimator = _make_estimator(data, settings, plan)
        measuring = _Measurement(
            executor, plan, settings, data, about, listener, custody, estimator, searches
        )
        measuring.measure_plan(cells, states)

    records = run.records()
    write_examples(run, records, data, find_users(data, plan.request.users))
    write_table(run.directory, records, about)
    return records


def _describe_run(
    plan: RunPlan, cells: Sequence[Cell], data: Dataset, executor: Executor, command: str
) -> RunDescription:
    """What the plan says of its run."""
    described = RunDescription(
        command=command,
        reproduce=plan.command_to_reproduce(cells[0]),
        metrics=plan.columns,
        protocol=plan.evaluation.to_json(),
        evaluation=evaluation_source(),
        published=plan.published_numbers(data, cells[0]),
        data=describe_data(data),
        algorithms=_describe_rows(plan, cells),
        environment=executor.environment,
        blind_spots=find_blind_spots(data, cells, plan.columns),
    )
    if plan.shard is not None:
        described = described.replaced(shard=str(plan.shard))
    return described


def _describe_rows(plan: RunPlan, cells: Sequence[Cell]) -> dict[str, AlgorithmDescription]:
    """By row: its algorithm, and where its values come from if they were found elsewhere."""
    descriptions = describe_algorithms(cells)
    for row in plan.suite.rows:
        if row.values_from is not None and row.name in descriptions:
            described = descriptions[row.name]
            descriptions[row.name] = described.replaced(values_from=row.values_from)
    return descriptions


@dataclass(frozen=True)
class _Measurement:
    """Measures the cells of a plan that is written, and writes their records."""

    executor: Executor
    plan: RunPlan
    settings: Settings
    data: Dataset
    about: RunDescription
    listener: Listener
    custody: Custody
    estimator: Estimator
    searches: Searches | None = None  # None: no row is tuned

    def measure_plan(self, cells: Sequence[Cell], states: Mapping[str, State]) -> None:
        """Measure those of the planned cells that are not kept, which `states` says by their names.

        Then what only records can tell to be needed: tuned rows once their hyperparameters are
        chosen, other seeds, and further rounds.
        """
        run = self.settings.run
        untuned = [cell for cell in cells if cell.is_untuned]
        settled = [cell for cell in cells if not cell.is_untuned]
        resumed = resume_plan(run, settled, states, self.data, self.about.evaluation or "")
        waiting = resumed.waiting
        remove_leftovers(run, [cell for cell in settled if cell not in waiting])
        self.listener.on_beginning(
            Beginning(
                data=self.data,
                n_cells=len(cells),
                n_waiting=len(waiting) + len(untuned),
                remarks=resumed.remarks,
                columns=self.plan.columns,
                blind_spots=self.about.blind_spots,
            )
        )
        self.custody.hold(cell for cell in settled if cell not in waiting)
        for record in self._measure(waiting, run, self._limits_left()):
            self._take_in(record)

        if self.searches is not None:
            cells = self._measure_tuned(cells, self.searches)
        cells = self._measure_other_seeds(cells)
        for n_rounds in range(2, self.settings.rounds + 1):
            self._measure_round(n_rounds, cells)

    def _measure_tuned(self, cells: Sequence[Cell], searches: Searches) -> list[Cell]:
        """All cells, those of tuned rows with the values chosen, of which the new are measured."""
        run = self.settings.run
        while searches.n_left:
            self._measure_trials(searches)
            searches.write_histories()
        searches.write_histories()
        searches.write_plan(self.about)

        tuned = searches.fill_in(cells)
        run.write_plan(tuned, self.about)
        self.custody.hold_run()
        chosen = [
            after
            for before, after in zip(cells, tuned, strict=True)
            if before.is_untuned and not after.is_untuned
        ]
        states = _states_of(chosen, self.plan, run, self.about.evaluation or "")
        resumed = resume_plan(run, chosen, states, self.data, self.about.evaluation or "")
        for record in self._measure(resumed.waiting, run, self._limits_left()):
            self._take_in(record)
        return tuned

    def _measure_trials(self, searches: Searches) -> None:
        """One more trial of each search that goes on; what is kept of an earlier run is not
        measured again.
        """
        trials = searches.trials
        evaluation = self.about.evaluation or ""
        cells = searches.next_cells()
        states = {cell.name: state_of(trials, cell, (), evaluation) for cell in cells}
        waiting = resume_plan(trials, cells, states, self.data, evaluation).waiting

        records = {}
        for cell in cells:
            kept = trials.read(cell)
            if kept is not None:
                records[cell.name] = kept
        seconds = {}
        searching = "searches" if searches.n_left > 1 else "search"
        reason = f"tuning: {searches.n_left} {searching}, {searches.progress}"
        self.listener.on_more(reason, len(waiting))
        begun = perf_counter()
        for record in self._measure(waiting, trials, self._limits_left(), is_timed=False):
            lost = self.custody.restore()
            if lost and self.settings.one_at_a_time:
                record = blame_cell(trials, record, lost)
            records[record.cell.name] = record
            seconds[record.cell.name] = perf_counter() - begun
            if self.settings.one_at_a_time:
                begun = perf_counter()
            self.listener.on_record(record)
        searches.tell(records, seconds)

    def _measure_other_seeds(self, cells: Sequence[Cell]) -> list[Cell]:
        """All cells, with those of other seeds of rows that turned out not to be deterministic."""
        run = self.settings.run
        everything = add_seeds(cells, run)
        added = everything[len(cells) :]
        if not added:
            return everything
        states = _states_of(added, self.plan, run, self.about.evaluation or "")
        more = [cell for cell in added if states[cell.name] != "kept"]

        run.write_plan(everything, self.about)
        self.custody.hold_run()
        if not more:
            return everything
        rows = ", ".join(dict.fromkeys(cell.row for cell in more))
        reason = f"not deterministic, so measured with other seeds too: {rows}"
        self.listener.on_more(reason, len(more))
        for record in self._measure(more, run, self._limits_left()):
            self._take_in(record)
        return everything

    def _take_in(self, record: Record) -> None:
        """Have a record that is written heard of, and held; what its cell has deleted comes back.

        Where several cells run at a time, nobody knows which of them it was.
        """
        lost = self.custody.restore()
        if lost and self.settings.one_at_a_time:
            record = blame_cell(self.settings.run, record, lost)
        self.custody.hold([record.cell])
        self.listener.on_record(record)

    def _measure_round(self, n_rounds: int, cells: Sequence[Cell]) -> None:
        """Measure again those of the ok `cells` that have had fewer rounds, all rows in turn.

        A round is written elsewhere, so that a cell that fails in it keeps the answers of its
        first; its times are then added to the cell's record.
        """
        run = self.settings.run
        due = []
        for cell in cells:
            record = run.read(cell)
            if record is not None and record.status == "ok" and record.rounds < n_rounds:
                due.append(cell)
        if not due:
            return

        self.listener.on_more(f"round {n_rounds} of {self.settings.rounds}", len(due))
        with TemporaryDirectory(prefix="recbench-round-") as directory:
            elsewhere = Run(Path(directory))
            for later in self._measure(due, elsewhere, self._limits_left()):
                elsewhere.path(later.cell, ".npz").unlink(missing_ok=True)
                lost = self.custody.restore()
                if lost and self.settings.one_at_a_time:
                    later = blame_cell(elsewhere, later, lost)
                first = run.read(later.cell)
                assert first is not None, "only measured cells have another round"
                if later.status != "not_run":
                    run.rewrite(first.with_round(later))
                    self.custody.hold([later.cell])
                self.listener.on_record(later)

    def _measure(
        self, cells: Sequence[Cell], run: Run, limits: Limits, *, is_timed: bool = True
    ) -> Iterator[Record]:
        """The records of `cells`, written into `run`, as they end; last those of the session's own
        algorithms.

        These no other process can import: they are measured here, and the others by the executor.
        """
        of_session = []
        importable = []
        for cell in cells:
            if _is_of_session(cell):
                of_session.append(cell)
            else:
                importable.append(cell)

        yield from self._execute(self.executor, importable, run, limits, is_timed=is_timed)
        if of_session:
            with _open_quiet_executor(self.plan.request.threads) as here:
                yield from self._execute(here, of_session, run, limits, is_timed=is_timed)

    def _execute(
        self, executor: Executor, cells: list[Cell], run: Run, limits: Limits, *, is_timed: bool
    ) -> Iterator[Record]:
        """The records of some of the cells, as they end, measured by this executor.

        What is not timed is fitted once and not warmed up. Latency is measured in the run itself,
        and neither in trials nor in later rounds.
        """
        is_usual = executor is self.executor  # whose environment takes a while to ask for
        jobs = make_jobs(
            cells,
            run,
            self.data,
            environment=self.about.environment if is_usual else executor.environment,
            evaluation=self.about.evaluation or "",
            limits=limits,
            plugins=self.plan.request.plugins,
        )
        is_own_run = run == self.settings.run
        jobs = [
            replace(
                self._with_estimate(job, is_timed=is_timed),
                is_served=is_own_run and self.plan.is_served(job.cell),
            )
            for job in jobs
        ]
        allowed = []
        for job in jobs:
            refusal = self._explain_refusal(job) if is_usual and is_timed else None
            if refusal is None:
                allowed.append(job)
            else:
                job = replace(job, started=datetime.now(UTC).isoformat())
                yield keep_record(job, record_ending(job, "skipped", refusal))
        yield from executor.execute(allowed, self.listener.on_start)

    def _with_estimate(self, job: Job, *, is_timed: bool) -> Job:
        """The job with what its cell will take, where somebody asks for it."""
        if job.limits.budget_seconds is None:
            return replace(job, is_timed=is_timed)
        costs = self.estimator.estimate_whole(job.cell)
        seconds = None if costs is None else costs.seconds.value
        return replace(job, is_timed=is_timed, expected_seconds=seconds)

    def _explain_refusal(self, job: Job) -> str | None:
        """Why the cell would exceed a limit, in words; None if it may keep them, or is to be tried
        all the same.
        """
        if not self.settings.skips or not self.settings.are_limits_held:
            return None
        limits = job.limits
        return self.estimator.explain_refusal(job.cell, limits.seconds, limits.memory_mb)

    def _limits_left(self) -> Limits:
        """The limits of a pass over cells: the budget is for all of the run, from the command's
        beginning to its report.
        """
        limits = self.settings.limits
        if limits.budget_seconds is None:
            return limits
        seconds_left = limits.budget_seconds - (perf_counter() - self.settings.begun)
        if self.settings.is_reported:
            n_rows = len(self.plan.suite.rows)
            seconds_left -= self.estimator.estimate_report(n_rows)
        return replace(limits, budget_seconds=round(max(0.0, seconds_left), 1))


@contextmanager
def _open_quiet_executor(threads: int) -> Iterator[Executor]:
    """An executor in this process, for what no other can import, whose failures are not printed.

    The reason of a failure stands in its record.
    """
    with redirect_stderr(io.StringIO()), open_executor(threads, debug=True) as here:
        yield here


@dataclass(frozen=True)
class Comparison:
    """What came out of a run, read from its directory; in Jupyter it shows the heatmap."""

    directory: Path
    _results: list["Results"] = field(default_factory=list, repr=False, compare=False)  # read once

    @property
    def results(self) -> "Results":
        """The records as the rows of a report."""
        from recbench.reports.results import Results

        if not self._results:
            self._results.append(Results.read(self.directory))
        return self._results[0]

    def table(self) -> "pandas.DataFrame":
        """One row a table row, by its name: each metric of the report with its interval, and costs.

        A metric `rmse` has its mean over the folds in the column `rmse`, and its 95 % interval over
        users in `rmse_low` and `rmse_high`; NaN stands where a fold is missing, or an interval
        cannot be known. `defaults` says where the hyperparameters come from; `status` is ok, or
        what happened instead; `fit_seconds` is the mean over the folds, `seconds` that of all
        phases together. A run that was asked for `latency` has the `latency_p50_seconds` and
        `latency_p99_seconds` of one user's top ten. `simulated` says whether the ratings are; it is
        also in the frame's `attrs`, with `blind_spots`, what these data cannot tell.
        """
        import pandas

        results = self.results
        rows = [_table_row(results, row) for row in results.rows]
        table = pandas.DataFrame(rows).set_index("row")
        table.attrs["simulated"] = results.simulated
        table.attrs["blind_spots"] = [spot.sentence for spot in results.about.blind_spots]
        return table

    def cells(self) -> "pandas.DataFrame":
        """One row a cell, with the columns of results.csv: status, every metric, seconds, memory.

        Numbers are unrounded; NaN stands where there is none.
        """
        import pandas

        results = self.results
        return pandas.DataFrame([table_values(record, results.about) for record in results.records])

    def report(self) -> Path:
        """Write report.md, report.html and the figures beside the records; the path of the HTML."""
        from recbench.reports.build import build

        return build(self.directory, results=self.results)

    def answers(self) -> list[str]:
        """What the report's first screen says, as lines of text: answers, best rows, cautions."""
        from recbench.reports.answers import write_answers

        return write_answers(self.results)

    def _repr_svg_(self) -> str:
        """The heatmap of the report, for Jupyter."""
        from recbench.reports.drawing import Picture, accuracy_heatmap, draw_heatmap
        from recbench.reports.words import title

        results = self.results
        picture = Picture(
            name="accuracy",
            alternative=title(results),
            draw=lambda: draw_heatmap(accuracy_heatmap(results), title(results)),
        )
        return picture.svg.decode()

    def __repr__(self) -> str:
        counts = f"{len(self.results.rows)} rows, {len(self.results.records)} cells"
        return f"<Comparison of {counts} in {self.directory}>"


def _table_row(results: "Results", row: "Row") -> dict[str, Any]:
    """A row of `Comparison.table`: its name, metrics with intervals, status and seconds."""
    values: dict[str, Any] = {"row": row.name, "family": row.family}
    for column in results.columns:
        certainty = results.certainty.get(column)
        interval = certainty.interval(row) if certainty else None
        low, high = interval or (None, None)

        values[column] = row.mean(column)
        values[f"{column}_low"] = low
        values[f"{column}_high"] = high

    values["defaults"] = row.defaults
    values["status"] = row.failure or "ok"
    values["fit_seconds"] = row.seconds("fit")
    values["seconds"] = row.seconds(*PHASES)
    if row.serving is not None:
        cost = row.serving.cost
        values["latency_p50_seconds"] = cost.p50_seconds if cost else None
        values["latency_p99_seconds"] = cost.p99_seconds if cost else None
    values["simulated"] = results.simulated
    return values
