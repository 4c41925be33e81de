"""How a text table is written, its separator and encoding, and its records read one by one."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recbench.datasets.foundation import UsageError, read_bounded_lines

COLONS = "::"  # the one separator of two characters; csv cannot split by it, and nothing is quoted
SEPARATORS = {  # what may be given, and the separator that it means
    "comma": ",",
    "tab": "\t",
    "semicolon": ";",
    "double-colon": COLONS,
    "pipe": "|",
    "\\t": "\t",
}
USUAL_SEPARATORS = (",", "\t", ";", COLONS, "|")  # of equally good ones the first is taken
BLANKS = " \t\u00a0"  # what is ignored around names and values

Record = tuple[int, list[str]]  # the number of its first line, and its fields


@dataclass(frozen=True)
class Dialect:
    """How a text table is written."""

    separator: str
    encoding: str
    origin: Path  # the file that errors name; what is read may be an unpacked copy of it

    def read_records(self, file: Path) -> Iterator[Record]:
        """First line and fields of every record that is not blank: slow, obvious, the last word.

        UsageError, with its line, for quotes that do not fit. Between "::" nothing is quoted.
        """
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        with file.open(newline="", encoding=encoding) as text:
            if self.separator == COLONS:
                yield from _split_at_colons(text)
            else:
                yield from self._read_csv(text)

    def _read_csv(self, text: Iterator[str]) -> Iterator[Record]:
        """The records of `text` by the rules of CSV; UsageError for quotes that do not fit."""
        reader = csv.reader(text, delimiter=self.separator, strict=True)
        last_line = 0
        try:
            for fields in reader:
                is_blank = len(fields) <= 1 and not "".join(fields).strip()
                if not is_blank:
                    yield last_line + 1, fields
                last_line = reader.line_num
        except csv.Error as error:
            raise UsageError(
                f"{self.origin}, line {last_line + 1}: {error}. A field that holds a quote, "
                'a separator or a line break must be "quoted", with every quote inside it doubled.'
            ) from None


def recognise_dialect(plain: Path, origin: Path, separator: str, encoding: str) -> Dialect:
    """The dialect of the text `plain`: with the separator that was given, else the likeliest.

    `separator` is a name such as "tab", the sign itself, or "" for the one that splits the first
    line that is not blank into most fields. UsageError for one that is given and is none.
    """
    if separator:
        return Dialect(_separator_by_name(separator), encoding, origin)

    candidates = list(USUAL_SEPARATORS)
    if re.search(r"\.(tsv|tab)(\.gz)?$", origin.name.lower()):
        candidates.insert(0, "\t")

    with plain.open(newline="", encoding=encoding, errors="replace") as text:
        lines = read_bounded_lines(text, str(origin))
        first_line = next((line for line in lines if line.strip()), "").strip("\r\n")
    likeliest = max(candidates, key=lambda candidate: _count_fields(first_line, candidate))
    return Dialect(likeliest, encoding, origin)


def _separator_by_name(given: str) -> str:
    """The separator that is meant by its name or by itself; UsageError if it is neither."""
    separator = SEPARATORS.get(given, given)
    if separator not in SEPARATORS.values():
        expected = f"{', '.join(SEPARATORS)} or the sign itself"
        raise UsageError(f"sep={given} is no separator: expected {expected}")
    return separator


def _count_fields(line: str, separator: str) -> int:
    """How many fields `line` has between such separators; 0 if its quotes do not fit."""
    if separator == COLONS:
        return len(line.split(COLONS))
    try:
        return len(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:
        return 0


def _split_at_colons(text: Iterator[str]) -> Iterator[Record]:
    """Number and fields of every line of `text` that is not blank, split at "::"."""
    for number, line in enumerate(text, start=1):
        if line.strip():
            yield number, line.rstrip("\r\n").split(COLONS)
