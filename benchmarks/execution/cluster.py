"""Cells on the workers of a Dask cluster: one pool of processes a worker, and one writer, here.

Dask finds workers, carries bytes and says who is gone; what a cell is, its limits and its end are
those of `fork_pool`, on the worker. Dask's own limits and retries are not used: a task of a lost
worker would be run again in silence, and cancelling a task does not stop a running cell.

`distributed` is imported only where a cluster was asked for.
"""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import recbench
from recbench.adapters import available
from recbench.benchmarks.execution.fork_pool import ForkPool, HarnessError
from recbench.benchmarks.execution.job import Job, Limits
from recbench.benchmarks.execution.measure import describe_environment
from recbench.benchmarks.execution.outcome import keep_record, record_ending
from recbench.benchmarks.execution.watch import Budget
from recbench.benchmarks.records import (
    Cell,
    Environment,
    Record,
    answers_source,
    evaluation_source,
)
from recbench.datasets.foundation import UsageError
from recbench.datasets.storage import cache_directory, write_atomically

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local:"  # before a number of workers on this machine, for trying out
INSTALL = "make cluster` or `pip install distributed"
# One cell at a time, whose limits are the pool's; who replaces it when it is lost is the bench
WORKER = (
    *(sys.executable, "-m", "distributed.cli.dask_worker"),
    *("--nthreads", "1", "--memory-limit", "0", "--no-nanny", "--no-dashboard"),
)
POLL_SECONDS = 0.2
WAIT_SECONDS = 60.0  # for a worker, at the start and after the last one was lost
END_SECONDS = 10.0  # for a worker that was asked to end
MOST_ATTEMPTS = 2  # a cell that has cost two workers is not tried on a third
ENDINGS = (".npz", ".log", ".json")  # of what a cell leaves; the record last


@dataclass(frozen=True)
class HostFacts:
    """What decides whether the cells of a worker compare with those of another."""

    host: str
    memory_mb: float
    cpu: str
    python: str
    versions: dict[str, str]
    evaluation: str
    sources: dict[str, str]  # by algorithm, see `answers_source`; "" for one that is not known


@dataclass(frozen=True)
class HostFiles:
    """What a cell has left on its worker: its record, answers and log, by ending."""

    contents: dict[str, bytes]


# On a worker


