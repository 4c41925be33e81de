"""Every refusal counts first, shows the first line, and what it says to type can be typed."""

import random
import re
from pathlib import Path

import pytest

from recbench import datasets
from recbench.datasets import UsageError
from tests.datasets.table.forms import NEW_FORMS, ROWS, lines_of, text_of, write_form
from tests.datasets.table.test_forms import ITEMS
from tests.datasets.table.test_plausibility import CODES, write_ratings
from tests.datasets.table.test_roles import IMPLICIT, matrix

SUGGESTION = re.compile(r"table:[^\[\]]+\[(?:[^\[\]]+)\]")


def with_ratings(ratings: list[str]) -> list[str]:
    """The table with these ratings, repeated."""
    lines = ["user;item;rating"]
    for place, (user, item, _, _) in enumerate(ROWS):
        lines.append(f"{user};{item};{ratings[place % len(ratings)]}")
    return lines


def with_times(times: list[str]) -> list[str]:
    """The table with these times, repeated."""
    lines = ["user;item;rating;time"]
    for place, (user, item, rating, _) in enumerate(ROWS):
        lines.append(f"{user};{item};{rating};{times[place % len(times)]}")
    return lines


REFUSED: dict[str, list[str]] = {
    "other names": lines_of(header=["a", "b", "c", "d"]),
    "no rating": lines_of(header=["user", "item", "x", "y"], width=2),
    "two ratings": ["user,item,rating,rating", *(f"{u},{i},{r},{6 - r}" for u, i, r, _ in ROWS)],
    "two items": ["user,movie,book,rating", *(f"{u},{i},{u},{r}" for u, i, r, _ in ROWS)],
    "letters": with_ratings(["A", "B", "C"]),
    "some empty": with_ratings(["1", "2", "", "4", "5"]),
    "some words": with_ratings(["1", "2", "n/a", "4", "5", "-"]),
    "ids": with_ratings([str(k * k + 3) for k in range(len(ROWS))]),
    "times as ratings": with_ratings(["1101731671", "1101735342", "1101735399"]),
    "some times empty": with_times(["1101731671", "", "1101735342"]),
    "times in words": with_times(["yesterday", "now"]),
    "years": with_times(["2004", "2005"]),
    "Excel's days": with_times(["38320", "38321"]),
    "either way": with_times(["05/06/2004", "06/05/2004"]),
    "empty ids": ["user,item,rating", *(f"{u},{i if i > 2 else ''},{r}" for u, i, r, _ in ROWS)],
    "ids beyond 64 bits": ["user,item,rating", *(f"{u}{10**22},{i},{r}" for u, i, r, _ in ROWS)],
    "matrix": matrix(",", "99", counts=True),
    "pivot": matrix(",", "", header="user"),
    **{f"implicit {case}": lines for case, (lines, _, _) in IMPLICIT.items()},
}


@pytest.mark.parametrize("case", [*REFUSED, *CODES])
@pytest.mark.slow
def test_every_suggestion_can_be_typed_and_goes_on(tmp_path: Path, case: str) -> None:
    """Each is read, or refused for another reason whose suggestions are then read."""
    if case in CODES:
        spec = write_ratings(tmp_path / "t.csv", CODES[case][1])
    else:
        spec = write_form(tmp_path, "t.tsv", text_of(REFUSED[case]))
    with pytest.raises(UsageError) as raised:
        datasets.load(spec)
    suggestions = SUGGESTION.findall(str(raised.value))
    assert suggestions, raised.value
    assert spec not in suggestions
    for suggestion in suggestions:
        try:
            datasets.load(suggestion)
        except UsageError as error:
            assert str(error) != str(raised.value)
            assert suggestion not in SUGGESTION.findall(str(error))
            further = SUGGESTION.findall(str(error))
            assert further, error
            assert any(is_read(spec) for spec in further), error
    assert any(is_read(suggestion) for suggestion in suggestions) or "LastFM" in case


