"""The report says what the records say, whatever became of the cells, and carries nothing but text
from the data.
"""

import json
import os
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from recbench.benchmarks.records.cell import PHASES
from recbench.benchmarks.records.certificate import Certificate
from recbench.benchmarks.records.facts import RunDescription
from recbench.benchmarks.records.record import Run
from recbench.datasets.foundation.spec import UsageError
from recbench.reports import words
from recbench.reports.answers import summarise_run
from recbench.reports.build import build
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.results import Results
from tests.forked_commands import Commands
from tests.reports import pages
from tests.reports.invented_runs import (
    COLUMNS,
    DATA,
    ENVIRONMENT,
    LEVELS,
    MARKUP,
    ROWS,
    SIMULATED,
    cell,
    failed,
    half_failed,
    normal,
    ok,
    write,
)

KINDS: dict[str, Callable[[Path], Path]] = {
    "normal": lambda path: write(path, normal()),
    "half failed": lambda path: write(path, half_failed()),
    "single": lambda path: write(
        path, [ok(cell("surprise-svd", fold), 0.934) for fold in range(5)]
    ),
    "one fold": lambda path: write(path, normal(n_folds=1)),
    "order only": lambda path: write(
        path, [ok(cell("popularity", f), 1.4, ranks_only=True) for f in range(5)]
    ),
    "simulated": lambda path: write(path, normal(), **SIMULATED),
    "markup": lambda path: write(
        path, [failed(cell("plug-in", f, a="x|y`<i>"), "failed", MARKUP) for f in range(3)]
    ),
    "not run": lambda path: write(path, [], [record.cell for record in normal()]),
}


# What `make check` looks at, too: failures, markup, and a run that is small.
SOON = ("half failed", "single", "markup")


