"""What a stranger needs stands in results.csv, and the schema of records fits stored ones."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recbench.benchmarks import list as listing
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.records import (
    PROVENANCE,
    Certificate,
    describe_schema,
    describe_table_schema,
    write_table,
)
from tests.conftest import ROOT
from tests.reports.invented_runs import ENVIRONMENT, cell, failed, ok

PUBLISHED = ROOT / "reports" / "published"
BASELINE = ROOT / "reports" / "baselines" / "movielens-100k" / "records"


def test_the_table_says_on_which_data_code_and_machine(tmp_path: Path) -> None:
    machine = ENVIRONMENT.replaced(host="=cmd()", dirty=True)
    certificate = Certificate("bit-identical", 0.0, "2 fits", None)
    record = replace(
        ok(cell("surprise-svd", 0, n_factors=20), 0.9),
        environment=machine,
        determinism=certificate,
    )
    lost = failed(cell("random", 1), "failed", "why")
    with write_table(tmp_path, [record, lost]).open(newline="") as file:
        first, second = csv.DictReader(file)

    assert set(PROVENANCE) <= set(first)
    assert first["hyperparameters"] == "given" and second["hyperparameters"] == "default"
    assert first["digest"] == record.cell.digest
    assert first["started"] == record.started
    assert first["commit"] == f"{machine.commit}+"
    assert first["versions"] == "numpy=2.3.5,scikit-surprise=1.1.5"
    assert first["determinism"] == "bit-identical" and second["determinism"] == ""
    assert first["host"] == "'=cmd()"  # a spreadsheet takes it for text


def test_stored_records_have_the_properties_that_the_schema_names() -> None:
    schema = describe_schema()
    paths = sorted(BASELINE.glob("*.json"))[:6]
    assert paths
    for path in paths:
        content = json.loads(path.read_text())
        assert set(schema["required"]) <= set(content)
        assert set(content) <= set(schema["properties"])
        assert set(content["cell"]) <= set(schema["$defs"]["Cell"]["properties"])
        assert content["status"] in schema["properties"]["status"]["enum"]
        for name in ("train", "test", "threshold"):
            assert name in schema["$defs"]["DataDescription"]["properties"]


def read_cell(text: str, kinds: list[str]) -> Any:
    """A cell of `results.csv` as a value of the first kind; None if it is empty."""
    if not text:
        return None
    kind = kinds[0]
    if kind == "boolean":
        return {"true": True, "false": False}[text]
    return {"number": float, "integer": int, "string": str}[kind](text)


@pytest.mark.parametrize("report", sorted(PUBLISHED.glob("*/results*.csv")), ids=str)
def test_published_tables_have_the_columns_that_the_schema_names(report: Path) -> None:
    schema = describe_table_schema()
    with report.open(newline="") as file:
        lines = list(csv.DictReader(file))

    assert set(schema["required"]) <= set(lines[0])
    for name in lines[0]:
        patterns = [p for p in schema["patternProperties"] if re.search(p, name)]
        found = [schema["patternProperties"][pattern] for pattern in patterns]
        if name in schema["properties"]:
            found.append(schema["properties"][name])
        (column,) = found
        for line in lines:
            value = read_cell(line[name], column["type"])
            assert value in column.get("enum", [value])


@pytest.mark.parametrize("kind", ["schema", "table-schema"])
def test_a_schema_is_printed_as_json(kind: str) -> None:
    result = CliRunner().invoke(application(listing.list_choices), [kind])
    schema = {"schema": describe_schema, "table-schema": describe_table_schema}[kind]()
    assert json.loads(result.output) == schema
