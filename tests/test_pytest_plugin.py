"""The plug-in of pytest, in the tests of a project that is not ours."""

import json
import shutil
import sys
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from recbench import datasets
from recbench.adapters import available
from recbench.benchmarks import api
from recbench.benchmarks.gating import Outcome
from recbench.benchmarks.records import Run
from recbench.datasets.foundation import import_all
from tests.conftest import ROOT

pytest_plugins = "pytester"

GATED = """
def test_same(recbench_gate):
    verdicts = recbench_gate({data!r}, "item-mean", fail_on="rmse:+1%", folds=2)
    assert [verdict.verdict for verdict in verdicts] == ["PASS"]

def test_worse(recbench_gate):
    recbench_gate({data!r}, "item-mean", fail_on="rmse:+1%", folds=2)
"""


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    """Pytester forgets what the project's tests import: a second import would be another module."""
    available()
    import_all(datasets)


def run_pytest(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run the project's tests in this process. An install has the plug-in as an entry point."""
    is_installed = any(point.name == "recbench" for point in entry_points(group="pytest11"))
    load = [] if is_installed else ["-p", "recbench.pytest_plugin"]
    without = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark"]
    return pytester.runpytest_inprocess(*load, *without, *arguments)


def baselines_of(pytester: pytest.Pytester) -> list[Path]:
    """The directories of the baselines below the project."""
    return sorted(plan.parent for plan in pytester.path.rglob("plan.json"))


def test_without_a_baseline_the_test_fails_and_names_the_command(
    pytester: pytest.Pytester, ratings_file: Path
) -> None:
    pytester.makepyfile(GATED.format(data=f"table:{ratings_file}"))
    result = run_pytest(pytester, "-k", "same")
    result.assert_outcomes(failed=1, deselected=1)
    name = "test_without_a_baseline_the_test_fails_and_names_the_command"
    result.stdout.fnmatch_lines(
        [
            f"recbench_gate: there is no baseline at */recbench-baselines/{name}/test_same: *",
            f"*pytest {name}.py::test_same --recbench-update",
        ]
    )
    assert baselines_of(pytester) == []


def test_a_second_call_needs_a_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_accuracy(recbench_gate):
            for name in ("", "b", ""):
                try:
                    recbench_gate("table:absent.csv", "item-mean", fail_on="rmse:+1%", name=name)
                except pytest.fail.Exception as error:
                    last = str(error)
            assert "give name= to each call" in last
        """
    )
    run_pytest(pytester).assert_outcomes(passed=1)


def test_two_files_of_one_name_have_baselines_of_their_own_in_one_folder(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeini("[pytest]\nrecbench_baselines = stored\naddopts = --import-mode=importlib")
    for folder in ("one", "two"):
        directory = pytester.mkdir(folder)
        gated = """def test_it(recbench_gate):
            recbench_gate("table:absent.csv", "item-mean", fail_on="rmse:+1%")"""
        (directory / "test_same.py").write_text(gated)
    result = run_pytest(pytester)
    for folder in ("one", "two"):
        result.stdout.fnmatch_lines([f"*no baseline at */stored/{folder}/test_same/test_it: *"])


@pytest.mark.parametrize(
    ("data", "fail_on", "message"),
    [
        ("table:absent.csv", "'rmse:+1%'", "absent.csv"),
        ("movielens-100k", "'rmse:-1%'", "rmse gets worse towards +"),
        ("movielens-100k", "[]", "fail_on is empty"),
    ],
)
def test_what_cannot_be_measured_fails_in_words(
    pytester: pytest.Pytester, data: str, fail_on: str, message: str
) -> None:
    pytester.makepyfile(
        f"""
        def test_accuracy(recbench_gate):
            recbench_gate({data!r}, "item-mean", fail_on={fail_on})
        """
    )
    result = run_pytest(pytester, "--recbench-update")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*recbench_gate: *{message}*"])
    assert "During handling" not in result.stdout.str()


@pytest.mark.slow
def test_a_row_is_held_to_its_baseline(
    pytester: pytest.Pytester, ratings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session makes a baseline; in the next an equal row passes, and a worse one fails."""
    ratings = Path(shutil.copy(ratings_file, pytester.path / "ratings.csv"))
    pytester.makepyfile(test_it=GATED.format(data=f"table:{ratings}"))
    pytester.makeini("[pytest]\nrecbench_baselines = stored")
    made = run_pytest(pytester, "--recbench-update", "-k", "same")
    made.assert_outcomes(passed=1, deselected=1)
    (baseline,) = baselines_of(pytester)
    assert baseline == pytester.path / "stored" / "test_it" / "test_same"
    made.stdout.fnmatch_lines([f"{baseline}: 2 records"])

    better = copy_better(baseline)
    result = run_pytest(pytester)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            f"recbench_gate: {Outcome.FAILED.name} beside the baseline {better}",
            "item-mean, rmse:+1%: REGRESSED, worse by more than rmse:+1%",
            "*in the baseline, * now: worse by +*, 95 % interval +* to +*",
            "If that is meant, make it the baseline with",
            "*--recbench-update",
        ]
    )

    # Other data are refused before anything is measured
    ratings.write_text(ratings.read_text().replace(",5.0,", ",4.0,", 1))
    monkeypatch.setattr(api, "run", lambda *_, **__: pytest.fail("measured"))
    refused = run_pytest(pytester, "-k", "same")
    refused.assert_outcomes(failed=1, deselected=1)
    refused.stdout.fnmatch_lines(["*the data are not those of the baseline*digest was*"])


def copy_better(baseline: Path) -> Path:
    """A baseline for the other test, in which the row has a tenth less error."""
    better = Path(shutil.copytree(baseline, baseline.with_name("test_worse")))
    run = Run(better)
    for record in run.records():
        answers = run.answers_of(record)
        answers["share_sums"] = 0.81 * answers["share_sums"]  # squares
        error = record.metrics["rmse"]
        assert error is not None
        run.write(replace(record, metrics=record.metrics | {"rmse": 0.9 * error}), answers)
    return better


def test_loading_the_plugin_imports_nothing_that_takes_time(pytester: pytest.Pytester) -> None:
    """In a process of its own, as every other project's pytest starts."""
    code = "import json, sys; sys.path.insert(0, sys.argv[1]); import recbench.pytest_plugin; "
    code += "print(json.dumps(sorted(sys.modules)))"
    result = pytester.run(sys.executable, "-c", code, ROOT)
    loaded = set(json.loads(result.outlines[-1]))
    ours = {name for name in loaded if name.startswith("recbench")}
    assert ours == {"recbench", "recbench.pytest_plugin"}
    assert not loaded & {"numpy", "pandas", "polars", "scipy", "matplotlib", "typer", "pydantic"}
