"""A search for the hyperparameters of a row on all ratings, for the model that is to be trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from recbench.adapters import available
from recbench.benchmarks.execution import Limits, make_jobs, open_executor
from recbench.benchmarks.planning import Design, PlannedRow, plan_cells
from recbench.benchmarks.records import Run, evaluation_source, is_of_session
from recbench.benchmarks.splits import resolve_n_folds
from recbench.benchmarks.tuning import (
    History,
    RowSearch,
    Trial,
    TuningDesign,
    choose_inner_split,
    find_space,
)
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset


def search_on_all(
    data: Dataset,
    algorithm: str,
    given: Mapping[str, Any],
    tuning: TuningDesign,
    *,
    split: str,
    seed: int,
    threads: int,
    limits: Limits,
    plugins: Sequence[str] = (),
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> History:
    """The search of a row, with `given` hyperparameters that stay, on all ratings of `data`.

    They are divided as the training part of a fold of `split` is for `--tune`; each trial is a cell
    in a process of its own. UsageError if there is nothing to search.
    """
    adapter = available()[algorithm]
    if not find_space(adapter, given):
        raise UsageError(f"{algorithm} has nothing to tune: leave --tune out")

    inner = choose_inner_split(split, adapter.predicts)
    design = Design(
        split=inner,
        n_folds=resolve_n_folds(data, inner, None),
        seed=seed,
        evaluation=tuning.evaluation,
        threads=threads,
    )
    first_fold = plan_cells(data, [PlannedRow(algorithm, dict(given))], design)[0]
    search = RowSearch(first_fold, tuning, is_on_all=True)

    with (
        TemporaryDirectory(prefix="recbench-search-") as directory,
        open_executor(threads, debug=is_of_session(adapter)) as executor,
    ):
        run = Run(Path(directory))
        while not search.is_over and not search.is_stopped:
            jobs = make_jobs(
                [search.next_cell],
                run,
                data,
                environment=executor.environment,
                evaluation=evaluation_source(),
                limits=limits,
                plugins=plugins,
            )
            begun = perf_counter()
            for record in executor.execute([replace(job, is_timed=False) for job in jobs]):
                search.tell(record, perf_counter() - begun)
            on_trial(search.trials[-1])
    if search.history.best is None:
        reasons = sorted({trial.status for trial in search.trials})
        raise UsageError(f"no trial of {algorithm} has a value: {', '.join(reasons)}")
    return search.history
