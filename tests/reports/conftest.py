"""Invented runs that are only looked at, written once for all rooms."""

import pytest

from recbench.reports.results import Results
from tests.reports.invented_runs import half_failed, normal, write


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results.read(write(tmp_path_factory.mktemp("whole"), normal()))


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results.read(write(tmp_path_factory.mktemp("half"), half_failed()))
