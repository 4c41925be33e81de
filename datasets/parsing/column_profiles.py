"""What the first fields of a column look like: numbers on a narrow scale, times, counts, ids."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

BLANKS = " \t\u00a0"  # around fields, which are ignored
NARROW = 10  # the largest rating, up or down, of a column that looks like ratings
EARLIEST_TIME = 600_000_000  # 1989 in seconds: smaller numbers may be ids
LATEST_TIME = 4_102_444_800
UNITS_PER_SECOND = (1, 10**3, 10**6, 10**9)
MOSTLY = 0.95
DECIMALS = 5  # of coordinates
LARGEST_DEGREE = 180
FEW_KINDS = 8  # distinct texts of a column that says what kind of event a line is
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d).*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(?!\d).*|"
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}( \d{1,2}:\d{2}.*)?|"
    r"\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{4}.*|[A-Z][a-z]{2},? [A-Z][a-z]{2} \d.*\d{4}.*|"
    r"[A-Z][a-z]{2,8} \d{1,2},? \d{4}.*"
)


@dataclass(frozen=True)
class ColumnProfile:
    """What the first fields of a column look like; empty ones do not count."""

    name: str
    n_fields: int
    texts: frozenset[str]
    numbers: frozenset[float]  # empty if the fields are not nearly all numbers
    are_dates: bool
    has_gaps: bool

    @property
    def is_constant(self) -> bool:
        """Whether the same stands in every row."""
        return len(self.texts) <= 1

    @property
    def numbers_rows(self) -> bool:
        """Whether every row has a number of its own."""
        is_whole = bool(self.numbers) and all(number % 1 == 0 for number in self.numbers)
        return is_whole and len(self.texts) == self.n_fields > 3

    @property
    def could_be_times(self) -> bool:
        """Whether these are dates, or numbers that are seconds or parts of them after 1989."""
        if self.are_dates:
            return True
        if not self.numbers:
            return False
        lowest = min(self.numbers)
        highest = max(self.numbers)
        return any(
            EARLIEST_TIME * unit <= lowest and highest <= LATEST_TIME * unit
            for unit in UNITS_PER_SECOND
        )

    @property
    def could_be_ratings(self) -> bool:
        """Whether these are numbers on a narrow scale, and not nothing but zeros."""
        return bool(self.numbers) and 0 < max(map(abs, self.numbers)) <= NARROW

    @property
    def could_be_coordinates(self) -> bool:
        """Whether these are degrees with so many decimals that nobody has rated by them."""
        if not self.numbers or max(map(abs, self.numbers)) > LARGEST_DEGREE:
            return False
        n_precise = sum(len(text.partition(".")[2]) >= DECIMALS for text in self.texts)
        return n_precise >= MOSTLY * len(self.texts)

    @property
    def could_be_ids(self) -> bool:
        """Whether these are anything but numbers with fractions, dates and nothing."""
        has_fractions = any(number % 1 for number in self.numbers)
        return bool(self.texts) and not has_fractions and not self.are_dates

    @property
    def could_be_counts(self) -> bool:
        """Whether these are numbers above 0, and neither times nor one for each row."""
        if not self.numbers or self.could_be_times:
            return False
        return min(self.numbers) >= 0 and not self.is_constant

    @property
    def could_be_events(self) -> bool:
        """Whether these are a few words, such as purchase and play."""
        return not self.numbers and not self.are_dates and 1 < len(self.texts) <= FEW_KINDS


def profile_column(name: str, fields: Sequence[str]) -> ColumnProfile:
    """What the `fields` of a column look like."""
    texts = [field.strip(BLANKS) for field in fields]
    filled = [text for text in texts if text]
    numbers = [float(text.replace(",", ".")) for text in filled if is_number(text)]
    n_dates = sum(1 for text in filled if DATE.fullmatch(text))
    is_numeric = len(numbers) >= MOSTLY * len(filled) > 0
    return ColumnProfile(
        name=name,
        n_fields=len(fields),
        texts=frozenset(filled),
        numbers=frozenset(numbers) if is_numeric else frozenset(),
        are_dates=n_dates >= MOSTLY * len(filled) > 0,
        has_gaps=len(filled) < len(texts),
    )


def is_number(text: str) -> bool:
    """Whether `text` is a number, with a point or a comma."""
    return NUMBER.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Whether `text` begins like a date in one of the usual forms."""
    return DATE.fullmatch(text) is not None
