"""One cell from data to record, whichever executor runs it.

The data are divided here, the algorithm is asked, and its answers become numbers. Where the
algorithm is, in this process or in one of its own, only its `Subject` knows.
"""

import traceback
from bdb import BdbQuit
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recbench.adapters.shared.units import Units
from recbench.benchmarks.evaluation import (
    KnownRatings,
    collect_answers,
    collect_foreign_answers,
    evaluate_answers,
    read_foreign_answers,
    suggest_remedy,
)
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.execution.measure import Stopwatch, Surroundings
from recbench.benchmarks.execution.outcome import WITHOUT_LOG
from recbench.benchmarks.execution.subject import (
    LocalSubject,
    Subject,
    SubjectEnded,
    explain_error,
)
from recbench.benchmarks.metrics import PROTOCOLS, STANDARD, Evaluation, find_cold_starts
from recbench.benchmarks.records import ExternalFiles, FoldFacts, Record
from recbench.benchmarks.splits import (
    asks_new_users,
    digest_of_split,
    divide,
    fingerprint_rows,
    has_cuts,
    is_given_by_file,
    rows_of_histories,
)
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset, Ratings, Rows
from recbench.datasets.storage import reopen_entry


@dataclass(frozen=True)
class Fold:
    """One fold of a data set, ready to be learned from."""

    dataset: Dataset
    train: Ratings
    test: Ratings
    facts: FoldFacts
    known: Ratings  # what the bench knows when it asks: `train`, and the histories of new users
    histories: Ratings | None = None  # told with the questions; None: no user is new

    def __post_init__(self) -> None:
        # Numbers need to know which of the known ratings were told and which learned from. It is
        # said here, since the lines that divide and ask are hashed into the keys of all cells.
        if self.histories is not None:
            known = KnownRatings.of(self.known, len(self.histories))
            object.__setattr__(self, "known", known)


def measure_cell(job: Job, subject: Subject | None = None) -> Record:
    """Measure the cell of `job`, write its record and return it.

    Any exception of the algorithm becomes a status. Where files answer, there is no algorithm to be
    asked, and what is wrong with them is the failure.

    The algorithm is that of `subject`, or one in this process. BdbQuit, and no record, if somebody
    leaves the debugger at a terminal.
    """
    stopwatch = Stopwatch()
    requested = datetime.fromisoformat(job.started)
    outline = Record(
        cell=job.cell,
        status="failed",
        reason=None,
        started=job.started,
        data=job.data,
        environment=job.environment,
        start_seconds=(datetime.now(UTC) - requested).total_seconds(),
    )
    with closing(subject or LocalSubject(job)) as asked:
        fold: Fold | None = None
        try:
            asked.open()
            fold = _read_fold(job, asked)
            outline = replace(outline, fold=fold.facts)
            if job.cell.external is not None:
                record, answers = _judge_files(job, job.cell.external, fold, outline)
            else:
                record, answers = _measure_algorithm(job, asked, fold, outline)
            record.to_json()  # what cannot be written is the algorithm's failure too
        except Exception as error:  # the one place where an algorithm's failure becomes a status
            if isinstance(error, BdbQuit) and job.is_attended:
                raise
            status, reason = explain_error(error, job.cell.parameters)
            has_printed = isinstance(error, SubjectEnded)  # its own process, what there is
            if not has_printed:
                traceback.print_exc()
            record = replace(outline, status=status, reason=reason)
            answers = None
            asked.close()

        if record.status == "ok":
            whole = stopwatch.read()
            if job.is_served:  # the process of the algorithm has not ended, so it is not counted
                whole = whole.replaced(cpu_seconds=None)
            record = replace(record, evaluation=job.evaluation, whole=whole)
        if job.log is not None and record.status not in WITHOUT_LOG:
            record = replace(record, log=job.log.name)
        record = job.run.write(record, answers)

        # Last, so that whatever becomes of it costs the cell nothing
        if job.is_served and record.status == "ok" and fold is not None:
            serving = asked.serve(fold.dataset.user_ids, fold.dataset.item_ids)
            record = replace(record, serving=serving)
            job.run.rewrite(record)
    return record


def _read_fold(job: Job, subject: Subject) -> Fold:
    """The data of the cell, divided as it says; the training part lies where the subject wants."""
    cell = job.cell
    dataset = reopen_entry(job.dataset, is_checked=True)
    if is_given_by_file(cell.split) and digest_of_split(dataset, cell.split) != cell.digest:
        raise UsageError(f"split {cell.split}: the file has changed since the run was planned")

    division = (cell.split, cell.n_folds, cell.fold, cell.split_seed, cell.inner)
    train_rows, test_rows = divide(dataset, *division)
    train = subject.take(dataset.ratings, train_rows)
    test = dataset.ratings.take(test_rows)
    history_rows = rows_of_histories(dataset, *division)
    is_cut = has_cuts(cell.split) and not cell.inner
    facts = describe_fold(train, train_rows, test, test_rows, history_rows, is_cut=is_cut)
    if not asks_new_users(cell.inner or cell.split):
        return Fold(dataset, train, test, facts, known=train)

    known = dataset.ratings.take(np.concatenate([train_rows, history_rows]))
    histories = dataset.ratings.take(history_rows)
    return Fold(dataset, train, test, facts, known, histories)


