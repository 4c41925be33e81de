"""Lines with more fields than a table has columns: a title in which a separator stands unquoted.

The surplus is joined into the one column of free text, if nothing else on the line could have it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recbench.datasets.parsing.column_profiles import BLANKS, is_number

Kind = Literal["numbers", "words", "listed", "free"]

MOST_DIFFERENT = 0.5  # of the entries of a column of lists, such as genres
HUNDREDS = re.compile(r"\d{1,3}")  # what may stand before a comma between thousands
THOUSANDS = re.compile(r"\d{3}(\.\d+)?")


@dataclass(frozen=True)
class SurplusJoiner:
    """How lines with too many fields are made to fit: the surplus belongs to the column `place`."""

    width: int  # of the table, in fields
    place: int
    separator: str
    kinds: tuple[Kind, ...]  # of all columns
    entries: frozenset[str]  # of the columns behind `place` that have texts, between "|"
    is_padded: bool  # lines end with a separator

    def join(self, fields: Sequence[str]) -> list[str] | None:
        """As many fields as the table has columns; None if it is not clear where the surplus goes.

        >>> rows = [["1", "Heat", "Crime"], ["2", "Big", "Action"]]
        >>> learn_joiner(rows, 3, 1, ",").join(["3", "Matrix", " The", "Action"])
        ['3', 'Matrix, The', 'Action']
        """
        if self.is_padded and not fields[-1].strip(BLANKS):
            fields = fields[:-1]
        n_more = len(fields) - self.width
        if n_more < 0:
            return None
        if n_more == 0:
            return list(fields)
        behind = self.place + n_more + 1
        pieces = fields[self.place : behind]
        joined = _without_quotes(self.separator.join(pieces))
        fitted = [*fields[: self.place], joined, *fields[behind:]]

        others = [place for place in range(self.width) if place != self.place]
        if not all(self._fits(fitted[place], self.kinds[place]) for place in others):
            return None
        if self._could_belong_behind(pieces, fitted[self.place + 1 :]):
            return None
        return fitted

    def _fits(self, field: str, kind: Kind) -> bool:
        """Whether a field may stand in a column of this kind; an empty one may in any."""
        text = field.strip(BLANKS)
        if kind == "numbers":
            return not text or is_number(text)
        if kind == "words":
            return " " not in text
        if kind == "listed":
            return _entries_of(text) <= self.entries
        return False

    def _could_belong_behind(self, pieces: Sequence[str], behind: Sequence[str]) -> bool:
        """Whether the surplus may be of the next column: an entry, or a number's thousands."""
        for piece in pieces[1:]:
            if _entries_of(piece) & self.entries:
                return True

        if not behind or self.separator != ",":
            return False
        before_comma = pieces[-1].strip(BLANKS)
        behind_comma = behind[0].strip(BLANKS)
        is_start = HUNDREDS.fullmatch(before_comma) is not None
        return is_start and THOUSANDS.fullmatch(behind_comma) is not None


def learn_joiner(
    records: Sequence[Sequence[str]],
    width: int,
    place: int,
    separator: str,
    *,
    listing: int | None = None,
) -> SurplusJoiner | None:
    """How lines with too many fields are to be read, learned from those that have enough.

    What a column holds is learned from lines with `width` fields. If there is none, columns before
    `place` are counted from the left and those behind it from the right. The column `listing` has
    lists, such as genres. None if there is another column of free text, which could have the
    surplus as well, or may be one.
    """
    long_enough = [record for record in records if len(record) >= width]
    if not long_enough:
        return None
    padded = [record[:-1] for record in long_enough if not record[-1].strip(BLANKS)]
    is_padded = len(padded) == len(long_enough) and all(len(record) >= width for record in padded)
    if is_padded:
        long_enough = padded

    fitting = [record for record in long_enough if len(record) == width]
    kinds: list[Kind] = []
    entries: set[str] = set()
    for column in range(width):
        if column == place:
            kinds.append("free")
            continue
        at = column if column < place else column - width
        texts = [record[at].strip(BLANKS) for record in long_enough]
        kind = _kind_of([record[column].strip(BLANKS) for record in fitting] or texts)
        if column == listing:
            kind = "listed"
        elif kind == "free" or (kind == "words" and not fitting):
            return None
        kinds.append(kind)
        if column > place and kind != "numbers":
            entries.update(*map(_entries_of, texts))
    return SurplusJoiner(width, place, separator, tuple(kinds), frozenset(entries), is_padded)


def _kind_of(texts: Sequence[str]) -> Kind:
    """What the fields of a column have in common."""
    filled = [text for text in texts if text]
    if all(map(is_number, filled)):
        return "numbers"
    if not any(" " in text for text in filled):
        return "words"
    parts = [part for text in filled for part in text.split("|")]
    if len(set(parts)) <= MOST_DIFFERENT * len(parts):
        return "listed"
    return "free"


def _entries_of(text: str) -> frozenset[str]:
    """What a field lists between "|"."""
    return frozenset(part.strip(BLANKS) for part in text.split("|")) - {""}


def _without_quotes(text: str) -> str:
    """A joined field without the quotes around all of it."""
    stripped = text.strip(BLANKS)
    if len(stripped) > 1 and stripped[0] == stripped[-1] == '"':
        return stripped[1:-1].replace('""', '"')
    return text
