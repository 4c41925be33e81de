"""Which column of a table is the user, the item, the rating and the time: by name, else by content.

What the user has named comes first, by name or by position. Whatever is found by content is stated.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recbench.datasets.foundation import UsageError
from recbench.datasets.parsing import ColumnProfile, is_date, is_number, profile_column
from recbench.datasets.table.columns import (
    BLANKS,
    COUNT_NAMES,
    EVENT_WORDS,
    ID_ENDINGS,
    KNOWN_NAMES,
    OTHER_WORDS,
    POSITIVE_KINDS,
    ROLES,
    ROW_NAMES,
    STEMS,
    USUAL_NAMES,
    ColumnChoice,
    Records,
    name_columns,
    plain_name,
)
from recbench.datasets.table.dialect import SEPARATORS
from recbench.datasets.table.matrix import refuse_matrix
from recbench.datasets.table.options import COUNT, NONE, TableOptions, TableRequest
from recbench.datasets.table.values import YES_AND_NO

ORANGE_HEADER = 3  # records
ORANGE_TYPES = {"c", "d", "s", "t", "m", "continuous", "discrete", "string", "time", "meta", ""}
ORANGE_PARTS = {"class", "meta", "row", "col", "i", "ignore", "m", "c", ""}
N_NAMES_SHOWN = 6
N_COLUMNS_SHOWN = 12
LONGEST_NAME_SHOWN = 40

# For SNAP's Amazon, BeerAdvocate and CellarTracker, with "review/score: 4.0" and the like
BLOCKS_TO_CSV = (
    'python -c "import csv, re, sys; '
    "text = open('FILE', encoding='latin-1').read(); "
    "blocks = [dict(re.findall(r'^\\w+/(\\w+): (.*)', block, re.M)) "
    "for block in text.split('\\n\\n') if block.strip()]; "
    "table = csv.DictWriter(sys.stdout, list(blocks[0]), extrasaction='ignore'); "
    'table.writeheader(); table.writerows(blocks)" > ratings.csv'
)
FEATURE = re.compile(r"\d+(:[\d.]+){1,2}")  # as libsvm and libFFM write them
N_LINES_LOOKED_AT = 50
MOST_PROPOSED = 3  # columns for one role
FEW_EVENTS = 8
LOW_COUNT = 1_000  # numbers all of which are above it are ids
BLOCK_LINE = re.compile(r"\w+/\w+: ")  # as "review/score: 4.0" in SNAP's files
RATING_WORDS = ("rating", "score", "stars", "grade", "bewert")  # in names that are proposed


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


@dataclass(frozen=True)
class _Finding:
    """A table whose columns are to be chosen."""

    request: TableRequest
    file: Path
    header: list[str]
    n_header: int
    profiles: list[ColumnProfile]
    rows: Records
    first: Sequence[str]  # the very first record, names or not
    n_records: int  # with those that have more or fewer fields than the first

    @property
    def has_header(self) -> bool:
        """Whether the columns have names."""
        return self.n_header > 0

    @property
    def options(self) -> TableOptions:
        """What the user has given."""
        return self.request.options

    def choose(self) -> ColumnChoice:
        """The choice; UsageError if roles are missing, doubled or not clear."""
        _refuse_other_shapes(self)
        problems: list[str] = []
        remarks: list[str] = []
        positions: dict[str, int] = {}
        for role, given in self._names_given().items():
            if given:
                position = self._find_given(given)
                if position is None:
                    problems.append(f"expected {_article(role)} {role} column, {given!r}, but none")
                else:
                    positions[role] = position
        if problems:
            self._refuse(positions, [f"{problem} fits" for problem in problems])

        where = self._find_where()
        if self.has_header:
            problems += self._add_by_name(positions, remarks)
        else:
            self._add_by_content(positions, where)
        missing = [role for role in self._needed() if role not in positions]
        if missing or problems:
            problems += [self._describe_missing(role) for role in missing]
            self._refuse(positions, problems)

        self._refuse_doubled(positions)
        if not self.has_header:
            remarks.append(_describe_order(positions))
        elif "time" not in positions and self.options.time != NONE:
            remarks += self._suggest_times(positions)
        if where is None:
            remarks += self._suggest_filter(positions)
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

    def _needed(self) -> list[str]:
        """The roles that must have a column."""
        if self.options.is_implicit:
            return ["user", "item"]
        return ["user", "item", "rating"]

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
                f"the columns are {self._list_columns()}. For example: "
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
                problems.append(self._describe_several(role, fitting))
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
                f"{len(fitting)} columns are called like {_article(role)} {role} and hold the "
                "same: the first counts."
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

    def _plain(self, position: int) -> str:
        """The name of a column as it is compared."""
        return plain_name(self.header[position])

    def _is_rating(self, position: int) -> bool:
        """Whether a column may be proposed as ratings, by its name and what it holds."""
        profile = self.profiles[position]
        is_count = plain_name(profile.name) in COUNT_NAMES
        is_other = bool(profile.numbers) and not profile.could_be_ratings
        is_called_otherwise = bool(self._words(position) & (OTHER_WORDS | EVENT_WORDS))
        return not is_count and not is_other and not is_called_otherwise

    def _describe_missing(self, role: str) -> str:
        """That no column is the `role`, and how it is usually called."""
        names = USUAL_NAMES[role]
        if not self.has_header:
            return f"expected {_article(role)} {role} column, but it is not clear which that is"
        listed = ", ".join(names[:N_NAMES_SHOWN])
        return f"expected {_article(role)} {role} column, one of {listed} ..., but none fits"

    def _describe_several(self, role: str, fitting: list[int]) -> str:
        """That more than one column could be the `role`, and how to name each."""
        choices = " or ".join(self.request.spell(**{role: str(k + 1)}) for k in fitting)
        names = ", ".join(repr(self.header[k]) for k in fitting)
        return (
            f"expected {_article(role)} {role} column, but more than one fits: {names}. "
            f"Name it, by its number if the names are the same: {choices}"
        )

    def _refuse(self, positions: dict[str, int], problems: list[str]) -> None:
        """The UsageError with all `problems`, the columns, and what could be typed instead."""
        place = "line 1" if self.has_header else "no header line"
        if len(self.header) == 1:
            problems = ["expected columns of users, items and ratings, but nothing separates them"]
            raise UsageError(f"{self.file}, {place}: {problems[0]}. {self._advise_one_column()}")
        raise UsageError(
            f"{self.file}, {place}: {'; '.join(problems)}. The columns are {self._list_columns()}. "
            f"{self._advise(positions)}"
        )

    def _advise(self, positions: dict[str, int]) -> str:
        """What to type: a name for each role that has no column, by what the columns hold."""
        free = [k for k in range(len(self.header)) if k not in positions.values()]
        guess = {**self._guess(free, positions), **self._pick_ids(free, positions), **positions}
        if "rating" not in positions:
            called_so = [k for k in free if any(word in self._plain(k) for word in RATING_WORDS)]
            answers = [k for k in free if self._has_answers(k)]
            if called_so or answers:
                guess["rating"] = (called_so or answers)[0]
            elif "rating" in guess and not self._is_rating(guess["rating"]):
                del guess["rating"]
        named = {
            role: self._spell_column(position)
            for role, position in guess.items()
            if role in ROLES and (role not in positions or getattr(self.options, role))
        }
        if self.options.count:
            named.pop("rating", None)
        advice = ""
        needed = self._needed()
        if all(role in guess for role in needed):
            advice = f"Name them: {self.request.spell(**named)}. "
        has_ids = "user" in guess and "item" in guess
        if has_ids and "rating" not in guess and not self.options.is_implicit:
            advice = self._advise_implicit(named, free)
        advice += "Columns are named, or numbered from 1: user=2"
        is_sure = any(plain_name(name) in KNOWN_NAMES for name in self.header)
        if self.has_header and not is_sure:
            advice += f". If the first line is no header: {self.request.spell(header='none')}"
        return advice

    def _spell_column(self, position: int) -> str:
        """How a column is named by the user: by its name if that is clear, else by its number."""
        name = self.header[position]
        is_clear = name != "" and self.header.count(name) == 1
        return name if is_clear else str(position + 1)

    def _pick_ids(self, free: list[int], positions: dict[str, int]) -> dict[str, int]:
        """Which of the `free` columns are called as those of users or items may be called."""
        picked: dict[str, int] = {}
        if not self.has_header:
            return picked
        for role, stems in STEMS.items():
            if role in positions:
                continue
            likeness = {}
            for position in free:
                name = self._plain(position)
                has_stem = any(stem in name for stem in stems)
                is_id = name.endswith(ID_ENDINGS)
                could_be_it = self.profiles[position].could_be_ids and name not in ROW_NAMES[:1]
                if could_be_it and (has_stem or is_id) and position not in picked.values():
                    likeness[position] = 2 * has_stem + is_id
            if likeness:
                picked[role] = max(likeness, key=lambda k: likeness[k])
        return picked

    def _has_answers(self, position: int) -> bool:
        """Whether two words such as like and dislike stand in a column, which can be ratings."""
        texts = {text.lower() for text in self.profiles[position].texts}
        return len(texts) == 2 and texts <= set(YES_AND_NO)

    def _words(self, position: int) -> set[str]:
        """The words in a column's name, in lower case, as in play_count or playCount."""
        found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", self.header[position])
        return {word.lower() for word in found}

    def _advise_one_column(self) -> str:
        """What to do about a table whose first line is in one piece."""
        shown = f"The line is {self.first[0][:LONGEST_NAME_SHOWN]!r}"
        lines = [row[0] for row in self.rows]
        if len(lines) < self.n_records / 2:
            return (
                f"{shown}. If the table begins below it: delete what stands above, or begin those "
                "lines with #"
            )
        marks = set(self.first[0]) - set("._- \"'")
        for mark in sorted(mark for mark in marks if not mark.isalnum()):
            count = self.first[0].count(mark)
            if count > 1 and all(line.count(mark) == count for line in lines):
                return (
                    f"{shown}. If {mark!r} separates them, write tabs: "
                    f"python -c \"print(open('{self.file.name}').read().replace({mark!r}, "
                    f"'\\t'), end='')\" > ratings.tsv"
                )
        return f"{shown}. sep=NAME names what separates them: {', '.join(SEPARATORS)}"

    def _advise_implicit(self, named: dict[str, str], free: list[int]) -> str:
        """What to type for a table without ratings: counts, events, or all lines as positives."""
        used = set(named.values())
        rest = [k for k in free if self._spell_column(k) not in used]
        narrow = [k for k in rest if self._is_rating(k) and self.profiles[k].could_be_ratings]
        narrow = [k for k in narrow if not self.profiles[k].is_constant]
        counts = self._find_counts(rest)
        where = self._propose_filter(rest)
        spell = self.request.spell
        advice = ""
        times = [
            self.header[k]
            for k, profile in enumerate(self.profiles)
            if profile.could_be_times and not self._plain(k).endswith(ID_ENDINGS)
        ]
        if times:
            advice += f"Column {times[-1]!r} looks like times. "
        if narrow:
            columns = [self._spell_column(k) for k in narrow[:MOST_PROPOSED]]
            choices = " or ".join(spell(**named, rating=column) for column in columns)
            advice += f"Ratings could stand in column {' or '.join(columns)}: {choices}. "
        else:
            advice += "No column looks like ratings. "
        asked = {**named, "rating": NONE}
        advice += "If every line is a positive, a click or a purchase: "
        advice += f"{spell(**asked)}. "
        if where:
            advice += f"If only those with {where.replace('=', ' = ')} are: "
            advice += f"{spell(**asked, where=where)}. "
        if counts:
            count = self._spell_column(counts[-1])
            asked = {**named, "rating": COUNT, "count": count}
            if where:
                asked["where"] = where
            advice += f"If column {count!r} counts plays or purchases: "
            advice += f"{spell(**asked)}. "
        return advice

    def _find_counts(self, rest: list[int]) -> list[int]:
        """Which of the `rest` of the columns count something: called so, or else by their content.

        Counts begin low; what is called like something else has none.
        """
        called_so = [k for k in rest if self._plain(k) in COUNT_NAMES and self.profiles[k].numbers]
        if called_so:
            return called_so
        return [
            k
            for k in rest
            if self.profiles[k].could_be_counts
            and min(self.profiles[k].numbers) <= LOW_COUNT
            and max(self.profiles[k].numbers) > 1
            and not self._words(k) & (OTHER_WORDS | EVENT_WORDS)
        ]

    def _propose_filter(self, rest: list[int]) -> str:
        """COLUMN=VALUE for lines of one kind, if a column says what kind of event a line is.

        It has a few words, or is called so and has a few numbers.
        """
        for position in rest:
            profile = self.profiles[position]
            is_called_so = bool(self._words(position) & EVENT_WORDS)
            is_few = 1 < len(profile.texts) <= FEW_EVENTS
            if not profile.could_be_events and not (is_called_so and is_few):
                continue
            known = [kind for kind in POSITIVE_KINDS if kind in profile.texts]
            return f"{self._spell_column(position)}={(known or sorted(profile.texts))[0]}"
        return ""

    def _suggest_times(self, positions: dict[str, int]) -> list[str]:
        """A remark that names a column that could be the times, if there is one."""
        for position, profile in enumerate(self.profiles):
            is_free = position not in positions.values()
            if is_free and profile.could_be_times:
                return [
                    f"No column is taken for times; {profile.name!r} looks like them: "
                    f"time={profile.name}"
                ]
        return []

    def _suggest_filter(self, positions: dict[str, int]) -> list[str]:
        """A remark that names a column that says what kind of event a line is, if there is one."""
        for position, profile in enumerate(self.profiles):
            is_called_so = bool(self._words(position) & EVENT_WORDS)
            is_free = position not in positions.values()
            if self.has_header and is_called_so and is_free and profile.could_be_events:
                kinds = sorted(profile.texts)
                where = f"{self._spell_column(position)}={kinds[0]}"
                return [
                    f"Lines of all kinds count: column {profile.name!r} has {', '.join(kinds)}. "
                    f"Those of one kind alone: {self.request.spell(where=where)}"
                ]
        return []

    def _refuse_doubled(self, positions: dict[str, int]) -> None:
        """UsageError if two roles have the same column."""
        for role, position in positions.items():
            for other in positions:
                if other != role and positions[other] == position:
                    name = self.header[position]
                    problem = f"column {name!r} cannot be both {role} and {other}"
                    raise UsageError(f"{self.file}: {problem}: name another")

    def _list_columns(self) -> str:
        """The names of the columns, not all of many, and cut where they are long."""
        shown = [repr(name[:LONGEST_NAME_SHOWN]) for name in self.header[:N_COLUMNS_SHOWN]]
        if len(self.header) > N_COLUMNS_SHOWN:
            shown.append(f"... ({len(self.header):,} in all)")
        return ", ".join(shown) or "none"


