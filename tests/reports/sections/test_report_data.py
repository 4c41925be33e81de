"""What the report says and draws of the data is what their profile says, with and without one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from recbench import datasets
from recbench.benchmarks.records.record import Run
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.profile import profile_dataset
from recbench.reports import words
from recbench.reports.build import build
from tests.conftest import RunHere
from tests.datasets.test_profile import dataset, drawn, profile_of
from tests.reports.drawing.test_data import ODD
from tests.reports.invented_runs import DATA, SIMULATED, cell, ok, write

HOSTILE = "<script>alert(1)</script>"
PICTURES = ["data-stars", "data-times", "data-users", "data-items", "data-years", "data-gaps"]


def known(**changes: Any) -> dict[str, Any]:
    """The profile of a small data set, as if it were that of the invented runs."""
    titles = dict.fromkeys(range(90), HOSTILE)
    years = {item: 1950 + item for item in range(60)}
    return (
        profile_of(dataset(drawn(), titles=titles, years=years))
        | {"digest": DATA["digest"]}
        | changes
    )


def run(directory: Path, found: dict[str, Any] | None, **data: Any) -> tuple[str, str]:
    """The data section of a run with this profile, in HTML and in Markdown."""
    write(directory, [ok(cell("surprise-svd", 0, 1), 0.934)], **data)
    if found is not None:
        (directory / "profile.json").write_text(json.dumps(found))
    build(directory)
    html = (directory / "report.html").read_text()
    markdown = (directory / "report.md").read_text()
    in_html = re.search(r'<section id="data".*?</section>', html, re.S)
    in_markdown = re.search(r"^## What is in the data\?\n(.*?)(?=^## |\Z)", markdown, re.S | re.M)
    assert in_html and in_markdown
    return in_html[0], in_markdown[1]


@pytest.mark.slow
def test_without_a_profile_the_section_says_what_is_missing(tmp_path: Path) -> None:
    html, markdown = run(tmp_path, None)
    for text in (html, markdown):
        assert (
            "Charts of the data need this run to be made again" in text and "profile.json" in text
        )
        assert "943" in text and "1,682" in text and "100,000" in text and "6.3%" in text
        assert "users &gt; 200 ratings" in text and "1,000 → 943 (−5.7%)" in text
        assert "Gini" not in text
    assert "<img" not in html and "![" not in markdown
    assert not list((tmp_path / "figures").glob("data-*"))


@pytest.mark.slow
def test_filters_stand_with_the_data_and_nowhere_else(tmp_path: Path) -> None:
    _, markdown = run(tmp_path, known())
    assert "1,000 → 943" in markdown and "No filter" not in markdown
    assert (tmp_path / "report.md").read_text().count("1,000 → 943") == 1
    _, markdown = run(tmp_path, known(), steps=[])
    assert "No filter was applied." in markdown


@pytest.mark.slow
def test_with_a_profile_numbers_and_pictures_are_its_own(tmp_path: Path) -> None:
    found = known()
    html, markdown = run(tmp_path, found)
    for text in (html, markdown):
        assert (
            words.amount(found["stars"]["mean"]) in text
            and words.number(found["per_user"]["gini"]) in text
        )
        assert f"{found['times']['first']} and {found['times']['last']}" in text
        assert f"60 ({words.percent(60, found['items'])})" in text  # items with a year
        for stars, count in zip(found["stars"]["values"], found["stars"]["counts"], strict=True):
            assert f"{stars:g}: {count:,}" in text  # in the picture's text alternative
        assert "made again" not in text and HOSTILE not in text
    assert re.findall(r"\(figures/(.*)\.svg\)", markdown) == PICTURES
    assert html.count("<img src=") == len(PICTURES)
    for name in PICTURES:
        svg = (tmp_path / f"figures/{name}.svg").read_text()
        assert (
            "movielens-100k: " in svg
            and len(svg) < 40_000
            and HOSTILE not in svg
            and "&lt;script" not in svg
        )


@pytest.mark.slow
def test_captions_name_the_highest_bar(tmp_path: Path) -> None:
    stars = {
        "values": [1.0, 2.5, 3.0],
        "edges": None,
        "counts": [7, 7, 1],
        "mean": 1.8,
        "median": 2.5,
    }
    times = {"first": "1999-12-31", "last": "2000-01-02", "step": "day", "counts": [1, 0, 4]}
    years = {"first": 1970, "step": 10, "counts": [3, 5], "unknown": 2}
    changed = known(stars=stars | {"deviation": 0.8}, times=times, years=years)
    _, markdown = run(tmp_path, changed)
    assert "Most frequent: 1 and 2.5 (46.7%)." in markdown
    assert "From 1999-12-31 to 2000-01-02; most ratings on 2000-01-02: 4." in markdown
    assert "Most frequent: 1980 to 1989 (5 items). 2 items without a year." in markdown
    assert (
        "1999-12-31: 1; 2000-01-01: 0; 2000-01-02: 4." in markdown
        and "1970: 3; 1980: 5." in markdown
    )
    alike = times | {"counts": [3] * 40, "last": "2000-02-08"}
    _, markdown = run(tmp_path, known(times=alike, stars=changed["stars"] | {"counts": [2, 2, 2]}))
    assert (
        "most ratings on 40 days alike: 3." in markdown
        and "Most frequent: 1, 2.5 and 3 (33.3%)." in markdown
    )
    assert "1999-12-31 to 2000-01-04: 15; 2000-01-05 to 2000-01-09: 15; " in markdown


@pytest.mark.slow
def test_same_profile_same_bytes(tmp_path: Path) -> None:
    run(tmp_path / "a", known())
    run(tmp_path / "b", known())
    for one in [
        *(tmp_path / "a" / "figures").iterdir(),
        tmp_path / "a" / "report.html",
        tmp_path / "a" / "report.md",
    ]:
        assert (
            one.read_bytes() == (tmp_path / "b" / one.relative_to(tmp_path / "a")).read_bytes()
        ), one.name


@pytest.mark.slow
def test_simulated_data_say_so_in_every_picture(tmp_path: Path) -> None:
    quantity = {"name": "mean", "target": 1234.0, "tolerance": 0.05, "simulated": 3.61}
    html, markdown = run(tmp_path, known(), **SIMULATED, calibration=[quantity])
    assert "1,234" in markdown and "3.61" in markdown and "NO" in markdown and "1,234" in html
    for name in PICTURES:
        assert (
            "SIMULATED data, netflix-filtered: " in (tmp_path / f"figures/{name}.svg").read_text()
        )


def test_a_profile_of_other_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"profile\.json is not about this run's data: expected digest abab.*, got cdcd",
    ):
        run(tmp_path, known(digest="cd" * 32))


@pytest.mark.parametrize("kind", ["one rating", "no times", "wide scale"])
@pytest.mark.slow
def test_odd_data_have_a_section_too(kind: str, tmp_path: Path) -> None:
    ratings, how = ODD[kind]
    _, markdown = run(tmp_path, profile_of(dataset(ratings, **how)) | {"digest": DATA["digest"]})
    absent = {"data-years"} | ({"data-times"} if kind == "no times" else set())
    shown = re.findall(r"\(figures/(.*)\.svg\)", markdown)
    assert shown == [name for name in PICTURES if name not in absent]
    assert ("| no times |" in markdown) == (kind == "no times")


def test_a_run_keeps_the_profile_of_its_data(
    ratings_file: Path, run_here: RunHere, tmp_path: Path
) -> None:
    name = f"table:{ratings_file}"
    (tmp_path / ".profile.json.abcd1234.tmp").write_text("half a profile")
    run_here(
        "--dataset",
        name,
        "--algorithm",
        "random",
        "--folds",
        2,
        "--out",
        tmp_path,
        "--no-report",
        check=0,
    )
    kept = json.loads((tmp_path / "profile.json").read_bytes())
    assert kept == profile_dataset(datasets.load(name))
    assert kept["digest"] == Run(tmp_path).records()[0].data.digest
    assert not list(tmp_path.glob(".profile*"))
