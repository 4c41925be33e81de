"""What a profile says of a data set is what a slow count of its ratings says."""

import itertools
import json
import math
import statistics
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbench.datasets import Catalogue, Dataset, Provenance, Ratings
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.profile import BINS, BLOCKS, profile_dataset, read_profile, write_profile

Rating = tuple[int, int, float, int]  # user, item, stars, time


def dataset(
    ratings: list[Rating],
    scale: tuple[float, float] = (1.0, 5.0),
    *,
    timed: bool = True,
    sizes: tuple[int, int] | None = None,
    titles: dict[int, str] | None = None,
    years: dict[int, int] | None = None,
) -> Dataset:
    """A data set of these ratings; `sizes` where there are users or items without any."""
    users, items, stars, times = (np.array(column) for column in zip(*ratings, strict=True))
    n_users, n_items = sizes or (int(users.max()) + 1, int(items.max()) + 1)
    columns = Ratings(
        users.astype(np.int32),
        items.astype(np.int32),
        stars.astype(np.float32),
        n_users,
        n_items,
        scale,
        times.astype(np.int64) if timed else None,
    )
    shown = tuple((titles or {}).get(item, f"Film {item}") for item in range(n_items))
    catalogue = Catalogue(
        shown, tuple((years or {}).get(item) for item in range(n_items)), ((),) * n_items
    )
    return Dataset(
        "made-up",
        columns,
        catalogue,
        np.arange(n_users),
        np.arange(n_items) + 100,
        Provenance((), "", ""),
    )


def profile_of(made: Dataset) -> dict[str, Any]:
    """The profile as JSON has it, whose parts a test may name as it likes."""
    return dict(profile_dataset(made))


def drawn(n_users: int = 90, n_items: int = 70, days: int = 200, steps: int = 5) -> list[Rating]:
    """Ratings in no order, of users who differ much in how many they give."""
    rng = np.random.default_rng(3)
    chances = np.outer(rng.random(n_users) ** 2, rng.random(n_items))
    pairs = rng.permutation(np.argwhere(rng.random(chances.shape) < chances)).tolist()
    start = 875_000_000
    return [
        (user, item, float(rng.integers(1, steps + 1)), start + int(rng.integers(days * 86_400)))
        for user, item in pairs
    ]


def day(time: int) -> datetime:
    return datetime.fromtimestamp(time, UTC)


def test_counts_and_stars_are_those_of_a_slow_count() -> None:
    ratings = drawn()
    found = profile_of(dataset(ratings))
    users = {r[0] for r in ratings}
    items = {r[1] for r in ratings}
    stars = Counter(r[2] for r in ratings)
    assert (found["users"], found["items"], found["ratings"]) == (
        max(users) + 1,
        max(items) + 1,
        len(ratings),
    )
    assert found["density"] == len(ratings) / (found["users"] * found["items"])
    assert found["stars"]["values"] == sorted(stars) and found["stars"]["edges"] is None
    assert found["stars"]["counts"] == [stars[value] for value in sorted(stars)]
    assert found["stars"]["mean"] == pytest.approx(statistics.fmean(r[2] for r in ratings))
    assert found["stars"]["median"] == statistics.median(r[2] for r in ratings)
    assert found["stars"]["deviation"] == pytest.approx(statistics.pstdev(r[2] for r in ratings))


def test_the_median_of_an_even_number_lies_between_its_two_middle_ratings() -> None:
    found = profile_of(dataset([(0, 0, 1.0, 0), (0, 1, 2.0, 0), (0, 2, 4.0, 0), (0, 3, 5.0, 0)]))
    assert found["stars"]["median"] == 3.0


def test_half_stars_are_counted_one_by_one() -> None:
    ratings = [(user, item, stars / 2, time) for user, item, stars, time in drawn(steps=10)]
    found = profile_of(dataset(ratings, (0.5, 5.0)))["stars"]
    assert found["values"] == [half / 2 for half in range(1, 11)]
    assert sum(found["counts"]) == len(ratings)


def test_a_fine_scale_is_counted_in_bins_that_hold_every_rating() -> None:
    rng = np.random.default_rng(0)
    values = [0.0, 10.0, 2.5, *(float(np.float32(value)) for value in rng.uniform(0, 10, 500))]
    found = profile_of(dataset([(k, 0, value, 0) for k, value in enumerate(values)], (0.0, 10.0)))[
        "stars"
    ]
    edges = found["edges"]
    assert (
        found["values"] is None and len(edges) == BINS + 1 and (edges[0], edges[-1]) == (0.0, 10.0)
    )
    slow = [sum(low <= value < high for value in values) for low, high in itertools.pairwise(edges)]
    slow[-1] += sum(value == edges[-1] for value in values)
    assert found["counts"] == slow and sum(slow) == len(values)


