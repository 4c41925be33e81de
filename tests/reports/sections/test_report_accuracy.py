"""How accurate, at what cost, and what can be told apart: each view against the records, counted
slowly.
"""

import io
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from recbench.benchmarks.certainty.bootstrap import bootstrap_users
from recbench.benchmarks.certainty.estimate import LEVEL
from recbench.benchmarks.certainty.user_shares import UserShares
from recbench.benchmarks.metrics.registry import METRICS, find_metric
from recbench.benchmarks.records.record import Record
from recbench.reports import words
from recbench.reports.build import build
from recbench.reports.drawing import differences, labels, scatter
from recbench.reports.drawing import fold_heatmap as fold_heatmaps
from recbench.reports.drawing import heatmap as heatmaps
from recbench.reports.results import Certainty, Results, Row
from recbench.reports.sections.certainty import certainty
from recbench.reports.sections.summary import summarise_run
from tests.reports.block_texts import find_tables, texts_of
from tests.reports.invented_runs import (
    ENVIRONMENT,
    LEVELS,
    ROWS,
    SIMULATED,
    cell,
    half_failed,
    normal,
    ok,
    write,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results.read(write(tmp_path_factory.mktemp("whole"), normal()))


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results.read(write(tmp_path_factory.mktemp("half"), half_failed()))


def test_cells_have_the_intervals_of_the_bootstrap(whole: Results) -> None:
    drawn = heatmaps.accuracy_heatmap(whole)
    seen = 0
    for line in drawn.lines:
        row = next(row for row in whole.rows if row.name == line.name)
        for column, square in zip(whole.columns, line.squares, strict=True):
            bounds = whole.certainty[column].interval(row) if column in whole.certainty else None
            if bounds is None or bounds[0] == bounds[1]:
                assert square.note == ""
            else:
                assert square.note == f"{bounds[0]:.4f} to {bounds[1]:.4f}"
                assert square.value is not None and bounds[0] <= square.value <= bounds[1]
                seen += 1
    assert seen >= 30


def test_no_answers_no_interval(tmp_path: Path) -> None:
    directory = write(tmp_path, normal())
    for path in directory.glob("records/*.npz"):
        path.unlink()
    results = Results.read(directory)
    assert not any(square.note for square in heatmaps.accuracy_heatmap(results).squares)
    assert "small: 95 % interval over users" not in heatmaps.accuracy_heatmap(results).legend
    assert "95 %" not in " ".join(scatter.describe_front(results, "rmse"))
    build(directory)


def test_too_few_users_are_said_to_be_too_few(tmp_path: Path) -> None:
    """Of twelve users nothing is said: no interval, no tie, no best within uncertainty, and never a
    nan.
    """
    directory = write(tmp_path, normal())
    for path in directory.glob("records/*.npz"):
        with np.load(path) as found:
            arrays = dict(found)
        cut = {
            name: arrays[name][..., :12] for name in ("share_users", "share_sums", "share_weights")
        }
        np.savez(path, allow_pickle=False, **(arrays | cut))
    results = Results.read(directory)
    why = "too few users: 12 with a value in one of the folds, and at least 20 are needed"
    assert results.certainty == {} and results.near("rmse") == [] and results.unknown("rmse") == why
    assert f"How sure differences in rmse are is not known: {why}." in summarise_run(results)
    assert {square.mark for square in heatmaps.accuracy_heatmap(results).squares} == {"", "best"}
    assert f"How sure rmse is cannot be said: {why}." in build(directory).read_text()
    text = (directory / "report.md").read_text()
    assert f"How sure rmse is cannot be said: {why}." in text and "nan" not in re.findall(
        r"\w+", text
    )


def test_a_failed_fold_stands_in_its_own_square(half: Results) -> None:
    drawn = fold_heatmaps.heatmap_by_fold(half, "rmse")
    assert drawn and [column.name for column in drawn.columns] == [
        f"fold {fold}" for fold in range(5)
    ]
    for line in drawn.lines:
        row = next(row for row in half.rows if row.name == line.name)
        for record, square in zip(row.records, line.squares, strict=True):
            assert square.failed == (record.status != "ok")
            if square.failed:
                assert (
                    square.text == "timeout"
                    and "killed after 600 s" in square.tip
                    and square.value is None
                )
            else:
                assert square.value == record.metrics["rmse"]
    assert sum(square.failed for square in drawn.squares) == half.n_failures == 7
    assert any("hatched" in meaning for meaning in drawn.legend)


def test_markdown_has_the_numbers_of_its_pictures(half: Results) -> None:
    markdown = build(half.run.directory).with_suffix(".md").read_text()
    part = markdown.partition("## How accurate?")[2].partition("\n## ")[0]
    tables = [table.splitlines() for table in re.findall(r"(?:^\|.*\n)+", part, re.M)]
    views = [fold_heatmaps.heatmap_by_fold(half, column) for column in ("rmse", "ndcg@10")]
    drawn = [heatmaps.accuracy_heatmap(half), *(view for view in views if view)]
    assert len(tables) == len(drawn) + 1 == part.count("![") + 1
    for shown, (head, _, *lines) in zip(drawn, tables, strict=False):
        assert [column.name for column in shown.columns] == re.findall(r"\| ([^|<]+)<br>", head)
        for wanted, line in zip(shown.lines, lines, strict=True):
            name, *found = (text.strip() for text in line.strip("|").split("|"))
            assert name == wanted.name
            if wanted.failure:
                assert found == [wanted.failure] + ["–"] * (len(found) - 1)
                continue
            for square, text in zip(wanted.squares, found, strict=True):
                sign = f"{square.sign.sign} " if square.sign else ""
                assert text == sign + square.text + (f"<br>{square.note}" if square.note else "")
    assert "★: best mean." in part and "★: best of its fold." in part and "| timeout |" in part
    assert "Below a number: its 95 % interval over users." in part


def test_each_fold_marks_its_best(whole: Results) -> None:
    drawn = fold_heatmaps.heatmap_by_fold(whole, "rmse")
    assert drawn
    for fold in range(5):
        squares = [line.squares[fold] for line in drawn.lines]
        values = [square.value for square in squares if square.value is not None]
        assert [square.value for square in squares if square.mark == "first"] == [min(values)]


def test_only_the_first_folds_are_shown_and_it_is_said(tmp_path: Path) -> None:
    records = [
        ok(cell(name, fold, 15), LEVELS[name])
        for name in ("surprise-svd", "item-mean")
        for fold in range(15)
    ]
    directory = write(tmp_path, records)
    drawn = fold_heatmaps.heatmap_by_fold(Results.read(directory), "rmse")
    assert drawn and len(drawn.columns) == fold_heatmaps.MOST_FOLDS == 12
    assert "Of 15 folds the first 12 are shown" in build(directory).read_text()


def test_times_of_one_run_and_contended_times_are_marked(tmp_path: Path) -> None:
    def once(record: Record) -> Record:
        return replace(
            record, costs=record.costs | {"fit": record.costs["fit"].replaced(samples=[1.0])}
        )

    records = [once(record) if record.cell.row == "random" else record for record in normal()]
    contended = ENVIRONMENT.replaced(contended=True)
    records = [
        replace(r, environment=contended) if r.cell.row == "item-mean" else r for r in records
    ]
    drawn = heatmaps.cost_heatmap(Results.read(write(tmp_path, records)))
    fit = [column.name for column in drawn.columns].index("fit")
    assert [line.name for line in drawn.lines if line.squares[fit].mark == "once"] == ["random"]
    assert [line.name for line in drawn.lines if line.squares[fit].grey] == ["item-mean"]
    assert any(meaning.startswith("1× ") for meaning in drawn.legend)
    assert any(meaning.startswith("grey: contended") for meaning in drawn.legend)


POINTS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=9)


