"""Who keeps the test ratings of a cell: two processes, of which only one ever has them.

The keeper forks a child before it opens the data. The child imports the plug-ins, holds the
algorithm, and sees the training part in shared memory. Over a pipe come questions, which are users
and items; what it answers lies in shared memory too. The keeper opens and divides the data, asks,
judges the answers and writes the record, and runs no line of an adapter. So there is no frame, no
object and no mapping in the algorithm's process that holds a test rating, from its beginning to its
end.

The keeper also watches the child: it ends it when its time is over, once it has seen where it
hangs; and it is the one to whom the kernel gives whatever the child has started and left, so that
nothing outlives the cell.
"""

import contextlib
import ctypes
import faulthandler
import fcntl
import json
import mmap
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Required, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

import recbench
from recbench.adapters.base import Floats, Indices
from recbench.benchmarks.evaluation import check_form
from recbench.benchmarks.execution.determinism import find_certificate, keep_certificate
from recbench.benchmarks.execution.forkserver import (
    adopt_orphans,
    die_with,
    end_children,
    run_and_leave,
)
from recbench.benchmarks.execution.job import Job
from recbench.benchmarks.execution.outcome import describe_crash
from recbench.benchmarks.execution.sealing import Seal, sealed
from recbench.benchmarks.execution.subject import (
    Ids,
    LocalSubject,
    Observations,
    SubjectEnded,
    explain_error,
)
from recbench.benchmarks.execution.watch import prefix_of_temporary
from recbench.benchmarks.execution.worker import measure_cell
from recbench.benchmarks.records import Certificate, ColdStart, FoldInCost, PhaseCost, Serving
from recbench.datasets.ratings import Catalogue, Ratings, Rows

POLL_SECONDS = 0.2
TRACE_SECONDS = 2.0  # how long a child that hangs may take to say where
TRACE_SIGNAL = signal.SIGUSR2
FRAME = re.compile(r'File "(.*)", line (\d+) in (.*)')
FRAMES_SHOWN = 3
LONGEST_MESSAGE = 1 << 26  # bytes
COLUMNS = {"users": np.int32, "items": np.int32, "values": np.float32, "times": np.int64}
F_SEAL_FUTURE_WRITE = 0x10  # of Linux's fcntl: what is mapped stays writable, nothing else
CLONE_NEWNS = 0x20000
CLONE_NEWIPC = 0x8000000
MS_REC_PRIVATE = 0x44000
SHARED_MEMORY = Path("/dev/shm")


class CatalogueFields(TypedDict):
    """A catalogue as JSON."""

    titles: Sequence[str]
    years: Sequence[int | None]
    genres: Sequence[Sequence[str]]
    overviews: Sequence[str]


class Question(TypedDict, total=False):
    """What the algorithm's process is asked, as JSON; columns follow it as bytes."""

    question: Required[str]  # open, learn, score_items, score, fold_in, observe or serve
    shape: Sequence[int]  # of the answer's scores; users and items of the ratings that are told
    n_columns: int  # that follow
    n_ratings: int
    scale: tuple[float, float]
    timed: bool
    catalogue: CatalogueFields
    user_ids: Sequence[str | int]
    item_ids: Sequence[str | int]


class Reply(TypedDict, total=False):
    """What the algorithm's process says, as JSON: the phase that begins, how it ended, or answers.

    Costs and the like are the fields of the dataclasses in `Observations`.
    """

    phase: str
    status: str
    reason: str
    skipped: str | None
    costs: dict[str, dict[str, Any]]
    trace: list[dict[str, float | None]]
    determinism: dict[str, Any] | None
    kernel_seconds: float | None
    cold: dict[str, Any] | None
    fold_in: dict[str, Any] | None
    serving: dict[str, Any]


def keep_cell(job: Job) -> None:
    """Measure the cell of `job`, with its algorithm in a child process, and write its record."""
    adopt_orphans()
    record = measure_cell(job, RemoteSubject(job, find_certificate(job)))
    keep_certificate(job, record.determinism)


