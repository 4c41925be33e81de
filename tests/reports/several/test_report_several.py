"""Several data sets in one report: whose ranks, who wins where, and what may not be mixed."""

import itertools
import json
import re
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.metrics.protocols import Evaluation
from recbench.benchmarks.records.cell import PHASES
from recbench.benchmarks.records.record import Record
from recbench.datasets.foundation.spec import UsageError
from recbench.reports import words
from recbench.reports.build import build, main, make_files
from recbench.reports.results import Results
from recbench.reports.several import words as comparison_words
from recbench.reports.several.comparison import DatasetComparison
from recbench.reports.several.critical_difference import Ranking, critical_difference, draw_diagram
from tests.reports.invented_runs import MARKUP, SIMULATED, cell, failed, ok, write

ROWS = ("random", "item-mean", "user-item-bias", "surprise-svd", "popularity")
LEVELS = {  # by data set, in the order of ROWS
    "movielens-100k": (1.52, 1.02, 0.945, 0.934, 1.4),
    "filmtrust": (1.50, 0.98, 0.80, 0.85, 1.2),
    "my-ratings": (1.60, 1.03, 0.95, 0.90, 1.3),
}
Change = Callable[[Record], Record]


def unchanged(record: Record) -> Record:
    return record


def records_on(
    name: str, levels: tuple[float, ...], change: Change = unchanged, n_folds: int = 2
) -> list[Record]:
    found = []
    for row, level in zip(ROWS, levels, strict=True):
        for fold in range(n_folds):
            record = ok(
                cell(row, fold, n_folds, dataset=name), level, ranks_only=row == "popularity"
            )
            found.append(change(replace(record, cell=replace(record.cell, digest=digest(name)))))
    return found


def digest(name: str) -> str:
    return name.encode().hex().ljust(64, "0")[:64]


def on(
    directory: Path,
    name: str,
    change: Change = unchanged,
    /,
    levels: tuple[float, ...] = (),
    **data: Any,
) -> Path:
    """A run on the data set `name`, whose records `change` has changed."""
    records = records_on(name, levels or LEVELS[name], change)
    write(directory, records, **({"name": name, "digest": digest(name)} | data))
    protocol = records[0].cell.protocol
    plan = json.loads((directory / "plan.json").read_text())
    plan["about"] |= {"protocol": protocol, "metrics": ["rmse", "ndcg@10", "coverage"]}
    (directory / "plan.json").write_text(json.dumps(plan))
    return directory


def changed(**fields: Any) -> Change:
    """A change of the cell's own fields."""
    return lambda record: replace(record, cell=replace(record.cell, **fields))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    base = tmp_path_factory.mktemp("runs")
    return [on(base / name, name) for name in LEVELS]


@pytest.fixture(scope="module")
def report(three: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(*three, out=tmp_path_factory.mktemp("together"), tex=True).parent


def means(directory: Path, column: str) -> dict[str, float | None]:
    """Computed here, from the records' files."""
    values: dict[str, list[float | None]] = {}
    for path in sorted((directory / "records").glob("*.json")):
        record = json.loads(path.read_text())
        values.setdefault(record["cell"]["algorithm"], []).append(record["metrics"].get(column))
    return {
        row: None if None in found else statistics.fmean(v for v in found if v is not None)
        for row, found in values.items()
    }


def table_below(markdown: str, text: str) -> list[list[str]]:
    """The rows of the first Markdown table after `text`, heads first."""
    lines = markdown[markdown.index(text) :].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]])
    return [rows[0], *rows[2:]]


@pytest.mark.parametrize(
    ("n_rows", "q"),
    [*enumerate([1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164], start=2)],
)
def test_the_critical_difference_has_the_published_q(n_rows: int, q: float) -> None:
    n_data_sets = 14
    found = critical_difference(n_rows, n_data_sets) / np.sqrt(
        n_rows * (n_rows + 1) / (6 * n_data_sets)
    )
    assert found == pytest.approx(q, abs=1.1e-3)