def _article(role: str) -> str:
    """The article before a role."""
    return "an" if role == "item" else "a"


def _describe_order(positions: dict[str, int]) -> str:
    """What the columns of a table without names were taken for.

    >>> _describe_order({"user": 0, "item": 1, "rating": 2})
    'No header line: column 1 is user, 2 item, 3 rating. User before item is assumed; \
user=2,item=1 says otherwise.'
    """
    by_position = sorted((position, role) for role, position in positions.items() if role in ROLES)
    parts = [f"{position + 1} {role}" for position, role in by_position]
    parts[0] = parts[0].replace(" ", " is ", 1)
    user = positions["user"] + 1
    item = positions["item"] + 1
    return (
        f"No header line: column {', '.join(parts)}. User before item is assumed; "
        f"user={item},item={user} says otherwise."
    )


def _refuse_other_shapes(finding: _Finding) -> None:
    """UsageError for a text that is no table of one rating a line, with what to do about it."""
    file = finding.file
    first = finding.first
    lines = [first, *finding.rows[:N_LINES_LOOKED_AT]]
    if BLOCK_LINE.match(first[0]) and all(BLOCK_LINE.match(line[0]) for line in lines[:3]):
        raise UsageError(
            f"{file} looks like blocks with a line for each field, as in "
            f"{first[0][:LONGEST_NAME_SHOWN]!r}: ratings are expected one a line. This converts "
            f"it: {BLOCKS_TO_CSV.replace('FILE', file.name)}"
        )
    if any(re.fullmatch(r"\d+:", line[0]) for line in lines[:2]):
        raise UsageError(
            f"{file} looks like a file of the Netflix Prize, with the film's number and a colon "
            "above its ratings. Put it into the data directory as combined_data_1.txt and type: "
            "--dataset netflix"
        )
    if len(first) > 1 and all(FEATURE.fullmatch(field) for field in first[1:]):
        raise UsageError(
            f"{file} looks like libsvm or libFFM: a label, and features as index:value. Ratings "
            "are expected one a line. If the first feature is the user and the second the item, "
            'this converts it: awk \'{n=split($2,u,":"); split($3,i,":"); '
            f'print u[n-1]","i[n-1]","$1}}\' {file.name} > ratings.csv'
        )
    lists = [line[0].split() for line in lines if len(line) == 1]
    is_lists = len(lists) == len(lines) and len({len(numbers) for numbers in lists}) > 1
    if is_lists and all(number.isdecimal() for numbers in lists for number in numbers):
        raise UsageError(
            f"{file} looks like lists, a user and then all their items on a line, as LightGCN has "
            "them: implicit data, without ratings. One pair a line is expected; this converts it: "
            f"awk '{{for (k = 2; k <= NF; k++) print $1\",\"$k}}' {file.name} > pairs.csv, which "
            "is then read with rating=none"
        )
    if finding.options.layout == "long":
        refuse_matrix(
            finding.request, file, finding.header, finding.rows, has_header=finding.has_header
        )
