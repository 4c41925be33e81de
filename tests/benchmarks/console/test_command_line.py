"""What a user can get wrong is refused before any cell starts: exit code 2, one message, no
traceback.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recbench.adapters import available
from recbench.benchmarks import doctor
from recbench.benchmarks import list as listing
from recbench.benchmarks.compare import compare
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.execution.fork_pool import HarnessError
from recbench.benchmarks.merge import merge
from recbench.benchmarks.records.record import Record, Run
from recbench.benchmarks.run import run
from recbench.datasets import UsageError
from tests.conftest import RunBench
from tests.forked_commands import Commands


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(application(run), [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "movielens-100"], "Did you mean 'movielens-100k'?"),
        (
            ["--dataset", "netflix-filtered[min_items=3]"],
            "unknown parameter of netflix-filtered 'min_items'",
        ),
        (["--dataset", "netflix-filtered[simulated_users=2]"], "simulated_users=2 does not fit"),
        (["--dataset", "movielens-100k[x"], "expected name or name[key=value,...]"),
        (["--dataset", "table:/nowhere/at/all.csv"], "there is no file /nowhere/at/all.csv"),
        (["--dataset", "RATINGS", "--algorithm", "surprise-svdd"], "Did you mean 'surprise-svd'?"),
        (["--dataset", "RATINGS", "--algorithm", "item-mean[damp=1]"], "Did you mean 'damping'?"),
        (
            ["--dataset", "RATINGS", "--algorithm", "item-mean[damping=-1]"],
            "greater than or equal to 0",
        ),
        (
            ["--dataset", "RATINGS", "--algorithm", "numpy-sgd[n_epochs=few]"],
            "n_epochs=few does not fit",
        ),
        (["--dataset", "RATINGS", "--algorithm", "random[x=1]"], "takes no parameters"),
        (
            ["--dataset", "RATINGS", "--algorithm", "random", "--algorithm", "random"],
            "planned twice",
        ),
        (
            ["--dataset", "RATINGS", "--algorithm", "surprise-nmf[init_low=2]"],
            "give an init_high that is no lower",
        ),
        (
            [
                "--dataset",
                "RATINGS",
                "--algorithm",
                "numpy-sgd",
                "--algorithm",
                "numpy-sgd[n_epochs=20]",
            ],
            "planned twice",
        ),
        (
            ["--dataset", "RATINGS", "--algorithm", "numpy-sgd[learning_rate=inf]"],
            "expected a finite number",
        ),
        (["--dataset", "RATINGS", "--metric", "precision@05"], "expected a cutoff of at least 1"),
        (["--dataset", "RATINGS", "--folds", "1501", "--dry-run"], "expected 2 to 1500"),
        (["--dataset", "RATINGS", "--suite", "standrad"], "Did you mean 'standard'?"),
        (
            ["--dataset", "RATINGS", "--suite", "standrad", "--algorithm", "random"],
            "leave one of the two out",
        ),
        (["--dataset", "RATINGS", "--split", "kfolds"], "Did you mean 'kfold'?"),
        (["--dataset", "RATINGS", "--metric", "rsme"], "Did you mean 'rmse'?"),
        (["--dataset", "RATINGS", "--metric", "precision@0"], "expected a cutoff of at least 1"),
        (["--dataset", "RATINGS", "--k", "0"], "expected a cutoff of at least 1"),
        (["--dataset", "RATINGS", "--time-limit", "10 minutes"], "such as 90s, 10m or 1.5h"),
        (["--dataset", "RATINGS", "--memory-limit", "8"], "such as 512M or 8G"),
        (["--dataset", "RATINGS", "--budget", "0m"], "expected a positive number"),
        (["--dataset", "RATINGS", "--force", "svd"], "unknown row to force 'svd'"),
        (
            ["--dataset", "RATINGS", "--algorithm", "random", "--force", "oracle"],
            "unknown row to force 'oracle'",
        ),
        (["--dataset", "RATINGS", "--plugin", "no_such_plugin"], "cannot import it"),
        (["--dataset", "RATINGS", "--out", "/proc/nowhere"], "cannot write there"),
        (["--dataset", "RATINGS", "--folds", "1501"], "expected 2 to 1500"),
        (["--dataset", "RATINGS", "--folds", "1"], "--folds"),
        (["--dataset", "RATINGS", "--seed", "-1"], "--seed"),
        (["--dataset", "netflix-filtered", "--real-only"], "combined_data_1.txt"),
        ([], "--dataset"),
    ],
)
def test_bad_input_is_refused(
    arguments: list[str],
    message: str,
    ratings_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = bench(
        *(argument.replace("RATINGS", f"table:{ratings_file}") for argument in arguments)
    )
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")
    assert "Traceback" not in result.output
    assert not list(tmp_path.rglob("*.json")), "nothing has been started"


@pytest.mark.parametrize("content", ["", "user,item\n1,2\n", "user,item,rating\n1,2,three\n"])
def test_a_bad_table_is_refused_with_its_file(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(content)
    result = bench("--dataset", f"table:{tmp_path / 'mine.csv'}")
    assert result.exit_code == 2
    assert "mine.csv" in result.output
    assert "Traceback" not in result.output


def test_a_dry_run_prints_the_plan_and_writes_nothing(ratings_file: Path, tmp_path: Path) -> None:
    result = bench(
        "--dataset",
        f"table:{ratings_file}",
        "--suite",
        "quick",
        "--out",
        tmp_path / "out",
        "--dry-run",
    )
    assert result.exit_code == 0
    assert "32 cells, 32 to run" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_runs_cannot_share_a_directory(ratings_file: Path, tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = bench("--dataset", f"table:{ratings_file}", "--out", tmp_path)
    assert result.exit_code == 2
    assert "another run is using it" in result.output.replace("\n", " ")


def test_a_damaged_record_is_named(ratings_file: Path, run_bench: RunBench, tmp_path: Path) -> None:
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--algorithm",
        "random",
        "--folds",
        2,
        "--no-report",
        "--debug",
        "--out",
        tmp_path,
    ]
    run_bench(*arguments, check=0)
    path = next(tmp_path.glob("records/*.json"))
    path.write_text(path.read_text()[:100])
    result = run_bench(*arguments, check=2)
    assert path.name in result.stderr
    assert "Delete it" in result.stderr


@pytest.mark.parametrize("kind", sorted(listing.KINDS))
def test_everything_can_be_listed(kind: str) -> None:
    result = CliRunner().invoke(application(listing.list_choices), [kind])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 1


def test_a_list_that_is_piped_has_a_line_for_each_choice_and_whole_names() -> None:
    result = CliRunner().invoke(application(listing.list_choices), ["algorithms"])
    names = [line.split()[0] for line in result.output.splitlines()[1:]]
    assert names == list(available())


def test_help_says_kinds_of_values_in_words_and_shows_examples() -> None:
    result = CliRunner().invoke(application(run), ["--help"])
    assert "--algorithm TEXT" in result.output and "<" not in result.output.replace("<=", "")
    assert "--dataset movielens-100k --suite quick\n" in result.output


@pytest.mark.parametrize("command", [merge, compare])
def test_help_names_arguments_without_their_types(command: Callable[..., int]) -> None:
    result = CliRunner().invoke(application(command), ["--help"])
    assert result.exit_code == 0 and "<" not in result.output


@pytest.mark.slow
def test_the_doctor_shows_the_data_directory(own_data: Path, commands: Commands) -> None:
    """In a process of its own: this one may know plug-ins whose libraries nobody has."""
    environment = os.environ | {"RECBENCH_DATA": str(own_data)}
    result = commands.run("benchmarks.doctor", [], environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert str(own_data) in result.stdout
    assert "all" in result.stdout


def test_the_doctor_compiles_what_can_be_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    mean = available()["item-mean"]
    monkeypatch.setattr(doctor, "available", lambda: {"item-mean": mean, "no-such-row": mean})
    monkeypatch.setattr(doctor, "SMALL_TWIN", "no-such-data")
    result = CliRunner().invoke(application(doctor.examine), ["--compile"])
    assert result.exit_code == 0, result.output
    assert "1 algorithms, in" in result.output and "python" not in result.output


def test_a_harness_error_is_exit_code_3() -> None:
    def broken() -> int:
        raise HarnessError("the fork server ended")

    def buggy() -> int:
        raise ZeroDivisionError

    assert CliRunner().invoke(application(broken), []).exit_code == 3
    assert CliRunner().invoke(application(buggy), []).exit_code == 3


def test_records_of_other_schemas_and_edited_cells_are_refused(
    ratings_file: Path, tmp_path: Path
) -> None:
    for text in ("[]", "{}", '{"schema": 99}', '{"schema": 1, "cell": {}}', "not json"):
        with pytest.raises(ValueError):
            Record.from_json(text)
    with pytest.raises(UsageError, match="holds no results"):
        Run(tmp_path).read_plan()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("this is no Python", "cannot import it: SyntaxError"),
        ("raise RuntimeError('no')", "cannot import it: RuntimeError: no"),
        ("import sys; sys.exit(0)", "cannot import it: SystemExit"),
        ("class A(Base):\n    name = 'a'", "must be a dataclass"),
        ("@dataclass\nclass A(Base):\n    name = 'a'", "lacks the methods fit, score"),
        (
            "@dataclass\nclass A(Base):\n    name = 'a'\n    fit = score = len",
            "must say its family",
        ),
        (
            (
                "@dataclass\nclass A(Base):\n    name = 'random'; family = 'x'; predicts = "
                "'order'\n    fit = score = 1"
            ),
            "has the name 'random' of",
        ),
        (
            (
                "@dataclass\nclass A(Base):\n    name = '../a'; family = 'x'; predicts = "
                "'order'\n    fit = score = 1"
            ),
            (
                "'../a' cannot be the name of an algorithm (bad_plugin.A): expected "
                "printable text without /"
            ),
        ),
        (
            "@dataclass\nclass A(Base):\n    name = family = predicts = 'order'\n    fit "
            "= score = 1\n"
            "    epochs_hyperparameter = 'rounds'",
            "says that 'rounds' counts its epochs, but has no such hyperparameter",
        ),
        (
            (
                "@dataclass\nclass A(Base):\n    name = family = predicts = 'order'\n    fit "
                "= score = sees_truth = 1"
            ),
            'family "oracle", which takes no part in the contest, is for what sees the truth',
        ),
    ],
)
def test_bad_plug_ins_are_refused(
    source: str, message: str, ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    imports = (
        "from dataclasses import dataclass\nfrom recbench.adapters.base import "
        "Recommender as Base\n"
    )
    (tmp_path / "bad_plugin.py").write_text(imports + source)
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--plugin",
        "bad_plugin",
        "--algorithm",
        "item-mean",
    ]
    result = run_bench(*arguments, "--dry-run", path=tmp_path, check=2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