class HostPool:
    """The pool of a worker, in a thread of its own, which lasts as long as the worker.

    The kernel ends a pool's processes with the thread that has started them, and Dask's own threads
    come and go.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Job, futures.Future[Record]]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def measure(self, job: Job) -> Record:
        """The record of `job`, whose paths are those of this host; one job at a time.

        HarnessError if the pool breaks; the next job has a new one.
        """
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._serve, name="recbench-pool", daemon=True)
            self._thread.start()
        answer: futures.Future[Record] = futures.Future()
        self._waiting.put((job, answer))
        return answer.result()

    def _serve(self) -> None:
        """Carry out jobs until one breaks the pool, which is started with the first."""
        job, answer = self._waiting.get()
        try:
            while True:
                threads = job.environment.threads
                with ForkPool(threads) as pool:
                    # A later run may want other threads, which libraries learn at their import
                    while job.environment.threads == threads:
                        answer.set_result(next(iter(pool.execute([job]))))
                        job, answer = self._waiting.get()
        except Exception as error:  # whoever waits for the answer hears of it
            answer.set_exception(error)


_pool = HostPool()  # of this process, if it is a worker


def describe_host(algorithms: Sequence[str], plugins: Sequence[str]) -> HostFacts:
    """What this worker is, and which code it would measure with."""
    _import_plugins(plugins)
    environment = describe_environment(1, 1)
    adapters = available()
    return HostFacts(
        host=environment.host,
        memory_mb=environment.memory_mb,
        cpu=environment.cpu,
        python=environment.python,
        versions=environment.versions,
        evaluation=evaluation_source(),
        sources={
            name: answers_source(adapters[name]) if name in adapters else "" for name in algorithms
        },
    )


def _import_plugins(plugins: Sequence[str]) -> None:
    """Import modules with more adapters, which may lie in the working directory of the worker."""
    working_directory = str(Path.cwd())
    if working_directory not in sys.path:
        sys.path.append(working_directory)
    for module in plugins:
        importlib.import_module(module)


def has_entry(entry: str, description: bytes) -> bool:
    """Whether the entry of the data cache is here, with this description of its columns."""
    path = cache_directory() / entry / "about.json"
    return path.is_file() and path.read_bytes() == description


def receive_file(entry: str, name: str, content: bytes) -> None:
    """Write a file of an entry of the data cache, whose description has to come last."""
    directory = cache_directory() / entry
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / name, content)


def measure_here(line: bytes, entry: str, host: str, is_shared: bool) -> HostFiles:
    """Measure the job of `line` on this worker, and give what it has written.

    Its data are the `entry` of this host's cache. `host` is what its record calls the worker, and
    `is_shared` says that others run on the same machine.
    """
    job = Job.from_json(line)
    environment = describe_environment(job.environment.threads, 1)
    directory = Path(tempfile.mkdtemp(prefix="recbench-cell-"))
    try:
        job = replace(
            job,
            dataset=cache_directory() / entry,
            directory=directory,
            working_directory=Path.cwd(),
            environment=environment.replaced(host=host, contended=is_shared),
        )
        _pool.measure(job)
        paths = {ending: job.run.path(job.cell, ending) for ending in ENDINGS}
        return HostFiles(
            {ending: path.read_bytes() for ending, path in paths.items() if path.is_file()}
        )
    finally:
        shutil.rmtree(directory, ignore_errors=True)


# In the process of the command


@dataclass
class Host:
    """A worker that has been found good."""

    address: str
    facts: HostFacts
    label: str = ""  # what records call it
    is_shared: bool = False  # with other workers
    has_data: set[str] = field(default_factory=set)  # entries of the cache that are there


@dataclass(frozen=True)
class Running:
    """A cell that a worker measures."""

    job: Job
    host: Host
    since: float = field(default_factory=monotonic)


class LocalWorkers:
    """Workers on this machine, each a process of its own, as `dask worker` starts them elsewhere.

    Use as a context manager. What they print goes nowhere: failures come home as such.
    """

    def __init__(self, scheduler: str, count: int) -> None:
        self._scheduler = scheduler
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []
        self._directory = tempfile.TemporaryDirectory(prefix="recbench-workers-")

    def __enter__(self) -> Self:
        self.replace_dead()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._directory.cleanup()

    def replace_dead(self) -> None:
        """Start as many workers as are missing."""
        self._processes = [process for process in self._processes if process.poll() is None]
        path = [str(recbench.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        while len(self._processes) < self._count:
            process = subprocess.Popen(
                [*WORKER, self._scheduler, "--local-directory", self._directory.name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
                start_new_session=True,  # Ctrl-C reaches the run, which then ends them
            )
            self._processes.append(process)


class Cluster:
    """Carries out jobs on the workers of a Dask cluster, one cell at a time on each.

    Records come home as bytes and are written here. The cell of a worker that is lost is queued
    once more, and its record says so in `attempts`; a cell that costs two workers is `crashed`.
    """

    def __init__(self, address: str, threads: int) -> None:
        """`address` is `local:N`, `tcp://HOST:PORT`, `tls://HOST:PORT` or a scheduler file.

        Use as a context manager. UsageError if Dask is not installed, or nobody answers there.
        """
        self._address = address
        self._threads = threads
        self._hosts: dict[str, Host] = {}  # by address
        self._refused: set[str] = set()  # workers of other code, which came later
        self._question: tuple[list[str], list[str]] = ([], [])  # algorithms, plug-ins
        self._memory_mb = 0.0
        self._workers: LocalWorkers | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._client = self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _connect(self) -> "Client":
        """A connection to the scheduler, with a worker at least."""
        try:
            import dask
            import distributed
        except ImportError:
            raise UsageError(
                f"--cluster {self._address} needs Dask's distributed: `{INSTALL}`"
            ) from None

        # The task of a lost worker fails at once, where the scheduler is ours
        self._stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
        try:
            client = self._stack.enter_context(self._open_client(distributed))
            client.wait_for_workers(1, timeout=WAIT_SECONDS)
        except (OSError, futures.TimeoutError, ValueError) as error:
            raise UsageError(
                f"--cluster {self._address}: no scheduler with a worker answers there ({error}); "
                "expected local:N, tcp://HOST:PORT, tls://HOST:PORT or a scheduler file"
            ) from None
        return client

    def _open_client(self, distributed: Any) -> "Client":
        """The client of the cluster that the address names; ValueError for another form."""
        if self._address.startswith(LOCAL):
            count = _count_workers(self._address)
            scheduler = distributed.LocalCluster(
                n_workers=0, dashboard_address=None, host="127.0.0.1"
            )
            client = distributed.Client(self._stack.enter_context(scheduler))
            address = scheduler.scheduler_address
            self._workers = self._stack.enter_context(LocalWorkers(address, count))
            return client
        if "://" in self._address:
            return distributed.Client(self._address, timeout=WAIT_SECONDS)
        if Path(self._address).is_file():
            return distributed.Client(scheduler_file=self._address, timeout=WAIT_SECONDS)
        raise ValueError("no such file")

    @property
    def environment(self) -> Environment:
        """That of this process; each record has its worker's."""
        return describe_environment(self._threads, 1)

    def wait_until_ready(self) -> None:
        """Nothing has to be waited for: the workers are there."""

    def refuse_unsuitable(
        self, cells: Sequence[Cell], limits: Limits, plugins: Sequence[str] = ()
    ) -> None:
        """UsageError unless every worker would measure `cells` with the code of this process, and
        one of them has the memory.
        """
        algorithms = list(dict.fromkeys(cell.algorithm for cell in cells))
        self._question = (algorithms, list(plugins))
        self._memory_mb = limits.memory_mb
        mine = describe_host(*self._question)

        problems = []
        largest_mb = 0.0
        try:
            answers = self._ask_hosts()
        except Exception as error:  # whatever a worker raises that cannot import this module
            raise UsageError(
                f"--cluster {self._address}: a worker cannot say what it has "
                f"({type(error).__name__}: {error}). Install recbench and the plug-ins of this run "
                "there as they are here, and start its worker again"
            ) from None
        for address, facts in answers.items():
            difference = find_difference(mine, facts)
            if difference:
                problems.append(f"{facts.host} ({address}): {difference}")
                continue
            largest_mb = max(largest_mb, facts.memory_mb)
            self._hosts[address] = Host(address, facts)
        if problems:
            raise UsageError(
                f"--cluster {self._address}: not every worker has what this process has: "
                f"{'; '.join(problems)}. Install the same there, and start its worker again"
            )
        if largest_mb < limits.memory_mb:
            raise UsageError(
                f"--cluster {self._address}: no worker has {limits.memory_mb:.0f} MB, which each "
                f"cell may use; the largest has {largest_mb:.0f}. Give --memory-limit"
            )
        self._name_hosts()

    def _ask_hosts(self, addresses: Sequence[str] | None = None) -> dict[str, HostFacts]:
        """What each worker says of itself, by address."""
        answers: dict[str, HostFacts] = self._client.run(
            describe_host, *self._question, workers=addresses
        )
        return answers

    def _name_hosts(self) -> None:
        """Give each worker the name that records call it by.

        Several on one machine count as hosts of their own, and their times as contended.
        """
        counts = Counter(host.facts.host for host in self._hosts.values())
        for host in self._hosts.values():
            # Of local workers some may be missing for a moment
            host.is_shared = counts[host.facts.host] > 1 or self._workers is not None
            host.label = host.facts.host
            if host.is_shared:
                host.label = f"{host.facts.host} ({host.address.rpartition('/')[2]})"

    def _find_hosts(self) -> dict[str, Host]:
        """The workers that are there now, new ones included if they are good."""
        if self._workers is not None:
            self._workers.replace_dead()
        present = set(self._client.scheduler_info(n_workers=-1)["workers"])
        for address in set(self._hosts) - present:
            del self._hosts[address]

        new = sorted(present - set(self._hosts) - self._refused)
        if new:
            mine = describe_host(*self._question)
            for address in new:
                try:
                    facts = self._ask_hosts([address])[address]
                except OSError:  # it has gone again
                    continue
                except Exception:  # it cannot import this module: no reason to end the run
                    self._refused.add(address)
                    continue
                if find_difference(mine, facts):
                    self._refused.add(address)
                else:
                    self._hosts[address] = Host(address, facts)
            self._name_hosts()
        return self._hosts

    def execute(
        self, jobs: Iterable[Job], on_start: Callable[[Cell], None] = lambda cell: None
    ) -> Iterator[Record]:
        """Have each cell measured on a worker, write its record, and yield it; as they end.

        HarnessError if no worker is left for WAIT_SECONDS, or a worker's pool breaks.
        """
        waiting = list(jobs)
        waiting.reverse()  # the next one is popped from the end
        running: dict[Future, Running] = {}
        attempts: Counter[str] = Counter()
        budget = Budget(waiting, max(1, len(self._find_hosts())))
        alone_since = monotonic()
        try:
            while waiting or running:
                hosts = self._find_hosts()
                busy = {each.host.address for each in running.values()}
                for address, host in list(hosts.items()):
                    is_large_enough = host.facts.memory_mb >= self._memory_mb
                    if address in busy or not waiting or not is_large_enough:
                        continue
                    job = waiting.pop()
                    refusal = budget.explain_refusal(job)
                    if refusal is not None:
                        yield keep_record(job, record_ending(job, "not_run", refusal))
                        continue
                    on_start(job.cell)
                    attempts[job.cell.name] += 1
                    running[self._submit(job, host)] = Running(job, host)

                if running:
                    alone_since = monotonic()
                elif waiting and monotonic() - alone_since > WAIT_SECONDS:
                    raise HarnessError(
                        f"no worker of {self._address} has been there for {WAIT_SECONDS:.0f} s; "
                        "finished cells are kept, and the same command goes on from here"
                    )

                for future in self._list_ended(running, hosts):
                    ended = running.pop(future)
                    job = ended.job
                    files = self._collect(future)
                    if files is not None:
                        budget.book_seconds(job.cell.row, monotonic() - ended.since)
                        yield _take_home(job, files, attempts[job.cell.name])
                    elif attempts[job.cell.name] < MOST_ATTEMPTS:
                        waiting.append(job)
                    else:
                        yield _record_loss(job, attempts[job.cell.name], ended.host.label)
        finally:
            for future in running:
                future.cancel()

    def _submit(self, job: Job, host: Host) -> "Future":
        """Send a job, and its data before it where they are not on that host yet."""
        entry = os.path.relpath(job.dataset, cache_directory())
        if entry not in host.has_data:
            self._send_data(job.dataset, entry, host)
        job = replace(job, limits=replace(job.limits, budget_seconds=None))
        return self._client.submit(
            measure_here,
            job.to_json(),
            entry,
            host.label,
            host.is_shared,
            workers=[host.address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )

    def _send_data(self, dataset: Path, entry: str, host: Host) -> None:
        """Send the columns of the data to a host that lacks them; their description last.

        Nothing to a host that is lost meanwhile, which is seen later.
        """
        from distributed.scheduler import KilledWorker

        description = (dataset / "about.json").read_bytes()
        with contextlib.suppress(OSError, futures.CancelledError, KilledWorker):
            if not self._wait_for_answer(host, has_entry, entry, description):
                names = sorted(path.name for path in dataset.iterdir() if path.is_file())
                names.remove("about.json")
                for name in [*names, "about.json"]:
                    content = (dataset / name).read_bytes()
                    self._wait_for_answer(host, receive_file, entry, name, content)
            host.has_data.add(entry)

    def _wait_for_answer(
        self, host: Host, function: Callable[..., object], *arguments: object
    ) -> object:
        """What `function` gives there. ConnectionError once the host is gone: its task may wait for
        ever.
        """
        future = self._client.submit(function, *arguments, workers=[host.address], pure=False)
        while True:
            with contextlib.suppress(futures.TimeoutError):
                return future.result(timeout=POLL_SECONDS)
            if host.address not in self._client.scheduler_info(n_workers=-1)["workers"]:
                future.cancel()
                raise ConnectionError(f"{host.address} is gone")

    def _list_ended(
        self, running: "dict[Future, Running]", hosts: dict[str, Host]
    ) -> "list[Future]":
        """The cells that have ended or whose worker is gone; waits at most POLL_SECONDS."""
        import distributed

        if not running:
            threading.Event().wait(POLL_SECONDS)
            return []
        with contextlib.suppress(futures.TimeoutError):
            distributed.wait(list(running), POLL_SECONDS, return_when="FIRST_COMPLETED")

        ended = []
        for future, each in running.items():
            if future.done() or each.host.address not in hosts:
                ended.append(future)
        return ended

    def _collect(self, future: "Future") -> HostFiles | None:
        """What a cell has left; None if its worker was lost. HarnessError if the pool there
        broke.
        """
        from distributed.scheduler import KilledWorker

        if not future.done():
            future.cancel()
            return None
        try:
            files: HostFiles = future.result(timeout=WAIT_SECONDS)
        except (KilledWorker, futures.CancelledError, futures.TimeoutError, OSError):
            return None
        except Exception as error:
            raise HarnessError(f"a worker of {self._address} broke: {error}") from error
        return files


def _count_workers(address: str) -> int:
    """The number behind `local:`; ValueError if it is none."""
    count = int(address.removeprefix(LOCAL))
    if count < 1:
        raise ValueError("expected at least one worker")
    return count


def find_difference(mine: HostFacts, other: HostFacts) -> str:
    """In what the code of a worker differs from that of this process, in words; "" if in nothing.

    Another processor is no such difference: records name it.
    """
    if mine.python.rpartition(".")[0] != other.python.rpartition(".")[0]:
        return f"Python {other.python}, here {mine.python}"
    for package in sorted(mine.versions.keys() | other.versions.keys()):
        here = mine.versions.get(package, "not installed")
        there = other.versions.get(package, "not installed")
        if here != there:
            return f"{package} {there}, here {here}"
    if mine.evaluation != other.evaluation:
        return "other source of the evaluation"
    differing = [name for name in mine.sources if mine.sources[name] != other.sources.get(name)]
    if differing:
        return f"other source of {', '.join(differing)}"
    return ""


def _take_home(job: Job, files: HostFiles, attempts: int) -> Record:
    """Write what a cell has left on its worker into the run; its record."""
    run = job.run
    record = Record.from_json(files.contents[".json"])
    record = replace(record, attempts=attempts)
    contents = files.contents | {".json": record.to_json()}
    for ending in ENDINGS:
        path = run.path(job.cell, ending)
        if ending in contents:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, contents[ending])
        else:
            path.unlink(missing_ok=True)
    return record


def _record_loss(job: Job, attempts: int, host: str) -> Record:
    """The record of a cell that is not tried again."""
    reason = f"each of {attempts} workers was lost while this cell ran on it, the last on {host}"
    return keep_record(job, replace(record_ending(job, "crashed", reason), attempts=attempts))
