"""Files that are odd in any way are refused with a sentence and exit code 2 by every command.

Nothing is "a bug", and no memory is spent on what a file merely promises.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from recbench.benchmarks.accept import accept
from recbench.benchmarks.compare import compare
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.records.arrays import UNREADABLE_ARRAYS, read_arrays
from recbench.benchmarks.records.record import Run
from recbench.benchmarks.run import run
from recbench.benchmarks.verify import verify
from recbench.datasets.foundation import UsageError
from recbench.datasets.foundation.command_line import build_application
from recbench.datasets.foundation.json_files import parse_json
from recbench.datasets.storage import write_atomically
from recbench.reports.build import main as build
from tests.reports.invented_runs import cell, ok, write

GATE = ("--fail-on", "rmse:+5%")
FILES = ("plan.json", "record", "answers")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two directories with the same invented run, `good` and `odd`."""
    directory = tmp_path_factory.mktemp("runs")
    records = [ok(cell("item-mean", fold), 1.0 + fold) for fold in range(2)]
    write(directory / "good", records)
    return directory


@pytest.fixture
def odd(runs: Path, tmp_path: Path) -> Path:
    """The run that is to be damaged."""
    return Path(shutil.copytree(runs / "good", tmp_path / "odd"))


def file_of(directory: Path, name: str) -> Path:
    cells, _ = Run(directory).read_plan()
    endings = {"record": ".json", "answers": ".npz"}
    if name in endings:
        return Run(directory).path(cells[0], endings[name])
    return directory / name


def commands(good: Path, odd: Path) -> list[tuple[str, typer.Typer, list[object]]]:
    """Every command that reads a run, the odd one in each place."""
    table = good.parent / "no.csv"
    return [
        ("compare", application(compare), [good, odd, *GATE]),
        ("compare", application(compare), [odd, good, *GATE]),
        ("verify", application(verify), [odd, "--without-data"]),
        ("accept", application(accept), [odd, odd.parent / "baseline", *GATE]),
        ("report", application(build), [odd, "--sections", "summary"]),
        ("report --check", application(build), [odd, "--sections", "summary", "--check"]),
        ("run", application(run), ["--dataset", f"table:{table}", "--out", odd, "--dry-run"]),
    ]


def refuse_bug(good: Path, odd: Path) -> None:
    """Whatever a command makes of it, it knows what it does."""
    for name, app, arguments in commands(good, odd):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code in (0, 1, 2, 4), f"{name}: {result.output}"
        assert "bug" not in result.output, name
        assert "Traceback" not in result.output, name


CONTENTS: dict[str, bytes | None] = {
    "lists without end": b"[" * 100_000,
    "objects without end": b'{"a":' * 50_000,
    "null": b"null",
    "empty": b"",
    "no text": b"\xff\xfe\x00",
    "NaN": b'{"schema": NaN}',
    "beyond floats": b'{"schema": 1e999}',
    "digits without end": b'{"schema": ' + b"9" * 6000 + b"}",
    "a directory": None,
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.slow
def test_whatever_stands_in_a_file_no_command_breaks(
    runs: Path, odd: Path, name: str, kind: str
) -> None:
    path = file_of(odd, name)
    path.unlink()
    content = CONTENTS[kind]
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    refuse_bug(runs / "good", odd)


FIELDS: list[tuple[str, tuple[Any, ...], object]] = [
    ("plan.json", ("cells",), []),
    ("plan.json", ("cells", 0, "given"), None),
    ("plan.json", ("cells", 0, "parameters"), None),
    ("plan.json", ("cells", 0, "fold"), "x"),
    ("plan.json", ("cells", 1, "protocol"), {}),
    ("plan.json", ("cells", 1, "protocol", "ks"), [None]),
    ("plan.json", ("cells", 1, "protocol", "protocols"), 0.0),
    ("plan.json", ("about", "data"), None),
    ("plan.json", ("about", "reproduce"), "it's"),
    ("record", ("cell", "given"), None),
    ("record", ("cell", "protocol"), {}),
    ("record", ("metrics",), {"rmse": "x"}),
    ("record", ("data", "users"), -1),
    ("record", ("data", "users"), 10**19),
    ("record", ("costs",), {"fit": {"seconds": None}}),
]


@pytest.mark.parametrize(("name", "place", "value"), FIELDS)
@pytest.mark.slow
def test_whatever_a_field_holds_no_command_breaks(
    runs: Path, odd: Path, name: str, place: tuple[Any, ...], value: object
) -> None:
    path = file_of(odd, name)
    content = json.loads(path.read_text())
    inside = content
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    path.write_text(json.dumps(content))
    refuse_bug(runs / "good", odd)


@pytest.mark.parametrize("protocol", [{}, {"ks": [None]}, {"version": 2, "ks": [10]}])
def test_a_plan_with_what_is_no_protocol_is_damaged(odd: Path, protocol: object) -> None:
    path = odd / "plan.json"
    content = json.loads(path.read_text())
    content["cells"][1]["protocol"] = protocol
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="damaged"):
        Run(odd).read_plan()


