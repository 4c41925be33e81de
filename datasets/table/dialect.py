"""How a text table is written, its separator and encoding, and its records read one by one."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from recbench.datasets.foundation import UsageError

COLONS = "::"  # the one separator of two characters; csv cannot split by it, and nothing is quoted
BLANK = " "  # stands for any run of blanks and tabs, and nothing is quoted
SEPARATORS = {  # what may be given, and the separator that it means
    "comma": ",",
    "tab": "\t",
    "semicolon": ";",
    "double-colon": COLONS,
    "pipe": "|",
    "blank": BLANK,
    "space": BLANK,
    "\\t": "\t",
}
USUAL_SEPARATORS = (",", "\t", ";", COLONS, "|")  # of equally good ones the first is taken
COMMENT_MARKS = ("#", "%")  # what a line of comment begins with
EXCEL_LINE = re.compile(r'"?sep=(?P<separator>[,;|\t])"?[ \t]*\r?\n')  # a first line for Excel
SAMPLE_CHARACTERS = 1 << 16  # of the file, in which the separator is looked for
MOST_SAMPLED = 200  # records of them
REGULAR_SHARE = 0.9  # of the records that must have as many fields as the first
LONGEST_FIELD = 1 << 30  # characters; csv's own limit of 131,072 is less than a long review

Record = tuple[int, list[str]]  # the number of its first line, and its fields
# How a quote is written inside quotes. "by-line": as one of the others, whichever a line allows
Quoting = Literal["double", "backslash", "none", "by-line"]

csv.field_size_limit(LONGEST_FIELD)


@dataclass(frozen=True)
class Dialect:
    """How a text table is written."""

    separator: str
    encoding: str
    origin: Path  # the file that errors name; what is read may be an unpacked copy of it
    quoting: Quoting = "double"
    n_comments: int = 0  # lines of comment at the top

    @property
    def is_quoted(self) -> bool:
        """Whether quotes mean the same in the whole file."""
        is_settled = self.quoting in ("double", "backslash")
        return is_settled and self.separator not in (COLONS, BLANK)

    def read_records(self, file: Path) -> Iterator[Record]:
        """First line and fields of every record that is not blank: slow, obvious, the last word.

        UsageError, with its line, for quotes that do not fit. Between "::" and between blanks
        nothing is quoted. Where nothing is, quotes around a whole field are left out all the same.
        """
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        with file.open(newline="", encoding=encoding) as text:
            for _ in islice(text, self.n_comments):
                pass
            if self.is_quoted:
                yield from self._read_csv(text)
            else:
                yield from self._split_lines(text)

    def split_line(self, line: str) -> list[str]:
        """The fields of a line that stands alone; none of a blank one."""
        split = self._read_csv if self.is_quoted else self._split_lines
        for _, fields in split(iter([line])):
            return fields
        return []

    def _read_csv(self, text: Iterator[str]) -> Iterator[Record]:
        """The records of `text` by the rules of CSV; UsageError for quotes that do not fit."""
        escape = "\\" if self.quoting == "backslash" else None
        reader = csv.reader(text, delimiter=self.separator, strict=True, escapechar=escape)
        last_line = 0
        try:
            for fields in reader:
                is_blank = len(fields) <= 1 and not "".join(fields).strip()
                if not is_blank:
                    yield self.n_comments + last_line + 1, fields
                last_line = reader.line_num
        except csv.Error as error:
            raise UsageError(
                f"{self.origin}, line {self.n_comments + last_line + 1}: {error}. A field that "
                "holds a quote, a separator or a line break must be "
                '"quoted", with every quote inside it doubled. If quotes mean nothing in this '
                "file: quote=none"
            ) from None

    def _split_lines(self, text: Iterator[str]) -> Iterator[Record]:
        """Number and fields of every line of `text` that is not blank."""
        for number, line in enumerate(text, start=self.n_comments + 1):
            if not line.strip():
                continue
            if self.separator == BLANK:
                yield number, _split_at_blanks(line)
            elif self.separator == COLONS:
                yield number, line.rstrip("\r\n").split(COLONS)
            elif self.quoting == "by-line":
                yield number, self._split_by_line(line)
            else:
                yield number, self._split_unquoted(line)

    def _split_by_line(self, line: str) -> list[str]:
        """The fields of a line by the rules of CSV if they fit it alone, else without quotes."""
        escapes = [None, "\\"] if '\\"' in line else [None]
        for escape in escapes:
            reader = csv.reader([line], delimiter=self.separator, strict=True, escapechar=escape)
            with suppress(csv.Error):
                return next(reader)
        return self._split_unquoted(line)

    def _split_unquoted(self, line: str) -> list[str]:
        """The fields of a line whose quotes are characters, but for those around a whole field."""
        fields = line.rstrip("\r\n").split(self.separator)
        return [_without_quotes(field) for field in fields]


def recognise_dialect(
    plain: Path, origin: Path, separator: str, encoding: str, quoting: Quoting = "double"
) -> Dialect:
    """The dialect of the text `plain`: with the separator that was given, else the likeliest.

    `separator` is a name such as "tab", the sign itself, or "" for the one that splits nearly all
    of the first records into as many fields as the very first, and into most. Lines at the top
    that begin with # or % are comments if others follow. UsageError for a separator that is none.
    """
    with plain.open(newline="", encoding=encoding, errors="replace") as text:
        start = text.read(SAMPLE_CHARACTERS).removeprefix("\ufeff")
    n_comments = _count_comments(start)
    sample = "".join(start.splitlines(keepends=True)[n_comments:])

    as_excel_says = EXCEL_LINE.match(start)
    if as_excel_says and not n_comments:
        n_comments = 1
        separator = separator or as_excel_says["separator"]
    if separator:
        likeliest = _separator_by_name(separator)
    else:
        is_whole = len(start) < SAMPLE_CHARACTERS
        likeliest = _likeliest_separator(sample, origin.name.lower(), is_whole=is_whole)
    return Dialect(likeliest, encoding, origin, quoting, n_comments)


def _count_comments(start: str) -> int:
    """How many lines a text begins with up to its last line of comment; none if there is no other.

    Blank ones may stand between them.
    """
    n_comments = 0
    for number, line in enumerate(start.split("\n"), start=1):
        if line.startswith(COMMENT_MARKS):
            n_comments = number
        elif line.strip():
            return n_comments
    return 0


def _likeliest_separator(sample: str, name: str, *, is_whole: bool) -> str:
    """The separator of the text that begins with `sample`, in a file of this `name`."""
    candidates = list(USUAL_SEPARATORS)
    if re.search(r"\.(tsv|tab)(\.\w+)?$", name):
        candidates.insert(0, "\t")

    widths = {candidate: _sample_widths(sample, candidate, is_whole) for candidate in candidates}
    regular = [candidate for candidate in candidates if _is_regular(widths[candidate])]
    if regular:
        return max(regular, key=lambda candidate: widths[candidate][0])

    # Nothing splits it evenly: blanks might, or else what splits the first line into most fields
    if _is_regular(_sample_widths(sample, BLANK, is_whole)):
        return BLANK
    return max(candidates, key=lambda candidate: next(iter(widths[candidate]), 0))


def _sample_widths(sample: str, separator: str, is_whole: bool) -> list[int]:
    """How many fields each record of `sample` has between such separators.

    Without an empty last one. The last record counts only if it `is_whole`. Nothing from where the
    quotes do not fit.
    """
    lines = sample.splitlines(keepends=True)
    widths: list[int] = []
    records: Iterator[list[str]]
    if separator == BLANK:
        records = (_split_at_blanks(line) for line in lines)
    elif separator == COLONS:
        records = (line.rstrip("\r\n").split(COLONS) for line in lines)
    else:
        records = csv.reader(lines, delimiter=separator)
    with suppress(csv.Error):
        for fields in islice(records, MOST_SAMPLED):
            if "".join(fields).strip():
                is_padded = len(fields) > 1 and not fields[-1].strip()
                widths.append(len(fields) - is_padded)
    if len(widths) > 1 and not is_whole and len(widths) < MOST_SAMPLED:
        widths.pop()
    return widths


def _is_regular(widths: list[int]) -> bool:
    """Whether nearly all records have as many fields as the first, and more than one."""
    if not widths or widths[0] < 2:
        return False
    n_by_width = Counter(widths)
    has_row_names = n_by_width[widths[0] + 1] == len(widths) - 1 > 1  # which the header leaves out
    return has_row_names or n_by_width[widths[0]] >= REGULAR_SHARE * len(widths)


def _separator_by_name(given: str) -> str:
    """The separator that is meant by its name or by itself; UsageError if it is neither."""
    separator = SEPARATORS.get(given, given)
    if separator not in SEPARATORS.values():
        expected = f"{', '.join(SEPARATORS)} or the sign itself"
        raise UsageError(f"sep={given} is no separator: expected {expected}")
    return separator


def _split_at_blanks(line: str) -> list[str]:
    """The fields between runs of blanks; blanks within quotes are part of one.

    >>> _split_at_blanks('1  "Heat (1995)" 4')
    ['1', 'Heat (1995)', '4']
    """
    if '"' not in line:
        return line.split()
    return [_without_quotes(field) for field in re.findall(r'"[^"]*"(?=\s|$)|\S+', line)]


def _without_quotes(field: str) -> str:
    """A field without the quotes around the whole of it, if it has no others."""
    is_wrapped = len(field) > 1 and field[0] == field[-1] == '"'
    if is_wrapped and field.count('"') == 2:
        return field[1:-1]
    return field
