"""What serving would cost is measured on a loaded model, and an unsteady tail is said."""

from dataclasses import replace

import pytest

import recbench
from recbench.benchmarks.models import Latency, describe_latency, measure_latency
from tests.benchmarks.models.conftest import Shop


@pytest.mark.slow
def test_one_user_at_a_time_and_all_in_bulk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("N_DRAWN", "N_IN_BULK"):
        monkeypatch.setattr(f"recbench.benchmarks.models.latency.{name}", 50)
    model = recbench.load_model(shop.model("ease"))
    latency = measure_latency(model)
    assert 0 < latency.p50_seconds <= latency.p99_seconds
    assert len(latency.p99_of_rounds) == 5
    assert latency.users_per_second > 0
    result = shop.recommend(shop.model("ease"), "--latency")
    assert result.exit_code == 0, result.output
    assert "users a second" in result.output and "MB on disk" in result.output


def test_a_tail_that_does_not_repeat_itself_is_flagged(shop: Shop) -> None:
    model = recbench.load_model(shop.model("ease"))
    rounds = (0.001, 0.0011, 0.0010, 0.0009, 0.00095)
    steady = Latency(1000, 10, 0.0005, 0.001, rounds, 100.0, 0.1)
    assert steady.is_steady
    assert not any("NOT STEADY" in line for line in describe_latency(steady, model))
    unsteady = replace(steady, p99_of_rounds=(*rounds[:-1], 0.0013))
    assert any("NOT STEADY" in line for line in describe_latency(unsteady, model))