# Ranks of C4.5, with m, with cf and with both, on 14 data sets: table 6 of Demšar (2006)
DEMSAR = np.array(
    [
        (4, 1, 4, 4, 4, 1, 3, 2.5, 4, 2.5, 4, 3, 4, 3),
        (3, 2, 1, 1, 2, 2.5, 2, 2.5, 3, 2.5, 2.5, 2, 1, 1),
        (2, 3, 2, 3, 3, 4, 4, 4, 2, 2.5, 1, 4, 2, 4),
        (1, 4, 3, 2, 1, 2.5, 1, 1, 1, 2.5, 2.5, 1, 3, 2),
    ]
)


def test_the_example_of_the_paper_comes_out_again() -> None:
    ranking = Ranking.of(["C4.5", "m", "cf", "m+cf"], DEMSAR)  # ranks of ranks are the ranks
    assert dict(zip(ranking.names, ranking.means.round(3), strict=True)) == {
        "m+cf": 1.964,
        "m": 2.0,
        "cf": 2.893,
        "C4.5": 3.143,
    }
    assert ranking.difference == pytest.approx(1.25, abs=0.005)
    chi2 = stats.friedmanchisquare(
        *DEMSAR
    ).statistic  # corrected for ties, as ours; the paper's 9.28 is not
    assert ranking.f == pytest.approx(13 * chi2 / (14 * 3 - chi2))
    ties = sum(n**3 - n for column in DEMSAR.T for n in np.unique(column, return_counts=True)[1])
    assert chi2 * (1 - ties / (14 * 4 * 15)) == pytest.approx(9.28, abs=0.01)
    assert ranking.freedom == (3, 39) and 0.001 < ranking.p < 0.05
    assert ranking.groups == [
        (0, 3)
    ]  # the paper at 5 %: "the post-hoc test is not powerful enough"
    assert ranking.obstacle == ""


def test_the_p_value_is_that_of_the_table_or_where_there_is_little_of_chance() -> None:
    rng = np.random.default_rng(3)
    losses = rng.normal(size=(8, 30)) + np.linspace(0, 0.5, 8)[:, None]
    ranking = Ranking.of(list("abcdefgh"), losses)
    assert ranking.p == pytest.approx(stats.f.sf(ranking.f, 7, 7 * 29))
    agreeing = Ranking.of(["a", "b", "c"], np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3]]))
    assert agreeing.f == np.inf and agreeing.p == pytest.approx(
        6 / 6**3
    )  # six of 216 orders agree as much
    chance = [Ranking.of(list("abcd"), rng.normal(size=(4, 5))).p for _ in range(60)]
    assert 0.2 < float(np.mean(chance)) < 0.8


def test_too_few_data_sets_are_told_and_not_drawn() -> None:
    losses = np.arange(8.0)[:, None] + np.zeros((8, 2))
    two = Ranking.of(list("abcdefgh"), losses)
    assert (
        "2 data sets are too few for a test of 8 rows" in two.obstacle
        and "more than 7" in two.obstacle
    )
    assert two.difference > 7
    alike = Ranking.of(["a", "b"], np.ones((2, 9)))
    assert alike.obstacle == "All rows are equal on every data set." and alike.f == 0
    assert "Fewer than two rows" in Ranking.of(["a"], np.ones((1, 3))).obstacle
    noise = Ranking.of(
        list("abc"), np.array([[1, 2, 3, 1, 2, 3], [2, 3, 1, 2, 3, 1], [3, 1, 2, 3, 1, 2]])
    )
    assert "do not differ by more than chance explains" in noise.obstacle and noise.p > 0.9


def test_bars_join_what_lies_within_the_critical_difference_and_never_overlap() -> None:
    rng = np.random.default_rng(0)
    ranking = Ranking.of(
        [f"row-{n}" for n in range(12)], rng.normal(size=(12, 9)) + np.arange(12)[:, None] / 2
    )
    joined = {
        (a, b)
        for first, last in ranking.groups
        for a in range(first, last + 1)
        for b in range(a, last + 1)
    }
    for a, b in itertools.combinations(range(12), 2):
        assert ((a, b) in joined) == (ranking.means[b] - ranking.means[a] < ranking.difference)
    axes = draw_diagram(ranking, "title").axes[0]
    bars = [line for line in axes.lines if line.get_linewidth() > 3]
    assert len(bars) == len(ranking.groups)
    for place, bar in enumerate(bars):
        for other in bars[:place]:
            one, two = (np.asarray(line.get_xydata()) for line in (bar, other))
            assert (
                one[0, 1] != two[0, 1]
                or one[:, 0].max() < two[:, 0].min()
                or two[:, 0].max() < one[:, 0].min()
            )
    texts = {text.get_text() for text in axes.texts}
    assert (
        set(ranking.names) <= texts
        and f"critical difference {words.rank(ranking.difference)}" in texts
    )


