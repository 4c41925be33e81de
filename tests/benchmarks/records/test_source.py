"""What is measured again, what is evaluated again and what is kept when code changes: real runs of
changed code.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recbench.adapters import available
from recbench.adapters.baselines import UserMean
from recbench.benchmarks import planning as plan
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.records import source, syntax
from recbench.benchmarks.records.record import Record, Run
from recbench.datasets import UsageError
from tests.conftest import ROOT, RunBench
from tests.forked_commands import Commands

ADAPTER = '''
"""An adapter that somebody is writing."""

from dataclasses import dataclass

import numpy as np

from recbench.adapters.base import Recommender


@dataclass(eq=False)
class Tried(Recommender):
    """A number for every pair."""

    name = "tried"
    family = "tried"
    predicts = "ratings"

    def fit(self, data, seed):
        """Nothing is learned."""

    def score(self, users, items):
        from PACKAGE import stars

        return np.full(len(users), 3, np.float32) + stars(users)
'''
HELPER = '''
"""What the adapter is helped by."""


def stars(users):
    """Nothing to be added."""
    return 0 * users.astype("float32")  # of each user
'''

Bench = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Another text in a file, once, for a while."""
    before = path.read_text()
    assert before.count(old) == 1, f"{path} should hold {old!r} once"
    path.write_text(before.replace(old, new))
    try:
        yield
    finally:
        path.write_text(before)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, whose source may be changed, with an adapter more."""
    root = tmp_path_factory.mktemp("house")
    for package in ("datasets", "adapters", "benchmarks"):
        shutil.copytree(ROOT / package, root / package)
    shutil.copytree(ROOT / "recbench", root / "recbench", symlinks=True)
    (root / "recbench" / "reports").unlink()
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "adapters" / "tried.py").write_text(
        ADAPTER.replace("PACKAGE", "recbench.adapters.tried_part")
    )
    (root / "adapters" / "tried_part.py").write_text(HELPER)
    return root


@pytest.fixture(scope="module")
def bench(house: Path, own_data: Path, commands: Commands) -> Bench:
    """Run a command of the copy."""

    def run(command: str, *arguments: object, check: int = 0) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"RECBENCH_DATA": str(own_data)}
        environment.pop("PYTHONPATH", None)
        result = commands.run(f"benchmarks.{command}", arguments, environment, directory=house)
        assert result.returncode == check, result.stdout + result.stderr
        return result

    return run


def written(directory: Path) -> dict[str, dict[str, Any]]:
    """The planned records as they are on disk, by row and fold."""
    names = [cell.name for cell in Run(directory).read_plan()[0]]
    records = [json.loads((directory / "records" / f"{name}.json").read_text()) for name in names]
    return {f"{record['cell']['algorithm']} {record['cell']['fold']}": record for record in records}


def answers(directory: Path) -> dict[str, bytes]:
    """The raw scores and lists of every planned cell, by file."""
    run = Run(directory)
    found = {}
    for cell in run.read_plan()[0]:
        for name, array in run.answers(cell).items():
            if not name.startswith("share_"):
                found[f"{cell.name} {name}"] = array.tobytes()
    return found


def started(directory: Path) -> dict[str, str]:
    """When each cell was measured."""
    return {place: record["started"] for place, record in written(directory).items()}


def test_what_an_adapter_computes_is_measured_again_and_its_comments_are_not(
    house: Path, bench: Bench, ratings_file: Path, tmp_path: Path
) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        "tried",
        "--algorithm",
        "user-mean",
    ]
    arguments += ["--folds", "2", "--no-report", "--debug", "--out", str(tmp_path / "out")]
    assert "again" not in bench("run", *arguments).stdout
    first = written(tmp_path / "out")
    begun = started(tmp_path / "out")
    adapter = house / "adapters" / "tried.py"
    helper = house / "adapters" / "tried_part.py"

    asked = "        scores = timed("
    with (
        edited(adapter, "A number for every pair.", "Another sentence."),
        edited(helper, "  # of each user", ""),
        edited(
            house / "benchmarks" / "evaluation" / "questions.py",
            f'{asked}"rank", algorithm.score_items',
            f'        # asked\n{asked}"rank", algorithm.score_items',
        ),
    ):
        assert "4 kept from before" in bench("run", *arguments).stdout
        assert started(tmp_path / "out") == begun

    with edited(adapter, "np.full(len(users), 3,", "np.full(len(users), 5,"):
        said = bench("run", *arguments).stdout
        assert "tried: 2 cells are measured again: changed since: code" in said
        assert "2 kept from before" in said and "user-mean:" not in said
        second = written(tmp_path / "out")
        for fold in (0, 1):
            assert second[f"tried {fold}"]["key"] != first[f"tried {fold}"]["key"]
            assert (
                second[f"tried {fold}"]["metrics"]["rmse"]
                != first[f"tried {fold}"]["metrics"]["rmse"]
            )
            assert second[f"user-mean {fold}"] == first[f"user-mean {fold}"]

    with edited(helper, "0 * users", "1 + 0 * users"):  # imported inside a method only
        assert (
            "tried: 2 cells are measured again: changed since: code"
            in bench("run", *arguments).stdout
        )
    assert (
        "4 kept from before" in bench("run", *arguments).stdout
    )  # the first records are still there


def test_a_changed_metric_is_computed_again_from_the_raw_answers_without_a_fit(
    house: Path, bench: Bench, ratings_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        "user-item-bias",
        "--algorithm",
        "popularity",
    ]
    arguments += ["--folds", "2", "--no-report", "--debug", "--out", str(out)]
    bench("run", *arguments)
    first = written(out)
    begun = started(out)
    raw = answers(out)
    metrics = house / "benchmarks" / "metrics" / "rankings.py"

    with edited(
        metrics,
        '"""Relevant items among the first k, divided by k, even',
        '"""Hits divided by k, even',
    ):
        assert "again" not in bench("run", *arguments).stdout
        assert written(out) == first

    with edited(metrics, "return lists.n_hits(k) / k", "return lists.n_hits(k) / (k + 1)"):
        planned = bench("run", *arguments, "--dry-run").stdout
        assert planned.count("to evaluate") == 4 and "4 cells, 0 to run" in planned
        said = bench("run", *arguments).stdout
        assert "4 cells are evaluated again from the raw answers, without a fit" in said
        assert "measured again" not in said
        second = written(out)
        assert started(out) == begun and answers(out) == raw and second.keys() == first.keys()
        for place, record in second.items():
            was = first[place]
            assert (record["key"], record["costs"]) == (was["key"], was["costs"])
            for column, value in record["metrics"].items():
                is_moved = column.endswith("precision@10")  # over all users, or some
                before = was["metrics"][column]
                if is_moved and before is not None:
                    assert value == pytest.approx(before * 10 / 11), column
                else:
                    assert value == before, column
            assert record["slices"] != was["slices"] and record["evaluation"] != was["evaluation"]
        assert "All as it should be" in bench("verify", out).stdout
        assert "again" not in bench("run", *arguments).stdout

        cells = Run(out).read_plan()[0]
        Run(out).path(cells[0], ".npz").unlink()  # there is nothing to compute from
        damaged = Run(out).path(cells[1], ".npz")
        with damaged.open("ab") as file:  # another file than the record promises
            file.write(b"?")

    said = bench("run", *arguments).stdout
    assert "2 cells are evaluated again" in said
    gone = "user-item-bias: 2 cells are measured again: the raw answers are gone or damaged"
    assert gone in said
    third = written(out)
    assert {place: record["metrics"] for place, record in third.items()} == {
        place: record["metrics"] for place, record in first.items()
    }
    later = {place for place, moment in started(out).items() if moment != begun[place]}
    assert later == {"user-item-bias 0", "user-item-bias 1"}


