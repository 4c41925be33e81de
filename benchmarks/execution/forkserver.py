"""The process that cells are forked from: it has imported the libraries, so a cell starts in
milliseconds.

Started by `fork_pool`, which hands over its own path for modules, as a program of its own. It reads
one JSON job a line from its standard input and writes one JSON message a line when a cell has
started or ended. When its input closes, because the run has ended or was killed, it kills every
cell and leaves.

Nobody knows what a library that an adapter wraps does when it is imported: it may raise, leave,
hang, crash, or turn off signals. So the server never imports one itself. It forks a successor that
does; if that comes through unharmed, it serves from then on, and this process only waits for the
cells that it has started. If not, nothing has happened here, and the cells that need the library
import it themselves, under their own limits.

What is imported at the top is of the standard library and quickly there: from the first moments on
this process dies with the run, also while it imports everything else.
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import importlib.util
import json
import os
import resource
import selectors
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from recbench.benchmarks.execution.job import Job

PR_SET_PDEATHSIG = 1  # of Linux's prctl
PR_SET_CHILD_SUBREAPER = 36
NO_RECORD = 70  # exit code of a cell that has failed outside of the algorithm's calls
SIGNALLED = 128  # and the number of the signal: exit code of who passes on how another one ended
READ_BYTES = 1 << 20
LEAST_IMPORT_SECONDS = 10.0  # cells with a short time limit wait no longer for a library
END_SECONDS = 5.0  # for killed processes to be gone
SERVERS_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


@dataclass
class Server:
    """One process of the chain: it serves until it has a successor, then waits for its cells."""

    replies: int  # where messages to the run go
    patience: float  # seconds; a library that takes longer to import is not preloaded
    cells: dict[int, str] = field(default_factory=dict)  # names by process
    harmful: set[str] = field(default_factory=set)  # libraries that are not preloaded
    # Of each library: what a cell of its own would wait for
    import_seconds: dict[str, float] = field(default_factory=dict)
    successor: int = 0
    wake_read: int = -1  # the end of a child wakes the loop through this pipe
    wake_write: int = -1

    def begin(self, parent: int) -> None:
        """Take over signals; the process dies with its `parent`."""
        signal.signal(signal.SIGTERM, lambda *_: self.leave())
        # also while it imports, when it does not look at its input
        die_with(parent, signal.SIGTERM)
        adopt_orphans()  # of a cell that has ended without a word, to be ended here
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)

    def serve(self) -> NoReturn:
        """Serve until the input closes or a successor does so."""
        received = b""
        while True:
            ready = self.wait_for(0)
            self.report_ended_cells()
            if 0 not in ready:
                continue
            chunk = os.read(0, READ_BYTES)
            if not chunk:
                self.leave()
            *lines, received = (received + chunk).split(b"\n")
            for line in lines:
                self.start_cell(line)  # in a successor, perhaps: what is left is its business
                if self.successor:
                    self.retire()

    def wait_for(self, *descriptors: int, seconds: float | None = None) -> set[int]:
        """Which of the descriptors can be read; returns too when a child has ended."""
        with selectors.DefaultSelector() as selector:
            for descriptor in (*descriptors, self.wake_read):
                selector.register(descriptor, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(seconds)}
        if self.wake_read in ready:
            os.read(self.wake_read, 4096)
        return ready

    def retire(self) -> NoReturn:
        """Wait for the cells of this process; leave when the successor does."""
        while True:
            self.wait_for()
            self.report_ended_cells()

    def leave(self, code: int = 0) -> NoReturn:
        """Kill all cells, what they have started, and whoever serves after this process."""
        with contextlib.suppress(OSError, ImportError):
            end_children()
        os._exit(code)

    def report_ended_cells(self) -> None:
        """Tell the run which cells have ended, once nothing that they have left behind runs."""
        ended = {}
        with contextlib.suppress(ChildProcessError):  # there are no children left
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                if pid == self.successor:
                    code = os.waitstatus_to_exitcode(status)
                    self.leave(code if code >= 0 else SIGNALLED - code)
                if pid in self.cells:
                    ended[pid] = os.waitstatus_to_exitcode(status)
        if not ended:
            return
        end_children(spare={*self.cells, self.successor} - set(ended))
        for pid, code in ended.items():
            self.send(event="ended", pid=pid, cell=self.cells.pop(pid), code=code)

    def send(self, **message: str | int) -> None:
        """One line to the run. It has gone if the pipe is broken; then the closed input ends this
        process too.
        """
        with contextlib.suppress(BrokenPipeError):
            os.write(self.replies, json.dumps(message).encode() + b"\n")

    def start_cell(self, line: bytes) -> None:
        """Fork a process for the job in `line`, once what it needs has been imported.

        Where that takes a successor, it goes on in this function, and this process retires.
        """
        from recbench.benchmarks.execution.job import Job

        job = Job.from_json(line)
        seconds = self.patience
        if job.limits.seconds is not None:
            seconds = min(seconds, max(LEAST_IMPORT_SECONDS, job.limits.seconds))
        for module in job.requires:
            if module not in sys.modules and module not in self.harmful:
                self.preload(module, seconds)
            if self.successor:
                return

        import_seconds = sum(self.import_seconds.get(module, 0.0) for module in job.requires)
        job = replace(job, import_seconds=import_seconds)
        server = os.getpid()
        pid = os.fork()
        if not pid:
            close = (self.replies, self.wake_read, self.wake_write)
            run_and_leave(lambda: _become_cell(job, server, close))
        self.cells[pid] = job.cell.name
        self.send(event="started", pid=pid, cell=job.cell.name)

    def preload(self, module: str, seconds: float) -> None:
        """Have a successor import `module`, if that does no harm within so many seconds.

        It returns there with the module, or here with `successor` set or the module among the
        harmful ones.
        """
        if not _is_there(module):
            self.harmful.add(module)
            return

        reading, writing = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            os.close(reading)
            self._succeed(parent, module)
            os.write(writing, b"unharmed")
            os.close(writing)
            return

        os.close(writing)
        if self._hears_from(reading, seconds):
            self.successor = pid
        else:
            self.harmful.add(module)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            end_children(spare=self.cells)
        os.close(reading)

    def _hears_from(self, reading: int, seconds: float) -> bool:
        """Whether a successor says within so many seconds that it is unharmed."""
        until = monotonic() + seconds
        while monotonic() < until:
            ready = self.wait_for(reading, seconds=until - monotonic())
            if reading in ready:
                return bool(os.read(reading, 64))
            self.report_ended_cells()
        return False

    def _succeed(self, parent: int, module: str) -> None:
        """In the successor: import `module`; return if that did no harm, else leave the process."""
        os.close(self.wake_read)
        os.close(self.wake_write)
        self.cells.clear()  # these are children of the parent
        self.begin(parent)
        before = self._describe_state()
        variables = set(os.environ.items())
        path = set(sys.path)
        begun = perf_counter()
        try:
            importlib.import_module(module)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        self.import_seconds[module] = perf_counter() - begun
        # What is only added there harms nobody
        keeps_its_surroundings = variables <= os.environ.items() and path <= set(sys.path)
        if self._describe_state() != before or not keeps_its_surroundings:
            os._exit(2)
        gc.collect()
        gc.freeze()  # collections in the cells skip all this, and do not copy its pages

    def _describe_state(self) -> tuple[object, ...]:
        """What the server cannot do without, and an import may change.

        Threads of Python must not start: a fork copies only the thread that forks, so a cell would
        wait for ever for the others, and for the locks that they held.
        """
        wakeup = signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        handlers = [signal.getsignal(number) for number in SERVERS_SIGNALS]
        files = [os.fstat(descriptor).st_ino for descriptor in (0, self.replies, self.wake_read)]
        return (
            wakeup,
            handlers,
            files,
            threading.active_count(),
            find_children(),
            *_describe_process(),
            *_describe_interpreter(),
        )


def serve(run: int, patience: float) -> NoReturn:
    """Serve until the input closes or the process `run` dies."""
    replies = os.dup(1)
    server = Server(replies, patience)
    server.begin(run)
    os.dup2(2, 1)  # nothing a library prints may disturb the protocol
    os.set_blocking(0, False)

    importlib.import_module("recbench.benchmarks.execution.keeper")
    _import_adapters()
    _compile_evaluation()
    gc.collect()
    gc.freeze()
    server.send(event="ready", pid=os.getpid())
    server.serve()


def die_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel send `number` to this process when `parent` dies; leave if it is dead
    already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Have the kernel make children of this process of all descendants whose parent has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_children(spare: Collection[int] = ()) -> None:
    """Kill every child of this process but `spare`, and in turn those that it gets by that.

    Returns when all are gone, or after END_SECONDS.
    """
    until = monotonic() + END_SECONDS
    while True:
        children = find_children() - set(spare)
        if not children or monotonic() > until:
            return
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        sleep(0.001)


def find_children() -> set[int]:
    """The processes whose parent is this one; those that have ended, until they are waited for."""
    children: set[int] = set()
    try:
        for listing in Path("/proc/self/task").glob("*/children"):
            children.update(map(int, listing.read_text().split()))
    except OSError:  # another system, or a kernel that does not list them
        import psutil

        children = {process.pid for process in psutil.Process().children()}
    return children


def run_and_leave(main: Callable[[], None]) -> NoReturn:
    """Run `main` as all that this process, a fork, still does."""
    code = NO_RECORD
    try:
        main()
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


def _is_there(module: str) -> bool:
    """Whether there is such a library at all; nothing of it is run."""
    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    return False


def _describe_process() -> Iterator[object]:
    """What the system knows of this process, and every cell would inherit.

    Which signals it ignores and blocks, also where only native code has seen to it, its limits, the
    timers that may end it, and where and how urgently it runs.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(("SigIgn", "SigBlk", "Umask")):
                yield line

    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            yield name, resource.getrlimit(getattr(resource, name))
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        yield signal.getitimer(timer)[0] > 0
    yield os.getpriority(os.PRIO_PROCESS, 0)
    if sys.platform == "linux":
        yield os.sched_getaffinity(0)