def invented(pairs: list[tuple[int, int]]) -> list[scatter.Point]:
    return [
        scatter.Point(f"row {i}", "sgd", time, value, value, value, False)
        for i, (time, value) in enumerate(pairs)
    ]


@given(POINTS, st.sampled_from(["rmse", "ndcg"]))
@settings(deadline=None)
def test_the_front_is_what_nothing_beats_ties_included(
    pairs: list[tuple[int, int]], name: str
) -> None:
    found, metric = invented(pairs), METRICS[name]

    def beats(one: scatter.Point, other: scatter.Point) -> bool:
        mine, its = metric.loss(one.value), metric.loss(other.value)
        return (one.time <= other.time and mine <= its) and (one.time < other.time or mine < its)

    wanted = {point.name for point in found if not any(beats(other, point) for other in found)}
    best = scatter.pareto_front(found, metric)
    assert {point.name for point in best} == wanted
    assert [point.time for point in best] == sorted(point.time for point in best)


def test_the_words_name_the_front_and_never_the_oracle(tmp_path: Path, whole: Results) -> None:
    (said,) = scatter.describe_front(whole, "rmse")
    best = scatter.pareto_front(scatter.find_points(whole, "rmse"), find_metric("rmse"))
    assert {row.name for row in whole.rows if f"{row.name} (" in said} == {
        point.name for point in best
    }
    assert "random" not in said  # slowest and worst: its time grows with its error
    oracle = [ok(cell("oracle", fold), 0.5) for fold in range(5)]
    results = Results.read(write(tmp_path, normal() + oracle, **SIMULATED))
    assert all(point.name != "oracle" for point in scatter.find_points(results, "rmse"))
    assert scatter.describe_front(results, "rmse")[0].startswith(
        "The oracle apart, no row beats these"
    )


