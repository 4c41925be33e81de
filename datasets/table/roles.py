"""Which column of a table is the user, the item, the rating and the time: by name, else by content.

What the user has named comes first, by name or by position. Whatever is found by content is stated;
what a message says where it is not clear is in `advice`.
"""

from pathlib import Path

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import is_date, is_number, profile_column
from recbench.datasets.table.advice import (
    article_before,
    describe_missing,
    describe_order,
    describe_several,
    refuse_choice,
    refuse_other_shapes,
    suggest_filter,
    suggest_times,
)
from recbench.datasets.table.columns import (
    BLANKS,
    COUNT_NAMES,
    KNOWN_NAMES,
    ROLES,
    ROW_NAMES,
    USUAL_NAMES,
    ColumnChoice,
    Records,
    TableStart,
    name_columns,
    plain_name,
)
from recbench.datasets.table.options import COUNT, NONE, TableRequest

ORANGE_HEADER = 3  # records
ORANGE_TYPES = {"c", "d", "s", "t", "m", "continuous", "discrete", "string", "time", "meta", ""}
ORANGE_PARTS = {"class", "meta", "row", "col", "i", "ignore", "m", "c", ""}


def choose_ratings_columns(
    request: TableRequest, file: Path, records: Records, names_known: bool
) -> ColumnChoice:
    """The columns of a table of ratings, from its first `records`, and how they were found.

    The first record is the names if `names_known`, else if it does not look like what stands below
    it. No "time" if there is no such column, and no "rating" if the user says that there is none.
    UsageError that names all roles without a column at once, and what to type.
    """
    has_header = names_known
    if request.options.header == "auto":
        has_header = names_known or is_header(records)
    header = name_columns(records, has_header)
    n_header = 0
    if has_header:
        n_header = _count_header_records(records)

    rows = [fields for fields in records[n_header:] if len(fields) == len(header)]
    profiles = []
    for position, name in enumerate(header):
        column = [row[position] for row in rows]
        profiles.append(profile_column(name, column))

    finding = _Finding(
        request=request,
        file=file,
        header=header,
        n_header=n_header,
        profiles=profiles,
        rows=rows,
        first=records[0],
        n_records=len(records),
    )
    return finding.choose()


def _count_header_records(records: Records) -> int:
    """How many records a header has: three in files of the program Orange, else one.

    The second of the three has the types of the columns, the third their parts.
    """
    if len(records) > ORANGE_HEADER:
        types = {field.strip(BLANKS) for field in records[1]}
        parts = {field.strip(BLANKS).partition("=")[0] for field in records[2]}
        if types <= ORANGE_TYPES and parts <= ORANGE_PARTS:
            return ORANGE_HEADER
    return 1


def is_header(records: Records) -> bool:
    """Whether the first record names the columns, rather than being what the others are.

    It does if one of its fields is a usual name. It does not if all are numbers, or if one is a
    number or a date as those below it are.
    """
    first = [field.strip(BLANKS) for field in records[0]]
    is_index = first[0] == "" and len(first) > 1  # the index of pandas has no name
    if is_index or any(plain_name(field) in KNOWN_NAMES for field in first):
        return True
    if len(first) > 1 and all(is_number(field) for field in first):
        return False

    rows = [fields for fields in records[1:] if len(fields) == len(first)]
    for position, field in enumerate(first):
        below = [row[position].strip(BLANKS) for row in rows]
        below = [text for text in below if text]
        for is_alike in (is_number, is_date):
            if below and is_alike(field) and all(map(is_alike, below)):
                return False
    return True


