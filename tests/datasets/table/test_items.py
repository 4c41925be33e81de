"""Files about items: separators and quotes astray in titles, and which column has the ids."""

import re
from pathlib import Path

import pytest

from recbench import datasets
from recbench.datasets import Dataset, UsageError
from tests.datasets.table.forms import PLAIN, write_form

SUGGESTION = re.compile(r"table:[^\[\]\s]+(?:\[[^\[\]]+\])?")
FILMS = [
    ("Toy Story", "Animation|Children's"),
    ("Heat", "Crime"),
    ("Matrix, The", "Action|Sci-Fi"),
    ("Good, the Bad, and the Ugly, The", "Western"),
    ('"Weird Al" Yankovic Story, The', "Comedy"),
    ("10,000 BC", "Action"),
    ("Big", "Comedy"),
    ('Say "Cheese"', "Comedy"),
    ("Se7en", "Crime|Film Noir"),
    ('Live at 12"', ""),
    ("Up, Again", ""),
    ("Crash", "Crime"),
]
TITLES = tuple(title for title, _ in FILMS)
GENRES = tuple(tuple(genres.split("|")) if genres else () for _, genres in FILMS)


def load_with(directory: Path, name: str, text: str, options: str = "") -> Dataset:
    """The plain ratings with what `text` says about the first 12 of their items."""
    spec = write_form(directory, "ratings.csv", PLAIN)
    (directory / name).write_text(text, encoding="utf-8")
    return datasets.load(f"{spec}[items={directory / name}{options}]")


def titles_of(data: Dataset) -> tuple[str, ...]:
    """The titles of items 1 to 12 in their order."""
    titles = dict(zip(data.item_ids.tolist(), data.catalogue.titles, strict=True))
    return tuple(titles[number] for number in range(1, 13))


def lines_with(form: str, header: str = "", separator: str = ",") -> str:
    """A line for each film: `form` with its number, title and genres."""
    lines = [header] if header else []
    for number, (title, genres) in enumerate(FILMS, start=1):
        title_there = title.replace(", ", f"{separator} ").replace("0,0", f"0{separator}0")
        lines.append(form.format(number=number, title=title_there, genres=genres))
    return "\n".join(lines) + "\n"


UNQUOTED = {
    "movies.csv": lines_with("{number},{title} (1995),{genres}", "movieId,title,genres"),
    "no_years.csv": lines_with("{number},{title},{genres}", "item_id,title,genres"),
    "year.csv": lines_with("{number},{title},1995,{genres}", "item_id,title,year,genres"),
    "title_last.csv": lines_with("{number},1995,{title}", "item_id,year,title"),
    "only.csv": lines_with("{number},{title}", "item_id,title"),
    "headless.csv": lines_with("{number},{title} (1995),{genres}"),
    "padded.csv": lines_with("{number},{title},{genres},", "item_id,title,genres"),
    "semicolons.csv": lines_with("{number};{title};{genres}", "item_id;title;genres", ";"),
    "pipes.txt": lines_with("{number}|{title}|1995", "item_id|title|year", "|"),
    "tabs.tsv": lines_with("{number}\t{title}\t{genres}", "item_id\ttitle\tgenres", "\t"),
    "colons.dat": lines_with("{number}::{title} (1995)::{genres}", "", "::"),
}
SEPARATORS = {"semicolons.csv": ";", "pipes.txt": "|", "tabs.tsv": "\t", "colons.dat": "::"}


@pytest.mark.parametrize("name", UNQUOTED)
def test_titles_with_separators_and_quotes_are_joined_and_counted(
    tmp_path: Path, name: str
) -> None:
    data = load_with(tmp_path, name, UNQUOTED[name])
    separator = SEPARATORS.get(name, ",")
    assert tuple(title.replace(separator, ",") for title in titles_of(data)) == TITLES
    remarks = " ".join(data.provenance.remarks)
    assert re.search(r"5 of 12 lines had [a-z ]+ in their titles .*; they were joined", remarks)
    if "genres" in UNQUOTED[name] or name == "colons.dat":
        genres = dict(zip(data.item_ids.tolist(), data.catalogue.genres, strict=True))
        assert tuple(genres[number] for number in range(1, 13)) == GENRES


def test_quoted_and_stray_titles_stand_in_one_file(tmp_path: Path) -> None:
    """As in MovieLens' movies.csv, to which somebody has added a line by hand."""
    lines = ["movieId,title,genres"]
    for number, (title, genres) in enumerate(FILMS, start=1):
        is_regular = "," in title and '"' not in title
        lines.append(f'{number},"{title}",{genres}' if is_regular else f"{number},{title},{genres}")
    data = load_with(tmp_path, "movies.csv", "\n".join(lines))
    assert titles_of(data) == TITLES
    assert "1 of 12 lines had commas in their titles" in " ".join(data.provenance.remarks)


