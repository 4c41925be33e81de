"""The certificate in every record: whether the same seed gives the same numbers."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recbench.adapters.base import Floats
from recbench.benchmarks.execution.determinism import certify_fits, keep_programs, make_toy
from recbench.benchmarks.execution.subject import _certify_cell
from recbench.benchmarks.records import Certificate
from recbench.benchmarks.records.record import Record, Run
from recbench.reports.build import build
from tests.conftest import RunBench
from tests.reports.invented_runs import cell

SCORES = np.array([1, 2, 5, np.nan], np.float32)

PLUGIN = '''
import time
from dataclasses import dataclass
import numpy as np
from recbench.adapters.base import Recommender

class _Noisy(Recommender):
    family = "noisy"
    predicts = "ratings"
    noise = 1.0
    def fit(self, data, seed):
        self.numbers_ = np.random.default_rng(seed).random(data.n_items).astype(np.float32)
        noise = np.random.default_rng().random(data.n_items).astype(np.float32)
        self.numbers_ += np.float32(self.noise) * noise
    def score(self, users, items):
        return self.numbers_[items]

@dataclass(eq=False)
class Noisy(_Noisy):
    """Draws anew, whatever the seed."""
    name = "noisy"

@dataclass(eq=False)
class Slow(_Noisy):
    """The same, and too slow to be fitted to the data again."""
    name = "noisy-slow"
    def fit(self, data, seed):
        super().fit(data, seed)
        time.sleep(0.6)

@dataclass(eq=False)
class Nearly(_Noisy):
    """Noise in the last digits."""
    name = "noisy-little"
    noise = 1e-6

@dataclass(eq=False)
class Declared(_Noisy):
    """The same numbers by chance, but it makes no promise."""
    name = "noisy-declared"
    noise = 0.0
    def nondeterminism(self):
        return "threads race"
'''

COUNTED = '''
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from recbench.adapters.base import Recommender

@dataclass(eq=False)
class Counted(Recommender):
    """Notes how many rounds each fit was allowed."""
    name = "counted"
    family = "counted"
    predicts = "ratings"
    epochs_hyperparameter = "rounds"
    rounds: int = 7
    def fit(self, data, seed):
        with Path(__file__).with_name("rounds.txt").open("a") as file:
            file.write(f"{len(data)} ratings, {self.rounds} rounds\\n")
    def score(self, users, items):
        return np.zeros(len(users), np.float32)
'''


@pytest.mark.parametrize(
    ("other", "repeatability", "difference"),
    [
        (SCORES, "bit-identical", 0),
        (SCORES + np.float32(1e-5), "within tolerance", 1e-5),
        (SCORES + np.float32(1e-3), "not deterministic", 1e-3),
        (np.nan_to_num(SCORES), "not deterministic", 0),  # an opinion where there was none
    ],
)
def test_fits_are_alike_within_a_tolerance(
    other: Floats, repeatability: str, difference: float
) -> None:
    found = certify_fits(None, [SCORES, SCORES, other], "3 fits")
    assert found is not None and found.repeatability == repeatability
    assert found.largest_difference == pytest.approx(difference, abs=1e-6)


def test_a_declared_reason_beats_lucky_agreement_and_one_fit_proves_nothing() -> None:
    lucky = certify_fits("threads race", [SCORES, SCORES], "2 fits")
    assert lucky is not None and (lucky.repeatability, lucky.reason) == (
        "not deterministic",
        "threads race",
    )
    alone = certify_fits("threads race", [SCORES], "1 fit")
    assert alone is not None and alone.largest_difference is None
    assert certify_fits(None, [SCORES], "1 fit") is None


def test_the_toy_covers_all_users_and_items_and_both_ends_of_the_scale() -> None:
    ratings, catalogue, truth = make_toy((-10.0, 10.0))
    assert set(ratings.users.tolist()) == set(range(40)) and set(ratings.items.tolist()) == set(
        range(30)
    )
    assert set(ratings.values.tolist()) == {-10.0, 10.0} and 0.4 < len(ratings) / 1200 < 0.6
    assert len(catalogue.titles) == 30 and truth.shape == (3, 40, 30)


def test_machine_code_for_a_toy_is_kept_and_that_for_the_data_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    jax: Any = importlib.import_module("jax")  # in part without types
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path))
    directory_of_tests = jax.config.jax_compilation_cache_dir
    request.addfinalizer(lambda: jax.config.update("jax_compilation_cache_dir", directory_of_tests))
    jax.config.update("jax_compilation_cache_dir", None)

    def compile_program(factor: float) -> None:
        jax.jit(lambda number: number * factor)(2.0)

    with keep_programs(cell("keras-mf", 0)) as first:
        compile_program(3.5)
    assert (first.n_found, first.are_complete) == (0, False)
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("*-cache")}
    assert len(kept) == first.n_added > 0

    compile_program(4.5)  # for the data
    with keep_programs(cell("keras-mf", 0)) as second:
        compile_program(3.5)
    assert (second.n_found, second.are_complete) == (first.n_added, True)
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*-cache")} == kept
    assert jax.config.jax_compilation_cache_dir is None

    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "of the user"))
    with keep_programs(cell("keras-mf", 0)) as unused:
        compile_program(3.5)
    assert (unused.n_found, unused.are_complete) == (0, False)


def test_the_second_fit_to_a_toy_finds_the_machine_code_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    jax: Any = importlib.import_module("jax")
    monkeypatch.setenv("RECBENCH_CACHE", str(tmp_path))
    directory_of_tests = jax.config.jax_compilation_cache_dir
    request.addfinalizer(lambda: jax.config.update("jax_compilation_cache_dir", directory_of_tests))
    jax.config.update("jax_compilation_cache_dir", None)

    def score_toy() -> list[Floats]:
        jax.jit(lambda number: number * 5.5)(2.0)
        return [SCORES]

    with keep_programs(cell("keras-mf", 0)):
        first = score_toy()
    kept = {path.name for path in tmp_path.rglob("*-cache")}
    jax.clear_caches()

    found: list[int] = []

    def score_toy_again() -> list[Floats]:
        links = Path(jax.config.jax_compilation_cache_dir).iterdir()
        found.append(sum(path.is_symlink() for path in links))
        return score_toy()

    certificate = _certify_cell(cell("keras-mf", 0), None, [SCORES], first, None, score_toy_again)
    assert certificate is not None and certificate.repeatability == "bit-identical"
    assert found == [len(kept)]
    assert {path.name for path in tmp_path.rglob("*-cache")} == kept


def test_records_carry_the_certificate(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    (tmp_path / "noisy_plugin.py").write_text(PLUGIN)
    expected = {
        "item-mean": ("bit-identical", "3 fits, 750 training pairs"),
        "surprise-svd[n_epochs=3]": ("bit-identical", "3 fits, 750 training pairs"),
        "noisy": ("not deterministic", "3 fits, 750 training pairs"),
        "noisy-slow": ("not deterministic", "2 fits to a toy"),
        "noisy-little": ("within tolerance", "3 fits, 750 training pairs"),
        "noisy-declared": ("not deterministic", "3 fits, 750 training pairs"),
    }
    rows = [part for row in expected for part in ("--algorithm", row)]
    arguments = [
        "--dataset",
        f"table:{ratings_file}",
        "--folds",
        2,
        *rows,
        "--plugin",
        "noisy_plugin",
    ]
    run_bench(*arguments, "--no-report", "--out", tmp_path / "out", path=tmp_path, check=0)
    for record in Run(tmp_path / "out").records():
        if record.cell.row == "noisy-slow" and record.cell.fold > 0:
            assert record.determinism is None  # one look at the toy is enough
            continue
        assert record.determinism is not None
        found = record.determinism.repeatability, record.determinism.checked_on
        assert found == expected[record.cell.row], record.cell.row
        assert record.determinism.reason == (
            "threads race" if record.cell.row == "noisy-declared" else None
        )
        assert Record.from_json(record.to_json()) == record
        older = json.loads(record.to_json()) | {"nondeterminism": None}
        del older["determinism"]
        assert Record.from_json(json.dumps(older)).determinism is None
    page = build(tmp_path / "out", sections=["method"])
    report = page.with_suffix(".md").read_text()
    assert (
        "| noisy-declared | not deterministic; seen in 3 fits, 750 training pairs; threads race |"
        in report
    )


@pytest.mark.slow
def test_what_two_toy_fits_have_shown_is_kept_with_the_code_they_were_made_for(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    """A second look at what draws anew would find another difference."""
    arguments = ["--dataset", f"table:{ratings_file}", "--split", "holdout", "--folds", 1]
    arguments += ["--algorithm", "noisy-slow", "--plugin", "noisy_plugin", "--no-report"]

    def certify(directory: str, noise: str) -> Certificate:
        plugin = PLUGIN.replace("noise = 1.0", f"noise = {noise}")
        (tmp_path / "noisy_plugin.py").write_text(plugin)
        run_bench(*arguments, "--out", tmp_path / directory, path=tmp_path)
        (record,) = Run(tmp_path / directory).records()
        assert record.determinism is not None
        return record.determinism

    first = certify("first", "1e-6")
    assert (first.repeatability, first.checked_on) == ("within tolerance", "2 fits to a toy")
    assert certify("again", "1e-6") == first
    assert certify("other", "2e-6") != first


def test_a_toy_is_passed_over_twice_and_the_data_as_often_as_asked(
    ratings_file: Path, run_bench: RunBench, tmp_path: Path
) -> None:
    (tmp_path / "counted_plugin.py").write_text(COUNTED)
    arguments = ["--dataset", f"table:{ratings_file}", "--folds", 2, "--algorithm", "counted"]
    arguments += ["--plugin", "counted_plugin", "--no-report", "--out", tmp_path / "out"]
    run_bench(*arguments, path=tmp_path)
    n_toy = len(make_toy((1.0, 5.0))[0])
    lines = (tmp_path / "rounds.txt").read_text().splitlines()
    on_toy = {line for line in lines if line.startswith(f"{n_toy} ratings")}
    assert on_toy == {f"{n_toy} ratings, 2 rounds"}
    assert set(lines) - on_toy == {"750 ratings, 7 rounds"}