class SharedFile:
    """Memory that two processes map, without a name by which others could find it."""

    def __init__(self, name: str) -> None:
        """Empty. It is inherited by a fork."""
        if hasattr(os, "memfd_create"):
            self.descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:
            with tempfile.TemporaryFile() as file:
                self.descriptor = os.dup(file.fileno())
        self._map: mmap.mmap | None = None

    def grow(self, n_bytes: int) -> None:
        """Make room for so many bytes."""
        if os.fstat(self.descriptor).st_size < n_bytes:
            os.ftruncate(self.descriptor, n_bytes)

    def floats(self, n_floats: int) -> Floats:
        """The first numbers in it, to read and to write; there must be room for them."""
        n_bytes = max(4, 4 * n_floats)
        if self._map is None or len(self._map) < n_bytes:
            self._map = mmap.mmap(self.descriptor, n_bytes)
        return np.frombuffer(self._map, np.float32, n_floats)

    def close_to_writers(self) -> None:
        """Let nobody map it for writing any more, where the system knows such a thing."""
        with contextlib.suppress(OSError, AttributeError):
            seals = F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)


class RemoteSubject:
    """The algorithm of a job, in a child of this process that was forked before data were read."""

    def __init__(self, job: Job, known: Certificate | None = None) -> None:
        """The child begins. `known` is what two fits to a toy have shown before."""
        self._job = job
        self._deadline = None if job.limits.seconds is None else monotonic() + job.limits.seconds
        self._phase = "start"
        self._training = SharedFile("training part")
        self._scores = SharedFile("scores")
        self._trace = SharedFile("trace")
        self._exit_code: int | None = None
        keeper = os.getpid()
        # What the algorithm and its libraries leave there, the pool removes when the cell has ended
        temporary = tempfile.mkdtemp(prefix=prefix_of_temporary(keeper))
        self._connection, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if not self._pid:
            self._connection.close()
            _keep_temporary_files_in(temporary)
            files = (self._training, self._scores, self._trace)
            run_and_leave(lambda: _serve(job, known, keeper, theirs, *files))
        theirs.close()

    @property
    def name(self) -> str:
        """Of the algorithm."""
        return self._job.cell.algorithm

    @property
    def abstains(self) -> bool:
        """As the adapter's class says."""
        return self._job.abstains

    def open(self) -> None:
        """SubjectEnded if anything fails, as all of these methods."""
        self._ask({"question": "open"})

    def take(self, ratings: Ratings, rows: Rows) -> Ratings:
        """These rows in shared memory, where they are written at once."""
        columns = _columns_of(ratings)
        offsets, n_bytes = _lay_out(columns, len(rows))
        self._training.grow(n_bytes)
        memory = mmap.mmap(self._training.descriptor, n_bytes)
        for name, column in columns.items():
            target = np.frombuffer(memory, COLUMNS[name], len(rows), offsets[name])
            # the rows are those of a division, so none is out of range: nothing to be buffered for
            np.take(column, rows, out=target, mode="clip")
        self._training.close_to_writers()
        return _view_ratings(memory, offsets, len(rows), ratings)

    def learn(self, train: Ratings, catalogue: Catalogue) -> str | None:
        """`train` is what `take` has put into shared memory."""
        answer = self._ask(
            {
                "question": "learn",
                "n_ratings": len(train),
                "shape": [train.n_users, train.n_items],
                "scale": train.scale,
                "timed": train.times is not None,
                "catalogue": _fields_of_catalogue(catalogue),
            }
        )
        reason = answer["skipped"]
        return None if reason is None else str(reason)

    def score_items(self, users: Indices) -> Floats:
        """In shared memory."""
        n_items = self._job.data.items
        return self._ask_scores("score_items", (len(users), n_items), users)

    def score(self, users: Indices, items: Indices) -> Floats:
        """In shared memory."""
        return self._ask_scores("score", (len(users),), users, items)

    def fold_in(self, ratings: Ratings) -> Floats:
        """In shared memory; what is told of the users goes over the pipe with the question."""
        shape = (ratings.n_users, ratings.n_items)
        columns = _columns_of(ratings)
        return self._ask_scores("fold_in", shape, *columns.values(), scale=ratings.scale)

    def observe(self) -> Observations:
        """As the child says."""
        answer = self._ask({"question": "observe"})
        certificate = answer["determinism"]
        return Observations(
            costs={phase: PhaseCost(**cost) for phase, cost in answer["costs"].items()},
            trace=answer["trace"],
            determinism=None if certificate is None else Certificate(**certificate),
            kernel_seconds=answer["kernel_seconds"],
            cold=None if answer["cold"] is None else ColdStart(**answer["cold"]),
            fold_in=None if answer["fold_in"] is None else FoldInCost(**answer["fold_in"]),
        )

    def serve(self, user_ids: Ids, item_ids: Ids) -> Serving:
        """As the child says; or why it did not, if it has died or its time is over."""
        question: Question = {
            "question": "serve",
            "user_ids": user_ids.tolist(),
            "item_ids": item_ids.tolist(),
        }
        try:
            return Serving.model_validate(self._ask(question)["serving"])
        except SubjectEnded as ending:
            return Serving(reason=f"{ending.status}: {ending.reason}")
        except (KeyError, ValueError) as error:
            return Serving(reason=f"crashed: its process says what cannot be read: {error}")

    def close(self) -> None:
        """End the child, and all that it has started."""
        self._connection.close()
        end_children()

    def _ask_scores(
        self,
        kind: str,
        shape: tuple[int, ...],
        *columns: NDArray[Any],
        scale: tuple[float, float] | None = None,
    ) -> Floats:
        n_scores = int(np.prod(shape))
        self._scores.grow(4 * n_scores)
        question: Question = {"question": kind, "shape": shape, "n_columns": len(columns)}
        if scale is not None:
            question["scale"] = scale
        self._ask(question, *columns)
        return self._scores.floats(n_scores).reshape(shape)

    def _ask(self, question: Question, *columns: NDArray[Any]) -> Reply:
        """The child's answer to a question. SubjectEnded if there is none."""
        try:
            self._connection.send_bytes(json.dumps(question).encode())
            for column in columns:
                self._connection.send_bytes(np.ascontiguousarray(column).data)
            while True:
                reply = self._receive()
                if "phase" in reply:
                    self._phase = str(reply["phase"])
                elif "status" in reply:
                    raise SubjectEnded(str(reply["status"]), str(reply["reason"]))
                else:
                    return reply
        except (EOFError, OSError, ValueError):  # it has died, or says what cannot be read
            raise self._explain_death() from None

    def _receive(self) -> Reply:
        """The next message. SubjectEnded if the child's time is over, EOFError if it has died."""
        while not self._connection.poll(POLL_SECONDS):
            self._reap_children()
            if self._exit_code is not None and not self._connection.poll():
                raise EOFError
            if self._deadline is not None and monotonic() > self._deadline:
                raise SubjectEnded("timeout", self._explain_timeout())
        message = json.loads(self._connection.recv_bytes(LONGEST_MESSAGE))
        if not isinstance(message, dict):
            raise ValueError(f"expected an object, got {message!r}")
        return cast(Reply, message)

    def _reap_children(self) -> None:
        """Take note of children that have ended: the algorithm's process, or orphans of it."""
        with contextlib.suppress(ChildProcessError):  # there are none left
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self._pid:
                    self._exit_code = os.waitstatus_to_exitcode(status)

    def _explain_death(self) -> SubjectEnded:
        """What to raise when the child has ended without an answer, or has broken the protocol."""
        until = monotonic() + TRACE_SECONDS
        while self._exit_code is None and monotonic() < until:
            self._reap_children()
            sleep(0.005)
        if self._exit_code is None:
            return SubjectEnded("crashed", "the process closed its connection with the bench")
        crash = describe_crash(self._exit_code, self._job.log)
        return SubjectEnded("crashed", f"in {self._phase}: {crash}")

    def _explain_timeout(self) -> str:
        """The limit, the phase, and where in the code it is now."""
        reason = f"took longer than the time limit of {self._job.limits.seconds:g} s"
        if self._phase != "start":
            reason += f", in {self._phase}"
        places = self._locate_child()
        return f"{reason}, at {'; '.join(places)}" if places else reason

    def _locate_child(self) -> list[str]:
        """Where the child's Python code is, innermost call first; empty if it does not say.

        The interpreter's own handler of the signal writes it down, also when native code is
        running.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, TRACE_SIGNAL)
        size = 0
        until = monotonic() + TRACE_SECONDS
        while monotonic() < until:
            sleep(0.05)
            size_before = size
            size = os.fstat(self._trace.descriptor).st_size
            if size and size == size_before:
                break
        return describe_places(os.pread(self._trace.descriptor, size, 0).decode(errors="replace"))


def describe_places(trace: str) -> list[str]:
    """The calls in a trace of `faulthandler`, innermost first, without those of the bench.

    At most FRAMES_SHOWN: the innermost ones and the outermost, which is the adapter's method.
    """
    harness = str(recbench.ROOT / "benchmarks")
    places = []
    for file, line, function in FRAME.findall(trace):
        if os.path.realpath(file).startswith(harness):
            break
        if file.startswith("<frozen"):  # how Python itself imports
            continue
        places.append(f"{Path(file).name}:{line} in {function}")
    if len(places) <= FRAMES_SHOWN:
        return places
    return [*places[: FRAMES_SHOWN - 1], places[-1]]


def _columns_of(ratings: Ratings) -> dict[str, NDArray[Any]]:
    """The columns that there are, by name."""
    columns: dict[str, NDArray[Any]] = {
        "users": ratings.users,
        "items": ratings.items,
        "values": ratings.values,
    }
    if ratings.times is not None:
        columns["times"] = ratings.times
    return columns


def _lay_out(names: Iterator[str] | Any, n_rows: int) -> tuple[dict[str, int], int]:
    """Where each column begins, and the bytes of all of them; at least one, so it can be mapped."""
    offsets = {}
    n_bytes = 0
    for name in names:
        offsets[name] = n_bytes
        n_bytes += -(-n_rows * np.dtype(COLUMNS[name]).itemsize // 64) * 64
    return offsets, max(1, n_bytes)


def _view_ratings(
    memory: mmap.mmap, offsets: dict[str, int], n_rows: int, like: Ratings
) -> Ratings:
    """The ratings that lie in `memory`, with the index space and the scale of others."""
    views = {
        name: np.frombuffer(memory, COLUMNS[name], n_rows, offset)
        for name, offset in offsets.items()
    }
    return Ratings(n_users=like.n_users, n_items=like.n_items, scale=like.scale, **views)


# The child


def _keep_temporary_files_in(directory: str) -> None:
    """Have this process, and all that it will start, write temporary files into `directory`."""
    os.environ["TMPDIR"] = directory
    tempfile.tempdir = directory


def _serve(
    job: Job,
    known: Certificate | None,
    keeper: int,
    connection: Connection,
    training: SharedFile,
    scores: SharedFile,
    trace: SharedFile,
) -> None:
    """Be the algorithm's process: answer until the keeper has no more questions."""
    os.setsid()  # who ends its own process group does not end the keeper
    die_with(keeper, signal.SIGKILL)
    faulthandler.register(TRACE_SIGNAL, file=trace.descriptor, all_threads=False)
    isolate_shared_memory(job)

    def send(reply: Reply) -> None:
        connection.send_bytes(json.dumps(reply).encode())

    subject = LocalSubject(job, lambda phase: send({"phase": phase}), known)
    with sealed(Seal(job.dataset, job.closed_files)):
        while True:
            try:
                question = json.loads(connection.recv_bytes())
            except EOFError:
                return
            try:
                send(_answer(subject, question, connection, training, scores))
            except Exception as error:  # to be told to the keeper
                sys.excepthook(*sys.exc_info())
                status, reason = explain_error(error, job.cell.parameters)
                send({"status": status, "reason": reason})


