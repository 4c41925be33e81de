"""Ratings as a matrix, a line for each user and a column for each item: recognised and melted."""

from pathlib import Path

import numpy as np
import polars as pl

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import ColumnProfile, is_number, profile_column
from recbench.datasets.table.columns import (
    BLANKS,
    KNOWN_NAMES,
    USUAL_NAMES,
    ColumnChoice,
    Columns,
    Place,
    Records,
    name_columns,
    plain_name,
)
from recbench.datasets.table.options import NONE, TableRequest

MATRIX_WIDTH = 4  # columns that a matrix has at least
MOST_LONG = 5  # columns of a table with one rating a line that has no names
FEWEST_ROLES = 3  # of user, item, rating and time, by whose names such a table is told
NARROW = 10  # the largest rating in a matrix that is recognised, up or down
# Cells of a matrix without a rating
NOT_RATED = ["", "nan", "NaN", "NA", "N/A", "null", "NULL", "None", "-", "?"]


def refuse_matrix(
    request: TableRequest, file: Path, header: list[str], rows: Records, *, has_header: bool
) -> None:
    """UsageError if a table looks like a matrix of users by items."""
    options = request.options
    if options.item or options.rating or options.count or len(header) < MATRIX_WIDTH or not rows:
        return
    known = {plain_name(name) for name in header[1:]}
    if any(known & set(USUAL_NAMES[role]) for role in ("item", "rating", "time")):
        return

    # What stands in the cells: the same kind of numbers in all of them
    cells = _profile_cells(header, rows)
    are_alike = all(profile.numbers or not profile.texts for profile in cells)
    values = frozenset().union(*(profile.numbers for profile in cells))
    ratings = values - {99.0}
    is_narrow = bool(ratings) and max(map(abs, ratings)) <= NARROW

    # And nothing in some, or a code for it
    codes = [code for code in ("99", "-1") if float(code) in values]
    has_blanks = any(profile.has_gaps for profile in cells)
    has_gaps = has_blanks or bool(codes)

    is_wide = len(header) > 2 * MATRIX_WIDTH
    is_matrix = are_alike and is_narrow and (has_gaps or is_wide)
    if is_matrix and (has_header or len(header) > MATRIX_WIDTH + 1):
        missing = ""
        if codes and not has_blanks:
            missing = codes[0]
        raise UsageError(
            f"{file} looks like a matrix, such as a line for each user and a column for each item, "
            f"expected one rating a line. Read it as what it is: "
            f"{request.spell(layout='wide', missing=options.missing or missing)}"
        )


def _profile_cells(header: list[str], rows: Records) -> list[ColumnProfile]:
    """What the columns behind the first look like, where what stands for no rating is nothing."""
    profiles = []
    for position in range(1, len(header)):
        column = []
        for row in rows:
            is_rated = row[position].strip(BLANKS) not in NOT_RATED
            column.append(row[position] if is_rated else "")
        profiles.append(profile_column(header[position], column))
    return profiles


def choose_wide_columns(
    request: TableRequest, file: Path, records: Records, names_known: bool
) -> ColumnChoice:
    """All columns of a matrix of users by items: "user", if one has their ids, and one an item.

    The items' roles are "item 0", "item 1" and so on. The first column has the users' ids if all
    are different, or those of items if it is called so: then "user 0" and so on are the others. If
    it counts the ratings of its line, as Jester's does, it is left out.
    UsageError if there are too few columns.
    """
    options = request.options
    has_header = names_known or (options.header == "auto" and _is_matrix_header(records))
    header = name_columns(records, has_header)
    rows = [fields for fields in records[int(has_header) :] if len(fields) == len(header)]
    if len(header) < 2 or not rows:
        raise UsageError(f"{file}: layout=wide expects a column for each item, got {header[:5]}")

    _refuse_long(request, file, header, rows, has_header=has_header)
    first = [row[0].strip(BLANKS) for row in rows]
    positions: dict[str, int] = {}
    of_lines = "user"
    of_columns = "item"
    begin = 1
    if options.user and options.user != NONE:
        named = options.user in header
        positions["user"] = header.index(options.user) if named else _as_position(file, request)
        begin = 0
        found = f"Column {header[positions['user']]!r} has the users' ids"
    elif options.user == NONE:
        begin = 0
        found = "The users' ids are the numbers of their lines"
    elif _counts_ratings(rows, options.missing):
        found = (
            "The first column counts the ratings of its line and is left out; the users' ids are "
            "the numbers of their lines"
        )
    elif len(set(first)) == len(first) and all(first):
        if has_header and plain_name(header[0]) in USUAL_NAMES["item"]:
            of_lines = "item"
            of_columns = "user"
        positions[of_lines] = 0
        found = f"Column {header[0]!r} has the {of_lines}s' ids"
    else:
        begin = 0
        found = "The first column is no id; the users' ids are the numbers of their lines"

    cell_columns = [k for k in range(begin, len(header)) if k != positions.get(of_lines)]
    positions |= {f"{of_columns} {place}": k for place, k in enumerate(cell_columns)}
    if not has_header:  # items are counted from 1, whatever stands before them
        header = ["user"] * begin + [str(place + 1) for place in range(len(header) - begin)]
    remark = f"A matrix of {of_lines}s by {len(cell_columns):,} {of_columns}s. {found}; "
    remark += "user=COLUMN or user=none"
    return ColumnChoice(header, positions, int(has_header), (f"{remark} says otherwise.",))


