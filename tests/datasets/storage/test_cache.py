"""The cache: one parse however many want it, nothing stale, nothing half, and it mends itself."""

import json
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from recbench import datasets
from recbench.datasets import Catalogue, Dataset, Provenance, Ratings, UsageError, __main__
from recbench.datasets.foundation.command_line import build_application
from recbench.datasets.netflix.twin.model import VERSION
from recbench.datasets.netflix.twin.write import write_simulated_netflix
from recbench.datasets.storage import cache
from recbench.datasets.storage import cached_entries as housekeeping
from recbench.datasets.storage.cache import (
    Damaged,
    check_entry,
    describe_source,
    load_cached,
    reopen_entry,
)
from recbench.datasets.storage.fetch import cache_directory
from recbench.datasets.storage.markers import MARK, mark_directory
from recbench.datasets.table import keep_frame

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECBENCH_DATA", str(tmp_path / "data"))


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return f"table:{path}"


def invented(n: int = 2) -> Dataset:
    indices = np.arange(n, dtype=np.int32)
    ids = np.array([f"id{k}" for k in range(n)])
    ratings = Ratings(indices, indices, np.ones(n, np.float32), n, n, (1, 5))
    rows = (np.array([0], np.int64),)
    catalogue = Catalogue(("a",) * n, (None,) * n, ((),) * n)
    facts = {"age": np.arange(n)}
    truth = np.ones((n, n), np.float32)
    return Dataset(
        "invented", ratings, catalogue, ids, ids, Provenance((), "", ""), {"u1": rows}, facts, truth
    )


def entries() -> list[str]:
    return sorted(
        path.name for path in (cache_directory() / "datasets").glob("*") if path.suffix != ".lock"
    )


