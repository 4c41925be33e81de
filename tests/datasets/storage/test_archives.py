"""Archives that lie, climb, link or burst, and downloads that break: refused, and nothing is left
behind.
"""

import gzip
import hashlib
import io
import random
import stat
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from recbench.datasets import UsageError
from recbench.datasets.foundation.expansion import ALWAYS_FINE, LIFTED_BY
from recbench.datasets.storage import fetch
from recbench.datasets.storage.archives import Archive, stream_members
from recbench.datasets.storage.fetch import MissingData, download_file, download_wheel

CONTENT = {"set/ratings.csv": b"1,2,3\n" * 500, "set/readme.txt": b"hello"}


def pack(path: Path, content: dict[str, bytes] = CONTENT) -> Path:
    """An archive of the kind that the ending of `path` says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
            for name, data in content.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def read_all(path: Path) -> dict[str, bytes]:
    with Archive(path) as archive:
        return {name: archive.read(name) for name in archive.sizes}


def stream_all(path: Path) -> dict[str, bytes]:
    return {name: stream.read() for name, stream in stream_members(path, lambda name: True)}


KINDS = ["a.zip", "a.tar", "a.tar.gz"]


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_read_in_place(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path / kind)
    assert read_all(path) == CONTENT
    with Archive(path) as archive:
        assert archive.find("ratings.csv") == "set/ratings.csv"
        assert archive.find("nothing.csv") is None
        with pytest.raises(
            UsageError, match=r"has no file nothing\.csv inside, only set/ratings\.csv"
        ):
            archive.need("nothing.csv")
        with archive.open("set/ratings.csv") as file:
            assert file.readline() == b"1,2,3\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["../evil.csv", "set/../../evil.csv", "/etc/evil.csv", "C:/evil.csv", "..\\evil.csv"]
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(
        UsageError, match=r"evil\.csv is a path that leads out of the archive"
    ) as raised:
        read_all(pack(tmp_path / kind, {**CONTENT, name: b"evil"}))
    assert kind in str(raised.value)


def test_links_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("ratings.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        member = tarfile.TarInfo("ratings.csv")
        member.type = kind
        member.linkname = "/etc/passwd"
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.addfile(member)
        for path in (tmp_path / "a.zip", tmp_path / "a.tar"):
            with pytest.raises(UsageError, match=r"!ratings\.csv is a link or a device"):
                read_all(path)


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz"])
@pytest.mark.slow
def test_bombs_are_refused_before_they_burst(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path / kind, {"ratings.csv": bytes(ALWAYS_FINE + 1)})
    assert path.stat().st_size < 200_000
    with pytest.raises(
        UsageError, match=r"ratings\.csv makes the archive unpack to 33,554,433 bytes or more"
    ):
        read_all(path)
    many = pack(tmp_path / kind, {f"{k}.csv": bytes(ALWAYS_FINE // 4) for k in range(5)})
    with pytest.raises(UsageError, match=r"4\.csv makes the archive unpack to"):
        read_all(many)


def test_who_trusts_a_file_may_allow_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names the variable that lifts the limit, with a value that is enough."""
    path = pack(tmp_path / "a.zip", {"ratings.csv": bytes(ALWAYS_FINE + 1)})
    with pytest.raises(UsageError, match=rf"allow more: {LIFTED_BY}=1G$"):
        read_all(path)
    monkeypatch.setenv(LIFTED_BY, "1G")
    assert len(read_all(path)["ratings.csv"]) == ALWAYS_FINE + 1
    monkeypatch.setenv(LIFTED_BY, "much")
    with pytest.raises(UsageError, match=f"{LIFTED_BY} 'much': expected a positive number"):
        read_all(path)


def pax_record(key: str, value: str) -> bytes:
    """A record of a pax header, which begins with its own length in ten digits."""
    record = f" {key}={value}\n".encode()
    return f"{len(record) + 10:010d}".encode() + record


def tar_with_notes(n_bytes: int, kind: bytes, times: int = 1) -> bytes:
    """A tar of some files, before each of which stands a note of `n_bytes` bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(times):
            note = tarfile.TarInfo("note")
            note.type = kind
            content = b"%d" % number + b"a" * n_bytes
            if kind != tarfile.GNUTYPE_LONGNAME:
                content = pax_record("comment", "a" * n_bytes)
            note.size = len(content)
            tar.addfile(note, io.BytesIO(content))
            file = tarfile.TarInfo(f"ratings{number}.csv")
            file.size = 6
            tar.addfile(file, io.BytesIO(b"1,2,3\n"))
    return buffer.getvalue()


NOTES = [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]


@pytest.mark.parametrize("kind", NOTES, ids=["name", "link", "pax", "global"])
@pytest.mark.parametrize("read", [read_all, stream_all])
def test_a_name_or_note_as_long_as_a_film_is_refused(
    tmp_path: Path, kind: bytes, read: Callable[[Path], dict[str, bytes]]
) -> None:
    """1.5 MB became 4.6 GB of memory: tarfile keeps all that stands before a member's content."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar_with_notes(10_000_000, kind), 1))
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"a\.tar\.gz: names and notes of more than 65,536 bytes"):
        read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