def _answer(
    subject: LocalSubject,
    question: Question,
    connection: Connection,
    training: SharedFile,
    scores: SharedFile,
) -> Reply:
    """What the algorithm says to a question; scores go into the shared file."""
    match question["question"]:
        case "open":
            subject.open()
        case "learn":
            train = _map_training(training, question)
            catalogue = _read_catalogue(question["catalogue"])
            return {"skipped": subject.learn(train, catalogue)}
        case "score_items":
            users = np.frombuffer(connection.recv_bytes(), np.int32)
            _write_scores(subject.score_items(users), question, subject.name, scores)
        case "score":
            users = np.frombuffer(connection.recv_bytes(), np.int32)
            items = np.frombuffer(connection.recv_bytes(), np.int32)
            _write_scores(subject.score(users, items), question, subject.name, scores)
        case "fold_in":
            told = _receive_histories(connection, question)
            _write_scores(subject.fold_in(told), question, subject.name, scores)
        case "observe":
            return _describe_observations(subject.observe())
        case "serve":
            serving = subject.serve(
                _read_ids(question["user_ids"]), _read_ids(question["item_ids"])
            )
            return {"serving": serving.to_json()}
    return {}


def _read_ids(told: Sequence[str | int]) -> Ids:
    """Ids as a data set has them: texts as objects, which take what they need."""
    return np.array(told, object if told and isinstance(told[0], str) else None)


