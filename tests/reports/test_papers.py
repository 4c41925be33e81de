"""What a report writes for a paper compiles, cites whom it should, and is packed for a reviewer."""

import re
import shutil
import subprocess
import zlib
from dataclasses import replace
from inspect import getdoc
from pathlib import Path

import pytest

from recbench.adapters import available
from recbench.benchmarks.metrics import METRICS
from recbench.benchmarks.records import DataDescription, describe_algorithms
from recbench.datasets.registry import find_loader, names
from recbench.reports.archive import judge_licence
from recbench.reports.build import describe_run, describe_sections
from recbench.reports.drawing import Picture, accuracy_heatmap, draw_heatmap
from recbench.reports.papers import (
    collect_references,
    find_papers,
    list_tables,
    list_unknown_papers,
    make_paper_files,
    read_references,
)
from recbench.reports.results import Results
from tests.reports.invented_runs import DATA, SIMULATED, cell, failed, ok, write
from tests.reports.test_answers import tuned_run
from tests.reports.test_report_parts import HOSTILE

LETTERS = "Żółć Ђ 中 ✓ 🎬 a\u0301 --x \\end{table} @misc{x, % $"
SECTIONS = ("accuracy", "tuning", "certainty", "method")
OWN = {
    name: adapter
    for name, adapter in available().items()
    if adapter.__module__.startswith("recbench.adapters.")
}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Tuned rows, a row from outside and one that failed, all of data with a hostile name."""
    directory = tmp_path_factory.mktemp("tuned")
    results = tuned_run(directory, (1, 1))
    strange = [ok(cell("plug-in", 0, 1, a=LETTERS.replace(",", "")), 0.95)]
    strange += [failed(cell("*[x]", 0, 1), "failed", HOSTILE)]
    described = describe_algorithms([record.cell for record in results.records])
    write(directory, [*results.records, *strange], name=LETTERS, citation=HOSTILE)
    read = Results.read(directory)
    return replace(read, about=read.about.replaced(algorithms=described))


@pytest.fixture(scope="module")
def paper(tuned: Results) -> dict[str, str]:
    """The files below `tables/`."""
    report = describe_run(tuned)
    parts = describe_sections(report, SECTIONS)
    tables = list_tables(report.title, parts, list(report.tables))
    files = make_paper_files(tables, tuned)
    return {name.removeprefix("tables/"): content.decode() for name, content in files.items()}


def test_every_table_of_the_page_is_there(paper: dict[str, str]) -> None:
    for name in ("accuracy", "tuning-searches", "tuning-spaces", "certainty-certainty-of-rmse"):
        assert r"\begin{tabular}" in paper[f"{name}.tex"]
        assert rf"\input{{{name}}}" in paper["paper.tex"]
    assert "surprise-svd (tuned)" in paper["certainty-certainty-of-rmse.tex"]


def test_whatever_is_cited_is_in_the_bibliography(paper: dict[str, str]) -> None:
    keys = re.findall(r"^@\w+\{([^,]+),$", paper["references.bib"], re.M)
    assert len(set(keys)) == len(keys)
    cited = set()
    for name, text in paper.items():
        if name.endswith(".tex"):
            for group in re.findall(r"\\cite\{([^}]*)\}", text):
                cited |= set(group.split(","))
    assert {"steck2019", "koren2009", "recbench", "akiba2019optuna"} <= cited
    assert cited <= set(keys)
    assert "{ease} \\cite{steck2019" in paper["accuracy.tex"]


def test_the_setup_says_all_that_a_reader_asks(paper: dict[str, str]) -> None:
    for text in (paper["setup.tex"], paper["setup.md"]):
        for word in ("100,000 ratings of 943 users", "users", "1-fold", "a search of 1 trial",
                     "Root mean squared error", "bootstrap", "BCa", "Some CPU", "numpy 2.3.5",
                     "candidates are the whole catalogue", "without the user"):  # fmt: skip
            assert word in text, word
        assert "first screen" not in text and "Holm" not in text and "holm" not in text
    assert "(Steck, 2019" in paper["setup.md"]
    assert read_references()["jarvelin2002"].label == "Järvelin and Kekäläinen, 2002"
    assert not re.search(r"\b[0-9a-f]{40}", paper["setup.tex"])  # such a word leaves the page


@pytest.mark.slow
def test_all_of_it_compiles_without_a_gap(paper: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None or shutil.which("bibtex") is None:
        pytest.skip("no pdflatex and bibtex; `make tex` installs them")
    found = subprocess.run(["kpsewhich", "lmodern.sty", "booktabs.sty"], capture_output=True)
    if found.returncode:
        pytest.skip("TeX lacks booktabs or lmodern; `make tex` installs them")
    for name, text in paper.items():
        (tmp_path / name).write_text(text)

    latex = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper"]
    for command in (latex, ["bibtex", "paper"], latex, latex):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert not re.search(r"undefined|multiply defined|Missing character", log)
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")


def test_every_paper_that_adapters_and_metrics_name_is_known() -> None:
    texts = [getdoc(adapter) or "" for adapter in OWN.values()]
    texts += [metric.definition for metric in METRICS.values()]
    assert {paper for text in texts for paper in list_unknown_papers(text)} == set()
    assert [one.key for one in find_papers(getdoc(OWN["als"]) or "")] == ["zhou2008", "koren2009"]
    assert "takacs2011" in [one.key for one in find_papers(getdoc(OWN["implicit-als"]) or "")]

    uncited = {name for name, adapter in OWN.items() if not find_papers(getdoc(adapter) or "")}
    families = {OWN[name].family for name in uncited}
    assert families <= {"baseline", "oracle", "external", "neighbours", "keras"}
    assert all(re.search("notebook", getdoc(OWN[name]) or "") for name in uncited
               if OWN[name].family in ("neighbours", "keras"))  # fmt: skip


def test_figures_are_pdf_with_their_fonts_inside_and_the_same_bytes(tuned: Results) -> None:
    drawn = accuracy_heatmap(tuned)
    first, second = (Picture("x", "", lambda: draw_heatmap(drawn, "é $x$")).pdf for _ in range(2))
    assert first == second
    streams = re.findall(rb"stream\r?\n(.*?)endstream", first, re.S)
    assert b"/FontFile2" in first and b"/Type3" not in first and len(streams) > 1
    assert b"CreationDate" not in first
    assert zlib.decompress(streams[0].rstrip(b"\r\n"))


def test_every_data_set_with_a_citation_has_its_entry(tuned: Results) -> None:
    keys = set()
    for name in names():
        if name.partition(":")[2]:
            continue
        described = DataDescription(name=name, citation=find_loader(name).citation)
        results = replace(tuned, about=tuned.about.replaced(data=described))
        keys |= {reference.key for reference in collect_references(results).of_data}
    assert keys == {"harper2015", "guo2013", "bennett2007"} and keys <= set(read_references())
    (hostile,) = collect_references(tuned).of_data
    assert hostile.key.startswith("data-") and r"\textbraceleft{}" in hostile.source


@pytest.mark.parametrize(
    ("licence", "permits"),
    [
        ("GroupLens: research use, no redistribution without permission", False),
        ("GroupLens: research use, redistribution under the same terms", True),
        ("CC-BY 4.0", True),
        ("none stated", False),
        ("", False),
    ],
)
def test_answers_are_passed_on_where_a_licence_says_so(licence: str, permits: bool) -> None:
    data = DataDescription.model_validate(DATA | {"licence": licence})
    assert judge_licence(data)[0] is permits
    assert judge_licence(DataDescription.model_validate(DATA | SIMULATED))[0]
