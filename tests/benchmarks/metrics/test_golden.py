"""The numbers of fixed answers: one that moves while `protocols.VERSION` stays is a mistake, or a
secret.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from recbench.benchmarks.metrics.protocols import PROTOCOLS, VERSION, Evaluation
from recbench.benchmarks.metrics.registry import METRICS, RankedHits
from tests.benchmarks.metrics import golden


def moved(expected: Any, found: Any, place: str = "") -> list[str]:
    """Where two JSON values differ by more than the last digits of another machine."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted({*expected, *found})
        return [
            line
            for name in names
            for line in moved(expected.get(name), found.get(name), f"{place} {name}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for index, pair in pairs for line in moved(*pair, f"{place}[{index}]")]
    if isinstance(expected, float) and isinstance(found, float):
        return (
            []
            if found == pytest.approx(expected, rel=1e-9, abs=1e-12)
            else [f"{place}: {expected} -> {found}"]
        )
    return [] if expected == found else [f"{place}: {expected} -> {found}"]


def check() -> None:
    known = golden.stored()
    assert str(VERSION) in known, (
        "a new version needs its numbers: python -m tests.benchmarks.metrics.golden"
    )
    lines = moved(known[str(VERSION)], json.loads(json.dumps(golden.numbers())))
    assert not lines, f"numbers moved, but protocols.VERSION is still {VERSION}: {lines}"


def test_no_number_moves_without_a_new_version() -> None:
    check()


def test_every_metric_and_protocol_has_a_value_that_could_move() -> None:
    metrics = golden.stored()[str(VERSION)]["metrics"]
    evaluation = Evaluation((1, 5, 30), tuple(PROTOCOLS))
    for metric in METRICS.values():
        for column, k in metric.columns(evaluation.ks):
            if metric.kind == "ranking" and metric.population == "cold":
                column = f"recommenders:{column}"  # the one cold-start user likes nothing
            if (metric.name, k) != ("diversity", 1):  # one film alone has no diversity
                assert metrics[column] is not None, column
    assert {f"{name}:auc" for name in PROTOCOLS if name != "standard"} <= set(metrics)


def test_a_moved_number_and_a_version_without_numbers_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    def other(ranked: RankedHits, k: int) -> Any:
        return ranked.n_hits(k) / (k + 1e-6)

    with monkeypatch.context() as patch:
        patch.setitem(METRICS, "precision", replace(METRICS["precision"], function=other))
        with pytest.raises(AssertionError, match=r"numbers moved.*precision@1"):
            check()
    monkeypatch.setattr("tests.benchmarks.metrics.test_golden.VERSION", VERSION + 1)
    with pytest.raises(AssertionError, match=r"python -m tests\.benchmarks\.metrics\.golden"):
        check()


def test_the_numbers_of_a_version_are_written_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(golden, "FILE", tmp_path / "golden.json")
    golden.write()
    with pytest.raises(SystemExit, match="fixed"):
        golden.write()
    early = golden.stored()[str(VERSION)]
    del early["metrics"]["r2"]
    early["metrics"]["mae"] = 0.0
    golden.FILE.write_text(json.dumps({str(VERSION): early}))
    golden.write()  # a metric more; what stands there stays
    assert golden.stored()[str(VERSION)]["metrics"]["r2"] is not None
    assert golden.stored()[str(VERSION)]["metrics"]["mae"] == 0.0
    monkeypatch.setattr(golden, "VERSION", VERSION + 1)
    golden.write()
    assert set(golden.stored()) == {str(VERSION), str(VERSION + 1)}
