"""What serving would cost is measured on a loaded model, and an unsteady tail is said."""

import pytest

import recbench
from recbench.benchmarks.models import describe_latency, measure_latency
from recbench.benchmarks.records import ServingCost
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


def test_a_slow_row_is_asked_for_fewer_users(shop: Shop) -> None:
    """A round that may take no time asks for one user, and then for no more at once."""
    model = recbench.load_model(shop.model("ease"))
    cost = measure_latency(model, most=0.0)
    assert cost.users == 1 and len(cost.p99_of_rounds) == 5


def test_a_tail_that_does_not_repeat_itself_is_flagged() -> None:
    rounds = (0.001, 0.0011, 0.0010, 0.0009, 0.00095)
    steady = ServingCost(
        users=1000,
        items=10,
        p50_seconds=0.0005,
        p99_seconds=0.001,
        p99_of_rounds=rounds,
        users_per_second=100.0,
        load_seconds=0.2,
        megabytes=3.0,
        load=0.1,
    )
    assert steady.is_steady
    assert not any("NOT STEADY" in line for line in describe_latency(steady))
    unsteady = steady.replaced(p99_of_rounds=(*rounds[:-1], 0.0013))
    assert any("NOT STEADY" in line for line in describe_latency(unsteady))