def test_another_threshold_asks_other_users_and_so_is_a_question(
    house: Path, bench: Bench, ratings_file: Path, tmp_path: Path
) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        "popularity",
        "--folds",
        "2",
        "--no-report",
        "--debug",
    ]
    arguments += ["--out", str(tmp_path)]
    bench("run", *arguments)
    protocols = house / "benchmarks" / "metrics" / "protocols.py"
    with edited(protocols, "relevant_share: float = 0.75", "relevant_share: float = 0.5"):
        said = bench("run", *arguments).stdout
        assert (
            "popularity: 2 cells are measured again: changed since: code, protocol or cutoffs"
            in said
        )
    with edited(protocols, "VERSION = 2", "VERSION = 3"):
        said = bench("run", *arguments).stdout
        assert "2 cells are evaluated again" in said and "measured again" not in said
        assert {record["cell"]["protocol"]["version"] for record in written(tmp_path).values()} == {
            3
        }


def test_a_gate_sees_a_plugin_whose_helper_got_worse(
    run_bench: RunBench, commands: Commands, ratings_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(ADAPTER.replace("PACKAGE", "mine_parts.helper"))
    (tmp_path / "mine_parts").mkdir()
    helper = tmp_path / "mine_parts" / "helper.py"
    helper.write_text(HELPER)
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--plugin",
        "mine",
        "--algorithm",
        "tried",
        "--folds",
        "2",
    ]
    arguments += ["--no-report", "--debug", "--out", str(tmp_path / "head")]
    run_bench(*arguments, path=tmp_path, check=0)
    shutil.copytree(tmp_path / "head", tmp_path / "base")

    def compared() -> int:
        directories = [tmp_path / "base", tmp_path / "head"]
        arguments = [*directories, "--fail-on", "rmse:+5%"]
        return commands.run("benchmarks.compare", arguments, os.environ).returncode

    with edited(helper, '    """Nothing to be added."""\n', "    # nothing\n"):
        assert "2 kept from before" in run_bench(*arguments, path=tmp_path, check=0).stdout
    with edited(helper, "0 * users", "0 + 0 * users"):  # other code, the same numbers
        said = run_bench(*arguments, path=tmp_path, check=0).stdout
        assert "tried: 2 cells are measured again: changed since: code" in said
        assert (
            written(tmp_path / "head")["tried 0"]["key"]
            != written(tmp_path / "base")["tried 0"]["key"]
        )
        assert compared() == 0  # keys are none of its business
    with edited(helper, "0 * users", "-2 + 0 * users"):
        run_bench(*arguments, path=tmp_path, check=0)
        assert compared() == 1


