"""The process that cells are forked from: it has imported the libraries, so a cell starts in
milliseconds.

Started by `fork_pool`, which hands over its own path for modules, as a program of its own. It reads
one JSON job a line from its standard input and writes one JSON message a line when a cell has
started or ended. When its input closes, because the run has ended or was killed, it kills every
cell and leaves.

What is imported at the top is of the standard library and quickly there: from the first moments on
this process dies with the run, also while it imports everything else.
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import os
import selectors
import signal
import sys
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recbench.benchmarks.execution.job import Job

PR_SET_PDEATHSIG = 1  # of Linux's prctl
PR_SET_CHILD_SUBREAPER = 36
NO_RECORD = 70  # exit code of a cell that has failed outside of the algorithm's calls
READ_BYTES = 1 << 20

# How long the first import of each library took here: what a cell of its own would wait for.
import_seconds: dict[str, float] = {}


def serve(run: int) -> None:
    """Serve until the input closes or the process `run` dies; never returns."""
    cells: dict[int, str] = {}
    signal.signal(signal.SIGTERM, lambda *_: _kill_cells_and_leave(cells))
    # also while it imports, when it does not look at its input
    _die_with(run, signal.SIGTERM)
    if sys.platform == "linux":  # orphans of a cell come here, to be ended when it has ended
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)

    replies = os.dup(1)
    os.dup2(2, 1)  # nothing a library prints may disturb the protocol

    # The end of a cell wakes the loop below through a pipe.
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(0, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)

    _import_libraries(["recbench.benchmarks.execution.worker"])
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        _send_message(replies, event="ready", pid=os.getpid())
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wake_read in ready:
                os.read(wake_read, 4096)
                _report_ended_cells(cells, replies)
            if 0 in ready:
                chunk = os.read(0, READ_BYTES)
                if not chunk:
                    break
                *lines, received = (received + chunk).split(b"\n")
                for line in lines:
                    _start_cell(line, cells, replies, close=(replies, wake_read, wake_write))
    _kill_cells_and_leave(cells)


def _die_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel send `number` to this process when `parent` dies; leave if it is dead
    already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _kill_cells_and_leave(cells: dict[int, str]) -> None:
    """Kill all cells and what they have started; never returns."""
    for pid in cells:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    if "psutil" in sys.modules:  # else nothing has been imported yet, and no cell was started
        _end_orphans()
    os._exit(0)


def _send_message(replies: int, **message: str | int) -> None:
    """One line to the run. It has gone if the pipe is broken; then the closed input ends this
    process too.
    """
    with contextlib.suppress(BrokenPipeError):
        os.write(replies, json.dumps(message).encode() + b"\n")


def _import_libraries(modules: list[str]) -> None:
    """Import what can be imported; the cell itself reports what cannot.

    Threads must not start here: a fork copies only the thread that forks, so a cell would wait for
    ever for the others, and for the locks that they held. JAX, polars and OpenMP start theirs when
    they are first used, and that is in a cell.
    """
    missing = [module for module in modules if module not in sys.modules]
    if not missing:
        return
    for module in missing:
        begun = perf_counter()
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
        import_seconds[module] = perf_counter() - begun
    if "recbench.benchmarks.evaluation.ranking" in sys.modules:
        _import_adapters()
        _compile_ranking()
    gc.collect()
    gc.freeze()  # collections in the cells skip all this, and do not copy its pages


def _import_adapters() -> None:
    """Have our own adapters imported once, here, instead of in every cell; not what they wrap."""
    from recbench.adapters import import_own

    import_own()


def _compile_ranking() -> None:
    """Have the ranking kernels compiled once, here, instead of in every cell."""
    import numpy as np
    from scipy.sparse import csr_matrix

    from recbench.benchmarks.evaluation import auc_by_user, top_items

    scores = np.zeros((1, 2), np.float32)
    users = np.zeros(1, np.int32)
    none = csr_matrix((1, 2), dtype=np.bool_)
    top_items(scores, users, none, 1, 0)
    auc_by_user(scores, users, none, none)


def _start_cell(line: bytes, cells: dict[int, str], replies: int, close: tuple[int, ...]) -> None:
    """Fork a process for the job in `line`; there, the descriptors in `close` are closed."""
    from recbench.benchmarks.execution.job import Job

    job = Job.from_json(line)
    _import_libraries(list(job.requires))
    seconds = sum(import_seconds.get(module, 0.0) for module in job.requires)
    job = replace(job, import_seconds=seconds)
    server = os.getpid()
    pid = os.fork()
    if not pid:
        _become_cell(job, server, close)
    cells[pid] = job.cell.name
    _send_message(replies, event="started", pid=pid, cell=job.cell.name)


def _become_cell(job: "Job", server: int, close: tuple[int, ...]) -> None:
    """Never returns: run the job in a session of its own, with its output in its log, and leave."""
    code = NO_RECORD
    try:
        os.setsid()
        os.chdir(job.working_directory)  # a library that was imported here may have left it
        _die_with(server, signal.SIGKILL)
        if job.processors:
            os.sched_setaffinity(0, job.processors)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

        assert job.log is not None
        log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, descriptor in ((0, null), (1, log), (2, log)):
            os.dup2(descriptor, target)
        for descriptor in (log, null, *close):
            os.close(descriptor)
        faulthandler.enable()

        from recbench.benchmarks.execution.worker import measure_cell

        measure_cell(job)
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
        sys.excepthook(*sys.exc_info())
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _report_ended_cells(cells: dict[int, str], replies: int) -> None:
    """Tell the run which cells have ended, and end what they have left behind once no cell runs."""
    with contextlib.suppress(ChildProcessError):  # there are no children left
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid in cells:
                code = os.waitstatus_to_exitcode(status)
                _send_message(replies, event="ended", pid=pid, cell=cells.pop(pid), code=code)
    if not cells:
        _end_orphans()


def _end_orphans() -> None:
    """Kill every child of this process; with no cell running, these are processes that cells have
    abandoned.
    """
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            process.kill()


def find_modules_as(root: str, module_path: list[str]) -> None:
    """Have `recbench` imported from `root`, where the run has it from, and all else from
    `module_path`.

    Another recbench may be installed, and stand before this one on the path.
    """
    sys.path[:] = [root, *module_path]
    importlib.import_module("recbench")  # what lies inside is found beside it from now on
    sys.path[:] = module_path


if __name__ == "__main__":
    find_modules_as(sys.argv[1], json.loads(sys.argv[2]))
    serve(run=int(sys.argv[3]))