def is_read(spec: str) -> bool:
    try:
        datasets.load(spec)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (with_ratings(["1", "x"]), "45 of 90 lines, first line 3: expected a number"),
        (with_ratings(["x"]), "all 90 lines, first line 2: expected a number"),
        (with_times(["1101731671"] * 89 + [""]), "1 of 90 lines, line 91: expected seconds"),
        ([*lines_of(), "1,2"], "1 of 91 lines, line 92: expected 4 fields"),
        ([*lines_of(), "1,2", "1,2,3,4,5", "9"], "3 of 93 lines, first line 92: expected 4"),
        ([*lines_of(), ",2,3,1"], "1 of 91 lines, line 92: expected a non-empty id"),
    ],
)
def test_messages_count_first_then_show_the_first(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        datasets.load(write_form(tmp_path, "t.csv", text_of(lines)))


@pytest.mark.parametrize("where", ["note!=", "note=x", "kind!=film", "kind=", "kind=book"])
def test_a_filter_that_keeps_nothing_does_not_propose_itself(tmp_path: Path, where: str) -> None:
    lines = ["user,item,rating,note,kind", *(f"{u},{i},{r},,film" for u, i, r, _ in ROWS)]
    spec = write_form(tmp_path, "t.csv", text_of(lines))
    with pytest.raises(UsageError, match="keeps none of 90 lines") as raised:
        datasets.load(f"{spec}[where={where}]")
    message = str(raised.value)
    assert f"[where={where}]" not in message
    assert message.endswith(f"Without the filter: {spec}")
    assert all(is_read(suggestion) for suggestion in SUGGESTION.findall(message))


def test_a_column_without_a_single_id_is_not_filtered_to_nothing(tmp_path: Path) -> None:
    lines = ["user,item,rating,film", *(f"{u},,{r},{i}" for u, i, r, _ in ROWS)]
    spec = write_form(tmp_path, "t.csv", text_of(lines))
    with pytest.raises(UsageError, match=r"all 90 lines.*Name another column: item=COLUMN"):
        datasets.load(f"{spec}[item=item]")
    assert is_read(f"{spec}[item=film]")


def test_a_table_with_one_rating_a_line_is_no_matrix(tmp_path: Path) -> None:
    for name, header in (("t.csv", ["user", "item", "rating", "time"]), ("headless.csv", None)):
        spec = write_form(tmp_path, name, text_of(lines_of(header=header)))
        with pytest.raises(UsageError, match="looks like one rating a line") as raised:
            datasets.load(f"{spec}[layout=wide]")
        assert str(raised.value).endswith(f": {spec}")
    spec = write_form(tmp_path, "wide.csv", text_of(matrix(",", "", header="user")))
    assert is_read(f"{spec}[layout=wide]")


def test_many_or_long_columns_do_not_fill_the_screen(tmp_path: Path) -> None:
    header = ",".join(f"{'long ' * 30}{k}" for k in range(300))
    spec = write_form(tmp_path, "t.csv", text_of([header, ",".join("x" * 300)]))
    with pytest.raises(UsageError, match=r"\(300 in all\)") as raised:
        datasets.load(spec)
    assert len(str(raised.value)) < 2500


def test_given_options_stay_in_what_is_proposed(tmp_path: Path) -> None:
    spec = write_form(tmp_path, "t.csv", text_of(lines_of("|", header=["who", "b", "c", "d"])))
    with pytest.raises(UsageError) as raised:
        datasets.load(f"{spec}[user=who,sep=pipe,ids=text]")
    suggestion = SUGGESTION.findall(str(raised.value))[0]
    for option in ("user=who", "sep=pipe", "ids=text", "item=b", "rating=c"):
        assert option in suggestion
    assert is_read(suggestion)


@pytest.mark.slow
def test_fuzzed_files_of_every_kind_are_read_or_refused(tmp_path: Path) -> None:
    """Whatever is cut out of a file or written into it: it is read or refused, no traceback."""
    rng = random.Random(7)
    spec = write_form(tmp_path, "ratings.csv", text_of(lines_of()))
    forms = [*NEW_FORMS.items(), *ITEMS.items()]
    for trial in range(2 * len(forms)):
        name, content = forms[trial % len(forms)]
        mutated = bytearray(content)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(mutated) + 1)
            length = rng.choice([0, 1, 1, 4, 40])
            piece = rng.choice([b"", b"\0", b'"', b"\n", b",", b"\xff", b"{", b"]", b"9" * 20])
            mutated[at : at + length] = piece
        path = tmp_path / f"{trial}-{name}"
        path.write_bytes(mutated)
        is_read(f"table:{path}" if name in NEW_FORMS else f"{spec}[items={path}]")
