"""Numbers over many runs of changing code: what moved, also where no pair of neighbours shows it.

The runs are in the order of their commits. A line is one row in one column on the same data,
divided and measured in the same way; where that changes, a new line begins, and it is said why.
Times make lines only of the same machine, as multiples of the kernel that is timed with each cell.
Intervals are those of the paired bootstrap over users, with the same draws for all points of a
line. Drifts are looked for by `benchmarks.certainty` in all lines together.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import groupby, pairwise
from statistics import fmean, median
from typing import TypeAlias

import numpy as np

from recbench.benchmarks.certainty import (
    Drift,
    Estimate,
    UserShares,
    bootstrap_users,
    can_be_searched,
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

Interval: TypeAlias = tuple[float, float] | tuple[None, None]


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

    @property
    def n_results(self) -> int:
        """How many different results its runs have, one after the other."""
        values = [point.value for point in self.points]
        return 1 + sum(one != other for one, other in pairwise(values))


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
        n_searched = sum(can_be_searched(line.n_results) for line in self.lines)
        return count_values_needed(max(1, n_searched))


@dataclass(frozen=True)
class _Member:
    """The records of a row in one run."""

    place: int  # of the run
    records: list[Record]


@dataclass(frozen=True, eq=False)
class _Track:
    """A row in runs that can be compared, in their order."""

    row: str
    dataset: str
    members: list[_Member]


@dataclass(frozen=True, eq=False)
class _Sequence:
    """A track in one column, as far as its runs have a value: the values, (n_members,).

    Times, which have no users, also have the ranges over the folds.
    """

    track: _Track
    column: str
    members: list[_Member]
    values: Doubles
    ranges: list[tuple[float, float]]

    @property
    def is_time(self) -> bool:
        """Whether it is a time, and not a metric."""
        return self.column in TIMES

    @cached_property
    def starts(self) -> list[int]:
        """The first of each group of neighbours with the same result, which is one measurement."""
        differs = np.diff(self.values) != 0
        later = np.flatnonzero(differs) + 1
        return [0, *later.tolist()]

    @cached_property
    def ends(self) -> list[int]:
        """The last of each of these groups."""
        last = len(self.values) - 1
        return [*(start - 1 for start in self.starts[1:]), last]

    @property
    def states(self) -> Doubles:
        """The value of each group."""
        return self.values[self.starts]


def order_runs(runs: Iterable[DatedRun]) -> tuple[list[DatedRun], bool]:
    """The runs by the dates of their commits, and True; by their own if one is not known."""
    listed = sorted(runs, key=lambda run: run.started)
    dates = [run.committed for run in listed if run.committed is not None]
    if len(dates) < len(listed):
        return listed, False

    dated = zip(dates, listed, strict=True)
    by_commit = sorted(dated, key=lambda entry: entry[0])
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
        sequences += _trace_metrics(ordered, track)
    for track in _follow_rows(ordered, _explain_times, breaks):
        sequences += _trace_times(track)
    drifts = find_drifts([sequence.states for sequence in sequences])

    lines = []
    moving = zip(sequences, drifts, strict=True)
    for track, of_track in groupby(moving, key=lambda entry: entry[0].track):
        found = list(of_track)
        columns = [sequence.column for sequence, _ in found if not sequence.is_time]
        shares = _read_shares(ordered, track, columns)

        for sequence, of_sequence in found:
            estimates = _estimate_states(sequence, shares)
            lines.append(_draw_line(sequence, of_sequence, estimates))

    # Metrics and times may break for the same reason
    breaks.sort(key=lambda one: one.place)
    return History(ordered, lines, list(dict.fromkeys(breaks)), is_by_commit)


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
            failure = _describe_failure(records)
            if failure:
                breaks.append(Break(place, row, failure))
                continue

            member = _Member(place, records)
            earlier = [track for track in reversed(tracks) if track.row == row]
            obstacles = [explain(track.members[-1].records, records) for track in earlier]
            if "" in obstacles:
                track = earlier[obstacles.index("")]
                track.members.append(member)
                continue

            dataset = dated.about.data.name
            tracks.append(_Track(row, dataset, [member]))
            if earlier and earlier[0].dataset == dataset:
                base = runs[earlier[0].members[-1].place]
                reason = f"with {base.label} as the base, {obstacles[0]}"
                breaks.append(Break(place, row, reason))
    return tracks


def _describe_failure(records: Sequence[Record]) -> str:
    """What became of the first cell that is not ok; empty if all are."""
    for record in records:
        if record.status != "ok":
            return f"{record.status} in {record.cell.place}: {record.reason}"
    return ""


def _explain_times(old: Sequence[Record], new: Sequence[Record]) -> str:
    """Why times of a row cannot be compared; empty if they can."""
    hosts = {record.environment.host for record in (*old, *new)}
    if len(hosts) > 1:
        named = sorted(host or "an unknown one" for host in hosts)
        return f"times of another host: {' and '.join(named)}"
    return explain_difference(old, new) or explain_other_machine(old, new)


def _trace_metrics(runs: Sequence[DatedRun], track: _Track) -> list[_Sequence]:
    """A sequence for each metric that a plan of the track's runs shows, where the row has it."""
    shown: dict[str, None] = {}
    for member in track.members:
        run = runs[member.place]
        for column in run.about.metrics or list_columns(run.records):
            if find_metric(column).kind != "set":
                shown[column] = None

    sequences = []
    for column in shown:
        members = []
        values = []
        for member in track.members:
            value = mean_over_folds(member.records, column)
            if value is not None:
                members.append(member)
                values.append(value)
        if members:
            sequences.append(_Sequence(track, column, members, np.array(values), []))
    return sequences


