"""report.html in the system's Firefox: nothing is complained of or asked for, and scripts work."""

import base64
from pathlib import Path

import pytest

from recbench.reports.results import Results
from tests.reports.firefox import FirefoxPage, find_firefox, started_firefox
from tests.reports.invented_runs import half_failed, write
from tests.reports.pages import written_page

pytestmark = pytest.mark.slow

SCREEN = (1280, 800)
PHONE = (390, 844)

NAMES = """[...document.querySelector('#accuracy table.heat').querySelectorAll('th[scope=row]')]
    .filter(name => name.checkVisibility()).map(name => name.textContent.trim())"""
OPEN = "[...document.querySelectorAll('details.section')].map(section => section.open)"
WIDTH = "document.documentElement.scrollWidth"


def press_all_that_moves(page: FirefoxPage, results: Results) -> None:
    """All sections are opened, a column sorts, and rows are filtered by a part of their names."""
    assert not any(page.evaluate(OPEN))
    page.click("#unfold")
    opened = page.evaluate(OPEN)
    assert opened and all(opened)

    means = {row.name: mean for row in results.rows if (mean := row.mean("rmse")) is not None}
    best_first = sorted(means, key=lambda name: means[name])
    page.click("#accuracy table.heat thead th:nth-child(2) button")
    assert page.evaluate(NAMES)[: len(means)] == best_first

    page.click(".tools input")
    page.type("SVD")
    assert page.evaluate(NAMES) == ["surprise-svd"]


def test_firefox_opens_it_without_an_error_and_asks_nobody(tmp_path: Path) -> None:
    program = find_firefox()
    if program is None:
        pytest.skip("there is no Firefox on this machine; `make firefox` installs it or says how")

    path = written_page(write(tmp_path / "run", half_failed()))
    with started_firefox(program, tmp_path / "profile") as page:
        page.open(path.as_uri(), *PHONE)
        assert page.evaluate(WIDTH) <= PHONE[0]

        page.open(path.as_uri(), *SCREEN)
        press_all_that_moves(page, Results.read(path.parent))
        printed = base64.b64decode(page.print())

    assert printed.startswith(b"%PDF")
    assert page.complaints == []
    # Pictures that stand in the page are noted, too, and asked for from nobody.
    assert page.requests
    assert {one for one in page.requests if not one.startswith("data:")} <= {path.as_uri()}