def npy(header: str, body: bytes = b"") -> bytes:
    """An array file with any header."""
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def pack(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def with_method(packed: bytes, method: int) -> bytes:
    """The archive, whose first member says that it is packed in another way."""
    content = bytearray(packed)
    directory = content.find(b"PK\x01\x02")
    content[8:10] = content[directory + 10 : directory + 12] = struct.pack("<H", method)
    return bytes(content)


def encrypted(packed: bytes) -> bytes:
    content = bytearray(packed)
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


FEW = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bytes(8))
TERABYTES = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")
ODD_ARRAYS: dict[str, bytes] = {
    "promises terabytes": pack({"scores": TERABYTES}),
    "a negative length": pack(
        {"scores": TERABYTES.replace(b"(1000000000000,)", b"(-1,)           ")}
    ),
    "objects": pack({"scores": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }")}),
    "parentheses": pack({"scores": npy("(" * 110)}),
    "texts of gigabytes": pack(
        {"scores": npy("{'descr': '<U99999999999', 'fortran_order': False, 'shape': (1,), }")}
    ),
    "more than the array": pack({"scores": FEW + b"more"}),
    "an unknown method": with_method(pack({"scores": FEW}), 99),
    "encrypted": encrypted(pack({"scores": FEW})),
    "cut off": pack({"scores": FEW})[:-30],
    "a bomb": pack({"scores": FEW + bytes(40_000_000)}, zipfile.ZIP_DEFLATED),
    "texts for scores": pack(
        {"scores": npy("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"abcd")}
    ),
    "a number for scores": pack(
        {"scores": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", bytes(4))}
    ),
}


@pytest.mark.parametrize("kind", ODD_ARRAYS)
def test_odd_arrays_are_refused_before_they_take_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd.npz"
    path.write_bytes(ODD_ARRAYS[kind])
    with pytest.raises(UNREADABLE_ARRAYS):
        read_arrays(path)


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.pop(name)


def _as(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.update({name: change(arrays[name])})


FORMS: dict[str, Callable[[dict[str, Any]], None]] = {
    "no columns": _without("share_columns"),
    "no sums": _without("share_sums"),
    "columns of numbers": _as("share_columns", lambda old: np.zeros(len(old), np.float32)),
    "users of the future": _as("share_users", lambda old: old + 2**30),
    "users below 0": _as("share_users", lambda old: -old - 1),
    "users yes or no": _as("share_users", lambda old: old > 0),
    "fewer weights": _as("share_weights", lambda old: old[:, :1]),
    "one sum": _as("share_sums", lambda old: np.float32(1)),
    "texts for sums": _as("share_sums", lambda old: np.full(old.shape, "a")),
}


@pytest.mark.parametrize("kind", FORMS)
def test_shares_of_another_form_are_refused_though_their_sum_is_right(
    runs: Path, odd: Path, kind: str
) -> None:
    path = file_of(odd, "answers")
    with np.load(path) as stored:
        arrays = dict(stored)
    FORMS[kind](arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    record_path = file_of(odd, "record")
    content = json.loads(record_path.read_text())
    content["answers"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    record_path.write_text(json.dumps(content))
    refuse_bug(runs / "good", odd)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "[" * 100_000, "[NaN]", "[-1e400]"])
def test_json_that_python_would_let_pass_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"twice|without end|expected a"):
        parse_json(text)


def test_what_the_machine_refuses_is_a_sentence_and_not_a_bug(tmp_path: Path) -> None:
    """A full disk, a file that cannot be written, too little memory: exit code 2."""
    for error in (
        OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a.json")),
        PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "a.json")),
    ):
        result = CliRunner().invoke(build_application(_command_that_raises(error)), [])
        assert result.exit_code == 2, result.output
        assert f"{tmp_path / 'a.json'} cannot be read or written" in result.output
        assert "run the same command again" in result.output

    result = CliRunner().invoke(build_application(_command_that_raises(MemoryError())), [])
    assert result.exit_code == 2
    assert "memory of this machine does not suffice" in result.output


def _command_that_raises(error: Exception) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


def test_a_data_file_whose_name_is_not_utf_8_is_refused_by_name() -> None:
    result = CliRunner().invoke(
        application(run), ["--dataset", "table:/tmp/r\udcff.csv", "--algorithm", "item-mean"]
    )
    assert result.exit_code == 2, result.output
    assert r"r\udcff.csv: the name of the file is not UTF-8" in result.output


def test_a_file_that_cannot_be_written_ends_a_run_with_a_sentence_and_what_was_measured(
    ratings_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "results.csv").mkdir(parents=True)
    arguments = ["--dataset", f"table:{ratings_file}", "--algorithm", "item-mean", "--folds", "2"]
    result = CliRunner().invoke(application(run), [*arguments, "--debug", "--out", str(out)])
    assert result.exit_code == 2, result.output
    assert f"{out / 'results.csv'}" in result.output
    assert "Is a directory" in result.output
    assert [record.status for record in Run(out).records()] == ["ok", "ok"]


def test_a_full_disk_is_told_with_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match=r"No space left on device: .*/plan\.json'"):
        write_atomically(tmp_path / "plan.json", b"{}")
    assert not list(tmp_path.iterdir())