def _trace_times(track: _Track) -> list[_Sequence]:
    """A sequence for each phase that takes long enough to say anything."""
    records = [record for member in track.members for record in member.records]
    if any(record.environment.contended for record in records):
        return []
    kernels = [record.kernel_seconds for record in records if record.kernel_seconds]
    if len(kernels) < len(records):
        return []

    sequences = []
    for column in TIMES:
        means = [mean_over_folds(member.records, column) for member in track.members]
        known = [mean for mean in means if mean is not None]
        if len(known) < len(means) or max(known) < SHORTEST_SECONDS:
            continue
        sequences.append(_trace_time(track, column, median(kernels)))
    return sequences


def _trace_time(track: _Track, column: str, usual_kernel: float) -> _Sequence:
    """The times of a phase, of records that all have them."""
    phase = column.removesuffix("_seconds")
    values = []
    ranges = []
    for member in track.members:
        times = [
            usual_kernel * (time_in_kernels(record, phase, "seconds") or 0.0)
            for record in member.records
        ]
        values.append(fmean(times))
        ranges.append((min(times), max(times)))
    return _Sequence(track, column, track.members, np.array(values), ranges)


def _read_shares(
    runs: Sequence[DatedRun], track: _Track, columns: Sequence[str]
) -> dict[int, dict[str, UserShares]]:
    """By the place of the run, and by column, what the users add to it, where that is kept.

    Baselines keep those columns that are gated, and whoever archives runs may keep records alone.
    """
    shares: dict[int, dict[str, UserShares]] = {}
    if not columns:
        return shares

    for member in track.members:
        run = runs[member.place].run
        rows: dict[str, list[Record]] = {}
        if all(run.has_answers(record.cell) for record in member.records):
            rows[track.row] = member.records

        by_column = read_user_shares(run, rows, columns)
        shares[member.place] = {
            column: by_row[track.row] for column, by_row in by_column.items() if by_row
        }
    return shares


def _estimate_states(
    sequence: _Sequence, shares: Mapping[int, Mapping[str, UserShares]]
) -> list[Estimate]:
    """An estimate for each group of runs with the same result, all with the same draws of users.

    Empty for times, where there are too few users, and where a run has not kept their shares.
    """
    of_states = []
    for start in sequence.starts:
        place = sequence.members[start].place
        of_state = shares.get(place, {}).get(sequence.column)
        if of_state is None or explain_too_few_users(of_state.n_users):
            return []
        of_states.append(of_state)

    draws = bootstrap_users(find_metric(sequence.column), of_states)
    return [draws.estimate(state) for state in range(len(of_states))]


def _draw_line(
    sequence: _Sequence, drifts: Sequence[Drift], estimates: Sequence[Estimate]
) -> HistoryLine:
    """The points of a sequence with their intervals, and what moved."""
    change = float(sequence.values[-1] - sequence.values[0])
    bounds: Interval = (None, None)
    if len(estimates) > 1:
        difference = Estimate.of(np.subtract, estimates[-1], estimates[0])
        bounds = difference.interval()

    return HistoryLine(
        dataset=sequence.track.dataset,
        row=sequence.track.row,
        column=sequence.column,
        points=_draw_points(sequence, estimates),
        moves=[_describe_move(sequence, drift, estimates) for drift in drifts],
        since_first=(change, *bounds),
    )


def _draw_points(sequence: _Sequence, estimates: Sequence[Estimate]) -> list[Point]:
    """A point for each run, with the interval of its group; a time has the range of its folds."""
    intervals: list[Interval] = list(sequence.ranges)
    if not intervals:
        for state, start in enumerate(sequence.starts):
            interval: Interval = (None, None)
            if estimates:
                interval = estimates[state].interval()
            n_alike = sequence.ends[state] - start + 1
            intervals += [interval] * n_alike

    points = []
    for member, value, bounds in zip(sequence.members, sequence.values, intervals, strict=True):
        points.append(Point(member.place, float(value), *bounds))
    return points


def _describe_move(sequence: _Sequence, drift: Drift, estimates: Sequence[Estimate]) -> Move:
    """A drift between two groups of a sequence, as a change between two runs.

    Its interval covers the choice of users and the unrest of the line itself.
    """
    bounds = drift.size, drift.size
    if estimates:

        def weigh_states(*values: Doubles) -> Doubles:
            return np.tensordot(drift.weights, np.array(values), axes=1)

        bounds = Estimate.of(weigh_states, *estimates).interval()
    unrest = SeedVariance(drift.deviation, drift.freedom)
    low, high = unrest.widen(drift.size, bounds)

    is_before = drift.weights < 0
    before = float(sequence.states[is_before].mean())
    first = sequence.ends[drift.first]
    last = sequence.starts[drift.last]
    return Move(
        first=sequence.members[first].place,
        last=sequence.members[last].place,
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
    tolerance = Tolerance(column, column, math.inf, relative=sequence.is_time)

    n_visible = 0
    for state in range(drift.first, drift.last):
        old = sequence.members[sequence.ends[state]].records
        new = sequence.members[sequence.starts[state + 1]].records
        if sequence.is_time:
            verdict = judge_time(row, tolerance, old, new)
        elif estimates:
            before, after = estimates[state : state + 2]
            seeds = estimate_seed_effect(column, old, new, [], [])
            verdict = judge_metric(row, tolerance, before, after, math.inf, seeds)
        else:
            continue
        n_visible += verdict.verdict in VISIBLE
    return n_visible