def _measure_algorithm(
    job: Job, subject: Subject, fold: Fold, outline: Record
) -> tuple[Record, Mapping[str, Any] | None]:
    """The `outline` filled in for a cell that does not fail, and its raw answers unless the
    algorithm is skipped.
    """
    cell = job.cell
    train = fold.train
    test = fold.test
    catalogue = fold.dataset.catalogue
    evaluation = Evaluation.from_json(cell.protocol)

    surroundings = Surroundings.look()
    if fold.dataset.feedback == "implicit" and job.predicts == "ratings":
        reason: str | None = "predicts ratings, and these data have none: every line is a positive"
    elif fold.histories is not None and not job.folds_in:
        reason = "cannot answer users it has not seen"
    else:
        reason = subject.learn(train, catalogue)
    if reason:
        return replace(outline, status="skipped", reason=reason), None
    answers = collect_answers(
        subject, train, test, evaluation, cell.seed, _call_directly, fold.histories
    )
    observed = subject.observe()
    if not job.is_served:
        subject.close()
    outline = replace(
        outline,
        cold=observed.cold,
        environment=surroundings.describe(outline.environment),
    )

    units = Units.choose(job, train.scale)
    outline = replace(outline, units="scale" if units.differ else "data")
    if job.predicts == "ratings":
        answers = replace(answers, scores=units.restore_scores(answers.scores))

    numbers = evaluate_answers(answers, fold.known, test, catalogue, evaluation, job.predicts)
    outline = replace(outline, raw_scores=numbers.raw_scores)
    if numbers.raw_scores.are_no_ratings:
        reason = f"{numbers.raw_scores.describe(train.scale)}: {suggest_remedy(cell.parameters)}"
        return replace(outline, status="diverged", reason=reason), None
    record = replace(
        outline,
        status="ok",
        costs=observed.costs,
        metrics=numbers.scored.values,
        slices=numbers.slices,
        trace=observed.trace,
        determinism=observed.determinism,
        kernel_seconds=observed.kernel_seconds,
        fold_in=observed.fold_in,
    )
    return record, answers.to_arrays() | numbers.scored.to_arrays()


def _judge_files(
    job: Job, files: ExternalFiles, fold: Fold, outline: Record
) -> tuple[Record, Mapping[str, Any] | None]:
    """The `outline` filled in for a cell whose answers come from files, and these.

    Nothing is fitted, asked or timed, so there are no costs. UsageError if the files are gone, or
    are not those that were planned.
    """
    cell = job.cell
    evaluation = Evaluation.from_json(cell.protocol)
    directory = Path(files["directory"])
    folder, foreign = read_foreign_answers(
        directory, files["fold"], fold.dataset, fold.known, fold.test, evaluation
    )
    if folder.digest_files() != files["files"]:
        raise UsageError(f"{folder.directory}: the files have changed since the run was planned")

    answers = collect_foreign_answers(foreign, fold.known, fold.test, evaluation, cell.seed)
    numbers = evaluate_answers(
        answers, fold.known, fold.test, fold.dataset.catalogue, evaluation, job.predicts
    )
    outline = replace(outline, units="data", raw_scores=numbers.raw_scores)
    if numbers.raw_scores.are_no_ratings:
        problem = numbers.raw_scores.describe(fold.test.scale)
        reason = f"{problem}: scores that only rank belong into lists, not into ratings"
        return replace(outline, status="diverged", reason=reason), None

    record = replace(outline, status="ok", metrics=numbers.scored.values, slices=numbers.slices)
    return record, answers.to_arrays() | numbers.scored.to_arrays()


def _call_directly(phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """The subject measures what its algorithm costs."""
    return function(*arguments)


def describe_fold(
    train: Ratings,
    train_rows: Rows,
    test: Ratings,
    test_rows: Rows,
    history_rows: Rows,
    *,
    is_cut: bool,
) -> FoldFacts:
    """The rows and sizes of all parts, the threshold of relevance, and how much of the test part
    is cold: how many of its users, items and ratings; of a cut in time also when the test part
    begins.
    """
    begins = None
    if is_cut and test.times is not None:
        begins = int(test.times.min())
    has_histories = len(history_rows) > 0
    cold = find_cold_starts(train.users, train.items, train.n_users, train.n_items)
    is_cold_user = cold.users[test.users]
    is_cold_item = cold.items[test.items]
    return FoldFacts(
        train_rows=fingerprint_rows(train_rows),
        test_rows=fingerprint_rows(test_rows),
        train=len(train),
        test=len(test),
        threshold=PROTOCOLS[STANDARD].threshold(train.scale),
        cold_users=len(np.unique(test.users[is_cold_user])),
        cold_items=len(np.unique(test.items[is_cold_item])),
        cold_ratings=int(cold.are_cold(test.users, test.items).sum()),
        history=len(history_rows) if has_histories else None,
        history_rows=fingerprint_rows(history_rows) if has_histories else None,
        begins=begins,
    )