@pytest.mark.parametrize("read", [read_all, stream_all])
def test_many_long_notes_are_refused(
    tmp_path: Path, read: Callable[[Path], dict[str, bytes]]
) -> None:
    (tmp_path / "a.tar").write_bytes(tar_with_notes(60_000, tarfile.XHDTYPE, times=300))
    with pytest.raises(UsageError, match=r"a\.tar: names and notes of more than 16,777,216 bytes"):
        read(tmp_path / "a.tar")


@pytest.mark.parametrize("read", [read_all, stream_all])
def test_notes_about_notes_without_end_are_refused(
    tmp_path: Path, read: Callable[[Path], dict[str, bytes]]
) -> None:
    note = tarfile.TarInfo("note")
    note.type = tarfile.XHDTYPE
    (tmp_path / "a.tar").write_bytes(note.tobuf() * 100_000)
    with pytest.raises(UsageError, match=r"a\.tar"):
        read(tmp_path / "a.tar")


def test_a_zip_whose_list_of_files_is_longer_than_any_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}/{'a' * 60_000}", b"")
    with pytest.raises(UsageError, match="the list of its files: names and notes of more than"):
        read_all(path)


def test_a_tar_that_claims_to_be_enormous_is_refused_at_its_header(tmp_path: Path) -> None:
    info = tarfile.TarInfo("ratings.csv")
    info.size = 1 << 40
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + b"1,2,3\n" * 100))
    with pytest.raises(UsageError, match=r"unpack to 1,099,511,627,776 bytes"):
        read_all(tmp_path / "a.tar.gz")