class _Finding(TableStart):
    """A table whose columns are to be chosen."""

    def choose(self) -> ColumnChoice:
        """The choice; UsageError if roles are missing, doubled or not clear."""
        refuse_other_shapes(self)
        problems: list[str] = []
        remarks: list[str] = []
        positions: dict[str, int] = {}
        for role, given in self._names_given().items():
            if given:
                position = self._find_given(given)
                if position is None:
                    problems.append(
                        f"expected {article_before(role)} {role} column, {given!r}, but none"
                    )
                else:
                    positions[role] = position
        if problems:
            self._refuse(positions, [f"{problem} fits" for problem in problems])

        where = self._find_where()
        if self.has_header:
            problems += self._add_by_name(positions, remarks)
        else:
            self._add_by_content(positions, where)
        missing = [role for role in self.roles_needed() if role not in positions]
        if missing or problems:
            problems += [describe_missing(self, role) for role in missing]
            self._refuse(positions, problems)

        self._refuse_doubled(positions)
        if not self.has_header:
            remarks.append(describe_order(positions))
        elif "time" not in positions and self.options.time != NONE:
            remarks += suggest_times(self, positions)
        if where is None:
            remarks += suggest_filter(self, positions)
        else:
            positions["where"] = where
        return ColumnChoice(self.header, positions, self.n_header, tuple(remarks))

    def _names_given(self) -> dict[str, str]:
        """The name that was given for the column of each role, or ""."""
        given = {role: getattr(self.options, role) for role in ROLES}
        if given["time"] == NONE and NONE not in self.header:
            given["time"] = ""
        if given["rating"] == COUNT and COUNT in self.header:
            given["rating"] = COUNT
        elif self.options.is_implicit and given["rating"] not in self.header:
            given["rating"] = ""
        if self.options.count:
            given["rating"] = self.options.count
        return given

    def _find_given(self, given: str) -> int | None:
        """The position of the column that is called so, or else has this number; None if none."""
        if given in self.header:
            return self.header.index(given)
        if given.isdecimal() and 1 <= int(given) <= len(self.header):
            return int(given) - 1
        return None

    def _find_where(self) -> int | None:
        """The position of the column by which rows are kept, None if there is no such filter."""
        if not self.options.where:
            return None
        name, equals, _ = self.options.where.partition("=")
        position = self._find_given(name.removesuffix("!").strip())
        if not equals or position is None:
            raise UsageError(
                f"{self.file}: where={self.options.where} does not fit: expected COLUMN=VALUE, and "
                f"the columns are {self.list_columns()}. For example: "
                f"{self.request.spell(where=f'{self.header[0]}={self._example(0)}')}"
            )
        return position

    def _example(self, position: int) -> str:
        """What stands in a column, in the first row."""
        return self.rows[0][position] if self.rows else "VALUE"

    def _add_by_name(self, positions: dict[str, int], remarks: list[str]) -> list[str]:
        """Add to `positions` the columns that are called as usual; problems where several are."""
        problems = []
        for role in ROLES:
            if role in positions or (role == "time" and self.options.time == NONE):
                continue
            usual_names = USUAL_NAMES[role]
            if role == "rating" and self.options.is_implicit:
                usual_names = self._names_of_counts()
            fitting = [
                position
                for position, name in enumerate(self.header)
                if plain_name(name) in usual_names and position not in positions.values()
            ]
            if len(fitting) > 1:
                fitting = self._prefer(role, fitting, remarks)
            if len(fitting) == 1:
                positions[role] = fitting[0]
            elif fitting:
                problems.append(describe_several(self, role, fitting))
        if not problems and "rating" in positions:
            self._add_only_id(positions, remarks)
        return problems

    def _names_of_counts(self) -> tuple[str, ...]:
        """How the column with the counts may be called: as counts are, else as ratings are."""
        if self.options.rating != COUNT:
            return ()
        has_counts = any(plain_name(name) in COUNT_NAMES for name in self.header)
        return COUNT_NAMES if has_counts else USUAL_NAMES["rating"]

    def _prefer(self, role: str, fitting: list[int], remarks: list[str]) -> list[int]:
        """Of several columns that could play a role the one that does, if that is clear.

        Equal columns are one; of a title and an id the id counts; times go by how usual their name
        is.
        """
        contents = {tuple(row[position] for row in self.rows) for position in fitting}
        if len(contents) == 1:
            remarks.append(
                f"{len(fitting)} columns are called like {article_before(role)} {role} and hold "
                "the same: the first counts."
            )
            return fitting[:1]
        if role == "time":
            usual_names = USUAL_NAMES[role]
            return [min(fitting, key=lambda k: usual_names.index(plain_name(self.header[k])))]

        ids = [position for position in fitting if plain_name(self.header[position]).endswith("id")]
        if role in ("user", "item") and len(ids) == 1:
            others = [self.header[position] for position in fitting if position not in ids]
            remarks.append(
                f"Column {self.header[ids[0]]!r} is the {role}, not {' or '.join(others)!r}; "
                f"{role}=COLUMN names another."
            )
            return ids
        return fitting

    def _add_only_id(self, positions: dict[str, int], remarks: list[str]) -> None:
        """Give the one role of user and item that is missing to the only other column of ids."""
        missing = [role for role in ("user", "item") if role not in positions]
        rest = [
            position
            for position, name in enumerate(self.header)
            if position not in positions.values()
            and plain_name(name).endswith("id")
            and plain_name(name) not in ROW_NAMES
        ]
        if len(missing) == 1 and len(rest) == 1 and not self.profiles[rest[0]].numbers_rows:
            positions[missing[0]] = rest[0]
            remarks.append(
                f"Column {self.header[rest[0]]!r} is taken for the {missing[0]}, as no other is "
                f"called like an id; {missing[0]}=COLUMN names another."
            )

    def _add_by_content(self, positions: dict[str, int], where: int | None) -> None:
        """Add to `positions` what the columns of a table without names look like.

        The column by which rows are kept plays no role if it says what kind of event a line is;
        else a filter of rows would change what the columns are taken for.
        """
        event = where if where is not None and self.profiles[where].could_be_events else None
        free = [
            position
            for position in range(len(self.header))
            if position not in positions.values() and position != event
        ]
        for role, position in self._guess(free, positions).items():
            if role == "time" and self.options.time == NONE:
                continue
            if role == "rating" and self.options.rating == NONE:
                continue
            positions.setdefault(role, position)

    def _guess(self, free: list[int], taken: dict[str, int]) -> dict[str, int]:
        """Which of the `free` columns play the roles that are not `taken`, by what they hold."""
        guess: dict[str, int] = {}
        rest = list(free)
        n_ids = sum(1 for role in ("user", "item") if role not in taken)
        n_needed = n_ids + ("rating" not in taken)
        times = [k for k in rest[1:] if self.profiles[k].could_be_times]
        if not times and len(rest) > n_needed and self.profiles[rest[0]].could_be_times:
            times = rest[:1]
        if times and "time" not in taken:
            guess["time"] = times[-1]
            rest.remove(times[-1])

        if len(rest) > n_needed and self.profiles[rest[0]].numbers_rows:
            rest.pop(0)
        varying = [k for k in rest if not self.profiles[k].is_constant]
        if len(varying) >= n_needed:
            rest = varying

        if "rating" not in taken:
            rating = self._guess_rating(rest, n_ids, has_time="time" in {**guess, **taken})
            if rating is not None:
                guess["rating"] = rating
                rest.remove(rating)

        for role in ("user", "item"):
            ids = [k for k in rest if self.profiles[k].could_be_ids] or rest
            ids = [k for k in ids if not self.profiles[k].has_gaps] or ids
            if role not in taken and ids:
                guess[role] = ids[0]
                rest.remove(ids[0])
        is_usual_order = not taken and not times and len(free) == 4 and free[3] in rest
        has_rating = guess.get("rating") == free[2] if is_usual_order else False
        if has_rating and self.profiles[free[3]].numbers:
            guess["time"] = free[3]
        return guess

    def _guess_rating(self, rest: list[int], n_ids: int, *, has_time: bool) -> int | None:
        """Which of the `rest` of the columns is the rating; None if that is not clear."""
        # Two columns of degrees say where something is, not how good
        degrees = [k for k in rest if self.profiles[k].could_be_coordinates]
        if len(degrees) > 1:
            rest = [k for k in rest if k not in degrees]

        if self.options.rating == COUNT:
            counts = [k for k in rest[n_ids:] if self.profiles[k].could_be_counts]
            return counts[-1] if counts else None

        narrow = [k for k in rest if self.profiles[k].could_be_ratings]
        behind_ids = [k for k in narrow if k in rest[n_ids:]]
        if len(behind_ids) == 1:
            return behind_ids[0]
        if len(narrow) == 1 and len(rest) == n_ids + 1:
            return narrow[0]

        # As ever: user, item, rating, time, if these are all that there is and all are numbers
        is_usual_order = len(rest) == n_ids + 1 or (not has_time and len(rest) == n_ids + 2)
        has_numbers = all(self.profiles[k].numbers for k in rest)
        if is_usual_order and has_numbers and self.profiles[rest[n_ids]].numbers != {0}:
            return rest[n_ids]
        return None

    def _refuse(self, positions: dict[str, int], problems: list[str]) -> None:
        """The UsageError with all `problems`, and with what the other columns look like."""
        free = [k for k in range(len(self.header)) if k not in positions.values()]
        refuse_choice(self, positions, self._guess(free, positions), problems)

    def _refuse_doubled(self, positions: dict[str, int]) -> None:
        """UsageError if two roles have the same column."""
        for role, position in positions.items():
            for other in positions:
                if other != role and positions[other] == position:
                    name = self.header[position]
                    problem = f"column {name!r} cannot be both {role} and {other}"
                    raise UsageError(f"{self.file}: {problem}: name another")