def _map_training(training: SharedFile, question: Question) -> Ratings:
    """The training part, mapped so that nobody can write to it."""
    names = [name for name in COLUMNS if name != "times" or question["timed"]]
    n_rows = question["n_ratings"]
    offsets, n_bytes = _lay_out(names, n_rows)
    memory = mmap.mmap(
        training.descriptor,
        n_bytes,
        flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0),
        prot=mmap.PROT_READ,
    )
    os.close(training.descriptor)
    views: dict[str, Any] = {
        name: np.frombuffer(memory, COLUMNS[name], n_rows, offset)
        for name, offset in offsets.items()
    }
    n_users, n_items = question["shape"]
    lowest, highest = question["scale"]
    return Ratings(n_users=n_users, n_items=n_items, scale=(lowest, highest), **views)


def _receive_histories(connection: Connection, question: Question) -> Ratings:
    """What the keeper tells of new users, column by column."""
    names = list(COLUMNS)[: question["n_columns"]]
    columns: dict[str, Any] = {
        name: np.frombuffer(connection.recv_bytes(), COLUMNS[name]) for name in names
    }
    n_users, n_items = question["shape"]
    lowest, highest = question["scale"]
    return Ratings(n_users=n_users, n_items=n_items, scale=(lowest, highest), **columns)


