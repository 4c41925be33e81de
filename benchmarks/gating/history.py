"""Numbers over many runs of changing code: what moved, also where no pair of neighbours shows it.

The runs are in the order of their commits. A line is one row in one column on the same data,
divided and measured in the same way; where that changes, a new line begins, and it is said why.
Times make lines only of the same machine, as multiples of the kernel that is timed with each cell.
Intervals are those of the paired bootstrap over users, with the same draws for all points of a
line. Drifts are looked for by `benchmarks.certainty` in all lines together.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import groupby
from statistics import fmean, median

import numpy as np

from recbench.benchmarks.certainty import (
    Drift,
    Estimate,
    UserShares,
    bootstrap_users,
    count_values_needed,
    explain_too_few_users,
    find_drifts,
    read_user_shares,
)
from recbench.benchmarks.gating.gate import explain_difference, group_by_row, list_columns
from recbench.benchmarks.gating.seeds import SeedVariance, estimate_seed_effect
from recbench.benchmarks.gating.tolerances import TIMES, Tolerance
from recbench.benchmarks.gating.verdicts import (
    SHORTEST_SECONDS,
    explain_other_machine,
    judge_metric,
    judge_time,
    mean_over_folds,
    time_in_kernels,
)
from recbench.benchmarks.metrics import Doubles, find_metric
from recbench.benchmarks.records import Record, Run, RunDescription

# A pair of neighbours shows a change by itself if the gate, without a limit, says one of these.
VISIBLE = ("WORSE", "IMPROVED")


@dataclass(frozen=True)
class DatedRun:
    """A run of the history. `committed` is None where nobody knows the commit."""

    name: str  # of its directory
    run: Run = field(repr=False)
    about: RunDescription = field(repr=False)
    records: list[Record] = field(repr=False)
    started: datetime
    commit: str = ""
    committed: datetime | None = None
    subject: str = ""  # the first line of the commit's message

    @property
    def label(self) -> str:
        """What it is called beside other runs: by its commit, else by its directory."""
        return self.commit[:8] or self.name


@dataclass(frozen=True)
class Point:
    """A number of one run, and its interval where one is known."""

    place: int  # of the run in the history, from 0
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Move:
    """A lasting change of a line: level before, by how much it moved and how sure that is.

    `first` is the last run at the level before, `last` the first one at the level afterwards.
    Between them lie `n_pairs` pairs of neighbours, of which `n_visible` show a change themselves.
    """

    first: int
    last: int
    before: float
    size: float
    low: float
    high: float
    p_value: float  # adjusted for everything on the page
    is_worse: bool
    n_pairs: int
    n_visible: int

    @property
    def is_slow(self) -> bool:
        """Whether no pair of neighbours shows it."""
        return self.n_visible == 0


@dataclass(frozen=True)
class HistoryLine:
    """One row in one column over runs that can be compared; times are seconds, see `read_history`.

    `since_first` is the newest value less the first, with its interval over users if it is known.
    """

    dataset: str
    row: str
    column: str
    points: list[Point]
    moves: list[Move]
    since_first: tuple[float, float | None, float | None]

    @property
    def is_time(self) -> bool:
        """Whether it is a time, and not a metric."""
        return self.column in TIMES


@dataclass(frozen=True)
class Break:
    """Why a row has no number in a run, or cannot be compared with what it was before."""

    place: int
    row: str
    reason: str


@dataclass(frozen=True)
class History:
    """The runs in their order, the lines, and where lines are broken.

    `is_by_commit` says by what the runs are ordered: by the dates of their commits, or, where one
    of these is not known, by when they were measured.
    """

    runs: list[DatedRun]
    lines: list[HistoryLine]
    breaks: list[Break]
    is_by_commit: bool

    @property
    def moves(self) -> list[tuple[HistoryLine, Move]]:
        """All that moved, the worst news first: what got worse, and what no pair shows."""
        found = [(line, move) for line in self.lines for move in line.moves]
        return sorted(found, key=lambda entry: (not entry[1].is_worse, not entry[1].is_slow))

    @property
    def n_values_needed(self) -> int:
        """How many different results a line needs for any drift in it to be found."""
        return count_values_needed(max(1, len(self.lines)))


@dataclass(frozen=True, eq=False)
class _Track:
    """The records of a row in runs that can be compared: (place, records) in their order."""

    row: str
    dataset: str
    members: list[tuple[int, list[Record]]] = field(default_factory=list)


@dataclass(frozen=True)
class _Sequence:
    """A track in one column: the values of its runs, (n_runs,), and their ranges over folds."""

    track: _Track
    column: str
    values: Doubles
    ranges: list[tuple[float, float]]  # lowest and highest fold; of times, which have no users

    @cached_property
    def starts(self) -> list[int]:
        """The first of each group of neighbours with the same result, which is one measurement."""
        different = np.flatnonzero(np.diff(self.values) != 0) + 1
        return [0, *different.tolist()]

    @cached_property
    def ends(self) -> list[int]:
        """The last of each of these groups."""
        return [*(start - 1 for start in self.starts[1:]), len(self.values) - 1]


def order_runs(runs: Iterable[DatedRun]) -> tuple[list[DatedRun], bool]:
    """The runs by the dates of their commits, and True; by their own if one is not known."""
    listed = sorted(runs, key=lambda run: run.started)
    dates = [run.committed for run in listed if run.committed is not None]
    if len(dates) < len(listed):
        return listed, False
    by_commit = sorted(zip(dates, listed, strict=True), key=lambda entry: entry[0])
    return [run for _, run in by_commit], True


def read_history(runs: Iterable[DatedRun]) -> History:
    """The lines of all rows in all columns that the plans show, and of times.

    A time is a mean over the folds, in multiples of the kernel of its cell, times the median
    kernel of its line; its interval is the range of the folds. Times below a tenth of a second,
    and those of cells that shared the machine, are left out. UsageError for raw answers that are
    damaged.
    """
    ordered, is_by_commit = order_runs(runs)
    breaks: list[Break] = []
    sequences = []
    for track in _follow_rows(ordered, explain_difference, breaks):
        for column in _list_metrics(ordered, track):
            sequences.append(_trace_metric(track, column))

    for track in _follow_rows(ordered, _explain_times, breaks):
        for column in TIMES:
            sequence = _trace_time(track, column)
            if sequence is not None:
                sequences.append(sequence)

    drifts = find_drifts([sequence.values[sequence.starts] for sequence in sequences])
    moving = list(zip(sequences, drifts, strict=True))
    lines = []
    for track, of_track in groupby(moving, key=lambda entry: entry[0].track):
        found = list(of_track)
        columns = [sequence.column for sequence, _ in found if sequence.column not in TIMES]
        shares = _read_shares(ordered, track, columns)
        for sequence, of_sequence in found:
            estimates = _estimate_states(sequence, shares.get(sequence.column, []))
            lines.append(_draw_line(sequence, of_sequence, estimates))
    told = dict.fromkeys(sorted(breaks, key=lambda one: one.place))
    return History(ordered, lines, list(told), is_by_commit)


def _follow_rows(
    runs: Sequence[DatedRun],
    explain: Callable[[Sequence[Record], Sequence[Record]], str],
    breaks: list[Break],
) -> list[_Track]:
    """The tracks of all rows. A row goes on in the newest track with which `explain` finds no
    obstacle; where there is none it begins another, and the reason joins `breaks`.
    """
    tracks: list[_Track] = []
    for place, dated in enumerate(runs):
        for row, records in group_by_row(dated.records).items():
            failed = next((record for record in records if record.status != "ok"), None)
            if failed is not None:
                reason = f"{failed.status} in {failed.cell.place}: {failed.reason}"
                breaks.append(Break(place, row, reason))
                continue

            earlier = [track for track in reversed(tracks) if track.row == row]
            obstacles = [explain(track.members[-1][1], records) for track in earlier]
            if "" in obstacles:
                earlier[obstacles.index("")].members.append((place, records))
                continue
            tracks.append(_Track(row, dated.about.data.name, [(place, records)]))
            is_same_data = earlier and earlier[0].dataset == dated.about.data.name
            if is_same_data:
                base = runs[earlier[0].members[-1][0]].label
                breaks.append(Break(place, row, f"with {base} as the base, {obstacles[0]}"))
    return tracks


def _explain_times(old: Sequence[Record], new: Sequence[Record]) -> str:
    """Why times of a row cannot be compared; empty if they can."""
    hosts = {record.environment.host for record in (*old, *new)}
    if len(hosts) > 1:
        return f"times of another host: {' and '.join(sorted(host or '?' for host in hosts))}"
    return explain_difference(old, new) or explain_other_machine(old, new)


def _list_metrics(runs: Sequence[DatedRun], track: _Track) -> list[str]:
    """The metrics that a plan of the track's runs shows and that the row has in all of them."""
    shown: dict[str, None] = {}
    for place, _ in track.members:
        for column in runs[place].about.metrics or list_columns(runs[place].records):
            shown[column] = None

    kept = []
    for column in shown:
        means = [mean_over_folds(records, column) for _, records in track.members]
        if find_metric(column).kind != "set" and None not in means:
            kept.append(column)
    return kept


