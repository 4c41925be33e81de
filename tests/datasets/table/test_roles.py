"""Which column is what: found by what the columns hold and stated, or all missing ones are told."""

import re
from pathlib import Path

import polars as pl
import pytest

from recbench import datasets
from recbench.benchmarks.splits import resolve_n_folds
from recbench.datasets import Dataset, UsageError
from recbench.datasets.table import keep_frame
from tests.datasets.table.forms import FIRST_TIME, NAMES, ROWS, lines_of, text_of, write_form

DAY = 86_400


def first_of(data: Dataset) -> tuple[object, object, float]:
    """User, item and rating of the first row."""
    ratings = data.ratings
    user = data.user_ids[ratings.users[0]]
    item = data.item_ids[ratings.items[0]]
    return user, item, float(ratings.values[0])


USER, ITEM, RATING, _ = ROWS[0]
DATES = "2004-11-29"
HEADERLESS: dict[str, tuple[list[str], str]] = {
    "Amazon": (
        [f"A{u:013d},{i:010d},{r}.0,{t}" for u, i, r, t in ROWS],
        "column 1 is user, 2 item, 3 rating, 4 time",
    ),
    "Netflix, flat": ([f"{u},{i},{r},{DATES}" for u, i, r, _ in ROWS], "3 rating, 4 time"),
    "index first": (
        [f"{k},{u},{i},{r},{t}" for k, (u, i, r, t) in enumerate(ROWS, start=501)],
        "column 2 is user, 3 item, 4 rating, 5 time",
    ),
    "time before rating": ([f"{u},{i},{t},{r}" for u, i, r, t in ROWS], "3 time, 4 rating"),
    "rating last of texts": (
        [f"u{u};i{i};Album {i};{r}" for u, i, r, _ in ROWS],
        "column 1 is user, 2 item, 4 rating",
    ),
    "a constant beside": ([f"{u}|{i}|{r}|x|0" for u, i, r, _ in ROWS], "3 rating"),
    "three": ([f"{u} {i} {r}" for u, i, r, _ in ROWS], "column 1 is user, 2 item, 3 rating"),
    "half stars": ([f"{u},{i},{r - 0.5},{t}" for u, i, r, t in ROWS], "3 rating, 4 time"),
    "milliseconds": ([f"{u},{i},{r},{t}000" for u, i, r, t in ROWS], "3 rating, 4 time"),
    "dates with times": (
        [f"{u}\t{i}\t{r}\t2010-10-19T23:55:27Z" for u, i, r, _ in ROWS],
        "3 rating, 4 time",
    ),
}


@pytest.mark.parametrize("case", HEADERLESS)
def test_roles_without_a_header_are_found_and_stated(tmp_path: Path, case: str) -> None:
    lines, stated = HEADERLESS[case]
    data = datasets.load(write_form(tmp_path, "t.txt", text_of(lines)))
    assert len(data.ratings) == len(ROWS)
    remark = next(text for text in data.provenance.remarks if "No header line" in text)
    assert stated in remark
    assert "User before item is assumed" in remark
    user, item, rating = first_of(data)
    assert (str(user).lstrip("Au0"), str(item).lstrip("i0")) == (str(USER), str(ITEM))
    assert rating in (RATING, RATING - 0.5)


def test_every_position_can_be_named(tmp_path: Path) -> None:
    lines = [f"{k},{t},{r},{i},{u},7" for k, (u, i, r, t) in enumerate(ROWS)]
    spec = write_form(tmp_path, "t.csv", text_of(lines))
    data = datasets.load(f"{spec}[user=5,item=4,rating=3,time=2]")
    assert first_of(data) == (USER, ITEM, RATING)
    assert data.ratings.times is not None
    assert data.ratings.times[0] == FIRST_TIME
    swapped = datasets.load(f"{spec}[user=4,item=5,rating=3,time=none]")
    assert first_of(swapped) == (ITEM, USER, RATING)
    assert swapped.ratings.times is None
    named = write_form(tmp_path, "named.csv", text_of(lines_of(header=["a", "b", "c", "d"])))
    assert first_of(datasets.load(f"{named}[user=1,item=2,rating=3,time=4]"))[2] == RATING