@pytest.mark.slow
def test_the_heatmaps_have_the_numbers_of_the_runs(three: list[Path], report: Path) -> None:
    markdown = (report / "report.md").read_text()
    html = (report / "report.html").read_text()
    for column in ("rmse", "ndcg@10"):
        rows = table_below(markdown, f"Mean {words.field_name(column)} over folds on each data set")
        assert [head.partition("<br>")[0] for head in rows[0][1:]] == list(LEVELS)
        for place, directory in enumerate(three, start=1):
            of_run = means(directory, column)
            shown = {row[0]: row[place].partition("<br>")[0] for row in rows[1:]}
            known = {row: mean for row, mean in of_run.items() if mean is not None}
            assert set(shown) == set(known)  # who ranks only has no line among the errors
            best = (min if column == "rmse" else max)(known, key=lambda row: known[row])
            for row, mean in known.items():
                assert (
                    shown[row].removeprefix("≈ ") == ("★ " if row == best else "") + f"{mean:.4f}"
                )
                assert f"{mean:.4f}" in html
    times = table_below(markdown, "Time of convert, fit, rate and rank together")
    results = Results.read(three[1])
    spent = {row.name: words.duration(row.seconds(*PHASES)) for row in results.rows}
    assert {row[0]: row[2] for row in times[1:]} == spent


@pytest.mark.slow
def test_mean_ranks_are_those_of_scipy(three: list[Path], report: Path) -> None:
    rows = table_below((report / "report.md").read_text(), "Mean rank over the data sets")
    for column, sign in (("rmse", 1), ("ndcg@10", -1)):
        by_run = [means(directory, column) for directory in three]
        names = [row for row in ROWS if all(found[row] is not None for found in by_run)]
        ranks = np.array(
            [stats.rankdata([sign * (found[row] or 0) for row in names]) for found in by_run]
        )
        place = rows[0].index(words.field_name(column))
        shown = {row[0]: row[place] for row in rows[1:]}
        for row, own in zip(names, ranks.T, strict=True):
            mean, ranks_of_row = shown[row].split("<br>")
            assert ranks_of_row == ", ".join(f"{rank:g}" for rank in own)
            assert re.fullmatch(rf"{own.mean():.2f} \\\[\d\.\d\d, \d\.\d\d\\\]", mean)
        assert shown.get("popularity", "–") == "–" or column == "ndcg@10"


@pytest.mark.slow
def test_no_row_is_called_best_everywhere_unless_it_is(
    three: list[Path], report: Path, tmp_path: Path
) -> None:
    markdown = (report / "report.md").read_text()
    assert (
        "No row has the lowest mean RMSE on all 3 data sets: surprise-svd on "
        "movielens-100k and my-ratings; "
        "user-item-bias on filmtrust." in markdown
    )
    assert not re.search("(?<!No row) has the lowest mean", markdown)
    assert (
        "Lowest mean rank by RMSE: surprise-svd (1.33, of 4 rows that have a mean everywhere)"
        in markdown
    )
    agreed = on(tmp_path / "agreed", "filmtrust", levels=LEVELS["my-ratings"])
    other = " ".join(
        comparison_words.summarise_runs(
            DatasetComparison.read([three[0], agreed, three[2]], tmp_path)
        )
    )
    assert "surprise-svd has the lowest mean RMSE on all 3 data sets." in other
    assert "No row has the lowest" not in other
    two = " ".join(
        comparison_words.summarise_runs(DatasetComparison.read([three[0], agreed], tmp_path))
    )
    assert (
        "on both data sets" in two
        and "rows are not significantly different by mean ranks alone" in two
    )


@pytest.mark.slow
def test_two_data_sets_have_no_diagram_and_say_why(three: list[Path], tmp_path: Path) -> None:
    build(*three[:2], out=tmp_path)
    assert "2 data sets are too few for a test of 4 rows" in (tmp_path / "report.md").read_text()
    assert not list((tmp_path / "figures").glob("critical*"))
    assert {path.name for path in (tmp_path / "figures").glob("*.svg")} == {
        "error.svg",
        "league-ndcg-10.svg",
        "league-rmse.svg",
        "ranking.svg",
        "time.svg",
    }