@pytest.mark.parametrize(
    ("days", "step", "form"), [(200, "day", "%Y-%m-%d"), (2000, "month", "%Y-%m")]
)
def test_time_is_counted_by_day_or_by_month(days: int, step: str, form: str) -> None:
    ratings = drawn(days=days)
    found = profile_of(dataset(ratings))["times"]
    first, last = (f(r[3] for r in ratings) for f in (min, max))
    assert (found["first"], found["last"]) == (f"{day(first):%Y-%m-%d}", f"{day(last):%Y-%m-%d}")
    periods = list(
        dict.fromkeys(day(time).strftime(form) for time in (*range(first, last, 3600), last))
    )
    slow = Counter(day(r[3]).strftime(form) for r in ratings)
    assert found["step"] == step
    assert found["counts"] == [slow[period] for period in periods]


def test_a_span_of_many_decades_is_counted_by_year() -> None:
    moments = [0, 86_399, 86_400 * 365, 86_400 * 47_000]
    found = profile_of(dataset([(0, k, 3.0, time) for k, time in enumerate(moments)]))["times"]
    assert found["step"] == "year" and found["first"] == "1970-01-01"
    assert found["counts"][:2] == [2, 1] and sum(found["counts"]) == 4
    assert len(found["counts"]) == day(moments[-1]).year - 1970 + 1


def test_activity_is_that_of_a_slow_count() -> None:
    ratings = drawn()
    sizes = (
        max(r[0] for r in ratings) + 4,
        max(r[1] for r in ratings) + 1,
    )  # three users have no rating
    found = profile_of(dataset(ratings, sizes=sizes))
    for place, one in enumerate(("user", "item")):
        counted = Counter(r[place] for r in ratings)
        counts = sorted(counted[index] for index in range(sizes[place]))
        part = found[f"per_{one}"]
        n = len(counts)
        assert (part["lowest"], part["highest"], part["without"]) == (
            counts[0],
            counts[-1],
            counts.count(0),
        )
        assert part["mean"] == statistics.fmean(counts) and part["median"] == statistics.median(
            counts
        )
        quartiles = statistics.quantiles(counts, n=4, method="inclusive")
        assert [part["lower_quartile"], part["upper_quartile"]] == pytest.approx(
            [quartiles[0], quartiles[2]]
        )
        differences = sum(abs(a - b) for a in counts for b in counts)
        assert part["gini"] == pytest.approx(differences / (2 * n * n * statistics.fmean(counts)))
        assert part["levels"] == sorted(set(part["levels"])) and part["levels"][-1] == counts[-1]
        assert part["at_least"] == [
            sum(count >= level for count in counts) for level in part["levels"]
        ]


