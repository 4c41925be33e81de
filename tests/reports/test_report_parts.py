"""Parts of a report: chosen sections, tables for LaTeX, what an earlier build left, and a table
without formulas.
"""

import csv
import hashlib
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.records.csv_table import csv_row, write_table
from recbench.benchmarks.records.facts import PublishedNumber, RunDescription
from recbench.benchmarks.records.record import Run
from recbench.benchmarks.verification.files import _check_results_table
from recbench.benchmarks.verification.ledger import Ledger
from recbench.datasets.foundation.spec import UsageError
from recbench.reports import papers, words
from recbench.reports.build import build, main
from recbench.reports.results import Results
from recbench.reports.sections.registry import SECTIONS
from tests.reports.invented_runs import SIMULATED, cell, failed, half_failed, normal, ok, write

HOSTILE = r"a_b & 50% $x$ #1 {y} ~z ^w \end{table} <i> é±“"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("run"), normal(n_folds=2))


def questions(directory: Path) -> list[str]:
    return re.findall(r"^## (.*)$", (directory / "report.md").read_text(), re.M)


@pytest.mark.slow
def test_only_the_sections_that_are_asked_for_in_the_order_of_the_report(
    run: Path, tmp_path: Path
) -> None:
    build(run, out=tmp_path, sections=["cost", "accuracy"])
    assert questions(tmp_path) == [SECTIONS["accuracy"].heading, SECTIONS["cost"].heading]
    html = (tmp_path / "report.html").read_text()
    assert re.findall(r'<section id="([^"]*)"', html) == ["accuracy", "cost"]
    build(run, out=tmp_path, sections=["failures"])
    assert questions(tmp_path) == [SECTIONS["failures"].heading]
    assert list((tmp_path / "figures").iterdir()) == []