def test_a_reopened_data_set_is_the_same_and_memory_mapped(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    loaded = load_cached("invented", [tmp_path / "source"], {"parser": 1}, invented)
    assert loaded.stored is not None
    again = reopen_entry(loaded.stored)
    del again.__dict__["digest"]
    assert again.digest == loaded.digest == invented().digest
    assert again.provenance == loaded.provenance
    assert again.splits["u1"][0].tolist() == [0]
    assert again.user_facts["age"].tolist() == [0, 1]
    assert again.truth is not None
    assert isinstance(again.ratings.values.base, np.memmap)


def test_the_cache_is_not_used_after_the_source_changed(tmp_path: Path) -> None:
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")
    first = datasets.load(spec)
    assert datasets.load(spec).stored == first.stored
    write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,5\n")
    assert datasets.load(spec).ratings.values.tolist() == [3, 5]


@pytest.mark.parametrize("settle", [True, False])
def test_nor_when_size_and_time_are_those_of_before(
    tmp_path: Path, settle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if settle:
        monkeypatch.setattr("recbench.datasets.storage.cache.SETTLED_NS", 0)
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n")
    before = (tmp_path / "t.csv").stat()
    assert datasets.load(spec).ratings.values.tolist() == [3]
    time.sleep(
        0.02 if settle else 0
    )  # without it the change may fall into the same tick of the file system's clock
    with (tmp_path / "t.csv").open("r+") as file:
        file.write("user,item,rating\n1,1,5\n")
    os.utime(tmp_path / "t.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (tmp_path / "t.csv").stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    assert datasets.load(spec).ratings.values.tolist() == [5]


def test_checksums_are_remembered_once_a_file_has_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_text("x")
    monkeypatch.setattr("recbench.datasets.storage.cache.SETTLED_NS", 3600 * 10**9)
    describe_source(tmp_path / "source")
    assert not (cache_directory() / "digests").exists(), (
        "it may still change in the same tick of the clock"
    )
    monkeypatch.setattr("recbench.datasets.storage.cache.SETTLED_NS", 0)
    known = describe_source(tmp_path / "source")
    (remembered,) = (cache_directory() / "digests").iterdir()
    remembered.write_text("")
    assert describe_source(tmp_path / "source") == known, "a damaged note is not believed"


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_text("x")

    def parse() -> Dataset:
        path.write_text("y")
        return invented()

    with pytest.raises(UsageError, match="changed while it was read"):
        load_cached("invented", [path], {"parser": 1}, parse)
    assert not entries()


def test_a_failed_parse_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")

    def parse() -> Dataset:
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        load_cached("invented", [tmp_path / "source"], {"parser": 1}, parse)
    with pytest.raises(TypeError):  # fails while it is written
        load_cached("x", [tmp_path / "source"], {}, lambda: replace(invented(), name=object()))  # type: ignore[arg-type]
    assert not entries()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda entry: (entry / "values.npy").unlink(),
    "truncated": lambda entry: _truncate(entry / "items.npy"),
    "emptied": lambda entry: (entry / "users.npy").write_bytes(b""),
    "swapped": lambda entry: (entry / "values.npy").write_bytes((entry / "items.npy").read_bytes()),
    "no description": lambda entry: (entry / "about.json").unlink(),
    "half a description": lambda entry: _truncate(entry / "about.json"),
    "another description": lambda entry: (entry / "about.json").write_text("[]"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_entry_is_named_and_made_again(tmp_path: Path, kind: str) -> None:
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")
    entry = datasets.load(spec).stored
    assert entry is not None
    DAMAGE[kind](entry)
    with pytest.raises(Damaged, match=r"is damaged.*python -m datasets cache --clear"):
        reopen_entry(entry)
    assert [found.name for found in housekeeping.list_entries()] == ["(damaged)"]
    assert datasets.load(spec).ratings.values.tolist() == [3, 4]
    assert [found.name for found in housekeeping.list_entries()] == ["table:t.csv"]


def _edit_column(path: Path) -> None:
    """Other values at equal size, as an editor of .npy files would leave them."""
    values = np.load(path)
    values[:2] = values[:2][::-1].copy()
    np.save(path, values)


def _edit_description(path: Path, name: str, value: object) -> None:
    about = json.loads(path.read_text())
    about[name] = value
    path.write_text(json.dumps(about))


EDITS: dict[str, Callable[[Path], object]] = {
    "values": lambda entry: _edit_column(entry / "values.npy"),
    "raw ids": lambda entry: _edit_column(entry / "user_ids.npy"),
    "scale": lambda entry: _edit_description(entry / "about.json", "scale", [0, 100]),
    "name": lambda entry: _edit_description(entry / "about.json", "name", "other"),
    "digest": lambda entry: _edit_description(entry / "about.json", "digest", "0" * 64),
    "sums": lambda entry: _edit_description(entry / "about.json", "checksums", {}),
}


@pytest.mark.parametrize("kind", EDITS)
def test_an_entry_that_was_edited_is_not_believed_but_made_again_and_said(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """300 of 1,500 cached ratings were changed, and the digest of before was printed."""
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")
    entry = datasets.load(spec).stored
    assert entry is not None
    EDITS[kind](entry)
    with pytest.raises(Damaged, match=r"not what the bench wrote there \(.* changed since"):
        reopen_entry(entry)

    again = datasets.load(spec)
    assert again.ratings.values.tolist() == [3, 4]
    assert again.ratings.scale == (1, 5)
    assert again.name == "table:t.csv"
    (said,) = caplog.messages
    assert re.search(r"not what the bench wrote there .*: it is made again from .*t\.csv$", said)


def test_columns_are_read_once_a_process_and_by_nobody_who_is_told_that_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = datasets.load(write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")).stored
    assert entry is not None
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_sum_up", None)
        reopen_entry(entry)
        patch.setattr(cache, "_checked_entries", set())
        reopen_entry(entry, is_checked=True)
        with pytest.raises(Damaged):
            reopen_entry(entry)

    # Who wants to be sure looks again, as `benchmarks.verify` does.
    check_entry(entry)
    _edit_column(entry / "values.npy")
    with pytest.raises(Damaged):
        check_entry(entry)


def parse_slowly(directory: str, *, crash: bool = False) -> None:
    """What a process of its own does: it counts its parses, takes its time, and may be killed while
    it writes.
    """

    def parse() -> Dataset:
        with (Path(directory) / "parsed").open("a") as file:
            file.write("x")
        time.sleep(0.5)
        return invented(1000)

    if crash:
        setattr(np, "save", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))  # noqa: B010
    found = load_cached("slow", [Path(directory) / "source"], {"parser": 1}, parse)
    assert len(found.ratings) == 1000


@pytest.mark.slow
def test_processes_that_want_the_same_data_parse_it_once(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("source")
    processes = [SPAWN.Process(target=parse_slowly, args=(str(tmp_path),)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert (tmp_path / "parsed").read_text() == "x"


@pytest.mark.slow
def test_who_waits_for_a_process_that_is_killed_while_it_writes_takes_over(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("source")
    doomed = SPAWN.Process(target=parse_slowly, args=(str(tmp_path),), kwargs={"crash": True})
    doomed.start()
    while not (tmp_path / "parsed").exists():
        assert doomed.is_alive()
        time.sleep(0.01)
    waiting = [SPAWN.Process(target=parse_slowly, args=(str(tmp_path),)) for _ in range(2)]
    for process in waiting:
        process.start()
    for process in (doomed, *waiting):
        process.join()
    assert [process.exitcode for process in (doomed, *waiting)] == [-signal.SIGKILL, 0, 0]
    assert (tmp_path / "parsed").read_text() == "xx"
    assert len(entries()) == 1, "what the killed one left is gone"


def show(*arguments: object) -> Result:
    commands = (__main__.list_, __main__.info, __main__.fetch, __main__.cache)
    return CliRunner().invoke(
        build_application(*commands), [str(argument) for argument in arguments]
    )


def test_the_cache_is_listed_and_cleared_but_for_what_is_being_written(tmp_path: Path) -> None:
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")
    still_open = datasets.load(spec)
    (cache_directory() / "datasets" / ".0123456789abcdef.abcd1234.tmp").mkdir()
    assert "table:t.csv" in show("cache").output
    assert "(unfinished)" in show("cache").output
    lock = (cache_directory() / "datasets" / "0123456789abcdef.lock").open("a")
    with lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "cleared" in show("cache", "--clear").output
        assert entries() == [".0123456789abcdef.abcd1234.tmp"]
    assert show("cache", "--clear").exit_code == 0
    assert entries() == []
    assert still_open.ratings.values.tolist() == [3, 4]
    assert datasets.load(spec).ratings.values.tolist() == [3, 4]


def test_kept_data_frames_are_listed_with_their_size_and_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path / "cache"))
    frame = pl.DataFrame({"user": range(500), "item": range(500), "rating": [3] * 500})
    spec = keep_frame(frame, "my-ratings", {})
    (kept,) = (tmp_path / "cache" / "frames").iterdir()
    n_bytes = kept.stat().st_size
    assert datasets.load(spec).ratings.n_users == 500

    listed = {entry.path: entry for entry in housekeeping.list_entries()}
    assert listed[kept].name == "my-ratings (DataFrame)" and listed[kept].n_bytes == n_bytes
    assert "my-ratings (DataFrame)" in show("cache").output
    total = sum(entry.n_bytes for entry in listed.values())

    cleared = housekeeping.clear_cache()
    assert (cleared.n_bytes, cleared.left) == (total, [])
    assert not kept.parent.exists()
    assert keep_frame(frame, "my-ratings", {}) == spec, "the same DataFrame has the same copy"
    assert datasets.load(spec).ratings.n_users == 500


def test_what_somebody_put_among_kept_data_frames_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "frames"
    keep_frame(pl.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [3, 4]}), "mine", {})
    (kept,) = folder.iterdir()
    others = [folder / "notes.txt", folder / "ratings.parquet", folder / "ab-0123456789ab.parquet"]
    for path in others:
        path.write_text("mine")
    link = folder / f"linked-{kept.stem[-12:]}.parquet"
    (tmp_path / "elsewhere").write_bytes(kept.read_bytes())
    link.symlink_to(tmp_path / "elsewhere")

    assert [entry.path for entry in housekeeping.list_entries()] == [kept]
    assert housekeeping.clear_cache().left == sorted([*others, link])
    assert sorted(folder.iterdir()) == sorted([*others, link])


PRECIOUS = [
    "precious.csv",
    "datasets/precious.csv",
    "datasets/my-precious/ratings.csv",
    "datasets/my-precious/about.json",
    "datasets/.my-precious.abcd1234.tmp/ratings.csv",
    "datasets/0123456789abcdef/ratings.csv",
    "datasets/0123456789abcdee/users.npy",
    "datasets/.0123456789abcdef.abcd1234.tmp/values.npy",
    "digests/precious.txt",
    "digests/0123456789abcdef01234567",
    "digests/my-precious/0123456789abcdef01234567",
]


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_what_is_not_the_benchs_own_is_never_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path / "shared"))
    monkeypatch.setattr("recbench.datasets.storage.cache.SETTLED_NS", 0)
    for name in PRECIOUS:
        (tmp_path / "shared" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shared" / name).write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "users.npy").write_text("mine")
    (tmp_path / "shared" / "datasets" / "0123456789abcdea").symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "shared")
    stored = datasets.load(write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")).stored
    assert stored is not None and stored.exists()
    assert len(list((tmp_path / "shared" / "digests").iterdir())) == 4
    result = show("cache", "--clear")
    assert result.exit_code == 0
    assert not stored.exists()
    assert {name for name in snapshot(tmp_path / "shared") if not name.endswith(".lock")} == set(
        PRECIOUS
    )
    assert snapshot(tmp_path / "shared").items() >= before.items()
    assert snapshot(tmp_path / "elsewhere") == {"users.npy": b"mine"}
    for name in ("datasets/my-precious", "datasets/0123456789abcdef", "digests/precious.txt"):
        assert (
            f"{tmp_path / 'shared' / name}: this bench has not written all of it" in result.output
        )


def test_a_file_that_somebody_put_into_an_entry_keeps_it(tmp_path: Path) -> None:
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")
    entry = datasets.load(spec).stored
    assert entry is not None
    (entry / "notes.txt").write_text("mine")
    assert show("cache", "--clear").exit_code == 0
    assert datasets.load(spec).stored == entry, "what is whole is used"
    _truncate(entry / "items.npy")
    before = snapshot(tmp_path)
    with pytest.raises(
        UsageError, match="is in the way: it holds files that this bench has not written"
    ):
        datasets.load(spec)
    assert {
        name: content for name, content in snapshot(tmp_path).items() if name in before
    } == before


def test_entries_of_versions_without_a_mark_are_known_by_their_form(tmp_path: Path) -> None:
    spec = write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n2,1,4\n")
    entry = datasets.load(spec).stored
    assert entry is not None
    (entry / MARK).unlink()
    assert datasets.load(spec).stored == entry
    assert [found.name for found in housekeeping.list_entries()] == ["table:t.csv"]
    np.save(entry / "user shoe size.npy", np.zeros(2))
    assert housekeeping.clear_cache().left == [entry], (
        "not one of the columns that its description names"
    )
    (entry / "user shoe size.npy").unlink()
    assert housekeeping.clear_cache().left == []
    assert not entry.exists()


@pytest.mark.slow
def test_what_a_killed_writer_of_the_simulated_netflix_left_goes_and_nothing_else(
    tmp_path: Path,
) -> None:
    simulated = tmp_path / "data" / "simulated"
    name = f".netflix-users0.001-seed0-v{VERSION}"
    for folder in ("backup", "abcd1234"):
        (simulated / f"{name}.{folder}").mkdir(parents=True)
        (simulated / f"{name}.{folder}" / "truth.npz").write_text("half")
    mark_directory(simulated / f"{name}.abcd1234")
    write_simulated_netflix(0.001, 0)
    assert (simulated / f"{name}.backup" / "truth.npz").read_text() == "half"
    assert not (simulated / f"{name}.abcd1234").exists()


def test_a_data_set_is_shown_with_all_that_is_known_about_it(tmp_path: Path) -> None:
    text = "user,item,rating,time\na,x,3,1136073600\nb,x,4.5,1136073601\nb,x,4,1136073602\n"
    spec = write(tmp_path / "my [odd] ratings.csv", text)
    result = show("info", spec)
    data = datasets.load(spec)
    assert result.exit_code == 0, result.output
    for expected in [
        "2 (100 % of all pairs)", "0.5 to 5, mean 3.5000",
        "2006-01-01 00:00:00 to 2006-01-01 00:00:02 UTC",
        "rated 3", "50.0 % ████", "my [odd] ratings.csv", data.provenance.sources[0].sha256,
        "as its owner says",
        "ratings: 1 of 3 dropped (33.33 %)", "The scale 0.5 to 5 is inferred", data.digest,
    ]:  # fmt: skip
        assert expected in result.output
    fetched = show("fetch", spec)
    assert fetched.exit_code == 0
    assert str(data.stored) in fetched.output
    assert "table:PATH" in show("list").output


def test_what_cannot_be_loaded_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    for arguments in (
        ["info", "movielens-100"],
        ["fetch", f"table:{tmp_path}/nowhere.csv"],
        ["info"],
        ["lost"],
    ):
        result = show(*arguments)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output


def test_the_description_of_an_entry_is_plain_json(tmp_path: Path) -> None:
    stored = datasets.load(write(tmp_path / "t.csv", "user,item,rating\n1,1,3\n")).stored
    assert stored is not None
    about = json.loads((stored / "about.json").read_text())
    assert set(about["columns"]) == {path.stem for path in stored.glob("*.npy")}