@pytest.mark.slow
def test_each_number_leads_to_its_run(three: list[Path], tmp_path: Path) -> None:
    build(three[0], sections=["failures"])
    report = tmp_path / "out"
    html = build(*three, out=report, sections=["method"]).read_text()
    markdown = (report / "report.md").read_text()
    link = re.findall(r'<a href="([^"#]*report\.html)">', html)
    assert len(link) == 1 and (report / link[0]).resolve() == (three[0] / "report.html").resolve()
    for directory in three:
        about = Results.read(directory).about
        assert about.data.digest in html and about.data.digest in markdown
        assert str(directory) in html and about.command in html
    found = re.search(r'<script type="application/json" id="records">(.*?)</script>', html, re.S)
    assert found
    shown = json.loads(found[1])
    assert [run["data"] for run in shown["runs"]] == list(LEVELS)
    assert shown["means"]["rmse"]["item-mean"] == [
        means(directory, "rmse")["item-mean"] for directory in three
    ]


@pytest.mark.slow
def test_same_runs_same_bytes(three: list[Path], tmp_path: Path) -> None:
    assert make_files(*three, out=tmp_path / "x", tex=True) == make_files(
        *three, out=tmp_path / "y", tex=True
    )


@pytest.mark.slow
def test_failed_and_absent_rows(three: list[Path], tmp_path: Path) -> None:
    def broken(record: Record) -> Record:
        lost = record.cell.algorithm == "item-mean" and record.cell.fold == 1
        return failed(record.cell, "timeout", MARKUP) if lost else record

    half = on(tmp_path / "half", "filmtrust", broken)
    few = tmp_path / "few"
    records = [
        r for r in records_on("my-ratings", LEVELS["my-ratings"]) if r.cell.algorithm != "random"
    ]
    write(few, records, name="my-ratings", digest=digest("my-ratings"))
    html = build(three[0], half, few, out=tmp_path / "out").read_text()
    markdown = (tmp_path / "out" / "report.md").read_text()
    rows = {
        row[0]: row[1:]
        for row in table_below(markdown, "Mean RMSE over folds on each data set")[1:]
    }
    assert rows["item-mean"][1] == "timeout" and rows["random"][2] == "–"
    assert "random: not in this run" in html and "<span>timeout</span></td>" in html
    assert "timeout in 1 of 2 folds on filmtrust: item-mean" in markdown
    assert (
        "not in the run on my-ratings: random" in markdown and "ranks only: popularity" in markdown
    )
    assert (
        "(4 of them on each)" in markdown
        and "1 of 28 cells is not ok: item-mean on filmtrust." in markdown
    )
    assert "<script>alert" not in html + markdown and "--folds 5" in markdown
    svg = (tmp_path / "out" / "figures" / "error.svg").read_text()
    assert "timeout" in svg and "not every fold ran" in svg
    ranks = table_below(markdown, "Mean rank over the data sets")
    assert {row[0]: row[1] for row in ranks[1:]}["user-item-bias"].startswith("1.67")
    assert {row[0]: row[1] for row in ranks[1:]}.get("item-mean", "–") == "–"


@pytest.mark.slow
def test_simulated_data_are_named_everywhere(three: list[Path], tmp_path: Path) -> None:
    twin = on(tmp_path / "twin", "filmtrust", **SIMULATED)
    html = build(three[0], twin, three[2], out=tmp_path / "out", tex=True).read_text()
    markdown = (tmp_path / "out" / "report.md").read_text()
    named = "SIMULATED data: netflix-filtered"
    assert named in markdown.splitlines()[0] and f"({named})</title>" in html
    # no folder of a machine stands on a page
    notice = SIMULATED["notice"].replace("/data/netflix", "…/netflix")
    assert f"netflix-filtered: {notice}" in html and 'class="banner"' in html
    assert "simulated ratings" in markdown
    for path in (tmp_path / "out" / "figures").glob("*.svg"):
        assert "SIMULATED data (netflix-filtered), " in path.read_text()
    for path in (tmp_path / "out" / "tables").glob("*.tex"):
        if path.name != "paper.tex":  # which has no text of its own
            assert re.search(r"SIMULATED data(: | \()netflix-filtered", path.read_text()), path
    real = build(*three, out=tmp_path / "real").read_text()
    assert "SIMULATED" not in real