def test_own_modules_are_found_wherever_they_are_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "wide_plugin"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("from wide_plugin import adapter\n")
    (package / "adapter.py").write_text(
        ADAPTER.replace("PACKAGE", ".inner.lazy").replace("tried", "wide")
    )
    (package / "inner" / "__init__.py").write_text("import beside\n")
    (package / "inner" / "lazy.py").write_text(
        "from .. import cycle\nimport numpy, scipy.sparse\n\n\ndef stars(): ...\n"
    )
    (package / "cycle.py").write_text(
        "from wide_plugin.adapter import Tried\nfrom wide_plugin.nowhere import x\n"
    )
    (package / "unused.py").write_text("")
    (tmp_path / "beside.py").write_text("from recbench.adapters.shared.factors import Factorised\n")
    library = tmp_path / ".venv" / "site-packages"
    library.mkdir(parents=True)
    (library / "some_library.py").write_text("")
    monkeypatch.syspath_prepend(str(library))
    monkeypatch.syspath_prepend(str(tmp_path))
    (package / "cycle.py").open("a").write("import some_library\n")

    monkeypatch.setitem(
        sys.modules, "wide_plugin", None
    )  # removed after the test, with all that is imported
    del sys.modules["wide_plugin"]
    __import__("wide_plugin.adapter")
    adapter = sys.modules["wide_plugin.adapter"].Tried
    try:
        found = set(source._digest_adapter(adapter))
        own = {"", ".adapter", ".inner", ".inner.lazy", ".cycle"}
        assert found == {f"wide_plugin{name}" for name in own} | {
            "beside", "recbench.adapters.base", "recbench.adapters.shared.factors",
            "recbench.adapters.shared.likeness", "recbench.datasets.ratings",
        }  # fmt: skip
        assert "wide_plugin.inner.lazy" not in sys.modules, "looking at code must not import it"

        before = source.answers_source(adapter)
        with edited(package / "inner" / "lazy.py", "def stars(): ...", "def stars(): return 1"):
            assert source.answers_source(adapter) != before
        (package / "unused.py").write_text("x = 1\n")
        assert source.answers_source(adapter) == before
    finally:
        for name in [
            name for name in sys.modules if name.startswith("wide_plugin") or name == "beside"
        ]:
            del sys.modules[name]
        del adapter


def test_code_that_cannot_be_parsed_is_left_to_the_cell_that_imports_it() -> None:
    digest, imported = syntax.read_module(b"return 0 * 2.astype()", "module", False, None)
    assert digest == hashlib.sha256(b"return 0 * 2.astype()").hexdigest() and not imported