def test_a_first_line_of_data_is_no_header_and_one_of_names_is(tmp_path: Path) -> None:
    headless = write_form(tmp_path, "a.csv", text_of([f"u{u},i{i},{r}" for u, i, r, _ in ROWS]))
    assert len(datasets.load(headless).ratings) == len(ROWS)
    words = write_form(
        tmp_path, "b.csv", text_of(["who,what,stars", *lines_of(header=None, width=3)])
    )
    assert len(datasets.load(f"{words}[user=who,item=what]").ratings) == len(ROWS)
    only_texts = [f"u{u},i{i},{'★' * r}" for u, i, r, _ in ROWS]
    texts = write_form(tmp_path, "c.csv", text_of(only_texts))
    assert len(datasets.load(f"{texts}[header=none,user=1,item=2,rating=3]").ratings) == len(ROWS)


def test_all_missing_roles_are_named_at_once_with_what_to_type(tmp_path: Path) -> None:
    header = ["brewery", "moment", "stars given", "who", "beer nr"]
    lines = [f"{i % 3},{t},{r},u{u},{i}" for u, i, r, t in ROWS]
    spec = write_form(tmp_path, "t.csv", text_of([",".join(header), *lines]))
    with pytest.raises(UsageError, match=r"a user column.*an item column.*a rating column"):
        datasets.load(spec)
    data = datasets.load(f"{spec}[user=who,item=beer nr,rating=stars given]")
    assert first_of(data) == (f"u{USER}", ITEM, RATING)
    remark = " ".join(data.provenance.remarks)
    assert "'moment' looks like them: time=moment" in remark
    with pytest.raises(UsageError, match=r"have no times; .*time=moment"):
        resolve_n_folds(data, "time", None)


@pytest.mark.parametrize(
    ("header", "item"),
    [
        ("user_id,recipe_id,rating,date", "recipe_id"),
        ("user_id,business_id,stars,date", "business_id"),
        ("userId,keywordID,rating,timestamp", "keywordID"),
        ("review_profilename,beer_beerid,review_overall,review_time", "beer_beerid"),
        ("User ID,ISBN,Book-Rating,ts", "ISBN"),
        ("reviewerID,asin,overall,unixReviewTime", "asin"),
        ("Nutzer,Film,Bewertung,Datum", "Film"),
        ("User,Game,Rating (1-5),Date", "Game"),
    ],
)
def test_usual_names_are_known(tmp_path: Path, header: str, item: str) -> None:
    lines = [header, *lines_of(header=None)]
    data = datasets.load(write_form(tmp_path, "t.csv", text_of(lines)))
    assert first_of(data) == (USER, ITEM, RATING)
    assert data.ratings.times is not None


def test_of_an_id_and_a_title_the_id_counts(tmp_path: Path) -> None:
    lines = ["user_id,movie,movie_id,rating"]
    lines += [f'{u},"Film, {i % 3}",{i},{r}' for u, i, r, _ in ROWS]
    data = datasets.load(write_form(tmp_path, "t.csv", text_of(lines)))
    assert first_of(data) == (USER, ITEM, RATING)
    assert "Column 'movie_id' is the item, not 'movie'" in " ".join(data.provenance.remarks)


def test_two_columns_of_one_name_are_named_by_position(tmp_path: Path) -> None:
    lines = ["user,item,rating,rating", *(f"{u},{i},{r},{6 - r}" for u, i, r, _ in ROWS)]
    spec = write_form(tmp_path, "t.csv", text_of(lines))
    with pytest.raises(UsageError, match=r"more than one fits.*rating=3\] or .*rating=4\]"):
        datasets.load(spec)
    assert first_of(datasets.load(f"{spec}[rating=4]"))[2] == 6 - RATING