def test_the_grid_holds_every_rating_in_its_block() -> None:
    ratings = drawn()
    made = dataset(ratings)
    grid = profile_of(made)["grid"]
    places: list[dict[int, int]] = []
    for place, size in enumerate((made.ratings.n_users, made.ratings.n_items)):
        counted = Counter(r[place] for r in ratings)
        order = sorted(range(size), key=lambda index: -counted[index])
        places.append({index: k * BLOCKS // size for k, index in enumerate(order)})
    slow = Counter((places[0][r[0]], places[1][r[1]]) for r in ratings)
    assert grid["counts"] == [
        [slow[row, column] for column in range(BLOCKS)] for row in range(BLOCKS)
    ]
    for name, of in zip(("users", "items"), places, strict=True):
        assert grid[name] == [sum(block == one for block in of.values()) for one in range(BLOCKS)]


def test_years_come_from_the_catalogue_or_the_title() -> None:
    ratings: list[Rating] = [(0, item, 3.0, 0) for item in range(6)]
    titles = {2: "Blade Runner 2049 (2017)", 3: "2001", 4: "1984 (1984) again"}
    years = {0: 2015, 1: 2017}
    found = profile_of(dataset(ratings, titles=titles, years=years))["years"]
    assert found == {"first": 2015, "step": 1, "counts": [1, 0, 2], "unknown": 3}
    wide = profile_of(dataset(ratings, years={0: 1378, 1: 1999, 2: 1991, 3: 2004}))["years"]
    assert (wide["first"], wide["step"], wide["unknown"]) == (1370, 10, 2)
    assert wide["counts"][0] == 1 and wide["counts"][-2:] == [2, 1] and sum(wide["counts"]) == 4
    assert profile_of(dataset(ratings))["years"] is None


def test_the_best_items_are_those_of_the_formula() -> None:
    ratings = drawn()
    found = profile_of(dataset(ratings, years={7: 1999}))
    overall = statistics.fmean(r[2] for r in ratings)
    prior = round(len(ratings) / found["items"])
    slow: list[dict[str, Any]] = []
    for item in {r[1] for r in ratings}:
        stars = [r[2] for r in ratings if r[1] == item]
        n = len(stars)
        mean = statistics.fmean(stars)
        weighted = n / (n + prior) * mean + prior / (n + prior) * overall
        title = "Film 7 (1999)" if item == 7 else f"Film {item}"
        slow.append({"title": title, "mean": mean, "weighted": weighted, "n": n, "item": item})
    assert found["prior"] == prior
    for name, score in (("top_by_mean", "mean"), ("top_by_weighted_mean", "weighted")):
        best = sorted(slow, key=lambda one: (-round(one[score], 12), -one["n"], one["item"]))[:10]
        assert [one["title"] for one in found[name]] == [one["title"] for one in best]
        for got, expected in zip(found[name], best, strict=True):
            assert got["n"] == expected["n"]
            assert [got["mean"], got["weighted"]] == pytest.approx(
                [expected["mean"], expected["weighted"]]
            )


def test_titles_are_text_that_can_be_shown_and_never_empty() -> None:
    titles = {
        0: "",
        1: "<script>alert(1)</script>",
        2: "Сталкер",
        3: "long " * 200,
        4: "a\ud800b\x1b[31m\u202ec\n d",
        5: "Alien (1979)",
    }
    made = dataset(
        [(0, item, 5.0 - item / 2, 0) for item in range(6)], titles=titles, years={5: 1979}
    )
    shown = [one["title"] for one in profile_of(made)["top_by_mean"]]
    assert shown[:3] == ["item 100", "<script>alert(1)</script>", "Сталкер"]
    assert len(shown[3]) < 210 and shown[3].endswith("...")
    assert shown[4] == r"a\ud800b\x1b[31m\u202ec d" and shown[5] == "Alien (1979)"


def test_one_rating_is_enough() -> None:
    found = profile_of(dataset([(0, 0, 4.0, 86_400)]))
    assert (
        found["density"] == 1.0
        and found["stars"]["counts"] == [1]
        and found["stars"]["deviation"] == 0.0
    )
    assert found["times"] == {
        "first": "1970-01-02",
        "last": "1970-01-02",
        "step": "day",
        "counts": [1],
    }
    assert found["per_user"]["gini"] == 0.0 and found["per_user"]["at_least"] == [1]
    assert found["grid"] == {"users": [1], "items": [1], "counts": [[1]]}
    assert found["top_by_mean"] == [{"title": "Film 0", "mean": 4.0, "weighted": 4.0, "n": 1}]
    assert profile_of(dataset([(0, 0, 4.0, 0)], timed=False))["times"] is None


def test_unrated_items_are_in_no_list_and_break_nothing() -> None:
    found = profile_of(dataset([(0, 1, 2.0, 0)], sizes=(3, 4)))
    assert [one["title"] for one in found["top_by_mean"]] == ["Film 1"]
    assert found["per_item"]["without"] == 3 and found["per_item"]["levels"] == [1]
    assert found["prior"] == 1 and math.isclose(found["density"], 1 / 12)


@pytest.mark.slow
def test_a_profile_is_small_however_many_there_are() -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    n_users = 40_000
    n_items = 17_770
    rows = list(
        zip(
            rng.integers(0, n_users, n).tolist(),
            (rng.random(n) ** 3 * n_items).astype(int).tolist(),
            rng.uniform(0, 100, n).tolist(),
            rng.integers(0, 86_400 * 18_000, n).tolist(),
            strict=True,
        )
    )
    titles = dict.fromkeys(range(n_items), "\N{SNOWMAN}" * 300)
    made = dataset(rows, (0.0, 100.0), sizes=(n_users, n_items), titles=titles)
    assert len(json.dumps(profile_dataset(made))) < 60_000


def test_what_is_written_is_read_again_for_the_same_data_only(tmp_path: Path) -> None:
    made = dataset(drawn())
    path = tmp_path / "profile.json"
    assert read_profile(path, made.digest) is None
    write_profile(path, made)
    content = path.read_bytes()
    assert content.endswith(b"}\n") and read_profile(path, made.digest) == profile_dataset(made)
    write_profile(path, made)
    assert path.read_bytes() == content and [one.name for one in tmp_path.iterdir()] == [
        "profile.json"
    ]
    with pytest.raises(UsageError, match="expected digest abcabcabcabc, got"):
        read_profile(path, "abc" * 20)
    for damaged in (
        content[:99],
        b"\xff",
        b"[]",
        b"{}",
        content.replace(b'"schema": 1', b'"schema": 99'),
    ):
        path.write_bytes(damaged)
        with pytest.raises(
            UsageError, match=r"profile\.json.*Run `python -m benchmarks\.run` again"
        ):
            read_profile(path, made.digest)
    with pytest.raises(UsageError, match="cannot write"):
        write_profile(path / "below", made)
