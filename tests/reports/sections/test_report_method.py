"""How it was measured: the checklist's answers follow from the records, and every cell can be
fitted again.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recbench.benchmarks.evaluation import Slice
from recbench.benchmarks.records.certificate import Certificate
from recbench.benchmarks.records.describe import describe_algorithms
from recbench.benchmarks.records.facts import FoldFacts
from recbench.benchmarks.records.record import Record
from recbench.reports import words
from recbench.reports.answers import answer_checklist
from recbench.reports.build import make_files
from recbench.reports.results import Results
from recbench.reports.sections.division import division, ignores_times
from recbench.reports.sections.failures import list_failures
from recbench.reports.sections.method import list_protocol
from recbench.reports.words import field_name
from tests.reports.invented_runs import COLUMNS, SIMULATED, cell, failed, normal, ok, write
from tests.reports.pages import page

REPEATS = "Does a second fit with the same seed give the same numbers?"
DRAWN = Certificate("not deterministic", 0.1, "2 fits", "threads race")


def answers(directory: Path, records: list[Record], **data: Any) -> dict[str, tuple[str, str]]:
    results = Results.read(write(directory, records, **data))
    return {question: (answer, because) for question, answer, because in answer_checklist(results)}


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("run --out /home/ann/runs/mine --jobs 2", "run --out mine --jobs 2"),
        ("run --out='/home/ann/my runs/mine 2'", "run --out='mine 2'"),
        ("run --dataset table:/data/a.csv --out runs/mine", None),
    ],
)
def test_the_command_of_a_run_names_no_folders_above_its_own(typed: str, shown: str | None) -> None:
    assert words.shorten_out(typed) == (shown or typed)


def test_a_run_without_fault_answers_yes_where_its_records_do(tmp_path: Path) -> None:
    found = answers(tmp_path, normal())
    assert found["Are strong simple baselines in the table?"][0] == "yes"
    assert found["Are all folds averaged?"] == (
        "yes",
        "by construction: the mean of all planned folds is shown, never the best",
    )
    assert found["Are differences judged by more than the deviation over folds?"][0] == "yes"
    assert found["Is the future kept out of training?"][0] == "does not arise"
    assert found["Are the data real?"][0] == "yes"
    assert found["Was each cell timed alone?"][0] == "yes"
    # 16.7 % of the invented ratings were dropped, and no invented cell was fitted twice
    assert found["Do filters keep most of the data?"][0] == "yes"
    assert found[REPEATS][0] == "no"


def test_what_the_records_do_not_say_is_not_answered(tmp_path: Path) -> None:
    """Early records know no processor time, and what holds by construction says so."""
    early = []
    for record in normal():
        costs = {phase: cost.replaced(cpu_seconds=None) for phase, cost in record.costs.items()}
        early.append(replace(record, costs=costs))
    found = answers(tmp_path, early)
    assert found["Was each cell timed alone?"][0] == "not known"
    for question in (
        "Is the test part unseen by fits?",
        "Is each metric defined once, and printed?",
    ):
        assert found[question][1].startswith("by construction: ")


def test_what_was_compared_to_say_that_numbers_repeat_is_said(tmp_path: Path) -> None:
    """On which machine, in how many fits, and of which rows nothing but a toy was fitted twice."""
    checks = dict.fromkeys(("surprise-svd", "keras-mf"), "2 fits to a toy")
    records = []
    for record in normal():
        checked_on = checks.get(record.cell.row, "3 fits, 4,096 training pairs")
        certificate = Certificate("bit-identical", 0.0, checked_on, None)
        records.append(replace(record, determinism=certificate))
    assert answers(tmp_path, records)[REPEATS] == (
        "yes",
        "fits with the same seed gave the same scores on the machine below: 5 rows in 3 fits, "
        "4,096 training pairs, 2 rows in 2 fits to a toy; other machines, versions and numbers of "
        "threads were not tried",
    )


@pytest.mark.slow
def test_each_fault_turns_its_own_answer(tmp_path: Path) -> None:
    clean = answers(tmp_path / "clean", normal())

    def turned(where: str, records: list[Record], **data: Any) -> dict[str, tuple[str, str]]:
        found = answers(tmp_path / where, records, **data)
        return {question: entry for question, entry in found.items() if entry != clean[question]}

    without = [
        record for record in normal() if record.cell.algorithm not in ("random", "surprise-svd")
    ]
    assert turned("baselines", without)["Are strong simple baselines in the table?"] == (
        "no",
        "no row that ran for chance and matrix factorisation",
    )
    together = [
        replace(record, environment=record.environment.replaced(contended=True))
        for record in normal()
    ]
    assert turned("contended", together)["Was each cell timed alone?"][0] == "no"
    for facts, because in (
        (
            {"load": 9.0},
            "the load was up to 9.0 on 2 cores when 35 cells began",
        ),
        (
            {"steal": 0.3},
            "the host gave up to 30% of the processors' time to others",
        ),
    ):
        busy = [
            replace(record, environment=record.environment.replaced(**facts)) for record in normal()
        ]
        because = f"no other cell ran at the same time, but {because}"
        assert turned("busy", busy)["Was each cell timed alone?"] == ("no", because)
    waiting = []
    for record in normal():
        rank = record.costs["rank"].replaced(cpu_seconds=0.4)
        waiting.append(replace(record, costs=record.costs | {"rank": rank}))
    answer, because = turned("waiting", waiting)["Was each cell timed alone?"]
    assert answer == "no"
    assert "a part of their time no processor worked for random (" in because
    assert turned("simulated", normal(), **SIMULATED)["Are the data real?"] == (
        "no",
        "the ratings are SIMULATED",
    )
    step = {
        "rule": "items > 9",
        "before": {"users": 9, "items": 9, "ratings": 400},
        "after": {"users": 9, "items": 9, "ratings": 100},
    }
    heavy = turned("heavy", normal(), steps=[step])["Do filters keep most of the data?"]
    assert heavy[0] == "no"
    assert "75.0%" in heavy[1]
    assert turned("timed", normal(), timed=True)["Is the future kept out of training?"][0] == "no"
    drawn = [replace(record, determinism=DRAWN) for record in normal()]
    varying = turned("varying", drawn)[REPEATS]
    assert varying[0] == "no"
    assert varying[1].startswith("not so for random")
    lost = [*normal(), failed(cell("keras-deep", 0), "diverged", "2 NaN among 9 scores")]
    assert "keras-deep" in turned("diverged", lost)["Do ties and NaN favour no row?"][1]


@pytest.mark.parametrize(
    ("split", "answer", "because"),
    [
        ("kfold", "no", "split kfold is random"),
        ("u", "no", "split u is random"),
        ("ua", "no", "split ua is random"),
        ("ub", "no", "split ub is random"),
        ("last-out", "no", "each user's latest ratings are tested, those of others may be later"),
        ("probe", "no", "each user's latest ratings are tested, those of others may be later"),
        ("anybodys", "no", "what the split anybodys, whose rows are given, does with time"),
        ("time[at=0.9]", "yes", "split time[at=0.9]"),
    ],
)
@pytest.mark.slow
def test_whether_the_future_is_kept_out_goes_by_the_split(
    split: str, answer: str, because: str, tmp_path: Path
) -> None:
    records = [replace(record, cell=replace(record.cell, split=split)) for record in normal()]
    found = answers(tmp_path / "alone", records, timed=True)["Is the future kept out of training?"]
    assert found[0] == answer
    assert because in found[1]
    results = Results.read(tmp_path / "alone")
    assert ignores_times(results) == (division(results) is not None) == ("is random" in because)
    if answer == "no":
        beside = [replace(record, cell=replace(record.cell, split="time")) for record in normal()]
        both = answers(tmp_path / "both", [*records, *beside], timed=True)[
            "Is the future kept out of training?"
        ]
        assert both == ("yes", f"{found[1].partition('; --also')[0]}; split time stands beside it")


@pytest.mark.parametrize(
    ("column", "question"),
    [
        ("lightfm:precision@10", "Are training items left out of the recommendations?"),
        ("rated-only:ndcg@10", "Is the full catalogue ranked?"),
    ],
)
def test_protocols_of_others_are_named(column: str, question: str, tmp_path: Path) -> None:
    results = Results.read(write(tmp_path, normal()))
    results = replace(results, about=results.about.replaced(metrics=[*COLUMNS, column]))
    found = {asked: (answer, because) for asked, answer, because in answer_checklist(results)}
    assert found[question][0] == "no"
    assert field_name(column) in found[question][1]


@pytest.mark.slow
def test_every_cell_has_its_key_and_every_row_its_source(tmp_path: Path) -> None:
    records = [ok(cell("surprise-svd", fold), 0.934) for fold in range(5)]
    cells = [replace(record.cell, libraries={"surprise": "1.1.5"}) for record in records]
    records = [
        replace(record, cell=planned) for record, planned in zip(records, cells, strict=True)
    ]
    described = describe_algorithms(cells)
    assert described["surprise-svd"].libraries == ["scikit-surprise 1.1.5 (BSD License)"]
    directory = write(tmp_path, records)
    plan = (directory / "plan.json").read_text()
    assert "algorithms" not in plan
    html = page(directory, "html")
    for record in records:
        assert html.count(record.cell.key) > 1  # in the records and on the page
    results = Results.read(directory)
    results.run.write_plan(cells, results.about.replaced(algorithms=described))
    html = page(directory, "html")
    files = make_files(directory, sections=["method"])
    assert "](algorithms.md)" in files["report.md"].decode()
    for text in (html, files["algorithms.md"].decode()):
        assert "scikit-surprise 1.1.5 (BSD License)" in text
        assert "Koren" in text


@pytest.fixture(scope="module")
def two_splits(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Five folds, and one of the split by time, where `random` failed and parts have other
    sizes.
    """
    records = normal()
    for record in normal():
        if record.cell.fold == 0:
            planned = replace(record.cell, split="time", n_folds=1)
            beside = ok(planned, 1.1, ranks_only=planned.algorithm == "popularity")
            later = replace(beside, fold=FoldFacts(train=50_000, test=10_000, threshold=4.0))
            records.append(
                failed(planned, "timeout", "slow") if planned.algorithm == "random" else later
            )
    groups = [
        Slice(kind="users", group="cold", n_lists=30),
        Slice(kind="users", group="middle", n_lists=900),
    ]
    items = Slice(kind="items", group="head")
    sliced = [
        replace(r, slices=[*groups, items]) if r.cell.fold == 0 and r.status == "ok" else r
        for r in records
    ]
    return Results.read(write(tmp_path_factory.mktemp("two"), sliced, timed=True))