IMPLICIT = {
    "pairs": ([f"{u},{i}" for u, i, _, _ in ROWS], "rating=none", None),
    "pairs and times": ([f"{u}\t{i}\t{t}" for u, i, _, t in ROWS], "rating=none", ROWS[0][3]),
    "Gowalla": (
        [
            f"{u}\t2010-10-19T23:55:27Z\t{30 + i / 7:.5f}\t{-97 - u / 9:.5f}\t{i}"
            for u, i, _, _ in ROWS
        ],
        "rating=none", 1_287_532_527,
    ),
    "RecBole": (
        ["user_id:token\titem_id:token\ttimestamp:float"]
        + [f"{u}\t{i}\t{t}" for u, i, _, t in ROWS],
        "rating=none", ROWS[0][3],
    ),
    "LastFM-360K": (
        [
            f"{u:040x}\t{'' if i == 4 else f'{i:08x}-m'}\tartist {i}\t{r * r * 37}"
            for u, i, r, _ in ROWS
        ],
        "count=4,rating=count", None,
    ),
    "hetrec": (
        ["userID\tartistID\tweight", *(f"{u}\t{i}\t{r * r * 337}" for u, i, r, _ in ROWS)],
        "count=weight,rating=count", None,
    ),
    "hours": (
        ["steamid,appid,playtime_forever", *(f"{u},{i},{r * r * 3}" for u, i, r, _ in ROWS)],
        "count=playtime_forever,rating=count", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPLICIT)
def test_implicit_data_are_proposed_as_such_at_once(tmp_path: Path, case: str) -> None:
    lines, proposal, time = IMPLICIT[case]
    spec = write_form(tmp_path, "t.tsv", text_of(lines))
    with pytest.raises(UsageError, match="No column looks like ratings") as raised:
        datasets.load(spec)
    assert f"{spec}[{proposal}]" in str(raised.value)
    data = datasets.load(f"{spec}[{proposal}]")
    assert (data.feedback, len(data.ratings)) == ("implicit", len(ROWS))
    assert data.ratings.scale == (0, 1)
    assert data.ratings.values.min() >= 0.75, "every line is relevant"
    assert (None if data.ratings.times is None else int(data.ratings.times[0])) == time


def test_lines_of_a_pair_are_counted_where_nothing_else_is(tmp_path: Path) -> None:
    lines = ["user,item", "1,7", "1,7", "1,7", "1,8", "2,7"]
    spec = write_form(tmp_path, "t.csv", text_of(lines))
    counted = datasets.load(f"{spec}[rating=count]").ratings
    assert counted.values.tolist() == [1, 0.75, 0.75]
    assert datasets.load(f"{spec}[rating=none]").ratings.values.tolist() == [1, 1, 1]


def test_counts_of_nothing_are_left_out_and_negative_ones_refused(tmp_path: Path) -> None:
    spec = write_form(tmp_path, "t.csv", text_of(["user,item,plays", "1,7,3", "1,8,0", "2,7,9"]))
    data = datasets.load(f"{spec}[rating=count]")
    assert len(data.ratings) == 2
    assert "a count above 0" in data.provenance.steps[0].rule
    spec = write_form(tmp_path, "t.csv", text_of(["user,item,plays", "1,7,3", "1,8,-1"]))
    with pytest.raises(UsageError, match="line 3: expected a count, 0 or more"):
        datasets.load(f"{spec}[rating=count]")


def matrix(separator: str, gap: str, *, counts: bool = False, header: str = "") -> list[str]:
    """The ratings as a matrix of users by items."""
    by_pair = {(user, item): rating for user, item, rating, _ in ROWS}
    lines = []
    for user in range(1, 13):
        cells = [str(by_pair.get((user, item), gap)) for item in range(1, 16)]
        n_rated = sum(pair[0] == user for pair in by_pair)
        lines.append(separator.join([str(n_rated) if counts else f"u{user}", *cells]))
    names = separator.join([header, *(f"film {item}" for item in range(1, 16))])
    return lines if counts else [names, *lines]


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (matrix(",", "99", counts=True), "layout=wide,missing=99"),
        (matrix(";", "99", counts=True), "layout=wide,missing=99"),
        (matrix(",", "", header="user"), "layout=wide"),
        (matrix("\t", "", header="reader"), "layout=wide"),
        (matrix(",", ""), "layout=wide"),
    ],
)
def test_matrices_are_recognised_and_read(tmp_path: Path, lines: list[str], options: str) -> None:
    spec = write_form(tmp_path, "wide.csv", text_of(lines))
    with pytest.raises(UsageError, match="looks like a matrix") as raised:
        datasets.load(spec)
    assert f"[{options}]" in str(raised.value)
    data = datasets.load(f"{spec}[{options}]")
    assert (len(data.ratings), data.ratings.n_users, data.ratings.n_items) == (90, 12, 15)
    assert data.ratings.values.sum() == sum(rating for _, _, rating, _ in ROWS)
    assert data.ratings.scale == (1, 5)