def test_an_adapter_without_a_file_is_refused() -> None:
    class Fleeting(UserMean):
        pass

    Fleeting.__module__ = "no_file_at_all"
    with pytest.raises(UsageError, match="put it into a file of its own"):
        source.answers_source(Fleeting)


def test_a_key_goes_by_code_and_not_by_the_version_of_metrics(ratings_file: Path) -> None:
    from recbench import datasets

    data = datasets.load(f"table:{ratings_file}")
    how = plan.Design("kfold", n_folds=2, seed=0, evaluation=Evaluation())
    (cell, *_) = plan.plan_cells(data, plan.parse_rows(["user-mean"]), how)
    assert cell.source == source.answers_source(available()["user-mean"])
    later = replace(cell, protocol=cell.protocol | {"version": 99})
    assert later.key == cell.key
    assert replace(cell, source="0" * 12).key != cell.key
    early = replace(cell, source="")
    fixed = {
        name: value
        for name, value in vars(early).items()
        if name not in ("dataset", "given", "source", "key", "inner", "tuning", "external")
    }
    written_then = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:12]
    assert early.key == written_then, "records of before keep their names"


def test_a_record_of_other_definitions_than_the_plans_is_shown_as_not_run(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "reports" / "baselines" / "simulated", tmp_path / "run")
    run = Run(tmp_path / "run")
    cells, about = run.read_plan()
    assert {record.status for record in run.records()} == {"ok"}  # neither plan nor records say
    first = run.read(cells[0])
    assert isinstance(first, Record)
    run.path(cells[0]).write_bytes(replace(first, evaluation="b" * 12).to_json())
    for cell in cells[1:]:
        record = run.read(cell)
        assert record is not None
        run.path(cell).write_bytes(replace(record, evaluation="a" * 12).to_json())
    run.write_plan(cells, about.replaced(evaluation="a" * 12))
    statuses = [record.status for record in run.records()]
    assert statuses == ["not_run", *["ok"] * (len(cells) - 1)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x = 3\n", "x = 3  # three\n", True),
        ("x = 3\n", '"""About x."""\n\nx = (\n    3\n)\n', True),
        ("def f():\n    return 3\n", 'def f():\n    """Three."""\n    return 3\n', True),
        ("class A:\n    x: int = 3\n", 'class A:\n    x: int = 3\n    """What x is."""\n', True),
        ("x = 3\n", "x = 5\n", False),
        ("x = 3\n", "x = 3.0\n", False),
        ("x = 3\n", "x = '3'\n", False),
        ("x = None\n", "x = ...\n", False),
        ("from a import b\n", "from c import b\n", False),
        ("def f(*, a=None): pass\n", "def f(*, a): pass\n", False),
        ("x = f(a)[1:]\n", "x = f(a)[:1]\n", False),
    ],
)
def test_only_what_runs_counts(one: str, other: str, same: bool) -> None:
    digests = [syntax.read_module(text.encode(), "module", False, None)[0] for text in (one, other)]
    assert (digests[0] == digests[1]) is same


def test_every_metric_file_and_every_question_is_covered() -> None:
    evaluation = source._digest_modules([*source.NUMBERS, source.METRICS], None)
    numbers = {
        "evaluation.cell_metrics",
        "evaluation.numbers",
        "evaluation.slices",
        "metrics",
        "metrics.registry",
        "metrics.protocols",
    }
    assert {f"recbench.benchmarks.{name}" for name in numbers} <= set(evaluation)
    questions = set(source._digest_modules([*source.QUESTIONS, *source.PARTS], None, source.PARTS))
    wanted = {
        "evaluation.questions",
        "evaluation.ranking",
        "execution.worker",
        "metrics.protocols",
        "splits.folds",
        "splits.built_in",
    }
    assert {f"recbench.benchmarks.{name}" for name in wanted} <= questions
    rooms = ("recbench.benchmarks.metrics", "recbench.benchmarks.evaluation")
    others = {name for name in questions if name.startswith(rooms)}
    assert others == {
        f"recbench.benchmarks.{name}"
        for name in wanted
        if name.startswith(("metrics", "evaluation"))
    }


def test_where_files_lie_and_how_they_are_fetched_is_no_part_of_a_key() -> None:
    digests = source._digest_modules([*source.QUESTIONS, *source.PARTS], None, source.PARTS)
    assert not [name for name in digests if name.startswith("recbench.datasets.storage")]
