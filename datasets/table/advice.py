"""What a message advises where the columns of a table are not clear: what to type instead, and how
files of other shapes are converted.

The advice is spelt with the table's own columns; what it was decided by is in `roles`.
"""

import re
from typing import NoReturn

from recbench.datasets.foundation import UsageError
from recbench.datasets.table.columns import (
    COUNT_NAMES,
    EVENT_WORDS,
    ID_ENDINGS,
    KNOWN_NAMES,
    LONGEST_NAME_SHOWN,
    OTHER_WORDS,
    POSITIVE_KINDS,
    ROLES,
    ROW_NAMES,
    STEMS,
    USUAL_NAMES,
    TableStart,
    plain_name,
)
from recbench.datasets.table.dialect import SEPARATORS
from recbench.datasets.table.matrix import refuse_matrix
from recbench.datasets.table.options import COUNT, NONE
from recbench.datasets.table.values import YES_AND_NO

N_NAMES_SHOWN = 6

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


def describe_missing(table: TableStart, role: str) -> str:
    """That no column is the `role`, and how it is usually called."""
    names = USUAL_NAMES[role]
    if not table.has_header:
        return f"expected {article_before(role)} {role} column, but it is not clear which that is"
    listed = ", ".join(names[:N_NAMES_SHOWN])
    return f"expected {article_before(role)} {role} column, one of {listed} ..., but none fits"


def describe_several(table: TableStart, role: str, fitting: list[int]) -> str:
    """That more than one column could be the `role`, and how to name each."""
    choices = " or ".join(table.request.spell(**{role: str(k + 1)}) for k in fitting)
    names = ", ".join(repr(table.header[k]) for k in fitting)
    return (
        f"expected {article_before(role)} {role} column, but more than one fits: {names}. "
        f"Name it, by its number if the names are the same: {choices}"
    )


def refuse_choice(
    table: TableStart, positions: dict[str, int], guess: dict[str, int], problems: list[str]
) -> NoReturn:
    """The UsageError with all `problems`, the columns, and what could be typed instead.

    `positions` are those of the roles that have a column, `guess` is what others look like.
    """
    place = "line 1" if table.has_header else "no header line"
    if len(table.header) == 1:
        problem = "expected columns of users, items and ratings, but nothing separates them"
        raise UsageError(f"{table.file}, {place}: {problem}. {_advise_one_column(table)}")
    raise UsageError(
        f"{table.file}, {place}: {'; '.join(problems)}. The columns are {table.list_columns()}. "
        f"{_advise(table, positions, guess)}"
    )


def _advise(table: TableStart, positions: dict[str, int], guess: dict[str, int]) -> str:
    """What to type: a name for each role that has no column, by what the columns hold."""
    free = [k for k in range(len(table.header)) if k not in positions.values()]
    guess = {**guess, **_pick_ids(table, free, positions), **positions}
    if "rating" not in positions:
        called_so = [k for k in free if _is_called_like_ratings(table.plain_name_of(k))]
        answers = [k for k in free if _has_answers(table, k)]
        if called_so or answers:
            guess["rating"] = (called_so or answers)[0]
        elif "rating" in guess and not table.may_be_ratings(guess["rating"]):
            del guess["rating"]
    named = {
        role: table.spell_column(position)
        for role, position in guess.items()
        if role in ROLES and (role not in positions or getattr(table.options, role))
    }
    if table.options.count:
        named.pop("rating", None)
    advice = ""
    needed = table.roles_needed()
    if all(role in guess for role in needed):
        advice = f"Name them: {table.request.spell(**named)}. "
    has_ids = "user" in guess and "item" in guess
    if has_ids and "rating" not in guess and not table.options.is_implicit:
        advice = _advise_implicit(table, named, free)
    advice += "Columns are named, or numbered from 1: user=2"
    is_sure = any(plain_name(name) in KNOWN_NAMES for name in table.header)
    if table.has_header and not is_sure:
        advice += f". If the first line is no header: {table.request.spell(header='none')}"
    return advice


def _is_called_like_ratings(name: str) -> bool:
    """Whether a plain name has a word such as rating or score in it."""
    return any(word in name for word in RATING_WORDS)


def _pick_ids(table: TableStart, free: list[int], positions: dict[str, int]) -> dict[str, int]:
    """Which of the `free` columns are called as those of users or items may be called."""
    picked: dict[str, int] = {}
    if not table.has_header:
        return picked
    for role, stems in STEMS.items():
        if role in positions:
            continue
        likeness = {}
        for position in free:
            name = table.plain_name_of(position)
            has_stem = any(stem in name for stem in stems)
            is_id = name.endswith(ID_ENDINGS)
            could_be_it = table.profiles[position].could_be_ids and name not in ROW_NAMES[:1]
            if could_be_it and (has_stem or is_id) and position not in picked.values():
                likeness[position] = 2 * has_stem + is_id
        if likeness:
            picked[role] = max(likeness, key=lambda k: likeness[k])
    return picked


def _has_answers(table: TableStart, position: int) -> bool:
    """Whether two words such as like and dislike stand in a column, which can be ratings."""
    texts = {text.lower() for text in table.profiles[position].texts}
    return len(texts) == 2 and texts <= set(YES_AND_NO)