def _fields_of_catalogue(catalogue: Catalogue) -> CatalogueFields:
    """The catalogue as it is told."""
    return {
        "titles": catalogue.titles,
        "years": catalogue.years,
        "genres": catalogue.genres,
        "overviews": catalogue.overviews,
    }


def _read_catalogue(fields: CatalogueFields) -> Catalogue:
    """The catalogue that JSON has made lists of."""
    return Catalogue(
        titles=tuple(fields["titles"]),
        years=tuple(fields["years"]),
        genres=tuple(map(tuple, fields["genres"])),
        overviews=tuple(fields["overviews"]),
    )


def _write_scores(answered: Any, question: Question, name: str, scores: SharedFile) -> None:
    """Put the scores where the keeper reads them, as they are."""
    checked = check_form(answered, tuple(question["shape"]), name)
    scores.floats(checked.size)[:] = checked.ravel()


def _describe_observations(observed: Observations) -> Reply:
    """As JSON."""
    certificate = observed.determinism
    return {
        "costs": {phase: cost.to_json() for phase, cost in observed.costs.items()},
        "trace": observed.trace,
        "determinism": None if certificate is None else asdict(certificate),
        "kernel_seconds": observed.kernel_seconds,
        "cold": None if observed.cold is None else observed.cold.to_json(),
        "fold_in": None if observed.fold_in is None else observed.fold_in.to_json(),
    }


def isolate_shared_memory(job: Job) -> bool:
    """Give this process shared memory of its own, which goes when its last process has ended.

    That is System V's, and /dev/shm, which holds as much as the cell may use. False where only root
    may do so and this is not root; and /dev/shm stays common if the run uses files in it.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWIPC):
        return False

    paths = [job.dataset, job.directory, job.working_directory, *map(Path, sys.path)]
    is_used = any(path.is_relative_to(SHARED_MEMORY) for path in paths)
    if is_used or not SHARED_MEMORY.is_dir() or libc.unshare(CLONE_NEWNS):
        return True
    options = f"mode=1777,size={max(1, int(job.limits.memory_mb))}m".encode()
    if not libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None):
        libc.mount(b"tmpfs", bytes(SHARED_MEMORY), b"tmpfs", 0, options)
    return True