def test_a_cell_of_a_matrix_is_named_by_line_and_column(tmp_path: Path) -> None:
    lines = matrix(",", "", header="user")
    lines[3] = re.sub(r",\d", ",good", lines[3], count=1)
    spec = write_form(tmp_path, "wide.csv", text_of(lines))
    with pytest.raises(UsageError, match=r"line 4, column film \d+: expected a number.*got 'good'"):
        datasets.load(f"{spec}[layout=wide]")


def test_a_matrix_of_typed_columns_is_one_too(tmp_path: Path) -> None:

    lines = [line.split(",") for line in matrix(",", "", header="user")]
    frame = pl.DataFrame(lines[1:], schema=lines[0], orient="row")
    numbers = pl.all().exclude("user").replace("", None).cast(pl.Float64)
    frame.with_columns(numbers).write_parquet(tmp_path / "wide.parquet")
    data = datasets.load(f"table:{tmp_path}/wide.parquet[layout=wide]")
    assert len(data.ratings) == 90
    assert NAMES[0] not in data.item_ids.tolist()


def test_frames_without_ratings_are_kept_with_what_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path))
    frame = pl.DataFrame(
        {"user": [1, 1, 2], "item": [3, 4, 3], "plays": [3, 9, 0], "kind": ["a", "a", "b"]}
    )
    counted = datasets.load(keep_frame(frame, "plays", {"rating": "count"}))
    assert counted.ratings.values.tolist() == [0.75, 1]
    named = datasets.load(keep_frame(frame, "plays", {"count": "plays"}))
    assert named.ratings.values.tolist() == [0.75, 1]
    positives = datasets.load(keep_frame(frame, "all", {"rating": "none", "where": "kind=a"}))
    assert positives.ratings.values.tolist() == [1, 1]
    with pytest.raises(UsageError, match="there is no column count='hours'"):
        keep_frame(frame, "x", {"count": "hours"})


def test_times_may_come_first_and_names_are_proposed_by_what_they_contain(tmp_path: Path) -> None:
    first = write_form(tmp_path, "a.csv", text_of([f"{t},{u},{i},{r}" for u, i, r, t in ROWS]))
    data = datasets.load(first)
    assert first_of(data) == (USER, ITEM, RATING)
    assert "column 1 is time, 2 user, 3 item, 4 rating" in " ".join(data.provenance.remarks)

    lines = ["username,anime_id,watched,her_score"]
    lines += [f"u{u},{i},{r},{2 * r}" for u, i, r, _ in ROWS]
    spec = write_form(tmp_path, "b.csv", text_of(lines))
    with pytest.raises(UsageError, match=r"\[rating=her_score\]"):
        datasets.load(spec)
    assert datasets.load(f"{spec}[rating=her_score]").ratings.scale == (1, 10)


def test_numbers_cut_at_their_decimal_comma_are_no_names_of_rows(tmp_path: Path) -> None:
    lines = ["user,item,rating", *(f"{u},{i},{r - 1},5" for u, i, r, _ in ROWS)]
    with pytest.raises(UsageError, match="line 1 has 3 names, and all lines below it 4 fields"):
        datasets.load(write_form(tmp_path, "t.csv", text_of(lines)))


