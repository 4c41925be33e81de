"""What was meant is computed, or asked for: codes, scales, typing errors, counts, damaged ids."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from recbench import datasets
from recbench.datasets import Dataset, UsageError
from recbench.datasets.table.plausibility import Levels, find_codes
from tests.datasets.table.forms import ROWS


def write_ratings(path: Path, ratings: list[object], header: str = "user,item,rating") -> str:
    """A table with these ratings, in the order of the pairs of `ROWS`, repeated if need be."""
    pairs = [(user, item) for user in range(1, 31) for item in range(1, 21)]
    random.Random(1).shuffle(pairs)
    lines = [f'{u},{i},"{r}"\n' for (u, i), r in zip(pairs, ratings, strict=False)]
    path.write_text(f"{header}\n{''.join(lines)}")
    return f"table:{path}"


def draw(
    values: Sequence[float], weights: Sequence[float], n: int = 400, seed: int = 0
) -> list[object]:
    """Ratings drawn from `values`, written as short as can be."""
    drawn = random.Random(seed).choices(values, weights, k=n)
    return [f"{value:g}" for value in drawn]


def remarks_of(data: Dataset) -> str:
    return " ".join(data.provenance.remarks)


CODES: dict[str, tuple[str, list[object], tuple[float, float]]] = {
    "zeros of Book-Crossing": (
        "0", draw([0, 3, 5, 6, 7, 8, 9, 10], [62, 1, 5, 4, 7, 9, 6, 6]), (1, 10),
    ),
    "zeros of Food.com": (
        "0", draw([0, 1, 2, 3, 4, 5], [5.4, 1.1, 1.2, 3.6, 16.5, 72], 590), (1, 5),
    ),
    "-1 of Anime": (
        "-1", draw([-1, *range(1, 11)], [19, 0.2, 0.3, 0.6, 1, 4, 8, 18, 21, 16, 12]), (1, 10),
    ),
    "-1 beside 0 to 5": ("-1", draw([-1, 0, 1, 2, 3, 4, 5], [9, 1, 2, 3, 5, 4, 3]), (0, 5)),
    "99 of Jester": (
        "99", draw([99, -9.95, -5.13, 0.05, 3.2, 9.85], [40, 9, 9, 9, 9, 9]), (-10, 10),
    ),
    "99 and 98": ("99|98", draw([98, 99, 1, 2, 3, 4, 5], [5, 5, 9, 9, 9, 9, 9]), (1, 5)),
    "999 beside 1 to 7": ("999", draw([999, *range(1, 8)], [9] * 8), (1, 7)),
    "-99": ("-99", draw([-99, 1, 2, 3, 4, 5], [9] * 6), (1, 5)),
    "half stars with zeros": (
        "0", draw([0, *np.arange(1, 11) / 2], [30, 1, 2, 2, 3, 4, 7, 9, 9, 8, 5]), (0.5, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CODES)
def test_codes_for_not_rated_are_asked_for_and_left_out_as_a_step(
    tmp_path: Path, case: str
) -> None:
    code, ratings, scale = CODES[case]
    spec = write_ratings(tmp_path / "t.csv", ratings)
    codes = [float(text) for text in code.split("|")]
    n_coded = sum(float(str(rating)) in codes for rating in ratings)
    with pytest.raises(UsageError, match="looks like a code for not rated") as raised:
        datasets.load(spec)
    message = str(raised.value)
    assert f"{n_coded} of {len(ratings)} lines" in message
    assert f"[missing={code}]" in message
    assert "[missing=none]" in message

    data = datasets.load(f"{spec}[missing={code}]")
    assert data.ratings.scale == scale
    (step,) = data.provenance.steps
    assert step.before["ratings"] - step.after["ratings"] == n_coded
    if "99" not in code:
        assert len(datasets.load(f"{spec}[missing=none]").ratings) == len(ratings)


HONEST: dict[str, tuple[list[object], tuple[float, float]]] = {
    "0 to 5": (draw([0, 1, 2, 3, 4, 5], [3, 2, 4, 8, 9, 6]), (0, 5)),
    "0 to 5, evenly": (draw([0, 1, 2, 3, 4, 5], [1] * 6), (0, 5)),
    "0 to 10": (draw(list(range(11)), [2, 1, 1, 2, 3, 5, 8, 12, 14, 8, 5]), (0, 10)),
    "0 to 10, evenly": (draw(list(range(11)), [1] * 11), (0, 10)),
    "0 and 1": (draw([0, 1], [7, 3]), (0, 1)),
    "mostly 0": (draw([0, 1], [95, 5]), (0, 1)),
    "-1 and 1": (draw([-1, 1], [6, 4]), (-1, 1)),
    "-1, 0 and 1": (draw([-1, 0, 1], [6, 4, 5]), (-1, 1)),
    "-1 to 1 in quarters": (draw(list(np.arange(-4, 5) / 4), [1] * 9), (-1, 1)),
    "-2 to 2": (draw([-2, -1, 0, 1, 2], [1, 2, 3, 2, 1]), (-2, 2)),
    "half stars": (draw(list(np.arange(1, 11) / 2), [1, 2, 1, 4, 3, 9, 6, 12, 5, 6]), (0.5, 5)),
    "1 to 5": (draw([1, 2, 3, 4, 5], [1, 2, 5, 6, 3]), (1, 5)),
    "1 to 4 of 5": (draw([1, 2, 3, 4], [1, 2, 5, 6]), (1, 5)),
    "1 to 6": (draw([1, 2, 3, 4, 5, 6], [1, 2, 5, 6, 3, 2]), (1, 6)),
    "1 to 7": (draw(list(range(1, 8)), [1, 2, 5, 9, 6, 3, 2]), (1, 7)),
    "1 to 10": (draw(list(range(1, 11)), [1, 1, 2, 3, 5, 8, 9, 9, 5, 3]), (1, 10)),
    "0 to 20": (
        draw(list(range(21)), [1, 1, 1, 2, 3, 4, 5, 6, 8, 9, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1]),
        (0, 20),
    ),
    "0 to 100": (draw(list(range(0, 101, 5)), [2] * 21), (0, 100)),
    "0 to 100, all": ([str(k % 101) for k in range(400)], (0, 100)),
    "-10 to 10, any": ([f"{k / 20 - 9.9:.2f}" for k in range(395)], (-10, 10)),
    "0 to 1, any": ([f"{k / 400:.3f}" for k in range(401)], (0, 1)),
    "1 to 15": (draw(list(range(1, 16)), [1] * 15), (1, 15)),
    "0 to 30 by 5": (draw(list(range(0, 31, 5)), [1] * 7), (0, 30)),
}  # fmt: skip


@pytest.mark.parametrize("case", HONEST)
def test_honest_scales_are_found_without_a_question(tmp_path: Path, case: str) -> None:
    ratings, scale = HONEST[case]
    data = datasets.load(write_ratings(tmp_path / "t.csv", ratings))
    assert data.ratings.scale == scale
    assert len(data.ratings) == len(ratings)
    assert not data.provenance.steps
    (remark,) = data.provenance.remarks
    assert remark.startswith(f"The scale {scale[0]:g} to {scale[1]:g} is inferred")


@pytest.mark.parametrize(
    "ratings",
    [
        draw([51, 153, 459, 1377, 4131], [1, 9, 40, 30, 4]),
        [f"{1 + k % 37}" for k in range(400)],
    ],
)
def test_a_scale_is_asked_for_where_no_usual_one_is_narrow(
    tmp_path: Path, ratings: list[object]
) -> None:
    spec = write_ratings(tmp_path / "t.csv", ratings)
    data = datasets.load(spec)
    assert data.ratings.scale == (data.ratings.values.min(), data.ratings.values.max())
    remark = data.provenance.remarks[0]
    assert re.search(r"look like counts.*count=rating,rating=count.*scale=", remark)
    counted = datasets.load(f"{spec}[rating=count]")
    assert counted.feedback == "implicit"
    assert counted.ratings.values.min() >= 0.75


def test_ratings_that_look_like_ids_are_refused(tmp_path: Path) -> None:
    spec = write_ratings(tmp_path / "t.csv", [str(k * k + 3) for k in range(300)])
    with pytest.raises(UsageError, match=r"look like ids.*count=rating,rating=count.*scale="):
        datasets.load(spec)


def test_a_slider_that_many_leave_at_its_ends_has_no_code(tmp_path: Path) -> None:
    rng = random.Random(0)
    ratings: list[object] = [min(max(round(rng.gauss(55, 35)), 0), 100) for _ in range(600)]
    data = datasets.load(write_ratings(tmp_path / "t.csv", ratings))
    assert data.ratings.scale == (0, 100)


def test_users_who_dislike_everything_make_zeros_no_code(tmp_path: Path) -> None:
    rng = random.Random(0)
    lines = ["user,item,rating"]
    for user in range(60):
        for item in rng.sample(range(40), 8):
            rating = 0 if user < 12 else rng.choice([0, 1, 2, 3, 3, 4, 4, 5])
            lines.append(f"u{user},i{item},{rating}")
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    assert datasets.load(f"table:{path}").ratings.scale == (0, 5)


@pytest.mark.parametrize(
    ("ratings", "remark", "scale", "first"),
    [
        (["80%", "60", "45 %", "100"], "all are taken for percents", (0, 100), [80, 60, 45, 100]),
        (["3,5", "4.5", "4", "2,0"], "a decimal comma on some lines", (0.5, 5), [3.5, 4.5, 4, 2]),
    ],
)
def test_ratings_in_two_forms_are_read_where_they_can_mean_one_thing(
    tmp_path: Path,
    ratings: list[object],
    remark: str,
    scale: tuple[float, float],
    first: list[float],
) -> None:
    data = datasets.load(write_ratings(tmp_path / "t.csv", ratings * 25))
    assert data.ratings.values[:4].tolist() == first
    assert data.ratings.scale == scale
    assert any(remark in text for text in data.provenance.remarks)


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        (["80%", "60%", "4", "5"], "Some ratings are percents, as 80%, and some are not, as 4"),
        (["80%", ".5", ".4", "40"], "Some ratings are percents, as 80%, and some are not, as .5"),
        (["3,5", "4.5", "1,234"], "Some ratings have commas, as 3,5, and some points, as 4.5"),
    ],
)
def test_ratings_in_two_forms_that_are_not_clear_are_refused_for_all_lines(
    tmp_path: Path, ratings: list[object], message: str
) -> None:
    with pytest.raises(UsageError, match=rf"of \d+ lines.*{re.escape(message)}"):
        datasets.load(write_ratings(tmp_path / "t.csv", ratings * 25))


@pytest.mark.parametrize(("scale", "above"), [((1, 10), [11]), ((1, 5), [6, 7])])
def test_a_few_ratings_above_a_scale_that_is_full_are_counted(
    tmp_path: Path, scale: tuple[int, int], above: list[int]
) -> None:
    whole = list(range(scale[0], scale[1] + 1))
    ratings = [*draw(whole, [1] * len(whole), 592), *above, *above, *above, *above]
    data = datasets.load(write_ratings(tmp_path / "t.csv", ratings))
    n_above = 4 * len(above)
    told = f"{n_above} of {592 + n_above} ratings are {' or '.join(map(str, above))}, all others"
    assert told in remarks_of(data)


def test_a_wider_scale_whose_highest_is_given_by_many_is_not_remarked(tmp_path: Path) -> None:
    data = datasets.load(
        write_ratings(tmp_path / "t.csv", draw([*range(1, 7)], [5, 5, 9, 9, 9, 2]))
    )
    assert data.ratings.scale == (1, 6)
    assert "typing" not in remarks_of(data)


def test_a_typing_error_is_shown_with_its_line(tmp_path: Path) -> None:
    ratings = draw([1, 2, 3, 4, 5], [1, 2, 5, 6, 3], 170)
    ratings[40] = "50"
    spec = write_ratings(tmp_path / "t.csv", ratings)
    with pytest.raises(UsageError, match=r"1 of 170 lines, line 42: 50 in .*from 1 to 5") as raised:
        datasets.load(spec)
    assert "[missing=50]" in str(raised.value)
    assert len(datasets.load(f"{spec}[missing=50]").ratings) == 169
    assert datasets.load(f"{spec}[scale=1:50]").ratings.scale == (1, 50)


def test_ratings_that_are_times_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user,item,rating\n" + "".join(f"{u},{i},{t}\n" for u, i, _, t in ROWS))
    with pytest.raises(UsageError, match=r"all 90 ratings in column 'rating' look like times"):
        datasets.load(f"table:{path}")
    data = datasets.load(f"table:{path}[rating=none,time=rating]")
    assert data.feedback == "implicit"
    assert data.ratings.times is not None


def test_equal_ratings_and_a_threshold_that_nobody_reaches_are_stated(tmp_path: Path) -> None:
    equal = datasets.load(write_ratings(tmp_path / "equal.csv", ["1"] * 50))
    assert "All 50 ratings are 1" in remarks_of(equal)
    assert "[rating=none]" in remarks_of(equal)
    low = datasets.load(write_ratings(tmp_path / "low.csv", draw([1, 2, 3], [1, 2, 1])))
    assert "No rating is relevant, as none is at least 4" in remarks_of(low)
    high = datasets.load(write_ratings(tmp_path / "high.csv", draw([4, 5], [1, 2])))
    assert "All 400 ratings are relevant" in remarks_of(high)


@pytest.mark.parametrize(
    ("bad", "remark"),
    [
        ("9.78E+12", "like 9.78E+12, damaged by a spreadsheet"),
        ("9,78E+12", "damaged by a spreadsheet"),
        ("#NAME?", "'#NAME?' as id of the item: an error of a spreadsheet"),
        ("#N/A", "an error of a spreadsheet"),
        ("nan", "'nan' as id of the item: no id but a missing one"),
        ("None", "a missing one"),
    ],
)
def test_damaged_ids_are_counted_and_can_be_left_out(tmp_path: Path, bad: str, remark: str) -> None:
    path = tmp_path / "t.csv"
    lines = [f'{u},"{bad if i == 3 else f"b{i}"}",{r}\n' for u, i, r, _ in ROWS]
    path.write_text(f"user,isbn,rating\n{''.join(lines)}")
    n_bad = sum(item == 3 for _, item, _, _ in ROWS)
    data = datasets.load(f"table:{path}")
    assert f"{n_bad} of 90 lines have" in remarks_of(data)
    assert remark in remarks_of(data)
    kept = datasets.load(f"table:{path}[where=isbn!={bad}]")
    assert len(kept.ratings) == 90 - n_bad
    assert bad not in kept.item_ids


def test_isbns_without_their_zeros_are_remarked(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    isbns = [
        f"{k:010d}"[:9] + ("X" if k % 7 == 0 else "5")
        for k in range(13_000_000, 990_000_000, 11_000_000)
    ]
    lost = [isbn.lstrip("0") for isbn in isbns]
    for ids, is_told in ((isbns, False), (lost, True)):
        lines = [f"{u},{ids[(u * 7 + i) % len(ids)]},{r}\n" for u, i, r, _ in ROWS]
        path.write_text(f"user,isbn,rating\n{''.join(lines)}")
        data = datasets.load(f"table:{path}")
        assert ("leading zeros" in remarks_of(data)) == is_told


def test_of_several_ratings_the_latest_counts_else_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "user,item,rating,time\n1,1,5,1200000300\n1,1,3,1200000100\n1,2,4,1200000200\n2,1,1,1200000000\n"
    )
    timed = datasets.load(f"table:{path}")
    assert timed.ratings.values.tolist() == [5, 4, 1]
    assert "the latest of several, by their times" in timed.provenance.steps[0].rule
    untimed = datasets.load(f"table:{path}[time=none]")
    assert untimed.ratings.values.tolist() == [3, 4, 1]
    assert "the last line of several" in untimed.provenance.steps[0].rule


def test_where_keeps_some_lines_and_counts_the_others(tmp_path: Path) -> None:
    path = tmp_path / "steam.csv"
    path.write_text(
        "".join(
            f'{u + 151_603_712},"Game {i}",{kind},{hours},0\n'
            for u, i, r, _ in ROWS
            for kind, hours in (("purchase", "1.0"), ("play", f"{r * 17.5}"))
            if kind == "purchase" or r > 2
        )
    )
    spec = f"table:{path}"
    with pytest.raises(UsageError, match=r"count=4,rating=count,where=3=play"):
        datasets.load(spec)
    data = datasets.load(f"{spec}[count=4,rating=count,where=3=play]")
    n_played = sum(rating > 2 for _, _, rating, _ in ROWS)
    assert (data.feedback, len(data.ratings)) == ("implicit", n_played)
    (step,) = data.provenance.steps
    assert (step.before["ratings"], step.after["ratings"]) == (90 + n_played, n_played)
    with pytest.raises(UsageError, match=r"keeps none of .* lines; the column has 'purchase'"):
        datasets.load(f"{spec}[rating=none,where=3=gift]")
    with pytest.raises(UsageError, match="expected COLUMN=VALUE"):
        datasets.load(f"{spec}[rating=none,where=9=play]")


def test_lines_without_a_rating_are_counted_and_can_be_left_out(tmp_path: Path) -> None:
    ratings = [
        rating if place % 9 else "" for place, rating in enumerate(draw([1, 3, 5], [1, 1, 1], 90))
    ]
    spec = write_ratings(tmp_path / "t.csv", ratings)
    with pytest.raises(UsageError, match=r"10 of 90 lines, first line 2: .*missing=blank"):
        datasets.load(spec)
    assert len(datasets.load(f"{spec}[missing=blank]").ratings) == 80
    spec = write_ratings(tmp_path / "words.csv", [rating or "not rated" for rating in ratings])
    with pytest.raises(UsageError, match=r"10 of 90 lines.*missing=not rated"):
        datasets.load(spec)
    assert len(datasets.load(f"{spec}[missing=not rated]").ratings) == 80


def test_a_given_scale_says_what_lies_outside_and_how_to_leave_it_out(tmp_path: Path) -> None:
    spec = write_ratings(tmp_path / "t.csv", draw([0, 5, 6, 7, 8], [6, 1, 1, 1, 1]))
    with pytest.raises(UsageError, match=r"of 400 lines.*the scale given,.*missing=0,scale=1:10"):
        datasets.load(f"{spec}[scale=1:10]")
    assert datasets.load(f"{spec}[scale=0:10]").ratings.scale == (0, 10)
    assert datasets.load(f"{spec}[missing=0,scale=1:10]").ratings.scale == (1, 10)


def test_two_ends_of_a_scale_are_no_codes() -> None:
    def levels(*values: float) -> Levels:
        return Levels(np.array(values, np.float32), np.full(len(values), 30))

    for honest in (
        (0, 1),
        (-1, 1),
        (-1, 0, 1),
        (1, 99),
        (0, 50, 99),
        (-9, -5, 0, 5, 9),
        (0, 5, 10),
    ):
        assert find_codes(levels(*honest)) == []


@pytest.mark.parametrize(
    ("texts", "values", "remark"),
    [
        (["1,5", "2,0", "4,5", "3"], [1.5, 2, 4.5, 3], "decimal comma"),
        (["1/5", "4/5", "3.5/5"], [1, 4, 3.5], "parts of 5"),
        (["80 %", "55%", "100 %"], [80, 55, 100], "percents"),
        (["★", "★★★☆☆", "★★★★★"], [1, 3, 5], "counts of stars"),
        (["4 stars", "1 star", "3.5 stars"], [4, 1, 3.5], "in words"),
        (["8 out of 10", "9 out of 10"], [8, 9], "parts of 10"),
    ],
)
def test_ratings_in_other_forms_are_read(
    tmp_path: Path, texts: list[object], values: list[float], remark: str
) -> None:
    data = datasets.load(write_ratings(tmp_path / "t.csv", texts))
    assert data.ratings.values.tolist() == values
    assert remark in remarks_of(data)


def test_commas_between_thousands_are_no_decimal_commas(tmp_path: Path) -> None:
    spec = write_ratings(tmp_path / "t.csv", ["1,234", "12,345", "2,468"])
    counted = datasets.load(f"{spec}[rating=count]")
    assert "from 1234 to 12345" in remarks_of(counted)
    decimal = datasets.load(f"{spec}[decimal=,,scale=0:20]")
    assert decimal.ratings.values.tolist() == pytest.approx([1.234, 12.345, 2.468])


def test_letters_are_all_refused_at_once(tmp_path: Path) -> None:
    spec = write_ratings(tmp_path / "t.csv", ["A", "B", "C", "A"])
    with pytest.raises(UsageError, match=r"all 4 lines, first line 2: .*got 'A'.*\[rating=none\]"):
        datasets.load(spec)


def test_an_answer_far_above_the_others_is_a_code_of_surveys(tmp_path: Path) -> None:
    spec = write_ratings(tmp_path / "t.csv", draw([1, 2, 3, 4, 5, 9], [1, 2, 5, 6, 3, 1]))
    with pytest.raises(UsageError, match="9 in column 'rating' looks like a code") as raised:
        datasets.load(spec)
    assert f"{spec}[missing=9]" in str(raised.value)
    assert datasets.load(f"{spec}[missing=9]").ratings.scale == (1, 5)


@pytest.mark.parametrize("lone", [0, 6])
def test_a_single_rating_beyond_the_scale_of_all_others_is_remarked(
    tmp_path: Path, lone: int
) -> None:
    ratings = [*draw([1, 2, 3, 4, 5], [1, 2, 5, 6, 3]), lone]
    spec = write_ratings(tmp_path / "t.csv", ratings)
    remarks = remarks_of(datasets.load(spec))
    assert f"1 of 401 ratings is {lone}, all others are from 1 to 5" in remarks
    assert f"{spec}[missing={lone}]" in remarks


def test_halves_between_0_and_1_are_not_below_0(tmp_path: Path) -> None:
    spec = write_ratings(tmp_path / "t.csv", draw([0, 0.5, 1], [1, 2, 1]))
    assert datasets.load(spec).ratings.scale == (0, 1)


def test_what_commas_were_taken_for_is_said_where_ratings_look_like_ids(tmp_path: Path) -> None:
    spec = write_ratings(tmp_path / "t.csv", [f"{1 + k % 4},{k:03d}" for k in range(100, 500)])
    with pytest.raises(UsageError, match="separate thousands; decimal=, makes them decimal"):
        datasets.load(spec)
    assert datasets.load(f"{spec}[decimal=,]").ratings.scale == (1, 5)