def test_a_quote_that_is_closed_far_below_swallows_no_lines(tmp_path: Path) -> None:
    text = 'item_id,title,genres\n1,"Heroes,Drama\n2,Matrix, The,Action\n3,Live at 12",Music\n'
    data = load_with(tmp_path, "movies.csv", text)
    assert titles_of(data)[:3] == ('"Heroes', "Matrix, The", 'Live at 12"')


def test_lines_within_quotes_stay_one_title(tmp_path: Path) -> None:
    text = 'item_id,title,genres\n1,"Two\nlines",Drama\n2,"Say ""so"", or",Drama\n3,Up, Up,Drama\n'
    data = load_with(tmp_path, "movies.csv", text)
    assert titles_of(data)[:3] == ("Two\nlines", 'Say "so", or', "Up, Up")


def test_few_records_of_book_crossing_that_do_not_fit_are_left_out_and_counted(
    tmp_path: Path,
) -> None:
    """Its BX-Books.csv has separators and \\" in titles, and lines that lack a field."""
    lines = ['"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication"']
    for number in range(1, 301):
        title = rf"A \"Story\" &amp; more; part {number}"
        lines.append(f'"{number}";"{title}";"Smith; Jo {number}";"1999"')
    lines[150] = r'"150";"The Story\";Jo Smith";"1999"'
    lines[200] = '"200";"1999"'
    data = load_with(tmp_path, "books.csv", "\n".join(lines))
    assert titles_of(data)[2] == 'A "Story" &amp; more; part 3'
    assert set(data.catalogue.years) == {1999}
    remarks = " ".join(data.provenance.remarks)
    assert "Left out: 1 of 300 lines, line 201, with more or fewer fields" in remarks


@pytest.mark.parametrize(
    "text",
    [
        # The surplus could be of the other column
        "item_id,title,author\n1,Emma,Jane Austen\n2,Omens, Good,Gaiman, Neil\n",
        "item_id,title,genres\n1,Emma,Drama\n2,Heat,Crime\n3,Big,Crime,Drama\n",
        "item_id,title,price\n1,Emma,12\n2,Heat,7\n3,Big,1,234\n",
        # An id is a number elsewhere
        "title,item_id\nEmma,1\nHeat,2\nBig,3,x\n",
    ],
)
def test_where_it_is_not_clear_what_the_surplus_is_the_line_is_shown(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(UsageError, match=r"1 of \d lines, line \d: .* put quotes around a field"):
        load_with(tmp_path, "items.csv", text)


def test_of_two_columns_called_like_ids_the_one_with_rated_items_counts(tmp_path: Path) -> None:
    lines = [f"{900 + number},{number},Film {number}" for number in range(1, 13)]
    text = "\n".join(["id,movieId,title", *lines])
    assert titles_of(load_with(tmp_path, "items.csv", text))[:2] == ("Film 1", "Film 2")


DEAD_ENDS: dict[str, tuple[str, str]] = {
    "other names": ("nr,caption\n1,Heat\n2,Big\n", ""),
    "id is given": ("nr,caption\n1,Heat\n2,Big\n", ",items_id=nr"),
    "title is given": ("nr,caption\n1,Heat\n2,Big\n", ",items_title=caption"),
    "title is given as id": ("nr,caption\n1,Heat\n2,Big\n", ",items_id=caption"),
    "all is given, and wrong": ("nr,caption\n1,Heat\n", ",items_id=caption,items_title=nr"),
    "no ids": ("a,b\nx,Heat\ny,Big\n", ""),
    "no ids, given": ("a,b\nx,Heat\ny,Big\n", ",items_id=a,items_title=b"),
    "ids elsewhere": ("id,nr,title\n100,1,Heat\n200,2,Big\n", ""),
    "no title": ("id\n1\n2\n", ""),
    "no such column": ("nr,caption\n1,Heat\n2,Big\n", ",items_id=number,items_title=caption"),
}


@pytest.mark.parametrize("case", DEAD_ENDS)
def test_no_message_proposes_what_was_typed_and_all_lead_on(tmp_path: Path, case: str) -> None:
    text, options = DEAD_ENDS[case]
    typed = ""
    for _ in range(3):
        with pytest.raises(UsageError) as raised:
            if typed:
                datasets.load(typed)
            else:
                load_with(tmp_path, "items.csv", text, options)
        typed = typed or f"table:{tmp_path}/ratings.csv[items={tmp_path}/items.csv{options}]"
        proposed = SUGGESTION.findall(str(raised.value))[-1]
        assert sorted(re.split(r"[\[\],]", proposed)) != sorted(re.split(r"[\[\],]", typed))
        typed = proposed
        try:
            datasets.load(typed)
        except UsageError:
            continue
        return
    pytest.fail(f"after three messages still nothing: {typed}")