@pytest.mark.slow
def test_data_sets_of_one_name_are_told_apart_by_their_directories(
    three: list[Path], tmp_path: Path
) -> None:
    hostile = on(tmp_path / "<b>x & javascript:alert(1)", "filmtrust", name="movielens-100k")
    html = build(three[0], hostile, out=tmp_path / "out").read_text()
    assert "<b>x" not in html and "&lt;b&gt;x &amp; javascript:alert(1)" in html
    build(hostile, sections=["failures"])
    html = build(three[0], hostile, out=tmp_path / "out").read_text()
    assert "../%3Cb%3Ex%20%26%20javascript%3Aalert%281%29/report.html" in html
    assert "movielens-100k (movielens-100k)" in (tmp_path / "out" / "report.md").read_text()


OTHER_KS = Evaluation((5, 10)).to_json()
STRICT = Evaluation().to_json()
STRICT["protocols"]["standard"]["relevant_share"] = 1
OLD = Evaluation().to_json() | {"version": 1}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (changed(split="time"), "split differs: kfold in the first, time in the second"),
        (changed(n_folds=3), "n_folds differs: 2 in the first, 3 in the second"),
        (
            changed(protocol=OTHER_KS),
            r"protocol.ks differs: \[10\] in the first, \[5, 10\] in the second",
        ),
        (
            changed(protocol=STRICT),
            "protocol.protocols.standard.relevant_share differs: 0.75 in the first, 1",
        ),
        (changed(protocol=OLD), "protocol.version differs: 2 in the first, 1 in the second"),
        (
            changed(parameters={"n_factors": 7}),
            "row random: parameters.n_factors differs: nothing .*, 7",
        ),
        (changed(revision=2), "row random: revision differs: 1 in the first, 2"),
        (
            changed(libraries={"numpy": "1"}),
            "row random: libraries.numpy differs: nothing .*, 1 in the second",
        ),
    ],
)
def test_what_is_not_comparable_is_refused_by_its_key(
    three: list[Path], tmp_path: Path, change: Change, key: str
) -> None:
    other = on(tmp_path / "other", "filmtrust", change)
    with pytest.raises(UsageError, match=f"cannot be compared: {key}") as refused:
        make_files(three[0], other, out=tmp_path / "out")
    assert str(three[0]) in str(refused.value) and str(other) in str(refused.value)


def test_two_runs_on_one_data_set_are_no_part_of_a_league(
    three: list[Path], tmp_path: Path
) -> None:
    copy = on(tmp_path / "copy", "filmtrust")
    for pair in ((three[1], three[1]), (three[1], copy)):
        with pytest.raises(UsageError, match=r"both runs on filmtrust .* name only these two"):
            make_files(three[0], *pair, out=tmp_path / "out")


def test_given_parameters_make_rows_of_their_own_and_seeds_may_differ(
    three: list[Path], tmp_path: Path
) -> None:
    def tuned(record: Record) -> Record:
        own: dict[str, Any] = (
            {"given": {"a": 1}, "parameters": {"a": 1}} if record.cell.algorithm == "random" else {}
        )
        return replace(record, cell=replace(record.cell, split_seed=4, **own))

    other = on(tmp_path / "other", "filmtrust", tuned)
    comparison = DatasetComparison.read([three[0], other], tmp_path)
    assert {"random", "random[a=1]"} <= set(comparison.rows)
    assert (
        "2-fold cross-validation: movielens-100k" in comparison_words.summarise_runs(comparison)[0]
    )


@pytest.mark.slow
def test_a_row_without_its_library_does_not_stop_the_report(
    three: list[Path], tmp_path: Path
) -> None:
    def missing(record: Record) -> Record:
        if record.cell.algorithm != "surprise-svd":
            return record
        return failed(
            replace(record.cell, libraries={"surprise": ""}),
            "not_installed",
            "surprise is not there",
        )

    build(three[0], on(tmp_path / "without", "filmtrust", missing), out=tmp_path / "out")
    rows = table_below(
        (tmp_path / "out" / "report.md").read_text(), "Mean RMSE over folds on each data set"
    )
    assert {row[0]: row[2] for row in rows[1:]}["surprise-svd"] == "not installed"


