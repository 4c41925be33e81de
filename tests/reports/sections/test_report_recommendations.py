"""The sections on learning and on recommendations show what was recorded, and titles stay text."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from recbench.benchmarks.records.examples import (
    FILE,
    Answer,
    Examples,
    Person,
    Similar,
    read_examples,
)
from recbench.benchmarks.records.record import Record, Run
from recbench.datasets.foundation.spec import UsageError
from recbench.datasets.profile import SCHEMA
from recbench.reports.build import describe_run, describe_sections, render_page
from recbench.reports.rendering import Block, list_pictures
from recbench.reports.results import Results
from recbench.reports.sections.recommendations import order_people
from tests.reports.block_texts import find_tables, heads_of, texts_of
from tests.reports.invented_runs import DATA, cell, failed, normal, ok, write
from tests.reports.test_reports import Page, plain

EVIL = "<script>alert(1)</script>"
TITLES = {
    0: EVIL,
    1: "Pipes | and *stars*",
    2: "Fargo (1996)",
    3: "Plain",
    4: "Other",
    5: "Third",
    6: "Fourth",
}
TESTED = {0: 5.0, 2: 2.0, 3: 4.0}
MINE = ("learning", "recommendations")


def shown(directory: Path) -> tuple[dict[str, list[Block]], Page, str, str]:
    """The blocks of both sections, where they are there, and the pages with them alone."""
    subject = describe_run(Results.read(directory))
    try:
        parts = describe_sections(subject, MINE)
    except UsageError as error:
        assert "nothing to say" in str(error)
        parts = []
    html = render_page(subject, parts, "html")
    markdown = render_page(subject, parts, "md")
    return {part.name: part.blocks for part in parts}, Page(html), html, markdown


def person(records: list[Record], **more: Any) -> Person:
    """A user about whom the popular rows say the same, and the others something of their own."""
    answers = []
    for place, record in enumerate(records):
        rates = record.metrics.get("rmse") is not None
        near = [(3, 3.9), (0, 4.5)]
        far = [(2, 4.25)]
        beside = [4.5, 3.9]
        top = [0, 1, 2, 3 + place % 4]
        ends = (near, far, beside) if rates else ([], [], [])
        answers.append(Answer(record.cell.row, record.cell.key, record.answers, top, *ends))
    fields: dict[str, Any] = {
        "id": "u|7",
        "n_train": 20,
        "n_test": 9,
        "n_relevant": 2,
        "favourites": [(1, 5.0), (4, 4.5)],
    }
    return Person(**fields | {"tested": TESTED, "compared": [0, 3], "answers": answers} | more)


def example(directory: Path, *people: Person, **more: Any) -> Path:
    """`examples.json` beside a run's records."""
    place: dict[str, Any] = {
        "digest": DATA["digest"],
        "split": "kfold",
        "n_folds": 5,
        "fold": 0,
        "split_seed": 0,
        "seed": 0,
    }
    similar = Similar(2, 1234, [(0, 0.75), (1, 0.5)])
    fields: dict[str, Any] = {
        "threshold": 4.0,
        "named": False,
        "people": list(people),
        "similar": similar,
        "titles": TITLES,
    }
    (directory / FILE).write_text(json.dumps(asdict(Examples(**place | fields | more))))
    return directory


def first_fold(directory: Path) -> list[Record]:
    return [
        record
        for record in Run(directory).records()
        if record.cell.fold == 0 and record.status == "ok"
    ]


def usual(directory: Path) -> Path:
    write(directory, normal())
    return example(directory, person(first_fold(directory)))


def tables_are_whole(markdown: str) -> None:
    """All rows of each table have the same number of cells, and the second row is a ruler."""
    tables = re.findall(r"(?:^\|.*\n)+", markdown + "\n", re.M)
    assert tables
    for table in tables:
        lines = table.splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, table
        assert re.fullmatch(r"\|( :?--:? \|)+", lines[1]), table


def test_titles_are_text_and_relevant_ones_are_marked_in_words(tmp_path: Path) -> None:
    _, page, html, markdown = shown(usual(tmp_path))
    assert EVIL not in html and EVIL not in markdown and EVIL in page.text
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt;" in markdown
        and r"Pipes \| and \*stars\*" in markdown
    )
    assert r"### User u\|7" in markdown and "User u|7" in page.text
    line = next(line for line in markdown.splitlines() if line.startswith("| popularity |"))
    first, second, third, last, none, n = line.removesuffix(" |").split(" | ")[1:]
    assert (
        first == "✓ &lt;script&gt;alert(1)&lt;/script&gt;<br>rated 5"
        and second == r"Pipes \| and \*stars\*"
    )
    assert third == "Fargo (1996)<br>rated 2" and "✓" not in third and none == "–"
    assert n == str(1 + (last == "✓ Plain<br>rated 4"))
    assert (
        page.text.count("in the test part, relevant") == html.count(" hit") == markdown.count("✓ ")
    )
    tables_are_whole(markdown)