def test_each_split_has_its_own_sizes(two_splits: Results) -> None:
    pairs = dict(list_protocol(two_splits))
    assert pairs["split"] == "5-fold cross-validation, seed 0"
    assert (pairs["train ratings a fold"], pairs["test ratings a fold"]) == ("80,000", "20,000")
    assert pairs["also split"].startswith("split time, 1 fold")
    assert pairs["train ratings a fold, split time"] == "50,000"
    assert pairs["test ratings a fold, split time"] == "10,000"
    assert pairs["users in ranking metrics a fold"] == "930 of 943 in the data"


@pytest.mark.slow
def test_a_failure_elsewhere_names_its_split(two_splits: Results) -> None:
    (entry,) = list_failures(two_splits)
    assert (entry.row, entry.folds) == ("random", ("time fold 0",))
    html = page(two_splits.run.directory, "html")
    assert "time fold 0</td>" in html
    assert "Of 7 rows, 6 have means with the split <code>time</code> too." in html
    assert "errors may be lower" in html and "errors are lower" not in html


def test_failures_of_other_divisions_and_starts_name_their_seeds(tmp_path: Path) -> None:
    cells = [cell("random", fold) for fold in (0, 1)]
    cells += [replace(cells[0], split_seed=1), replace(cells[0], seed=2)]
    records = [failed(planned, "timeout", "slow") for planned in cells]
    (entry,) = list_failures(Results.read(write(tmp_path, records)))
    assert entry.folds == (
        "0",
        "1",
        "fold 0 (split seed 1, seed 0)",
        "fold 0 (split seed 0, seed 2)",
    )