def _trace_metric(track: _Track, column: str) -> _Sequence:
    values = [mean_over_folds(records, column) for _, records in track.members]
    return _Sequence(track, column, np.array(values, np.float64), [])


def _trace_time(track: _Track, column: str) -> _Sequence | None:
    """The times of a phase; None if a run has none, or all are too short to say anything."""
    phase = column.removesuffix("_seconds")
    by_run = []
    kernels = []
    seconds = []
    for _, records in track.members:
        by_run.append([time_in_kernels(record, phase, "seconds") for record in records])
        kernels += [record.kernel_seconds or 0.0 for record in records]
        seconds.append(mean_over_folds(records, column) or 0.0)
        if any(record.environment.contended for record in records):
            return None
    if max(seconds) < SHORTEST_SECONDS:
        return None

    usual = median(kernels)
    times = [[usual * time for time in of_run if time] for of_run in by_run]
    if any(len(of_run) < len(by_run[0]) for of_run in times):
        return None
    values = np.array([fmean(of_run) for of_run in times])
    ranges = [(min(of_run), max(of_run)) for of_run in times]
    return _Sequence(track, column, values, ranges)


def _read_shares(
    runs: Sequence[DatedRun], track: _Track, columns: Sequence[str]
) -> dict[str, list[UserShares | None]]:
    """By column what the users add to it in each run of a track; None where a run has not kept it.

    Baselines keep those columns that are gated, and whoever archives runs may keep records alone.
    """
    shares: dict[str, list[UserShares | None]] = {column: [] for column in columns}
    if not columns:
        return shares
    for place, records in track.members:
        run = runs[place].run
        is_kept = all(run.has_answers(record.cell) for record in records)
        of_run = read_user_shares(run, {track.row: records} if is_kept else {}, columns)
        for column in columns:
            shares[column].append(of_run[column].get(track.row))
    return shares