def test_rows_come_best_first_and_predictions_nearest_first(tmp_path: Path) -> None:
    directory = usual(tmp_path)
    found, page, _, markdown = shown(directory)
    tables = find_tables(found["recommendations"])
    by_row = {record.cell.row: record.metrics for record in first_fold(directory)}
    ranked = sorted(by_row, key=lambda row: -(by_row[row]["ndcg@10"] or 0))
    assert heads_of(tables["Recommendations for user u|7"]) == ranked
    best = min(
        (row for row in by_row if row != "popularity"), key=lambda row: by_row[row]["rmse"] or 0
    )
    closeness = tables["Predictions for user u|7 by closeness"]
    compared = heads_of(tables["Predictions for user u|7 by row"])
    assert f"test ratings by {best}, the lowest RMSE" in closeness.caption
    assert compared[0] == best and "popularity" not in compared
    assert [texts[2:] for texts in texts_of(closeness)[:2]] == [["3.90", "0.10"], ["4.50", "0.50"]]
    assert "| Fargo (1996) | 2 | 4.25 | 2.25 |" in markdown and "… 6 more …" in page.text
    text = plain(markdown)
    assert "7 of the 7 lists have a relevant title." in text and "in 7 lists each" in text
    assert "Results of fold 0 of 5; a test rating of at least 4 is relevant." in text
    assert "drawn at random with the seed 0" in text and "Without results" not in text
    assert "Nearest to the description of “Fargo (1996)”" in text and "| 0.75 |" in text


def test_many_rows_fold_all_but_the_best_of_each_family(tmp_path: Path) -> None:
    cells = [cell("surprise-svd", fold, n_factors=n) for n in range(1, 15) for fold in range(5)]
    records = [ok(one, 0.9 + one.given["n_factors"] / 100) for one in cells]
    records += [ok(cell("popularity", fold), 1.4, ranks_only=True) for fold in range(5)]
    write(tmp_path, records)
    found, _, html, markdown = shown(example(tmp_path, person(first_fold(tmp_path))))
    tables = find_tables(found["recommendations"])
    first = tables["Recommendations for user u|7"]
    folded = tables["Other recommendations for user u|7"]
    assert len(first.lines) == 2 and len(folded.lines) == 13
    assert "The first five of each list: the best row of each family" in first.caption
    assert (
        html.count("<details>") == markdown.count("<details>") == 2
        and "<summary>13 other rows</summary>" in html
    )


def test_an_answer_that_is_not_of_the_record_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, [record for record in normal() if record.cell.row != "random"])
    records = first_fold(tmp_path)
    stale = person(records)
    stale.answers[0] = replace(stale.answers[0], sha256="another")
    found, page, _, _ = shown(example(tmp_path, stale, named=True))
    table = find_tables(found["recommendations"])["Recommendations for user u|7"]
    assert len(heads_of(table)) == len(records) - 1
    assert records[0].cell.row not in heads_of(table)
    assert f"Without results there: {records[0].cell.row}." in page.text
    assert "The users were named in the command." in page.text
    for other in ({"digest": "cd" * 32}, {"fold": 7}, {"split": "holdout"}, {"schema": 99}):
        assert "recommendations" not in shown(example(tmp_path, stale, **other))[0]
    (tmp_path / FILE).unlink()
    assert shown(tmp_path)[0] == {}


def test_failed_cells_and_users_about_whom_nothing_was_asked(tmp_path: Path) -> None:
    write(tmp_path, [failed(record.cell, "timeout", "slow") for record in normal()])
    nobody = person(
        [], id="new", n_train=0, n_test=0, n_relevant=0, favourites=[], tested={}, compared=[]
    )
    cool = person([], id="cool", n_train=1, n_test=1, n_relevant=0, tested={2: 2.0}, compared=[2])
    found, page, _, markdown = shown(example(tmp_path, nobody, cool, similar=None))
    assert not find_tables(found["recommendations"])
    for text in (page.text, plain(markdown)):
        assert (
            "This user has no training rating in this fold; no test rating, so nothing was asked"
            in text
        )
        assert (
            "1 training rating; 1 test rating, none of them at least 4: without a relevant title"
            in text
        )
        assert "Without results there: random, item-mean" in text
        assert "The data have no descriptions of the titles to compare." in text


