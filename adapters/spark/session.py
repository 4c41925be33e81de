"""The Spark session of a process: a Java machine beside it, started once, before anything is timed.

It is started where the first algorithm converts its first ratings, which the bench does on a toy.
What it writes lies in a temporary directory, which machines of a foreign master must share.
"""

import atexit
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

MASTER = "RECBENCH_SPARK_MASTER"  # the address of a master; else Spark runs in this machine
OLDEST_JAVA = 17
SHARE_OF_LIMIT = 0.6  # of a cell's memory, for the heap: Python and Java's own need the rest
SMALLEST_HEAP_MB = 512
VERSION = re.compile(r'version "(\d+)')


def explain_no_java() -> str | None:
    """Why Spark cannot be started here, and what to do, or None."""
    java = _find_java()
    if java is None:
        return f"Spark needs Java {OLDEST_JAVA} or newer, and there is none: {_advise()}"

    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = VERSION.search(shown.stderr + shown.stdout)
    if version is not None and int(version[1]) < OLDEST_JAVA:
        return f"Spark needs Java {OLDEST_JAVA} or newer, and {java} is {version[1]}: {_advise()}"
    return None


def announce_memory(memory_mb: float) -> None:
    """Say how much memory all of this process's family may use, before a session is opened."""
    _limits.memory_mb = memory_mb


def open_session(threads: int) -> Any:
    """The SparkSession of this process, started by the first call: later ones get the same.

    With `local[threads]` and a heap that fits into the announced memory, unless
    RECBENCH_SPARK_MASTER names a master. Its checkpoints, which long iterations need, lie in a
    temporary directory.
    """
    from pyspark.sql import SparkSession

    heap_mb = max(SMALLEST_HEAP_MB, int(SHARE_OF_LIMIT * _limits.memory_mb))
    builder = SparkSession.builder.appName("recbench")
    builder = builder.master(os.environ.get(MASTER, f"local[{threads}]"))
    options = {
        "spark.driver.memory": f"{heap_mb}m",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(max(threads, 2)),
    }
    if MASTER in os.environ:  # whose workers have to find this driver
        del options["spark.driver.bindAddress"], options["spark.driver.host"]
    for name, value in options.items():
        builder = builder.config(name, value)

    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    if session.sparkContext.getCheckpointDir() is None:
        session.sparkContext.setCheckpointDir(make_directory())
    return session


def make_directory() -> str:
    """A temporary directory that goes when this process ends, or with the cell that it runs."""
    directory = mkdtemp(prefix="recbench-spark-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@dataclass
class _Limits:
    """What the bench has said of this process."""

    memory_mb: float = 2048.0


_limits = _Limits()


def _find_java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return str(Path(home) / "bin" / "java")
    return shutil.which("java")


def _advise() -> str:
    return "install one, such as Debian's openjdk-17-jre-headless, or set JAVA_HOME"
