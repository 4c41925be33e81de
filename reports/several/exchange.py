"""A history in the JSON of programs that keep histories: Bencher, and github-action-benchmark.

Bencher's metric format (https://bencher.dev/docs/reference/bencher-metric-format) is one object a
run: benchmark -> measure -> value and, where known, lower and upper value. Of
github-action-benchmark (https://github.com/benchmark-action/github-action-benchmark) there are
both: what its tools `customSmallerIsBetter` and `customBiggerIsBetter` read, a list of entries of
the newest run, and `data.js`, in which it keeps all runs and from which its page draws.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from recbench.benchmarks.gating import DatedRun, History, HistoryLine, Point
from recbench.benchmarks.metrics import find_metric
from recbench.reports import words

FOLDER = "exports"
LONGEST_BENCHMARK = 1024  # letters of Bencher's names
LONGEST_MEASURE = 64
SCRIPT_PREFIX = "window.BENCHMARK_DATA = "
TOOLS = {"lower": "customSmallerIsBetter", "higher": "customBiggerIsBetter"}
SUITES = {"lower": "recbench, smaller is better", "higher": "recbench, bigger is better"}
FILES = {"lower": "github-smaller-is-better.json", "higher": "github-bigger-is-better.json"}


@dataclass(frozen=True)
class _Number:
    """A point with its line."""

    line: HistoryLine
    point: Point

    @property
    def benchmark(self) -> str:
        return f"{self.line.dataset}: {self.line.row}"

    @property
    def better(self) -> Literal["lower", "higher", "zero"]:
        return "lower" if self.line.is_time else find_metric(self.line.column).better

    @property
    def unit(self) -> str:
        return "s" if self.line.is_time else find_metric(self.line.column).unit


def export_history(history: History) -> dict[str, bytes]:
    """The files by name: `exports/bencher-0001-RUN.json` and so on, one a run, and three of
    github-action-benchmark, which knows no numbers that are best at 0.
    """
    numbers = _group_by_run(history)

    files: dict[str, Any] = {}
    for place, run in enumerate(history.runs):
        name = f"{FOLDER}/bencher-{place + 1:04}-{words.slug(run.label)[:40]}.json"
        files[name] = _format_bencher(numbers[place])

    entries: dict[str, list[dict[str, Any]]] = {}
    for better, file in FILES.items():
        files[f"{FOLDER}/{file}"] = _list_benches(numbers[-1], better)
        entries[SUITES[better]] = [
            _format_suite(run, of_run, better)
            for run, of_run in zip(history.runs, numbers, strict=True)
        ]

    content = {name: _write(value) for name, value in files.items()}
    data = {"lastUpdate": _milliseconds(history.runs[-1]), "repoUrl": "", "entries": entries}
    content[f"{FOLDER}/data.js"] = SCRIPT_PREFIX.encode() + _write(data)
    return content


def _group_by_run(history: History) -> list[list[_Number]]:
    """The numbers of each run, in the order of the lines."""
    numbers: list[list[_Number]] = [[] for _ in history.runs]
    for line in history.lines:
        for point in line.points:
            numbers[point.place].append(_Number(line, point))
    return numbers


def _format_bencher(numbers: list[_Number]) -> dict[str, dict[str, dict[str, float]]]:
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    for number in numbers:
        point = number.point
        metric = {"value": point.value}
        if point.low is not None and point.high is not None:
            metric |= {"lower_value": point.low, "upper_value": point.high}

        measures = benchmarks.setdefault(number.benchmark[:LONGEST_BENCHMARK], {})
        measures[number.line.column[:LONGEST_MEASURE]] = metric
    return benchmarks


def _list_benches(numbers: list[_Number], better: str) -> list[dict[str, Any]]:
    """The numbers of one direction, as the action's custom tools read them."""
    benches = []
    for number in numbers:
        if number.better != better:
            continue

        point = number.point
        bench: dict[str, Any] = {
            "name": f"{number.benchmark}, {number.line.column}",
            "unit": number.unit,
            "value": point.value,
        }
        if point.low is not None and point.high is not None:
            bench["range"] = f"{point.low:.6g} to {point.high:.6g}"
            kind = "range of the folds" if number.line.is_time else "95 % interval over users"
            bench["extra"] = f"range: {kind}"

        benches.append(bench)
    return benches


def _format_suite(run: DatedRun, numbers: list[_Number], better: str) -> dict[str, Any]:
    """A run as `data.js` keeps it."""
    nobody = {"email": "", "name": "", "username": ""}
    commit = {
        "author": nobody,
        "committer": nobody,
        "id": run.commit or run.name,
        "message": run.subject or run.name,
        "timestamp": (run.committed or run.started).isoformat(),
        "url": "",
    }
    return {
        "commit": commit,
        "date": _milliseconds(run),
        "tool": TOOLS[better],
        "benches": _list_benches(numbers, better),
    }


def _milliseconds(run: DatedRun) -> int:
    """When the run was measured, since 1970."""
    return int(1000 * run.started.timestamp())


def _write(value: object) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