def test_the_words_where_there_is_little_to_say(tmp_path: Path) -> None:
    alone = Results.read(write(tmp_path / "one", [ok(cell("surprise-svd", 0, 1), 0.934)]))
    assert "nothing to compare" in scatter.describe_front(alone, "rmse")[0]
    order = Results.read(
        write(tmp_path / "order", [ok(cell("popularity", 0, 1), 1.4, ranks_only=True)])
    )
    assert scatter.describe_front(order, "rmse") == [
        "No row has both a mean rmse and a time to fit."
    ]


def test_differences_are_antisymmetric_and_their_marks_are_the_p_values(whole: Results) -> None:
    found = whole.certainty["rmse"]
    shown, boot = differences.difference_matrix(found, "rmse"), found.bootstrap
    for (y, one), (x, other) in itertools.permutations(enumerate(found.order), 2):
        gap, back = shown.gaps[y][x], shown.gaps[x][y]
        assert gap and back
        assert (gap.difference, gap.low, gap.high, gap.p) == (
            -back.difference,
            -back.high,
            -back.low,
            back.p,
        )
        assert (gap.difference, gap.low, gap.high) == pytest.approx(boot.difference(one, other))
        assert (
            gap.apart
            == (slow_p(boot.values, boot.drawn)[one, other] < LEVEL)
            == (gap.colours is not None)
        )
        assert ("≈" in gap.text) == (not gap.apart) and gap.better == (gap.difference < 0)
    assert all(shown.gaps[y][y] is None for y in range(len(found.rows)))


