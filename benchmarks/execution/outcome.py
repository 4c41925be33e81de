"""What becomes of a cell that could not say so itself: its record, and what of its log is kept."""

import shutil
import signal
from dataclasses import replace
from pathlib import Path

from recbench.benchmarks.execution.job import MODEL_ENDING, Job
from recbench.benchmarks.records import Cell, Record, Run, Serving

LOG_SHOWN = 600  # characters of a crashed cell's output that go into its reason
LOG_KEPT = 1 << 16  # bytes of it that stay in its log
WITHOUT_LOG = ("ok", "skipped")  # statuses that need no explanation


def record_ending(job: Job, status: str, reason: str) -> Record:
    """The record of a cell that has written none: killed, crashed, or never started."""
    return Record(
        cell=job.cell,
        status=status,
        reason=reason,
        started=job.started,
        data=job.data,
        environment=job.environment,
        log=name_log(job, status),
    )


def name_log(job: Job, status: str) -> str | None:
    """The file name, beside the record, of what a cell that ended in `status` has printed; None if
    it is not kept.
    """
    if job.log is None or status in WITHOUT_LOG or not job.log.exists():
        return None
    return job.log.name if job.log.stat().st_size else None


def keep_record(job: Job, record: Record) -> Record:
    """Write the record of a cell that did not do so itself; `not_run` replaces nothing."""
    run = job.run
    if record.status != "not_run" or not run.path(record.cell).exists():
        run.write(record)
    return record


def rescue_record(job: Job, ending: str) -> Record | None:
    """The record of a cell that was killed while its latency was measured; None of any other.

    What was measured before stays, and `ending` is why there is no latency.
    """
    if not job.is_served:
        return None
    record = job.run.read(job.cell)
    if record is None or record.started != job.started or record.status != "ok":
        return None

    if record.serving is None or record.serving.cost is None:
        record = replace(record, serving=Serving(reason=ending))
        job.run.rewrite(record)
    return record


def tidy_up(job: Job) -> None:
    """Remove the log of a cell that has ended unless its record names it, cut what has grown long
    to its end, and remove the model of a cell that was killed before it could.
    """
    if job.is_served:
        shutil.rmtree(job.model_directory, ignore_errors=True)
    if job.log is None or not job.log.exists():
        return
    record = job.run.read(job.cell)
    if record is None or record.log is None:
        job.log.unlink()
    elif job.log.stat().st_size > LOG_KEPT:
        job.log.write_bytes(_read_end(job.log))


def remove_leftovers(run: Run, cells: list[Cell]) -> None:
    """Remove logs and models that cells with an ok record still have: of a run that was killed
    before it could.
    """
    for cell in cells:
        run.path(cell, ".log").unlink(missing_ok=True)
        shutil.rmtree(run.path(cell, MODEL_ENDING), ignore_errors=True)


def describe_exit(code: int) -> str:
    """What the exit code of a process means, as `subprocess` counts: negative for a signal."""
    if code >= 0:
        return f"the process left with exit code {code} and no answer"
    number = -code
    if number not in {known.value for known in signal.Signals}:
        return f"killed by signal {number}"
    name = signal.Signals(number).name
    if name == "SIGKILL":
        return f"killed by {name} (the kernel does this when memory runs out)"
    return f"killed by {name}"


def describe_crash(code: int, log: Path | None) -> str:
    """The exit code in words, then what the cell printed last: its last line first, then all that
    is shown.
    """
    printed = read_last_lines(log) if log is not None else ""
    if not printed:
        return describe_exit(code)
    last_line = printed.rpartition("\n")[2]
    return f"{describe_exit(code)}: {last_line}\n{printed}"


def read_last_lines(log: Path) -> str:
    """The last whole lines of a log, LOG_SHOWN characters at most; empty if there is none.

    Of a fatal error of Python the stack is shown, and not the list of loaded modules that comes
    after it.
    """
    if not log.exists():
        return ""
    text = _read_end(log).decode(errors="replace").strip()

    _, fatal, stack = text.partition("Fatal Python error:")
    if fatal:
        stack = stack.partition("\n\nExtension modules:")[0]
        return (fatal + stack)[:LOG_SHOWN]

    if len(text) <= LOG_SHOWN:
        return text
    return text[-LOG_SHOWN:].partition("\n")[2]


def _read_end(log: Path) -> bytes:
    """The last LOG_KEPT bytes of a file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_KEPT))
        return file.read()