def _refuse_long(
    request: TableRequest, file: Path, header: list[str], rows: Records, *, has_header: bool
) -> None:
    """UsageError if what is to be read as a matrix has one rating a line.

    Its columns are called so; or they are few and hold times, or ids beside ratings.
    """
    plain_names = {plain_name(name) for name in header} if has_header else set()
    n_roles = sum(not plain_names.isdisjoint(names) for names in USUAL_NAMES.values())
    is_named = n_roles >= FEWEST_ROLES

    is_shaped = False
    first = [row[0].strip(BLANKS) for row in rows]
    if len(header) <= MOST_LONG and len(set(first)) < len(first):
        cells = [profile_column(header[k], [row[k] for row in rows]) for k in range(1, len(header))]
        has_wide = any(profile.numbers and not profile.could_be_ratings for profile in cells)
        has_texts = any(profile.texts and not profile.numbers for profile in cells)
        has_ratings = any(profile.could_be_ratings for profile in cells)
        is_shaped = has_ratings and (has_wide or has_texts)
    if is_named or is_shaped:
        columns = ", ".join(map(repr, header[: MOST_LONG + 1]))
        raise UsageError(
            f"{file} looks like one rating a line, expected a matrix with a line for each user and "
            f"a column for each item; its columns are {columns}. Read it as what it is: "
            f"{request.spell(layout='')}"
        )


def _as_position(file: Path, request: TableRequest) -> int:
    """The position that is given for the users of a matrix; UsageError if it is none."""
    given = request.options.user
    if not given.isdecimal() or int(given) < 1:
        raise UsageError(
            f"{file}: there is no column {given!r} for the users. Name another, or: "
            f"{request.spell(user=NONE)}"
        )
    return int(given) - 1


def _is_matrix_header(records: Records) -> bool:
    """Whether the first line of a matrix names the items: it is no line of ratings itself."""
    first = [field.strip(BLANKS) for field in records[0]]
    if (
        first[0] == ""
        or plain_name(first[0]) in KNOWN_NAMES
        or not all(is_number(name) or not name for name in first)
    ):
        return True
    ascending = [name for name in first[1:] if name]
    return len(set(ascending)) == len(first) - 1 > 1 and all(name.isdecimal() for name in ascending)


def _counts_ratings(rows: Records, missing: str) -> bool:
    """Whether the first field of each row says how many of the others are ratings."""
    for row in rows:
        n_rated = sum(1 for field in row[1:] if field.strip(BLANKS) not in ("", "99", missing))
        if row[0].strip(BLANKS) != str(n_rated):
            return False
    return True


def melt_matrix(matrix: Columns) -> Columns:
    """A matrix of users by items as one rating a row, in the order of its lines; blanks left out.

    Without a column of users' ids they are the numbers of the lines, from 1.
    """
    of_lines, of_columns = ("item", "user") if "item" in matrix.series else ("user", "item")
    cell_roles = [role for role in matrix.series if role != of_lines]
    n_lines = len(matrix)
    line_ids = matrix.series.get(of_lines)
    if line_ids is None:
        line_ids = pl.Series(range(1, n_lines + 1))
    frame = pl.DataFrame(
        {
            "row": np.repeat(np.arange(n_lines), len(cell_roles)),
            "place": np.tile(np.arange(len(cell_roles)), n_lines),
        }
    )

    cells = pl.DataFrame([matrix.series[role].cast(pl.String) for role in cell_roles])
    texts = cells.transpose().unpivot()["value"].str.strip_chars()
    is_rated = ~texts.is_in(NOT_RATED) & texts.is_not_null()
    frame = frame.with_columns(text=texts).filter(is_rated.fill_null(value=False))
    if not len(frame):
        raise UsageError(f"{matrix.file}: expected ratings in the matrix, found none")

    rows = frame["row"].to_numpy()
    places = frame["place"].to_numpy()
    names = pl.Series([matrix.names[role] for role in cell_roles])

    def place_of_row(row: int) -> Place:
        """The line of a rating, and the item's name."""
        line, _ = matrix.place_of_row(int(rows[row]))
        return Place(f"{line}, column {names[int(places[row])]}", {"rating": frame["text"][row]})

    series = {
        of_lines: line_ids.gather(rows),
        of_columns: names.gather(places),
        "rating": frame["text"].cast(pl.Categorical),
    }
    called = {
        of_lines: matrix.names.get(of_lines, of_lines),
        of_columns: of_columns,
        "rating": "rating",
    }
    return Columns(matrix.file, called, series, place_of_row, matrix.remarks)