@pytest.mark.parametrize(("column", "bad"), [("1", f"{USER}"), ("2", f"{ITEM}")])
def test_a_filter_of_rows_leaves_the_roles_of_columns_as_they_were(
    tmp_path: Path, column: str, bad: str
) -> None:
    lines = [f"{u},{i},{r},{t}" for u, i, r, t in ROWS]
    path = write_form(tmp_path, "t.csv", text_of(lines))
    remarks = datasets.load(f"{path}[where={column}!={bad}]").provenance.remarks
    stated = "column 1 is user, 2 item, 3 rating, 4 time"
    assert any(stated in remark for remark in remarks), remarks


@pytest.mark.parametrize("sep", [",", "\t", " "])
def test_a_last_line_of_comment_may_have_the_names(tmp_path: Path, sep: str) -> None:
    names = sep.join(["item_id", "user_id", "rating"])
    lines = [
        "# made by the shop",
        f"# {names}",
        *(sep.join(map(str, row[1::-1] + row[2:3])) for row in ROWS),
    ]
    data = datasets.load(write_form(tmp_path, "t.txt", text_of(lines)))
    assert first_of(data) == (USER, ITEM, RATING)
    assert any("The last of them has the names" in remark for remark in data.provenance.remarks)


@pytest.mark.parametrize("gap", ["NaN", "?", ""])
def test_a_matrix_is_one_whatever_stands_where_nothing_is_rated(tmp_path: Path, gap: str) -> None:
    lines = ["user,a,b,c,d", *(f"u{k},{gap},4,{gap},{1 + k % 5}" for k in range(9))]
    spec = write_form(tmp_path, "t.csv", text_of(lines))
    with pytest.raises(UsageError, match="looks like a matrix") as raised:
        datasets.load(spec)
    assert f"{spec}[layout=wide]" in str(raised.value)
    assert len(datasets.load(f"{spec}[layout=wide]").ratings) == 18


def test_a_matrix_with_items_in_its_lines_is_not_taken_for_users(tmp_path: Path) -> None:
    lines = ["movie_id,u1,u2,u3,u4", *(f"{k},,4,5,{1 + k % 5}" for k in range(9))]
    data = datasets.load(f"{write_form(tmp_path, 't.csv', text_of(lines))}[layout=wide]")
    assert (data.ratings.n_users, data.ratings.n_items) == (3, 9)
    assert any("A matrix of items by 4 users" in remark for remark in data.provenance.remarks)


@pytest.mark.parametrize("top", ["# made\n\n", "\n# made\n", "\ufeff# made\n \n% twice\n"])
def test_blank_lines_may_stand_about_comments(tmp_path: Path, top: str) -> None:
    text = text_of(["user,item,rating", *(f"{u},{i},{r}" for u, i, r, _ in ROWS)])
    data = datasets.load(write_form(tmp_path, "t.csv", top.encode() + text))
    assert first_of(data) == (USER, ITEM, RATING)


@pytest.mark.parametrize(
    ("top", "sep", "told"),
    [
        ("Ratings of 2024\n\n", ",", "delete what stands above, or begin those lines with #"),
        ("", "^", r"If '\^' separates them, write tabs"),
        ("", "\x01", r"If '\\x01' separates them, write tabs"),
    ],
)
def test_a_line_that_nothing_separates_is_told_so(
    tmp_path: Path, top: str, sep: str, told: str
) -> None:
    lines = ["user,item,rating", *(f"{u},{i},{r}" for u, i, r, _ in ROWS)]
    text = top.encode() + text_of(lines).replace(b",", sep.encode())
    with pytest.raises(UsageError, match=told) as raised:
        datasets.load(write_form(tmp_path, "t.csv", text))
    assert "nothing separates them" in str(raised.value)

    told_apart = b"#" + text if top else text.replace(sep.encode(), b"\t")
    data = datasets.load(write_form(tmp_path, "t2.csv", told_apart))
    assert first_of(data) == (USER, ITEM, RATING)