def test_a_member_that_holds_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"ratings.csv": b"1,2,3\n" * 1000})
    packed = path.read_bytes()
    size = (6000).to_bytes(4, "little")
    assert packed.count(size) == 2
    path.write_bytes(packed.replace(size, (600).to_bytes(4, "little")))
    with pytest.raises(UsageError, match=r"ratings\.csv cannot be read: Bad CRC"):
        read_all(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_come_twice_and_passwords_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("ratings.csv", "1")
        archive.writestr("ratings.csv", "2")
    with pytest.raises(UsageError, match="is in the archive twice"):
        read_all(tmp_path / "a.zip")
    with (
        pytest.raises(
            UsageError, match=r"more than one ratings\.csv: a/ratings\.csv, b/ratings\.csv"
        ),
        Archive(pack(tmp_path / "b.zip", {"a/ratings.csv": b"1", "b/ratings.csv": b"2"})) as two,
    ):
        two.find("ratings.csv")
    packed = bytearray(pack(tmp_path / "c.zip", {"ratings.csv": b"1"}).read_bytes())
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.zip").write_bytes(packed)
    with pytest.raises(UsageError, match="is encrypted"):
        read_all(tmp_path / "c.zip")


def test_an_unusual_compression_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("ratings.csv", "1")
    with pytest.raises(UsageError, match=r"a\.zip!ratings\.csv is packed in an unusual way"):
        read_all(tmp_path / "a.zip")


@pytest.mark.parametrize("read", [read_all, stream_all])
@pytest.mark.parametrize("kind", ["a.tar", "a.tar.gz"])
def test_a_tar_with_a_damaged_header_is_not_taken_for_a_shorter_one(
    tmp_path: Path, kind: str, read: Callable[[Path], dict[str, bytes]]
) -> None:
    tar = bytearray(pack(tmp_path / "whole.tar").read_bytes())
    assert [name.rpartition("/")[2] for name in read(tmp_path / "whole.tar")] == [
        "ratings.csv",
        "readme.txt",
    ]
    tar[512 + 3072] ^= 0xFF  # the first letter of the second name
    (tmp_path / kind).write_bytes(gzip.compress(tar) if kind.endswith("gz") else tar)
    with pytest.raises(UsageError, match="byte 3,584 should begin a member, or the end"):
        read(tmp_path / kind)


@pytest.mark.parametrize("kind", KINDS)
def test_in_one_pass_the_same_is_refused(tmp_path: Path, kind: str) -> None:
    assert stream_all(pack(tmp_path / kind)) == {
        name.rpartition("/")[2]: content for name, content in CONTENT.items()
    }
    bomb = pack(tmp_path / kind, {"ratings.csv": bytes(ALWAYS_FINE + 1)})
    if kind != "a.tar":
        with pytest.raises(UsageError, match="makes the archive unpack to 33,554,433 bytes or "):
            stream_all(bomb)
    with pytest.raises(UsageError, match="leads out of the archive"):
        stream_all(pack(tmp_path / kind, {"a/../../evil.csv": b"1"}))


def test_in_one_pass_the_tar_inside_a_tar_is_read_and_inspected(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.tar", {"training_set/mv_1.txt": b"1", "mv_2.txt": b"2"})
    outer = {"set/training_set.tar": inner.read_bytes(), "mv_2.txt": b"other"}
    given = list(stream_members(pack(tmp_path / "b.tar.gz", outer), lambda name: name[:2] == "mv"))
    assert [name for name, _ in given] == ["mv_1.txt", "mv_2.txt", "mv_2.txt"]

    cut = {"training_set.tar": inner.read_bytes()[: 512 * 4]}
    with pytest.raises(UsageError, match="its end is missing"):
        stream_all(pack(tmp_path / "c.tar.gz", cut))
    with tarfile.open(tmp_path / "inner.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo("mv_2.txt"))
    twice = {"training_set.tar": (tmp_path / "inner.tar").read_bytes()}
    with pytest.raises(UsageError, match=r"!training_set\.tar!mv_2\.txt is in the archive twice"):
        stream_all(pack(tmp_path / "d.tar.gz", twice))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_truncated_and_damaged_archives_are_refused(tmp_path: Path, kind: str) -> None:
    """Cut or changed anywhere: the right content, or the loader's own error."""
    packed = pack(tmp_path / kind).read_bytes()
    rng = random.Random(1)
    path = tmp_path / f"b{kind[1:]}"
    for end in range(0, len(packed) - 1, max(len(packed) // 200, 1)):
        path.write_bytes(packed[:end])
        try:
            found = read_all(path)
            assert kind == "a.tar" and end >= 4096 + 512 + 1024, "tars are filled up with zeros"
            assert found == CONTENT
        except UsageError as error:
            assert "cannot be read" in str(error)
    for _ in range(700):
        damaged = bytearray(packed)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(packed))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            found = read_all(path)
        except UsageError as error:
            assert str(path) in str(error)
        else:
            assert kind != "a.zip" or all(found[name] in CONTENT.values() for name in found), (
                "zip files carry checksums"
            )


def test_an_archive_that_is_not_there_or_is_a_directory_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.zip", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            Archive(path)


Serve = Callable[[list[bytes]], str]


@pytest.fixture
def serve() -> Iterator[tuple[Serve, list[str]]]:
    """A web server on this machine that gives one body after the other; b"" breaks off in the
    middle.
    """
    bodies: list[bytes] = []
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            asked.append(self.path)
            body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) or 1000))
            self.end_headers()
            self.wfile.write(body or b"half")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def start(given: list[bytes]) -> str:
        bodies[:] = given
        return f"http://127.0.0.1:{server.server_port}/ml-1m.zip"

    yield start, asked
    server.shutdown()
    thread.join()
    server.server_close()


def md5(body: bytes) -> str:
    return "md5:" + hashlib.md5(body).hexdigest()


def test_a_download_that_breaks_off_is_tried_again(
    tmp_path: Path, serve: tuple[Serve, list[str]]
) -> None:
    start, asked = serve
    url = start([b"", b"whole"])
    assert (
        download_file(url, md5(b"whole"), tmp_path / "new" / "ml-1m.zip").read_bytes() == b"whole"
    )
    assert len(asked) == 2
    assert download_file(start([b"any"]), None, tmp_path / "small.zip").read_bytes() == b"any"


def test_a_wrong_checksum_leaves_nothing_behind(
    tmp_path: Path, serve: tuple[Serve, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "RETRIES", 1)
    start, asked = serve
    with pytest.raises(MissingData, match="could not be fetched: MD5 hash"):
        download_file(start([b"other"]), md5(b"whole"), tmp_path / "ml-1m.zip")
    assert len(asked) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_cannot_be_reached_or_is_not_there_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"ml-1m\.zip cannot be reached \(ConnectionError\)"):
        download_file("http://127.0.0.1:9/ml-1m.zip", None, tmp_path / "ml-1m.zip")
    with pytest.raises(MissingData, match=r"sha256|could not download"):
        download_wheel("six==1.16.0", "0" * 64, tmp_path / "six.whl")
    assert not list(tmp_path.iterdir())