def test_an_unknown_section_is_refused_with_the_valid_ones(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"unknown section 'acuracy'\. Did you mean 'accuracy'\? Valid: .*summary"
    ):
        build(run, out=tmp_path / "out", sections=["acuracy"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="nothing to say under published"):
        build(run, out=tmp_path / "out", sections=["published"])
    result = CliRunner().invoke(application(main), [str(run), "--sections", "summary,cots"])
    assert result.exit_code == 2 and "Did you mean 'cost'?" in result.output


@pytest.mark.slow
def test_a_build_takes_away_what_an_earlier_one_wrote_and_nothing_else(
    run: Path, tmp_path: Path
) -> None:
    sections = ["accuracy", "cost"]
    build(run, out=tmp_path, tex=True, pdf=True, sections=sections, png=["accuracy", "cost"])
    figures = tmp_path / "figures"
    tables = tmp_path / "tables"
    written = {path.name for path in tables.iterdir()}
    assert {"accuracy.tex", "cost.tex", "references.bib", "setup.md"} <= written
    assert (figures / "cost.pdf").exists()
    (figures / "mine.svg").write_text("drawn by hand")
    (figures / "cost.png").write_bytes(b"retouched")
    (tmp_path / "precious.svg").write_text("mine too")
    forged = hashlib.sha256(b"mine too").hexdigest()
    with (tmp_path / "report.sha256").open("a") as file:
        file.write(
            f"{forged}  precious.svg\n{forged}  figures/../precious.svg\n{forged}  "
            f"{tmp_path}/precious.svg\n"
        )
    build(run, out=tmp_path, sections=["accuracy"])
    assert not (figures / "cost.svg").exists() and not list(tables.iterdir())
    assert not list(figures.glob("*.pdf"))
    kept = {path.name for path in figures.iterdir()}
    assert {"mine.svg", "cost.png", "accuracy.svg", "accuracy.png"} <= kept
    assert (tmp_path / "precious.svg").read_text() == "mine too"
    build(run, out=tmp_path, sections=sections)
    assert (figures / "cost.svg").exists() and (figures / "mine.svg").exists()


def test_figures_are_png_where_they_are_asked_for_and_stay_so(run: Path, tmp_path: Path) -> None:
    build(run, out=tmp_path, sections=["accuracy"], png=["acc*"])
    figures = tmp_path / "figures"
    assert [path.name for path in figures.glob("*.png")] == ["accuracy.png"]
    assert (figures / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"--png cost: no figure .* Valid: accuracy, folds"):
        build(run, out=tmp_path, sections=["accuracy"], png=["cost"])
    arguments = [str(run), "--out", str(tmp_path), "--check"]
    assert CliRunner().invoke(application(main), arguments).exit_code == 0
    (figures / "accuracy.png").write_bytes(b"retouched")
    assert CliRunner().invoke(application(main), arguments).exit_code == 1


def test_a_report_from_before_there_was_a_list_keeps_its_figures(run: Path, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.svg").write_text("<svg/>")
    build(run, out=tmp_path, sections=["failures"])
    assert (tmp_path / "figures" / "old.svg").exists()


@pytest.mark.slow
def test_the_list_of_files_is_one_for_sha256sum(run: Path, tmp_path: Path) -> None:
    build(run, out=tmp_path, tex=True, sections=["accuracy", "cost"])
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "report.sha256"], cwd=tmp_path, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr
    listed = {
        line.partition("  ")[2] for line in (tmp_path / "report.sha256").read_text().splitlines()
    }
    there = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert there == listed | {"report.sha256"}


@pytest.mark.slow
def test_check_knows_the_options(run: Path, tmp_path: Path) -> None:
    options = [str(run), "--out", str(tmp_path), "--latex", "--sections", "accuracy"]
    build(run, out=tmp_path, tex=True, sections=["accuracy"])
    assert CliRunner().invoke(application(main), [*options, "--check"]).exit_code == 0
    (tmp_path / "tables" / "accuracy.tex").unlink()
    result = CliRunner().invoke(application(main), [*options, "--check"])
    assert (
        result.exit_code == 1
        and "accuracy.tex: not what the records give" in result.output.replace("\n", "")
    )


def cells_of(line: str) -> list[str]:
    without_papers = re.sub(r" \\cite\{[^}]*\}", "", line)
    return [part.strip() for part in re.split(r"(?<!\\)&", without_papers.removesuffix(r"\\"))]


def check_source(source: str) -> list[list[str]]:
    """The lines of the one tabular in it; fails on anything that LaTeX would stumble over."""
    open_: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", source):
        if kind == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert open_ == []
    bare = re.sub(r"\\[\\{}&%$#_]", "", source)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert "#" not in bare and "~" not in bare and bare.count("%") == 1  # that of the comment
    assert not re.search(r"[_^](?!\{\\(approx|dagger)\})", bare)
    assert source.count(r"\caption{") == source.count(r"\label{tab:") == 1
    assert [source.count(rule) for rule in (r"\toprule", r"\bottomrule")] == [1, 1]
    spec = re.search(r"\\begin\{tabular\}\{(l r*)\}".replace(" ", ""), source)
    assert spec
    lines = [line for line in source.splitlines() if line.endswith(r"\\")]
    for line in lines:
        spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
        assert len(cells_of(line)) + sum(spans) - len(spans) == len(spec[1]), line
    return [cells_of(line) for line in lines]


@pytest.mark.slow
def test_latex_tables_have_the_numbers_and_the_marks(run: Path, tmp_path: Path) -> None:
    build(run, out=tmp_path, tex=True, sections=["accuracy", "cost"])
    results = Results.read(run)
    for name in ("accuracy", "cost"):
        check_source((tmp_path / "tables" / f"{name}.tex").read_text())
    lines = {
        line[0]: line[1:]
        for line in check_source((tmp_path / "tables" / "accuracy.tex").read_text())
    }
    for one in results.rows:
        spread = one.spread("rmse")
        shown = lines[f"{{{one.name}}}"][0]
        if spread is None:
            assert shown == "--"
            continue
        number = rf"{words.number(spread.mean)} $\pm$ {words.number(spread.deviation)}"
        best = one in results.best("rmse")
        near = one in results.near("rmse")
        assert shown == (
            rf"\textbf{{{number}}}" if best else number + (r"$^{\approx}$" if near else "")
        )
    assert any(r"\approx" in line[0] for line in lines.values() if line)
    fits = {
        line[0]: line[3]  # after start-up and convert
        for line in check_source((tmp_path / "tables" / "cost.tex").read_text())
        if len(line) > 3
    }
    assert all(
        words.duration(one.seconds("fit")) in fits[f"{{{one.name}}}"] for one in results.rows
    )


@pytest.mark.slow
def test_latex_of_failures_simulated_data_and_published_numbers(tmp_path: Path) -> None:
    directory = write(tmp_path, half_failed(), **SIMULATED)
    for table in papers.tabulate_run(Results.read(directory)):
        source = table.source()
        assert "SIMULATED data, netflix-filtered" in source
        assert any(r"\emph{timeout in 5 of 5 folds}" in line[-1] for line in check_source(source))
    results = Results.read(write(tmp_path / "real", normal(n_folds=2)))
    number = PublishedNumber(
        row="item-mean",
        column="rmse",
        value=1.1,
        tolerance=0.01,
        dataset="d",
        source="A_B, 100% & more",
    )
    results = replace(results, about=results.about.replaced(published=[number]))
    source = {table.drawn.name: table.source() for table in papers.tabulate_run(results)}[
        "published"
    ]
    line = next(line for line in check_source(source) if line[0] == "{item-mean}")
    mean = next(one for one in results.rows if one.name == "item-mean").mean("rmse")
    assert mean is not None
    assert line[1:5] == [
        "RMSE",
        "1.1",
        words.number(mean),
        f"{mean - 1.1:+.4f}".replace("-", "$-$"),
    ]
    assert r"A\_B, 100\% \& more" in source


@pytest.mark.slow
def test_latex_captions_keep_the_name_of_the_data(tmp_path: Path) -> None:
    for table in papers.tabulate_run(Results.read(write(tmp_path, normal()))):
        assert r"\caption{movielens-100k: " in table.source()


def test_latex_prints_what_the_data_say(tmp_path: Path) -> None:
    records = [ok(cell("plug-in", fold, 2, a=HOSTILE.replace(",", "")), 0.9) for fold in range(2)]
    records += [failed(cell("*[x]", fold, 2), "failed", HOSTILE) for fold in range(2)]
    directory = write(tmp_path, records, name=HOSTILE + "\n\nnew paragraph")
    for table in papers.tabulate_run(Results.read(directory)):
        source = table.source()
        check_source(source)
        assert r"a\_b \& 50\% \$x\$ \#1 \{y\} \textasciitilde{}z \textasciicircum{}w" in source
        assert r"\textbackslash{}end\{table\} \textless{}i\textgreater{} é$\pm$“" in source
        assert "\n\n" not in source and "{*[x]} " in source
    assert papers.escape_latex("a--b -5 x-1") == "a-{}-b $-$5 x-1"


def test_formulas_in_the_table_do_nothing_and_numbers_stay_numbers(tmp_path: Path) -> None:
    formula = '=HYPERLINK("http://example.org")'
    records = [failed(cell("@SUM(A1)", 0, 1), "failed", formula), ok(cell("-1+1", 0, 1), 0.9)]
    records += [
        failed(cell("fine", 0, 1), "timeout", reason)
        for reason in ("+1", "-2", "@x", "\n=1", "fine")
    ]
    records[1] = replace(records[1], metrics=records[1].metrics | {"mean_error": -0.01})
    with write_table(tmp_path, records).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["reason"] for line in lines] == [
        f"'{formula}",
        "",
        "'+1",
        "'-2",
        "'@x",
        "'\n=1",
        "fine",
    ]
    assert [line["algorithm"] for line in lines[:3]] == ["'@SUM(A1)", "'-1+1", "fine"]
    assert float(lines[1]["mean_error"]) == -0.01 and lines[1]["mean_error"] == "-0.01"
    for line in lines:
        assert not any(v.startswith(("=", "+", "@", "\t", "\r", "\n")) for v in line.values())
    write(tmp_path, [ok(cell("-1+1", 0, 1), 0.9)])
    found = Run(tmp_path).records()
    write_table(tmp_path, found)
    ledger = Ledger()
    _check_results_table(Run(tmp_path), found, RunDescription(), ledger)  # as verify does
    assert ledger.findings == [] and ledger.compared["results.csv"] == len(csv_row(found[0]))
