"""What a call costs counts what it has other processes do, such as a Java machine."""

import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from recbench.benchmarks.execution.measure import Meter

MEGABYTES = 150
SECONDS = 0.2

# Works when it is told to, and says when it has.
HELPER = f"""
import time
while input():
    memory = b"x" * {MEGABYTES * 2**20}
    until = time.process_time() + {SECONDS}
    while time.process_time() < until:
        pass
    del memory
    print("done", flush=True)
"""


@pytest.fixture
def helper() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HELPER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def ask(orders: IO[str], replies: IO[str]) -> str:
    orders.write("work\n")
    orders.flush()
    return replies.readline()


def test_time_and_memory_of_a_helping_process_are_those_of_the_call(
    helper: "subprocess.Popen[str]",
) -> None:
    assert helper.stdin is not None and helper.stdout is not None
    meter = Meter()
    assert meter("fit", ask, helper.stdin, helper.stdout) == "done\n"
    meter("rank", len, "nothing that a helper does")
    fit, rank = meter.costs()["fit"], meter.costs()["rank"]
    assert (fit.cpu_seconds or 0) > SECONDS / 2 > (rank.cpu_seconds or 0), "in ticks of 10 ms"
    assert (fit.grown_mb or 0) > MEGABYTES / 2 > (rank.grown_mb or 0)


def test_a_process_that_was_started_and_has_ended_counts_too() -> None:
    program = f"""
import time
while time.process_time() < {SECONDS}:
    pass
"""
    meter = Meter()
    meter("fit", subprocess.run, [sys.executable, "-c", program])
    assert (meter.costs()["fit"].cpu_seconds or 0) >= SECONDS