@pytest.fixture(
    params=[kind if kind in SOON else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS],
    scope="module",
)
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each kind with its report, built once for all tests that only look at it."""
    return build(KINDS[request.param](tmp_path_factory.mktemp("run"))).parent


class Page(HTMLParser):
    """The tags, the visible text and the title of a page; fails on tags that are not closed in
    order.
    """

    VOID = ("meta", "link", "br", "wbr", "img")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.title = ""
        self._open = [""]
        self.feed(html)
        self.close()
        assert self._open == [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] == "title":
            self.title += data
        if self._open[-1] not in ("script", "style"):
            self.text += data


def read(directory: Path) -> tuple[str, Page, str]:
    """HTML, the same parsed, and Markdown; where no files were built, without them."""
    path = directory / "report.html"
    if path.exists():
        html = path.read_text()
        return html, Page(html), (directory / "report.md").read_text()

    html = pages.page(directory, "html")
    return html, Page(html), pages.page(directory, "md")


def plain(text: str) -> str:
    """Markdown without its backslashes."""
    return re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text)


@pytest.mark.slow
def test_every_kind_of_run_gives_a_page_that_loads_nothing(directory: Path) -> None:
    html, page, _ = read(directory)
    assert [tag for tag, _ in page.tags].count("script") == 2  # the records and the page's own
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base")
        assert tag == "img" or attributes.get("src") is None
        assert tag != "img" or (
            (attributes["src"] or "").startswith("data:image/svg+xml") and attributes["alt"]
        )
        target = attributes.get("href")
        assert target is None or target.startswith("#") or target == "data:,"
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|WebSocket", html)
    anchors = {attributes.get("id") for _, attributes in page.tags}
    assert {a["href"][1:] for tag, a in page.tags if tag == "a" and a["href"]} <= {
        i for i in anchors if i
    }


@pytest.mark.slow
def test_every_kind_of_run_asks_the_same_questions(directory: Path) -> None:
    _, page, markdown = read(directory)
    questions = re.findall(r"^## (.*)$", markdown, re.M)
    assert len(questions) >= 6
    assert all(question.endswith("?") and question in page.text for question in questions)


def test_every_markdown_table_is_whole(directory: Path) -> None:
    _, _, markdown = read(directory)
    tables = re.findall(r"(?:^\|.*\n)+", markdown + "\n", re.M)
    assert tables
    for table in tables:
        lines = table.splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, table
        assert re.fullmatch(r"\|( :?--:? \|)+", lines[1])


def test_figures_are_linked_and_there(directory: Path) -> None:
    _, _, markdown = read(directory)
    linked = re.findall(r"!\[[^\n]*\]\(([^)]*)\)", markdown)
    assert {"figures/accuracy.svg", "figures/cost.svg"} <= set(linked)
    assert {f"figures/{path.name}" for path in (directory / "figures").glob("*.svg")} == set(linked)
    for name in linked:
        assert (directory / name).read_bytes().startswith(b"<?xml")
    assert not list((directory / "figures").glob("*.png"))  # nobody has asked for them


def test_the_page_holds_the_records(directory: Path) -> None:
    html, _, _ = read(directory)
    found = re.search(r'<script type="application/json" id="records">(.*?)</script>', html, re.S)
    assert found
    shown = json.loads(found[1])["records"]
    records = Run(directory).records()
    assert [one["metrics"] for one in shown] == [record.metrics for record in records]
    assert [(one["key"], one["status"]) for one in shown] == [
        (record.cell.key, record.status) for record in records
    ]


@pytest.mark.slow
def test_same_records_same_bytes(tmp_path: Path) -> None:
    contents: list[list[bytes]] = []
    for name in ("a", "b"):
        time.sleep(1.1 if contents else 0)  # so that a date in the bytes would show
        directory = KINDS["half failed"](tmp_path / name)
        build(directory)
        files = [
            directory / "report.html",
            directory / "report.md",
            *sorted((directory / "figures").iterdir()),
        ]
        assert len(files) >= 6
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_the_sentences_agree_with_the_records(tmp_path: Path) -> None:
    records = normal()
    _, page, markdown = read(write(tmp_path, records))
    by_row: dict[str, list[float]] = {}
    for record in records:
        if record.metrics["rmse"] is not None:
            by_row.setdefault(record.cell.row, []).append(record.metrics["rmse"])
    means = {row: statistics.fmean(values) for row, values in by_row.items()}
    best = min(means, key=lambda row: means[row])
    other = {"surprise-svd": "surprise-knn-baseline", "surprise-knn-baseline": "surprise-svd"}[best]
    for text in (page.text, plain(markdown)):
        assert re.search(
            rf"Lowest mean RMSE: {best} \({means[best]:.4f}, 95 % interval 0\.9\d+ to 0\.9\d+\)\.",
            text,
        )
        assert (
            f"Not significantly different from it by a paired bootstrap over users: {other} "
            f"({means[other]:.4f})."
        ) in text
        neighbours = (
            "Neighbours in rank without any significant difference between them: "
            f"{best} and {other}."
        )
        assert neighbours in text
        assert "Without RMSE, because they only rank: popularity." in text
        assert "All 35 cells ran." in text
        assert (
            "7 recommenders on movielens-100k: 100,000 ratings from 1 to 5 by 943 users "
            "of 1,682 items"
        ) in text
        assert "5-fold cross-validation, seed 0" in text


def test_best_ranking_and_fastest_are_those_of_the_records(tmp_path: Path) -> None:
    results = Results.read(write(tmp_path, normal()))
    ndcg = {row.name: row.mean("ndcg@10") or 0 for row in results.rows}
    spent = {row.name: row.seconds(*PHASES) or 0 for row in results.rows}
    (best,) = results.best("ndcg@10")
    assert best.name == max(ndcg, key=lambda row: ndcg[row])
    text = " ".join(summarise_run(results))
    assert f"Highest mean nDCG@10: {best.name} (" in text
    for column in ("rmse", "ndcg@10"):
        named = [row.name for row in results.best(column) + results.near(column)]
        fastest = min(named, key=lambda row: spent[row])
        duration = f"{words.duration(spent[fastest])} on average over the folds"
        if len(named) > 1:
            assert (
                f"Of these {len(named)}, {fastest} has the shortest total time: {duration}." in text
            )
        else:
            assert f"{fastest} has a total time of {duration}." in text


def without_answers(directory: Path, rows: tuple[str, ...]) -> Results:
    """A run of which only the raw answers of other rows are there."""
    write(directory, normal())
    for record in Results.read(directory).records:
        if record.cell.row in rows:
            Run(directory).path(record.cell, ".npz").unlink()
    return Results.read(directory)


@pytest.mark.slow
def test_what_was_not_tested_is_not_said_to_be_told_apart(tmp_path: Path) -> None:
    best = min(LEVELS, key=lambda row: LEVELS[row])
    text = " ".join(summarise_run(without_answers(tmp_path / "best", (best,))))
    assert (
        f"How sure differences in RMSE are is not known: raw answers of {best} are missing." in text
    )
    assert (
        "RMSE is worse by more" not in text
        and "Not significantly different from it" not in text.partition("Highest")[0]
    )
    results = without_answers(tmp_path / "others", ("item-mean", "random"))
    text = " ".join(summarise_run(results))
    assert "Not tested in RMSE, because raw answers are missing: random and item-mean." in text
    assert "Every other row's RMSE" not in text
    (page,) = [read(tmp_path / "others")[1]]
    assert "Left out here, because raw answers are missing: random and item-mean." in page.text


def test_rows_that_are_all_equal_leave_nothing_to_tell_apart(tmp_path: Path) -> None:
    records = [
        ok(cell(name, fold), 1.0) for name in ("item-mean", "user-mean") for fold in range(5)
    ]
    same = [replace(record, metrics=records[0].metrics) for record in records]
    text = " ".join(summarise_run(Results.read(write(tmp_path, same))))
    assert "Lowest mean RMSE: item-mean and user-mean" in text and "Every other row" not in text


@pytest.mark.slow
def test_a_row_with_a_failed_fold_has_no_mean(tmp_path: Path) -> None:
    results = Results.read(KINDS["half failed"](tmp_path))
    lost = [row for row in results.rows if row.failures]
    assert {row.name for row in lost} == {"item-mean", "popularity", "surprise-knn-baseline"}
    for row in lost:
        assert all(row.spread(column) is None for column in COLUMNS)
        assert row.seconds("fit") is None and row.memory_mb("peak_mb") is None
        assert row not in results.best("rmse") + results.near("rmse")
    for drawn in (heatmaps.accuracy_heatmap(results), heatmaps.cost_heatmap(results)):
        assert {line.name for line in drawn.lines if line.failure} == {row.name for row in lost}
        assert all(not line.squares for line in drawn.lines if line.failure)
    build(tmp_path)
    _, page, markdown = read(tmp_path)
    for text in (page.text, plain(markdown), (tmp_path / "figures/accuracy.svg").read_text()):
        assert "timeout in 1 of 5 folds" in text and "timeout in 5 of 5 folds" in text
    assert "7 of 35 cells are not ok." in page.text
    assert (
        "Without a mean, because a fold is missing: item-mean, popularity and "
        "surprise-knn-baseline."
    ) in page.text
    assert page.text.count("killed after 600 s") == 3  # once a row, its folds together
    again = "--seed 0 --algorithm item-mean --out again"
    assert again in page.text and again in markdown


@pytest.mark.slow
def test_a_single_algorithm_is_compared_with_nothing(tmp_path: Path) -> None:
    _, page, _ = read(KINDS["single"](tmp_path))
    assert (
        "Only surprise-svd has a mean RMSE" in page.text
        and "Only surprise-svd has a mean nDCG@10" in page.text
    )
    assert "surprise-svd has a total time of " in page.text
    assert not re.search("Lowest mean|Highest mean|separated|★|shortest total time", page.text)


@pytest.mark.slow
def test_one_fold_has_no_spread(tmp_path: Path) -> None:
    _, page, _ = read(KINDS["one fold"](tmp_path))
    assert "±" not in page.text and "there is no spread over folds" in page.text


@pytest.mark.slow
def test_who_only_ranks_has_no_error(tmp_path: Path) -> None:
    _, page, markdown = read(KINDS["order only"](tmp_path))
    assert "No row has a mean RMSE. Without RMSE, because they only rank: popularity." in page.text
    assert "–ranks only" in page.text and "– (ranks only)" in plain(markdown)
    assert "Only popularity has a mean nDCG@10" in page.text


def test_nothing_has_run_yet(tmp_path: Path) -> None:
    _, page, _ = read(KINDS["not run"](tmp_path))
    assert "No row has a mean RMSE." in page.text and "35 of 35 cells are not ok" in page.text
    assert "not run in 5 of 5 folds" in page.text and "no record yet" in page.text


@pytest.mark.slow
def test_simulated_data_say_so(tmp_path: Path) -> None:
    build(KINDS["simulated"](tmp_path))
    html, page, markdown = read(tmp_path)
    assert "SIMULATED" in page.title and "SIMULATED" in markdown.splitlines()[0]
    notice = SIMULATED["notice"].replace("/data/netflix", "…/netflix")  # no folder of a machine
    assert notice in page.text and notice in plain(markdown)
    assert 'class="banner"' in html
    for name in ("accuracy", "cost"):
        assert "SIMULATED data, " in (tmp_path / f"figures/{name}.svg").read_text()
    _, real, _ = read(KINDS["normal"](tmp_path / "real"))
    assert "SIMULATED" not in real.text + real.title


@pytest.mark.slow
def test_markup_stays_text(tmp_path: Path) -> None:
    build(KINDS["markup"](tmp_path))
    html, page, markdown = read(tmp_path)
    assert "<script>alert" not in html and "<script>alert" not in markdown
    assert MARKUP in page.text
    assert "<b>" not in html and "<b>" not in markdown and "<i>" not in html
    escaped = r"&lt;script&gt;alert(1)&lt;/script&gt; \| \*bold\*<br>\`tick\` &amp; &lt;b&gt;second"
    assert escaped in markdown
    quoted = "--algorithm 'plug-in[a=x|y`<i>]' --out again"
    assert quoted in page.text
    assert f"```\n{words.again(Results.read(tmp_path), 'plug-in[a=x|y`<i>]')}\n```" in markdown
    assert Results.read(tmp_path).rows[0].family == "other"
    svg = (tmp_path / "figures/accuracy.svg").read_text()
    assert "plug-in[a=x|y`&lt;i&gt;]" in svg


@pytest.mark.slow
def test_the_best_of_a_column_is_marked_in_words(tmp_path: Path) -> None:
    directory = KINDS["normal"](tmp_path)
    html, _, _ = read(directory)
    results = Results.read(directory)
    marked = re.findall(
        r'<span class="visually-hidden">best: </span>([^<]*)<small>',
        html.partition('id="accuracy"')[2].partition("<details>")[0],
    )
    best = [
        words.number(row.mean(column)) for column in COLUMNS[:-1] for row in results.best(column)
    ]
    assert {row.mean("coverage") for row in results.rows} == {
        1.0
    }  # where all are alike, none is marked
    assert sorted(marked) == sorted(best)


@pytest.mark.slow
def test_contended_times_are_greyed_and_named(tmp_path: Path) -> None:
    records = [
        replace(record, environment=ENVIRONMENT.replaced(contended=True)) for record in normal()
    ]
    html, page, markdown = read(write(tmp_path, records))
    assert 'class="grey"' in html and "grey: contended" in page.text
    assert "Contended times" in markdown and "times are contended" in markdown


@pytest.mark.slow
def test_what_was_measured_is_told(tmp_path: Path) -> None:
    records = normal()
    certificate = Certificate("not deterministic", 0.25, "2 fits to a toy", "threads race")
    records[0] = replace(
        records[0], environment=ENVIRONMENT.replaced(python="3.12.1"), determinism=certificate
    )
    _, page, markdown = read(write(tmp_path, records))
    for text in (page.text, plain(markdown)):
        assert (
            "not deterministic; scores differ by up to 0.25; seen in 2 fits to a toy; threads race"
            in text
        )
        assert "not checked" in text and "3.12.1; 3.11.2" in text and "7,942 MB" in text
        assert "943 (−5.7%)" in text and "100,000 (−16.7%)" in text and "1,979,173" in text
        assert "Root mean squared error" in text and "80,000" in text and ", with changes" in text
        assert "a test rating of at least 75% of the scale, here 4" in text
    assert DATA["citation"] in page.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (3e-6, "3.00e-06"),
        (0.012345, "0.0123"),
        (0.9999, "1.00"),
        (9.999, "10.0"),
        (99.96, "100"),
        (1234.0, "1,230"),
    ],
)
def test_seconds_have_three_digits(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


def test_the_command_line_needs_results(commands: Commands, tmp_path: Path) -> None:
    refused = commands.run("reports.build", [tmp_path], os.environ)
    assert refused.returncode == 2 and refused.stdout == ""
    assert "holds no results" in refused.stderr and "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    KINDS["single"](tmp_path)
    built = commands.run("reports.build", [tmp_path], os.environ)
    assert built.returncode == 0, built.stderr
    assert built.stdout.strip() == (tmp_path / "report.html").resolve().as_uri()


@pytest.mark.slow
def test_an_old_plan_and_an_unwritable_directory_are_refused(tmp_path: Path) -> None:
    run = Run(tmp_path / "old")
    run.write_plan([cell("random", 0)], RunDescription(metrics=COLUMNS))
    with pytest.raises(UsageError, match="lacks command, reproduce"):
        build(run.directory)
    directory = KINDS["single"](tmp_path / "blocked")
    (directory / "figures").write_text("a file where a directory has to be")
    with pytest.raises(UsageError, match="cannot write the report"):
        build(directory)


@pytest.mark.slow
def test_simulated_data_show_their_calibration_and_the_distance_to_the_oracle(
    tmp_path: Path,
) -> None:
    oracle = [ok(cell("oracle", fold), 0.8) for fold in range(5)]
    fits = {"name": "mean", "target": 3.6, "tolerance": 0.05, "simulated": 3.61}
    misses = {"name": "stars", "target": 10.0, "tolerance": 1.0, "simulated": 12.5}
    remarks = ["412 of 486 titles matched"]
    write(tmp_path, normal() + oracle, **SIMULATED, calibration=[fits, misses], remarks=remarks)
    results = Results.read(tmp_path)
    _, page, markdown = read(tmp_path)
    svd = next(row for row in results.rows if row.name == "surprise-svd").mean("rmse")
    best = next(row for row in results.rows if row.name == "oracle").mean("rmse")
    assert svd is not None and best is not None
    assert all(
        row.name != "oracle"
        for column in COLUMNS
        for row in results.best(column) + results.near(column)
    )
    assert f"{len(ROWS)} recommenders" in page.text
    lines = [line for line in markdown.splitlines() if line.startswith("| surprise-svd |")]
    assert any(line.split("|")[2].strip() == f"{svd - best:.4f}" for line in lines)
    for text in (page.text, plain(markdown)):
        assert "412 of 486 titles matched" in text
        assert "3.61" in text and "12.5" in text and "NO" in text
