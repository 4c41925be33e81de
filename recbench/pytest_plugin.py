"""A plug-in of pytest: the fixture `recbench_gate`, with which a test holds the accuracy of a row.

    def test_accuracy(recbench_gate):
        recbench_gate("table:ratings.csv", "mine", fail_on=["rmse:+1%", "ndcg@10:-5%"], folds=3)

It measures the row, and judges it by the rules of the command `compare` against a baseline that
lies beside the test. `pytest --recbench-update` makes or replaces the baselines of the tests that
are run. Every project whose environment has recbench loads this module with pytest: it imports
nothing that takes time until a test calls the fixture.
"""

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from recbench.benchmarks.gating import Tolerance, Verdict

FOLDER = "recbench-baselines"  # beside the file with the test
UPDATE = "--recbench-update"
SUSPICIOUS = 0.1  # the relative gain beyond which a row is SUSPICIOUS, as for `compare`
LONGEST_NAME = 80  # letters of a baseline's directory
MADE = pytest.StashKey[list[str]]()  # what this session has written


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, and the setting of the configuration file."""
    group = parser.getgroup("recbench")
    group.addoption(
        UPDATE,
        action="store_true",
        help="make what recbench_gate measures the baselines of the tests that are run",
    )
    parser.addini(
        "recbench_baselines",
        f"the directory of all baselines of recbench_gate [default: {FOLDER} beside each test]",
        default="",
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the baselines that were written: they are to be looked at, and committed."""
    made = config.stash.get(MADE, [])
    if made:
        terminalreporter.section("baselines of recbench_gate, to be committed")
    for line in made:
        terminalreporter.line(line)


@pytest.fixture
def recbench_gate(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "RecbenchGate":
    """A function that measures a row, and fails the test where it got worse than its baseline.

    See `RecbenchGate.__call__`.
    """
    return RecbenchGate(request, tmp_path_factory)


@dataclass(frozen=True)
class RecbenchGate:
    """What the fixture gives: for one test, the places of its baselines and what judges by them."""

    request: pytest.FixtureRequest
    directories: pytest.TempPathFactory
    used: set[Path] = field(default_factory=set)

    def __call__(
        self,
        data: object,
        algorithm: object,
        *,
        fail_on: str | Sequence[str],
        name: str = "",
        suspicious: float = SUSPICIOUS,
        **options: object,
    ) -> "list[Verdict]":
        """The verdicts on a row that is measured now, beside the baseline of this test.

        `data`, `algorithm` and `options` are those of `recbench.run`, such as `folds=3`,
        `split="time"` or `repeats=5`; `fail_on` has limits as `compare --fail-on`. A test that
        calls it twice gives each a `name`. With `--recbench-update` the run becomes the baseline
        first.

        The test fails where `compare` would not exit with 0: a row got worse than is tolerated,
        has no numbers or cannot be judged; and where there is no baseline, or one of other data.
        """
        __tracebackhide__ = True
        baseline = self._place_baseline(name)
        is_update = bool(self.request.config.getoption(UPDATE))
        if not is_update and not (baseline / "plan.json").exists():
            self._fail(f"there is no baseline at {baseline}: make it with")

        from recbench.benchmarks.gating import parse_tolerance
        from recbench.datasets.foundation import UsageError

        limits = [fail_on] if isinstance(fail_on, str) else fail_on
        try:
            tolerances = [parse_tolerance(text) for text in limits]
            if not tolerances:
                raise UsageError("fail_on is empty, so nothing could fail: name a limit")
            if not is_update:
                self._refuse_other_data(baseline, data)
            run = self._measure(data, algorithm, options)
            if is_update:
                self._make_baseline(baseline, run, tolerances)
            return self._judge(baseline, run, tolerances, suspicious)
        except UsageError as error:
            problem = str(error)
        # Not where the error is caught: the report of the test would show both
        pytest.fail(f"recbench_gate: {problem}", pytrace=False)

    def _place_baseline(self, name: str) -> Path:
        """The directory of a baseline: by the file, the name of the test and the `name` given."""
        __tracebackhide__ = True
        test = self.request.node
        folder = self.request.config.getini("recbench_baselines")
        file, _, name_in_file = test.nodeid.partition("::")
        root = test.path.parent / FOLDER
        if folder:
            # Below it as the tests are below theirs: two files of one name stay two
            root = self.request.config.rootpath / folder / Path(file).parent
        full_name = "-".join(filter(None, [name_in_file, name]))
        directory = re.sub(r"[^\w.@=-]+", "-", full_name).strip("-.")
        if directory != full_name or len(directory) > LONGEST_NAME:
            # Two names that become alike stay two
            digest = hashlib.sha256(full_name.encode()).hexdigest()[:8]
            directory = f"{directory[:LONGEST_NAME]}-{digest}"

        baseline = Path(root, test.path.stem, directory)
        if baseline in self.used:
            pytest.fail("recbench_gate is called twice: give name= to each call", pytrace=False)
        self.used.add(baseline)
        return baseline

    def _measure(self, data: object, algorithm: object, options: dict[str, object]) -> Path:
        """The directory of a run of this row, which nothing of before is kept for."""
        from recbench.benchmarks import api

        directory = self.directories.mktemp("recbench") / "run"
        api.run(data, algorithm, out=directory, **options)  # type: ignore[arg-type]
        return directory

    def _make_baseline(self, baseline: Path, run: Path, tolerances: "Sequence[Tolerance]") -> None:
        from recbench.benchmarks.gating import write_baseline
        from recbench.benchmarks.records import Run

        n_records = write_baseline(Run(run), baseline, tolerances)
        made = self.request.config.stash.setdefault(MADE, [])
        made.append(f"{baseline}: {n_records} records")

    def _refuse_other_data(self, baseline: Path, data: object) -> None:
        """Fail before anything is measured if the data are not those of the baseline."""
        __tracebackhide__ = True
        from recbench.benchmarks import api
        from recbench.benchmarks.records import Run

        stored = Run(baseline).read_plan()[1].data
        digest = api.load(data).digest  # type: ignore[arg-type]
        if digest != stored.digest:
            self._fail(
                f"the data are not those of the baseline {baseline}: their digest was "
                f"{stored.digest[:12]} and is {digest[:12]}, so nothing can be compared. Take the "
                "old data; or, if the new ones are meant, make the baseline anew with"
            )

    def _judge(
        self, baseline: Path, run: Path, tolerances: "Sequence[Tolerance]", suspicious: float
    ) -> "list[Verdict]":
        __tracebackhide__ = True
        from recbench.benchmarks.gating import judge_against_baseline

        judgement = judge_against_baseline(baseline, run, tolerances, suspicious)
        if not judgement.has_passed:
            lines = [f"{judgement.outcome.name} beside the baseline {baseline}"]
            lines += judgement.describe_failures()
            lines.append("If that is meant, make it the baseline with")
            self._fail("\n".join(lines))
        return judgement.verdicts

    def _fail(self, problem: str) -> NoReturn:
        """Fail the test, with the command that makes its baseline at the end."""
        __tracebackhide__ = True
        command = shlex.join(["pytest", self.request.node.nodeid, UPDATE])
        pytest.fail(f"recbench_gate: {problem}\n    {command}", pytrace=False)
