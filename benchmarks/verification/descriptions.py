"""Whether what a run says about its data beside the records holds: profile.json and examples.json.

And whether its report is what the records give, which another process finds out: reports stand
above this package.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import recbench
from recbench.benchmarks.records import Record, Run, find_users, make_examples, read_examples
from recbench.benchmarks.verification.ledger import Closeness, Ledger
from recbench.datasets.foundation import FINE, UsageError, parse_json
from recbench.datasets.profile import profile_dataset, read_profile
from recbench.datasets.ratings import Dataset

# Of means, deviations and cosines, see `recomputation.OF_METRICS`.
OF_DESCRIPTIONS = Closeness(relative=1e-9, absolute=1e-12)

PROFILE = "profile.json"
EXAMPLES = "examples.json"
PAGES = ("report.md", "report.html")
DIFFERS = 1  # exit code of `reports.build --check`
LONGEST_ERROR = 2000  # characters of what it says


def check_descriptions(
    run: Run, records: Sequence[Record], dataset: Dataset, ledger: Ledger
) -> None:
    """Compare profile.json and examples.json, where they are, with what the data would give."""
    try:
        profile = read_profile(run.directory / PROFILE, dataset.digest)
    except UsageError as error:
        ledger.findings.append(str(error))
        profile = None
    if profile is not None:
        expected = _as_json(profile_dataset(dataset))
        ledger.compare(PROFILE, PROFILE, "", expected, profile, OF_DESCRIPTIONS)

    # They follow from raw answers that are as they should be.
    if ledger.findings:
        return
    try:
        _check_examples(run, records, dataset, ledger)
    except UsageError as error:
        ledger.findings.append(f"{EXAMPLES}: {error}")


def _check_examples(run: Run, records: Sequence[Record], dataset: Dataset, ledger: Ledger) -> None:
    """Compare examples.json with what the raw answers give for the same users.

    UsageError if it is damaged, or names a user whom the data have not.
    """
    found = read_examples(run.directory)
    if found is None:
        return

    _, about = run.read_plan()
    if any(record.cell.row not in about.algorithms for record in records):
        ledger.remarks.append(f"{EXAMPLES} is of an early version, and was not compared")
        return

    named = find_users(dataset, [person.id for person in found.people]) if found.named else []
    expected = make_examples(run, records, dataset, named)
    if expected.similar is None:  # the library that compares descriptions may be missing here
        expected = replace(expected, similar=found.similar, titles=expected.titles | found.titles)
    found_content = _as_json(asdict(found))
    ledger.compare(
        EXAMPLES, EXAMPLES, "", _as_json(asdict(expected)), found_content, OF_DESCRIPTIONS
    )


def check_report(run: Run, ledger: Ledger) -> None:
    """Have the report built again, and note each of its files that differs.

    That is done by `reports.build --check` in a process of its own. Nothing is done without a
    report, or where the records themselves are not as they should be.
    """
    has_report = any((run.directory / name).exists() for name in PAGES)
    if not has_report or ledger.findings:
        return

    # -P: the report is made by this recbench, whatever lies in the working directory.
    command = [sys.executable, "-P", "-m", "recbench.reports.build"]
    paths = [str(recbench.ROOT), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [*command, str(run.directory.absolute()), "--check"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    ledger.compared["report"] += 1
    if result.returncode == DIFFERS:
        # One page may have been taken away; what is not there says nothing false.
        directory = run.directory.absolute()
        gone = [str(directory / name) for name in PAGES if not (directory / name).exists()]
        lines = result.stdout.splitlines()
        ledger.findings += [line for line in lines if line.partition(":")[0] not in gone]
    elif result.returncode != FINE:
        said = result.stderr.strip()[-LONGEST_ERROR:]
        ledger.findings.append(f"the report cannot be built again: {said}")


def _as_json(content: Any) -> Any:
    """`content` as it comes back from a file."""
    return parse_json(json.dumps(content))