@pytest.mark.slow
def test_the_best_rated_titles_are_shown_where_the_profile_has_them(tmp_path: Path) -> None:
    entry = {"title": EVIL, "mean": 4.5, "n": 1234}
    entry |= {"weighted": 4.25}
    profile = {"schema": SCHEMA, "digest": DATA["digest"], "prior": 1000.0}
    profile |= {"top_by_mean": [entry], "top_by_weighted_mean": [entry]}
    (write(tmp_path, normal()) / "profile.json").write_text(json.dumps(profile))
    found, page, html, markdown = shown(tmp_path)
    assert list(found) == ["recommendations"] and "User" not in page.text
    assert EVIL not in html + markdown and page.text.count(EVIL) == 2
    assert "4.25" in page.text and "1,234" in page.text and "m = 1,000" in page.text
    assert "| 4.25 | 4.50 | 1,234 |" in markdown
    assert "| title | weighted mean | mean | ratings |\n| :-- | --: | --: | --: |\n" in markdown
    tables_are_whole(markdown)
    (tmp_path / "profile.json").unlink()
    assert shown(tmp_path)[0] == {}


def traced(
    record: Record, errors: list[float | None], validation: list[float | None] | None = None
) -> Record:
    points = [
        {"epoch": float(n), "seconds": 0.1 * n, "train_rmse": e} for n, e in enumerate(errors, 1)
    ]
    for point, error in zip(points, validation or [], strict=False):
        point["val_rmse"] = error
    return replace(record, trace=points)


def keras(
    fold: int, errors: list[float | None], validation: list[float | None], **parameters: Any
) -> Record:
    planned = replace(cell("keras-mf", fold), parameters={"epochs": 4, "patience": 1, **parameters})
    return traced(ok(planned, 0.99), errors, validation)


@pytest.mark.slow
def test_learning_curves_in_words_and_numbers(tmp_path: Path) -> None:
    records = [
        record for record in normal() if record.cell.row in ("random", "item-mean", "surprise-svd")
    ]
    records = [traced(r, [1.5, 1.0, 0.8]) if r.cell.row == "surprise-svd" else r for r in records]
    records += [keras(fold, [1.2, 0.9, 0.7], [1.1, 1.0 - fold / 10, 1.05]) for fold in range(4)]
    records += [keras(4, [1.2, 1.1, 1.0, 0.7], [1.1, 1.0, 0.9, 0.8])]
    found, page, _, markdown = shown(write(tmp_path, records))
    for text in (page.text, plain(markdown)):
        assert "surprise-svd: 3 epochs in each of 5 folds." in text
        assert (
            "keras-mf: 3 to 4 epochs in 5 folds; lowest inner-validation RMSE in epochs "
            "2 to 4; early stopping "
            "(patience 1) ended 4 of 5 folds before the 4 epochs that were allowed." in text
        )
    assert heads_of(find_tables(found["learning"])["Ends of the learning curves"]) == [
        "surprise-svd",
        "keras-mf",
    ]
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert "| surprise-svd | 3 | 1.5000 | 0.8000 | 0.8000 | – | – | – |" in lines
    lowest = (1.0 + 0.9 + 0.8 + 0.7 + 0.8) / 5
    assert (
        f"| keras-mf | 3 to 4 | 1.2000 | 0.7000 | 0.7000 | 1.1000 | 1.0000 | {lowest:.4f} |"
        in lines
    )
    (picture,) = list_pictures(found["learning"])
    svg = picture.svg.decode()
    assert all(
        text in svg for text in ("keras-mf", "inner validation", "epoch", "RMSE (rating points)")
    )
    assert svg == next(list_pictures(shown(tmp_path)[0]["learning"])).svg.decode()


def test_learning_with_a_failed_fold_or_numbers_that_are_none_has_no_mean(tmp_path: Path) -> None:
    records = [traced(ok(cell("numba-sgd", fold), 0.9), [1.0, 0.9]) for fold in range(4)]
    records.append(failed(cell("numba-sgd", 4), "timeout", "slow"))
    records += [
        traced(ok(cell("als", fold), 0.9), [None, 0.5 if fold else None]) for fold in range(5)
    ]
    found, page, _, markdown = shown(write(tmp_path, records))
    assert "numba-sgd: 2 epochs in the 4 folds of 5 with a record of it." in page.text
    assert "| numba-sgd | 2 | – (no mean: timeout in 1 of 5 folds) | – | – |" in markdown
    assert "| als | 2 | – | – | – |" in markdown and "inner validation" not in page.text
    assert next(list_pictures(found["learning"])).svg


def test_without_traces_there_is_nothing_on_learning(tmp_path: Path) -> None:
    assert "learning" not in shown(write(tmp_path, normal()))[0]


def test_the_user_with_the_most_hits_comes_first_unless_users_were_named(tmp_path: Path) -> None:
    write(tmp_path, normal())
    records = first_fold(tmp_path)
    without = person(records, id="without", tested={2: 2.0, 5: 4.0}, compared=[2])
    with_hits = person(records, id="with-hits")
    example(tmp_path, without, with_hits)
    results = Results.read(tmp_path)
    examples = read_examples(tmp_path)
    assert examples is not None
    assert [one.id for one in order_people(results, examples)] == ["with-hits", "without"]
    named = replace(examples, named=True)
    assert [one.id for one in order_people(results, named)] == ["without", "with-hits"]
