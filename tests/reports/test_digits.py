"""Numbers are shown with as many digits as the data carry, and with no more than they carry."""

import re
from dataclasses import replace

import pytest

from recbench.benchmarks.console.display import summarise_record
from recbench.benchmarks.records.record import Record
from recbench.datasets.foundation import count_decimals
from recbench.reports import words
from recbench.reports.answers import summarise_run
from recbench.reports.build import describe_run, describe_sections
from recbench.reports.drawing import accuracy_heatmap, difference_matrix, heatmap_by_fold
from recbench.reports.rendering import render_markdown
from recbench.reports.results import Results
from tests.reports.invented_runs import normal, write

FACTOR = 2.3e-4  # from stars to a rate of clicks


def make_small(record: Record) -> Record:
    """The record as if its ratings were rates of a few in ten thousand."""
    metrics = {
        name: value if name == "coverage" or value is None else FACTOR * value
        for name, value in record.metrics.items()
    }
    return replace(record, metrics=metrics)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Results:
    records = [make_small(record) for record in normal()]
    return Results.read(write(tmp_path_factory.mktemp("small"), records, scale=[0.0, 0.001]))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results.read(write(tmp_path_factory.mktemp("usual"), normal()))


def columns_of(results: Results) -> list[list[tuple[str, str]]]:
    """Texts and notes of the error heatmap, column by column."""
    lines = [line.squares for line in accuracy_heatmap(results).lines]
    return [[(s.text, s.note) for s in column] for column in zip(*lines, strict=True)]


def test_small_ratings_keep_their_digits_in_table_and_summary(small: Results) -> None:
    """.000235 of item-mean and .000217 of user-item-bias were both `0.0002`."""
    rmse = columns_of(small)[0]
    known = [text for text, _ in rmse if text != words.NONE]
    assert len(set(known)) >= len(known) - 2  # but for those that hardly differ
    for text, note in rmse:
        low, _, high = note.partition(" to ")
        assert text == words.NONE or low != high

    said = " ".join(summarise_run(small))
    low, high = re.findall(r"Lowest mean RMSE: .*? interval ([\d.]+) to ([\d.]+)\)", said)[0]
    assert low != high

    folds = heatmap_by_fold(small, "rmse")
    assert folds is not None
    texts = [square.text for line in folds.lines for square in line.squares]
    assert not any(re.fullmatch(r"0\.000\d", text) for text in texts)


def test_small_differences_are_no_zeros(small: Results) -> None:
    found = small.certainty["rmse"]
    for line in difference_matrix(found, "rmse").gaps:
        for gap in line:
            assert gap is None or re.fullmatch(r"≈?[+−]\d\.\de−\d", gap.text)
            assert gap is None or "0.0000\n" not in gap.tip

    parts = describe_sections(describe_run(small), ["certainty"])
    table = render_markdown(parts[0].blocks)
    assert "0.0000 (" not in table


def test_ordinary_numbers_look_as_ever(usual: Results) -> None:
    for column in columns_of(usual):
        for text, note in column:
            assert text == words.NONE or re.fullmatch(r"\d\.\d{4}", text)
            assert not note or re.fullmatch(r"\d\.\d{4} to \d\.\d{4}", note)


def test_the_live_table_shows_what_is_small() -> None:
    record = make_small(normal()[0])
    rmse = record.metrics["rmse"]
    assert rmse is not None
    text = summarise_record(record, ["rmse"])[3]
    assert float(text) == pytest.approx(rmse, rel=0.005)


@pytest.mark.parametrize(
    ("value", "bounds", "text"),
    [
        (0.91954, (0.9130, 0.9260), "0.9195"),
        (0.00021, (0.00020, 0.00022), "0.000210"),
        (0.00024, (0.00023, 0.00025), "0.000240"),
        (0.0005, (0.0003, 0.0009), "0.0005"),  # more digits would be chance
        (1e-6, None, "0.00000100"),
        (0.0, (0.0, 0.0), "0.0000"),
        (1e-17, (1e-17, 1.1e-17), "0.0000"),
        (0.25, (float("nan"), float("nan")), "0.2500"),
    ],
)
def test_digits_go_by_the_interval(
    value: float, bounds: tuple[float, float] | None, text: str
) -> None:
    assert words.number(value, bounds) == text
    assert count_decimals(-value, bounds) == count_decimals(value, bounds)


def test_a_difference_of_a_millionth_is_not_nothing() -> None:
    assert words.signed(1e-6) == "+0.00000100"
    assert words.signed(-1e-6, (-2e-6, -1e-7)) == "−0.00000100"
    assert words.signed_briefly(-1.24e-6, (-2e-6, -1e-7)) == "−1.2e−6"
    assert words.signed_briefly(0.0123, (0.01, 0.02)) == "+0.0123"


def test_predicted_ratings_of_a_small_scale_keep_their_digits() -> None:
    assert words.stars(3.456) == "3.46"
    assert words.stars(0.000456) == "0.000456"
    assert words.stars(0.04, like=3.4) == "0.04"