def slow_p(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Single-step max-T with loops: how often any pair is as far from its own difference as each is
    from zero.
    """
    n, pairs = len(values), list(itertools.combinations(range(len(values)), 2))
    deviations = {
        pair: np.sqrt(np.mean((gap(drawn, pair) - gap(values, pair)) ** 2)) for pair in pairs
    }
    varying = [pair for pair in pairs if deviations[pair] > 1e-12]
    farthest = np.max(
        [np.abs(gap(drawn, p) - gap(values, p)) / deviations[p] for p in varying], axis=0
    )
    found = np.ones((n, n))
    for pair in varying:
        far = (1 + np.sum(farthest >= abs(gap(values, pair)) / deviations[pair])) / (
            1 + len(farthest)
        )
        found[pair] = found[pair[::-1]] = 1.0 if gap(values, pair) == 0 else far
    return found


def gap(values: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return np.asarray(values[pair[0]] - values[pair[1]])


def test_pairs_are_tested_all_together() -> None:
    """Twelve equal algorithms: in 19 of 20 studies none of the 66 pairs is told apart; one far off
    always is.
    """
    rng = np.random.default_rng(0)
    wrong = 0
    for study in range(60):
        rows = [
            UserShares(rng.normal(0, 1, (1, 200)) + (i == 12), np.ones((1, 200))) for i in range(13)
        ]
        apart = (
            bootstrap_users(METRICS["precision"], rows, seed=study, n_draws=400).pairwise_p_values
            < LEVEL
        )
        wrong += bool(apart[:12, :12].any())
        assert apart[12, :12].all() and (apart == apart.T).all() and not apart.diagonal().any()
    assert wrong <= 9  # 3 are expected; more than 9 would be chance once in a thousand


def test_the_matrix_keeps_the_best_rows_and_says_so() -> None:
    rng = np.random.default_rng(1)
    rows = [
        UserShares(rng.chisquare(3, (1, 90)) * (1 + i / 30), np.ones((1, 90))) for i in range(25)
    ]
    results = [Row(f"row-{i}", "sgd", ()) for i in range(25)]
    found = Certainty(results, bootstrap_users(METRICS["rmse"], rows, n_draws=200))
    shown = differences.difference_matrix(found, "rmse")
    assert (
        shown.names == [f"row-{index}" for index in found.order[: differences.MOST_ROWS]]
        and shown.n_rows == 25
    )


def overlapping(seed: int, n: int) -> list[tuple[str, str]]:
    """Which names that `place_labels` writes beside random points lie on each other when drawn."""
    rng = np.random.default_rng(seed)
    figure = Figure(figsize=(8, 5))
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    points = np.clip(rng.normal(0, 1, (n, 2)), -2.8, 2.8)  # crowded in the middle
    axes.plot(points[:, 0], points[:, 1], "o")
    axes.set(xlim=(-3, 3), ylim=(-3, 3))
    wanted = [
        labels.Label(f"algorithm-{i}", x, y, must=i < 8) for i, (x, y) in enumerate(points.tolist())
    ]
    written = labels.place_labels(figure, axes, wanted)
    assert {f"algorithm-{i}" for i in range(8)} <= {note.get_text() for note in written}
    figure.savefig(io.BytesIO())  # drawing is what moves the names to their places
    boxes = [(note.get_text(), Text.get_window_extent(note)) for note in written]
    inside = axes.get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for _, box in boxes)
    dots = axes.transData.transform(points)
    on_points = [(name, "point") for name, box in boxes for x, y in dots if box.contains(x, y)]
    return on_points + [
        (a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2) if one.overlaps(two)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_names_beside_points_lie_on_nothing(seed: int) -> None:
    assert overlapping(seed, 48) == []


def test_words_and_pictures_of_a_run_half_of_whose_cells_failed(tmp_path: Path) -> None:
    directory = write(tmp_path, half_failed())
    text = build(directory).read_text()
    assert (
        len(re.findall(r'class="failed" tabindex="0" title="[^"]*fold', text)) == 2 * 7
    )  # two views by fold
    svg = (directory / "figures/folds-rmse.svg").read_text()
    assert svg.count(">timeout<") == 7 and svg.count(">fold ") == 5
    names = {path.stem for path in (directory / "figures").iterdir()}
    assert {
        "rmse-against-time",
        "ndcg-10-against-time",
        "differences-rmse",
        "ranks-rmse",
        "folds-rmse",
    } <= names


def test_file_names_have_no_odd_characters() -> None:
    assert words.slug("lightfm:precision@10") == "lightfm-precision-10"
    assert words.signed(-0.25) == "−0.2500" and words.signed(0.0) == "+0.0000"
    assert len(ROWS) == len({words.slug(row) for row in ROWS})


def test_who_only_ranks_has_variances_too_and_one_mean_has_no_deviation(tmp_path: Path) -> None:
    rows = {"surprise-svd": False, "popularity": True}
    main = [
        ok(cell(name, fold), 1.0, ranks_only=only)
        for name, only in rows.items()
        for fold in range(5)
    ]
    again = [replace(record, cell=replace(record.cell, seed=7)) for record in main]
    found = certainty(Results.read(write(tmp_path, [*main, *again])))
    assert found
    variances = find_tables(found)["Variance of divisions and initialisations"]
    nothing = "0.00000 (2)"
    assert texts_of(variances) == [
        ["surprise-svd", "rmse", "– (1)", nothing],
        ["popularity", "ndcg@10", "– (1)", nothing],
    ]


@pytest.mark.parametrize(
    ("columns", "first"),
    [
        (["lightfm:precision@10", "rmse", "precision@10"], "precision@10"),
        (["lightfm:ndcg@10", "precision@10", "ndcg@5"], "ndcg@5"),
        (["lightfm:precision@10", "rmse"], "lightfm:precision@10"),
        (["rmse"], None),
    ],
)
def test_the_headline_ranking_is_of_the_standard_protocol(
    columns: list[str], first: str | None, whole: Results
) -> None:
    assert replace(whole, about=whole.about.replaced(metrics=columns)).first_ranking() == first