def _advise_one_column(table: TableStart) -> str:
    """What to do about a table whose first line is in one piece."""
    shown = f"The line is {table.first[0][:LONGEST_NAME_SHOWN]!r}"
    lines = [row[0] for row in table.rows]
    if len(lines) < table.n_records / 2:
        return (
            f"{shown}. If the table begins below it: delete what stands above, or begin those "
            "lines with #"
        )
    marks = set(table.first[0]) - set("._- \"'")
    for mark in sorted(mark for mark in marks if not mark.isalnum()):
        count = table.first[0].count(mark)
        if count > 1 and all(line.count(mark) == count for line in lines):
            return (
                f"{shown}. If {mark!r} separates them, write tabs: "
                f"python -c \"print(open('{table.file.name}').read().replace({mark!r}, "
                f"'\\t'), end='')\" > ratings.tsv"
            )
    return f"{shown}. sep=NAME names what separates them: {', '.join(SEPARATORS)}"


def _advise_implicit(table: TableStart, named: dict[str, str], free: list[int]) -> str:
    """What to type for a table without ratings: counts, events, or all lines as positives."""
    used = set(named.values())
    rest = [k for k in free if table.spell_column(k) not in used]
    narrow = [k for k in rest if table.may_be_ratings(k) and table.profiles[k].could_be_ratings]
    narrow = [k for k in narrow if not table.profiles[k].is_constant]
    counts = _find_counts(table, rest)
    where = _propose_filter(table, rest)
    spell = table.request.spell
    advice = ""
    times = [
        table.header[k]
        for k, profile in enumerate(table.profiles)
        if profile.could_be_times and not table.plain_name_of(k).endswith(ID_ENDINGS)
    ]
    if times:
        advice += f"Column {times[-1]!r} looks like times. "
    if narrow:
        columns = [table.spell_column(k) for k in narrow[:MOST_PROPOSED]]
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
        count = table.spell_column(counts[-1])
        asked = {**named, "rating": COUNT, "count": count}
        if where:
            asked["where"] = where
        advice += f"If column {count!r} counts plays or purchases: "
        advice += f"{spell(**asked)}. "
    return advice


def _find_counts(table: TableStart, rest: list[int]) -> list[int]:
    """Which of the `rest` of the columns count something: called so, or else by their content.

    Counts begin low; what is called like something else has none.
    """
    called_so = [k for k in rest if table.plain_name_of(k) in COUNT_NAMES]
    called_so = [k for k in called_so if table.profiles[k].numbers]
    if called_so:
        return called_so
    return [
        k
        for k in rest
        if table.profiles[k].could_be_counts
        and min(table.profiles[k].numbers) <= LOW_COUNT
        and max(table.profiles[k].numbers) > 1
        and not table.words_in_name(k) & (OTHER_WORDS | EVENT_WORDS)
    ]


def _propose_filter(table: TableStart, rest: list[int]) -> str:
    """COLUMN=VALUE for lines of one kind, if a column says what kind of event a line is.

    It has a few words, or is called so and has a few numbers.
    """
    for position in rest:
        profile = table.profiles[position]
        is_called_so = bool(table.words_in_name(position) & EVENT_WORDS)
        is_few = 1 < len(profile.texts) <= FEW_EVENTS
        if not profile.could_be_events and not (is_called_so and is_few):
            continue
        known = [kind for kind in POSITIVE_KINDS if kind in profile.texts]
        return f"{table.spell_column(position)}={(known or sorted(profile.texts))[0]}"
    return ""


def suggest_times(table: TableStart, positions: dict[str, int]) -> list[str]:
    """A remark that names a column that could be the times, if there is one."""
    for position, profile in enumerate(table.profiles):
        is_free = position not in positions.values()
        if is_free and profile.could_be_times:
            return [
                f"No column is taken for times; {profile.name!r} looks like them: "
                f"time={profile.name}"
            ]
    return []


def suggest_filter(table: TableStart, positions: dict[str, int]) -> list[str]:
    """A remark that names a column that says what kind of event a line is, if there is one."""
    for position, profile in enumerate(table.profiles):
        is_called_so = bool(table.words_in_name(position) & EVENT_WORDS)
        is_free = position not in positions.values()
        if table.has_header and is_called_so and is_free and profile.could_be_events:
            kinds = sorted(profile.texts)
            where = f"{table.spell_column(position)}={kinds[0]}"
            return [
                f"Lines of all kinds count: column {profile.name!r} has {', '.join(kinds)}. "
                f"Those of one kind alone: {table.request.spell(where=where)}"
            ]
    return []


def article_before(role: str) -> str:
    """The article before a role."""
    return "an" if role == "item" else "a"


def describe_order(positions: dict[str, int]) -> str:
    """What the columns of a table without names were taken for.

    >>> describe_order({"user": 0, "item": 1, "rating": 2})
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


def refuse_other_shapes(table: TableStart) -> None:
    """UsageError for a text that is no table of one rating a line, with what to do about it."""
    file = table.file
    first = table.first
    lines = [first, *table.rows[:N_LINES_LOOKED_AT]]
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
    if table.options.layout == "long":
        refuse_matrix(table.request, file, table.header, table.rows, has_header=table.has_header)
