"""Records in JSON, one a line or all in one array, as a CSV file: what the text parsers read."""

import ast
import csv
import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from recbench.datasets.foundation import UsageError, longest_line

CHUNK_CHARACTERS = 1 << 20
N_SAMPLE = 1_000  # records whose names become the columns
LONGEST_TEXT = 1_000  # characters of a field that are kept: no id or title has more
BETWEEN_VALUES = " \t\r\n,"


def write_json_as_csv(source: Path, target: Path, where: str) -> None:
    """Write the JSON records of `source` to `target` as CSV in UTF-8; `where` names it in errors.

    Objects are records with names, which are those of the first 1,000; objects inside them give
    names such as "user.id", lists are left out, and long texts are cut. Arrays are records without
    names. Values may stand one a line, one behind the other, or in one array; a line may also be
    the notation of Python. UsageError, with its line, for anything else.
    """
    records = _flat_records(source, where)
    first = list(islice(records, N_SAMPLE))
    if not first:
        raise UsageError(f"{where}: expected JSON records, one for each rating, found none")

    names: dict[str, None] = {}
    for record in first:
        names |= dict.fromkeys(record)
    has_names = not all(name.isdecimal() for name in names)
    with target.open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text, lineterminator="\n")
        if has_names:
            table.writerow(names)
        for record in chain(first, records):
            table.writerow([record.get(name, "") for name in names])


def _flat_records(source: Path, where: str) -> Iterator[dict[str, str]]:
    """The records of `source` by the names of their fields, everything as text."""
    n_values = 0
    only: Any = None
    for line, value in _read_values(source, where):
        n_values += 1
        if n_values == 1 and isinstance(value, dict):
            only = value  # which may hold all records, if nothing else follows
            continue
        if n_values == 2 and only is not None:
            yield _flatten(only, where, 1)
        yield _flatten(value, where, line)
    if n_values == 1 and only is not None:
        for record in _records_within(only):
            yield _flatten(record, where, 1)


def _records_within(value: dict[str, Any]) -> list[Any]:
    """The records in the one object of a file: a list of them, columns side by side, or itself.

    >>> _records_within({"user": {"0": 7, "1": 8}, "item": {"0": 3, "1": 4}})
    [{'user': 7, 'item': 3}, {'user': 8, 'item': 4}]
    """
    lists = [inside for inside in value.values() if isinstance(inside, list)]
    if len(lists) == 1 and lists[0] and isinstance(lists[0][0], dict | list):
        return lists[0]

    columns = []
    for inside in value.values():
        if isinstance(inside, dict):  # by the number of the row
            inside = list(inside.values())
        columns.append(inside)

    is_table = len(columns) > 1 and all(isinstance(column, list) for column in columns)
    if not is_table or len({len(column) for column in columns}) > 1:
        return [value]
    records = []
    for row in zip(*columns, strict=True):
        records.append(dict(zip(value, row, strict=True)))
    return records


def _read_values(source: Path, where: str) -> Iterator[tuple[int, Any]]:
    """Line and value of each object or array of `source`, without the array that holds them all."""
    decode = json.JSONDecoder().raw_decode
    with source.open(encoding="utf-8-sig", newline="", errors="strict") as text:
        try:
            buffer = text.read(CHUNK_CHARACTERS)
            at = _skip(buffer, 0)
            is_array = _begins_array_of_records(buffer, at)
            at += is_array
            line = 1
            while True:
                following = _skip(buffer, at)
                line += buffer.count("\n", at, following)
                at = following
                if at < len(buffer) and buffer[at] == "]" and is_array:
                    return
                value, end = _decode(decode, buffer, at) if at < len(buffer) else (None, -1)

                # What is not whole yet goes on in what has not been read
                if end < 0 or end == len(buffer):
                    more = text.read(CHUNK_CHARACTERS)
                    if more and len(buffer) - at <= longest_line():
                        buffer = buffer[at:] + more
                        at = 0
                        continue
                    if at >= len(buffer):
                        return
                if end < 0:
                    value, end = _decode_python(buffer, at, where, line)
                yield line, value
                line += buffer.count("\n", at, end)
                at = end
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{where}: byte 0x{error.object[error.start]:02x} is not UTF-8, as JSON is. "
                "Convert it to UTF-8."
            ) from None
        except RecursionError:
            raise UsageError(f"{where}, line {line}: nested too deeply for a record") from None


def _skip(buffer: str, at: int) -> int:
    """Where the next value begins, at or behind `at`."""
    while at < len(buffer) and buffer[at] in BETWEEN_VALUES:
        at += 1
    return at


def _begins_array_of_records(buffer: str, at: int) -> bool:
    """Whether an array begins at `at` that holds objects or arrays."""
    if not buffer.startswith("[", at):
        return False
    inside = _skip(buffer, at + 1)
    return buffer.startswith(("{", "["), inside)


def _decode(decode: Any, buffer: str, at: int) -> tuple[Any, int]:
    """The value at `at`, and where it ends; -1 if it is not whole, or no JSON."""
    try:
        value, end = decode(buffer, at)
    except json.JSONDecodeError:
        return None, -1
    return value, end


def _decode_python(buffer: str, at: int, where: str, line: int) -> tuple[Any, int]:
    """The value of the line at `at`, in the notation of Python, and where it ends.

    UsageError if it is none either.
    """
    end = buffer.find("\n", at)
    if end < 0:
        end = len(buffer)
    content = buffer[at:end].strip()
    try:
        return ast.literal_eval(content), end
    except (ValueError, SyntaxError, MemoryError, TypeError):
        raise UsageError(
            f"{where}, line {line}: expected a record in JSON, got {content[:60]!r}. It may be cut "
            "off: fetch or write the file again."
        ) from None


def _flatten(value: Any, where: str, line: int) -> dict[str, str]:
    """The fields of a record as text; UsageError if it is no object or array."""
    if isinstance(value, list):
        return {str(place): _write(inside) for place, inside in enumerate(value, start=1)}
    if not isinstance(value, dict):
        raise UsageError(f"{where}, line {line}: expected an object as a record, got {value!r:.60}")

    fields: dict[str, str] = {}
    for name, inside in value.items():
        if isinstance(inside, dict):
            for name_inside, deeper in inside.items():
                is_type = name_inside.startswith("$")  # as MongoDB writes {"$date": 1101731671000}
                fields[name if is_type else f"{name}.{name_inside}"] = _write(deeper)
        else:
            fields[str(name)] = _write(inside)
    return fields


def _write(value: Any) -> str:
    """A value as the text of a field; "" for null, and for lists and objects."""
    if value is None or isinstance(value, list | dict | tuple | set):
        return ""
    return str(value)[:LONGEST_TEXT]
