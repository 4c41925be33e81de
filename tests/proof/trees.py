"""Trees of source: the present one, and those of other commits in temporary directories."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("datasets", "adapters", "benchmarks", "reports", "recbench")  # a tree need not have all


class UnknownCommit(Exception):
    """What was given names no commit of this repository."""


def commit_id(name: str) -> str:
    """The full id of the commit that an id, a branch or a tag stands for. UnknownCommit."""
    command = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if answer.returncode != 0:
        advice = "give an id, a branch or a tag that `git log` knows"
        raise UnknownCommit(f"{name!r} names no commit of {ROOT}: {advice}")
    return answer.stdout.strip()


@contextmanager
def exported(commit: str) -> Iterator[Path]:
    """The files of `commit`, in a directory that is gone afterwards. UnknownCommit."""
    command = ["git", "archive", "--format=tar", commit_id(commit)]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory(prefix="recbench-tree-") as directory:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(directory, filter="data")
        yield Path(directory)


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """A git worktree of `commit`, in a directory that is gone afterwards. UnknownCommit.

    Modules that run there can ask git for their commit, as `benchmarks.run` does; those of
    `exported` files cannot.
    """
    commit = commit_id(commit)
    with tempfile.TemporaryDirectory(prefix="recbench-tree-") as directory:
        path = Path(directory) / "tree"
        _run_git("worktree", "add", "--quiet", "--detach", str(path), commit)
        try:
            yield path
        finally:
            _run_git("worktree", "remove", "--force", str(path))


def _run_git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)