def _describe_interpreter() -> Iterator[object]:
    """What every cell would inherit of Python's state, so that warnings, or divisions by zero, of
    the code of others would raise.
    """
    yield gc.isenabled()
    yield [
        category
        for action, message, category, module, _ in warnings.filters
        if action == "error" and message is None and module is None
    ]
    if "numpy" in sys.modules:
        yield sys.modules["numpy"].geterr()


def _import_adapters() -> None:
    """Have our own adapters imported once, here, instead of in every cell; not what they wrap."""
    from recbench.adapters import import_own

    import_own()


def _compile_evaluation() -> None:
    """Have the loops of ranking and of metrics compiled, or loaded, once, here, instead of in every
    cell.

    What is read-only is another type to the compiler, so users come as they do in a cell.
    """
    import numpy as np
    from scipy.sparse import csr_matrix

    from recbench.benchmarks.evaluation import auc_by_user, top_items
    from recbench.benchmarks.metrics import METRICS, Predictions

    scores = np.zeros((1, 2), np.float32)
    users = np.zeros(1, np.int32)
    users.flags.writeable = False
    none = csr_matrix((1, 2), dtype=np.bool_)
    top_items(scores, users, none, 1, 0)
    auc_by_user(scores, users, none, none)

    value = np.ones(1)
    predictions = Predictions(users, value, value, value > 0, n_users=1)
    for metric in METRICS.values():
        if metric.kind == "rating":
            metric.function(predictions)


def _become_cell(job: "Job", server: int, close: tuple[int, ...]) -> None:
    """Run the job in a session of its own, with its output in its log.

    There, the descriptors in `close` are closed.
    """
    os.setsid()
    os.chdir(job.working_directory)  # a library that was imported here may have left it
    die_with(server, signal.SIGKILL)
    if job.processors:
        os.sched_setaffinity(0, job.processors)
    signal.set_wakeup_fd(-1)
    for number in SERVERS_SIGNALS:
        signal.signal(number, signal.SIG_DFL)

    assert job.log is not None
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, descriptor in ((0, null), (1, log), (2, log)):
        os.dup2(descriptor, target)
    for descriptor in (log, null, *close):
        os.close(descriptor)
    faulthandler.enable()

    from recbench.benchmarks.execution.keeper import keep_cell

    keep_cell(job)


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
    # The keepers use what is defined here: they find this module, and not a second one.
    sys.modules["recbench.benchmarks.execution.forkserver"] = sys.modules["__main__"]
    serve(run=int(sys.argv[3]), patience=float(sys.argv[4]))