def test_a_report_on_several_does_not_overwrite_that_of_a_run(three: list[Path]) -> None:
    with pytest.raises(UsageError, match="holds a run, whose report would be lost"):
        build(*three, out=three[0])
    with pytest.raises(UsageError, match="holds a run, whose report would be lost"):
        build(three[1], out=three[0])


@pytest.mark.slow
def test_the_command_line(three: list[Path], tmp_path: Path) -> None:
    def run(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(application(main), [*map(str, arguments)])
        return result.exit_code, result.output

    options = [*three, "--out", tmp_path / "a b", "--sections", "failures, standings"]
    code, said = run(*options)
    assert code == 0 and said.endswith(f"\n{(tmp_path / 'a b' / 'report.html').as_uri()}\n")
    assert said.startswith("best at predicting ratings: no winner. The data sets disagree: ")
    assert run(*options, "--check") == (0, "")
    markdown = (tmp_path / "a b" / "report.md").read_text()
    assert re.findall(r"^## (.*)$", markdown, re.M) == [
        "How do rows stand on each data set?",
        "What did not run?",
    ]
    code, said = run(*three, "--out", tmp_path / "c", "--sections", "rank")
    assert code == 2 and "unknown section 'rank'. Did you mean 'ranks'?" in said.replace("\n", "")
    assert not (tmp_path / "c").exists()


def test_latex_tables_have_the_ranks_and_the_errors(three: list[Path], report: Path) -> None:
    tables = {path.stem: path.read_text() for path in (report / "tables").glob("*.tex")}
    assert {"error", "ranking", "time", "ranks", "paper"} <= set(tables)
    rows = {line.partition(" & ")[0]: line for line in tables["ranks"].splitlines()}
    for name, mean in zip(*_ranking(three), strict=True):
        assert rows[f"{{{name}}}"].split(" & ")[1] == words.rank(mean)
    for place, directory in enumerate(three, start=1):
        svd = next(
            line for line in tables["error"].splitlines() if line.startswith("{surprise-svd}")
        )
        assert f"{means(directory, 'rmse')['surprise-svd']:.4f}" in svd.split(" & ")[place]


def _ranking(directories: list[Path]) -> tuple[list[str], list[float]]:
    ranking = DatasetComparison.read(directories, Path("x")).ranking("rmse")
    return ranking.names, list(ranking.means)


def tuned(n_trials: int, damping: float) -> Change:
    """A change that makes `item-mean` a tuned row, with what its search has chosen."""
    space = {"damping": {"lowest": 0.1, "highest": 100, "is_whole": False, "log": True}}
    tuning = {"n_trials": n_trials, "metric": "rmse", "seed": 0, "space": space}

    def change(record: Record) -> Record:
        if record.cell.algorithm != "item-mean":
            return record
        cell = replace(record.cell, parameters={"damping": damping}, tuning=tuning)
        return replace(record, cell=cell)

    return change


@pytest.mark.slow
def test_tuned_rows_are_compared_by_their_budget_and_not_by_what_was_chosen(tmp_path: Path) -> None:
    one = on(tmp_path / "one", "movielens-100k", tuned(4, 9.5))
    other = on(tmp_path / "other", "filmtrust", tuned(4, 60.0))
    plain = on(tmp_path / "plain", "my-ratings")
    together = DatasetComparison.read([one, other], tmp_path / "out")
    assert "item-mean (tuned)" in together.rows
    assert "Not on equal terms" not in " ".join(comparison_words.summarise_runs(together))

    mixed = DatasetComparison.read([one, plain], tmp_path / "out")
    text = " ".join(comparison_words.summarise_runs(mixed))
    assert "rows were tuned on movielens-100k, and not on my-ratings" in text

    smaller = on(tmp_path / "smaller", "filmtrust", tuned(2, 60.0))
    message = r"row item-mean \(tuned\): search.budget differs: 4 in the first, 2 in the second"
    with pytest.raises(UsageError, match=message):
        DatasetComparison.read([one, smaller], tmp_path / "out")
