"""A run whose adapters, titles, file name and plan are hostile: nothing of it reaches a reader."""

import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recbench.benchmarks.compare import compare
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.records.record import Run
from recbench.reports.build import make_files
from tests.conftest import RunBench
from tests.datasets.foundation.test_legible import LINKED, plain_text_of, rendered, unseen
from tests.plugins.hostile import HOSTILE

FILE = "my \u202e@everyone\u200b \x1b[2J.csv"
# What a line of a file can hold
TITLE = HOSTILE.replace("\r", " ").replace("\n", " ").replace("\udce9", "").replace('"', "")


@pytest.fixture(scope="module")
def hostile(
    run_bench: RunBench, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A real run, and what it has printed."""
    folder = tmp_path_factory.mktemp("hostile")
    lines = [
        f"u{user},i{item},{1 + (user * item) % 5}"
        for user in range(30)
        for item in range(15)
        if (user + item) % 3
    ]
    (folder / FILE).write_text("\n".join(["user,item,rating", *lines]))
    items = ['"item","title"', *(f'"i{item}","{item} {TITLE}"' for item in range(15))]
    (folder / "items.csv").write_text("\n".join(items))
    rows = [
        part
        for row in ("hostile-raises", "hostile-tells", "popularity")
        for part in ("--algorithm", row)
    ]
    dataset = f"table:{folder / FILE}[items={folder / 'items.csv'}]"
    result = run_bench(
        *("--dataset", dataset, "--folds", 2, "--plugin", "hostile", *rows),
        *("--out", folder / "run"),
        check=4,
    )
    return result, folder / "run"


def test_the_terminal_sees_nothing_of_it(
    hostile: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    result, _ = hostile
    assert not unseen(result.stdout) and not unseen(result.stderr)
    assert r"caf\udce9 \x1b[2J" in result.stdout
    assert len(result.stdout) < 20_000


def test_records_and_pages_hold_what_can_be_seen(
    hostile: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    _, directory = hostile
    records = Run(directory).records()
    raised = next(record for record in records if record.cell.row == "hostile-raises")
    told = next(record for record in records if record.cell.row == "hostile-tells")
    assert raised.reason is not None and len(raised.reason) <= 2000
    assert "characters)" in raised.reason
    assert told.determinism is not None
    for text in (raised.reason, told.determinism.reason or "", *told.trace[0]):
        assert text and not unseen(text)

    pages = [directory / name for name in ("report.md", "report.html", "results.csv")]
    for page in [*pages, *directory.glob("figures/*.svg")]:
        content = page.read_text(encoding="utf-8")
        assert not unseen(content), page
        assert len(content) < 3_000_000, page
    check_markdown((directory / "report.md").read_text())


def check_markdown(source: str) -> None:
    """Headings are the report's own, nobody is notified, and nothing is linked that should not."""
    tokens = rendered(source)
    headings = [
        content for (kind, _), (_, content) in itertools.pairwise(tokens) if kind == "heading_open"
    ]
    assert not [heading for heading in headings if "All 3 rows pass" in heading]
    assert not LINKED.search(plain_text_of(source))
    assert "<script" not in source


def edit_plan(directory: Path, given: dict[str, Any]) -> None:
    """Give the rows of `hostile-tells` other hyperparameters, as a stranger's plan can."""
    path = directory / "plan.json"
    plan = json.loads(path.read_text())
    for cell in plan["cells"]:
        if cell["algorithm"] == "hostile-tells":
            cell["given"] = given
    plan["about"]["algorithms"] = {}
    path.write_text(json.dumps(plan))


@pytest.mark.parametrize("given", [{"n": HOSTILE}, {"n": "x" * 10_000_000}], ids=["text", "10 MB"])
def test_the_rows_of_a_foreign_plan_are_harmless(
    hostile: tuple[subprocess.CompletedProcess[str], Path], given: dict[str, Any], tmp_path: Path
) -> None:
    _, directory = hostile
    foreign = Path(shutil.copytree(directory, tmp_path / "foreign"))
    edit_plan(foreign, given)
    arguments = [str(foreign), str(foreign), "--markdown", str(tmp_path / "summary.md")]
    result = CliRunner().invoke(application(compare), arguments)
    assert result.exit_code == 0, result.output[-2000:]
    gated = CliRunner().invoke(application(compare), [*arguments, "--fail-on", "rmse:+1%"])
    assert gated.exit_code == 4
    for output in (result.output, gated.output, (tmp_path / "summary.md").read_text()):
        assert not unseen(output)
        assert len(output) < 300_000
    check_markdown((tmp_path / "summary.md").read_text())
    tables = [kind for kind, _ in rendered((tmp_path / "summary.md").read_text())]
    assert tables.count("table_open") == 2, "what changed or failed, and the rest, folded"

    wanted = ("summary", "accuracy", "failures", "learning", "recommendations")
    files = make_files(foreign, out=tmp_path / "out", sections=wanted)
    assert not unseen(files["report.md"].decode()) and not unseen(files["report.html"].decode())
    assert len(files["report.html"]) < 3_000_000
    check_markdown(files["report.md"].decode())