def _estimate_states(sequence: _Sequence, shares: Sequence[UserShares | None]) -> list[Estimate]:
    """An estimate for each group of runs with the same result, all with the same draws of users.

    Empty where there are too few users, and where a run has not kept their shares.
    """
    known = [shares[start] for start in sequence.starts] if shares else []
    of_states = [of_run for of_run in known if of_run is not None]
    if len(of_states) < len(sequence.starts):
        return []
    if explain_too_few_users(min(of_state.n_users for of_state in of_states)):
        return []
    draws = bootstrap_users(find_metric(sequence.column), of_states)
    return [draws.estimate(state) for state in range(len(of_states))]


def _draw_line(
    sequence: _Sequence, drifts: Sequence[Drift], estimates: Sequence[Estimate]
) -> HistoryLine:
    """The points of a sequence with their intervals, and what moved."""
    points = []
    for state, (start, end) in enumerate(zip(sequence.starts, sequence.ends, strict=True)):
        bounds: tuple[float, float] | tuple[None, None] = (None, None)
        if estimates:
            bounds = estimates[state].interval()
        for index in range(start, end + 1):
            if sequence.ranges:
                bounds = sequence.ranges[index]
            place = sequence.track.members[index][0]
            points.append(Point(place, float(sequence.values[index]), *bounds))

    change = float(sequence.values[-1] - sequence.values[0])
    low, high = None, None
    if len(estimates) > 1:
        low, high = Estimate.of(np.subtract, estimates[-1], estimates[0]).interval()
    return HistoryLine(
        dataset=sequence.track.dataset,
        row=sequence.track.row,
        column=sequence.column,
        points=points,
        moves=[_describe_move(sequence, drift, estimates) for drift in drifts],
        since_first=(change, low, high),
    )


def _describe_move(sequence: _Sequence, drift: Drift, estimates: Sequence[Estimate]) -> Move:
    """A drift between two places of the sequence's groups, as a change between two runs.

    Its interval covers the choice of users and the unrest of the line itself.
    """
    bounds = drift.size, drift.size
    if estimates:

        def weigh_states(*values: Doubles) -> Doubles:
            return np.tensordot(drift.weights, np.array(values), axes=1)

        bounds = Estimate.of(weigh_states, *estimates).interval()
    low, high = SeedVariance(drift.deviation, drift.freedom).widen(drift.size, bounds)

    first = sequence.ends[drift.first]
    last = sequence.starts[drift.last]
    before = float(sequence.values[sequence.starts][drift.weights < 0].mean())
    return Move(
        first=sequence.track.members[first][0],
        last=sequence.track.members[last][0],
        before=before,
        size=drift.size,
        low=low,
        high=high,
        p_value=drift.p_value,
        is_worse=_is_worse(sequence.column, before, before + drift.size),
        n_pairs=drift.last - drift.first,
        n_visible=_count_visible_pairs(sequence, drift, estimates),
    )


def _is_worse(column: str, before: float, after: float) -> bool:
    if column in TIMES:
        return after > before
    loss = find_metric(column).loss
    return loss(after) > loss(before)


def _count_visible_pairs(sequence: _Sequence, drift: Drift, estimates: Sequence[Estimate]) -> int:
    """How many pairs of neighbours on the way show a change by themselves, as the gate judges."""
    column = sequence.column
    row = sequence.track.row
    tolerance = Tolerance(column, column, float("inf"), relative=column in TIMES)
    n_visible = 0
    for state in range(drift.first, drift.last):
        _, old = sequence.track.members[sequence.ends[state]]
        _, new = sequence.track.members[sequence.starts[state + 1]]
        if column in TIMES:
            verdict = judge_time(row, tolerance, old, new)
        elif estimates:
            seeds = estimate_seed_effect(column, old, new, [], [])
            before, after = estimates[state : state + 2]
            verdict = judge_metric(row, tolerance, before, after, float("inf"), seeds)
        else:
            continue
        n_visible += verdict.verdict in VISIBLE
    return n_visible
