"""report.html in a real browser: by pointer, keyboard and screen reader, on a phone, in the dark
and in print.
"""

import csv
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from recbench.benchmarks.records.record import Record
from recbench.reports import words
from recbench.reports.results import Results
from tests.conftest import RunHere
from tests.reports.invented_runs import (
    LEVELS,
    MARKUP,
    ROWS,
    SIMULATED,
    cell,
    failed,
    half_failed,
    normal,
    ok,
    write,
)
from tests.reports.pages import written_page

# pixels; the last is A4 less its margins
pytestmark = pytest.mark.slow

PHONE = 360
SCREEN = 1280
PAPER = 703
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chrome")
SCRIPT = "<script>alert(1)</script>"


def many(n_rows: int, n_folds: int) -> list[Record]:
    """Rows of all levels, some of them with long names."""
    records = []
    for index in range(n_rows):
        name = ROWS[index % len(ROWS)]
        planned = [cell(name, fold, n_folds, factors=index, epochs=20) for fold in range(n_folds)]
        records += [
            ok(one, LEVELS[name] + 0.003 * index, ranks_only=name == "popularity")
            for one in planned
        ]
    return records


KINDS: dict[str, Callable[[Path], Path]] = {
    "normal": lambda path: write(path, normal()),
    "half failed": lambda path: write(path, half_failed()),
    "simulated": lambda path: write(path, normal(), **SIMULATED),
    "markup": lambda path: write(
        path, [failed(cell("plug-in", f, a="x|y`<i>"), "failed", MARKUP) for f in range(3)]
    ),
    "48 rows": lambda path: write(path, many(48, 3)),
}
Report = Callable[[str], Path]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Playwright's own Chromium if somebody has installed it, otherwise that of the system."""
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = own if own.exists() else next(filter(None, map(shutil.which, BROWSERS)), None)
        if found is None:
            pytest.skip(
                "there is no Chromium on this machine; `make browser` installs it or says how"
            )
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of a kind of run, built when it is first asked for."""
    return cache(lambda kind: written_page(KINDS[kind](tmp_path_factory.mktemp("run"))))


@contextmanager
def opened(
    browser: Browser, path: Path, width: int = SCREEN, *, unfolded: bool = True, **options: Any
) -> Iterator[Page]:
    """The page, all its sections unfolded or as it opens; afterwards it must not have complained,
    asked for anything besides itself, or opened a dialog.
    """

    def refuse(dialog: Dialog) -> None:
        found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    context = browser.new_context(
        viewport={"width": width, "height": 800}, reduced_motion="reduce", **options
    )
    page = context.new_page()
    found = list[str]()
    page.on("console", lambda message: found.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("request", lambda request: found.append(request.url))
    page.on("dialog", refuse)
    page.goto(path.as_uri())
    if unfolded and options.get("java_script_enabled", True):
        page.locator("#unfold").click()
    yield page
    context.close()
    assert [one for one in found if not one.startswith("data:")] == [path.as_uri()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_shows_it_without_moving_the_page_sideways(
    browser: Browser, report: Report, kind: str
) -> None:
    with opened(browser, report(kind), PHONE, has_touch=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
        unreached = """[...document.querySelectorAll('.scroll, figure')]
            .filter(place => place.checkVisibility())
            .filter(place => (place.scrollWidth > place.clientWidth) !== (place.tabIndex === 0))
            .map(place => place.outerHTML.slice(0, 200))"""
        assert (
            page.evaluate(unreached) == []
        )  # what moves sideways on its own is in the keyboard's reach


def test_it_can_be_read_without_the_script(browser: Browser, report: Report) -> None:
    with opened(browser, report("half failed"), PHONE, java_script_enabled=False) as page:
        expect(page.locator("nav a[href='#accuracy']")).to_be_visible()
        expect(page.locator("#menu")).to_be_hidden()
        expect(page.locator("#unfold")).to_be_hidden()
        assert "folds: " in (
            page.locator("#accuracy td[data-value]").first.get_attribute("title") or ""
        )


@pytest.mark.parametrize("kind", ["normal", "half failed", "48 rows"])
def test_the_first_screen_answers_without_scrolling(
    browser: Browser, report: Report, kind: str
) -> None:
    with opened(browser, report(kind), unfolded=False) as page:
        for place in (".cards", ".cautions", ".brief", ".beside img"):
            box = page.locator(place).first.bounding_box()
            assert box and box["y"] >= 0 and box["y"] + box["height"] <= 800, place
        assert page.locator(".card").count() == 3
        assert 2 <= page.locator(".brief").first.locator("tbody tr").count() <= 10


def test_sections_are_folded_and_one_click_opens_all(browser: Browser, report: Report) -> None:
    with opened(browser, report("normal"), unfolded=False) as page:
        sections = page.locator("details.section")
        n_open = "[...document.querySelectorAll('details.section')].filter(e => e.open).length"
        assert sections.count() >= 5 and page.evaluate(n_open) == 0
        page.locator("#unfold").click()
        assert page.evaluate(n_open) == sections.count()
        page.locator("#unfold").click()
        assert page.evaluate(n_open) == 0
        page.locator("#menu").click()
        page.locator("nav ol a[href='#accuracy']").click()  # a link opens what it leads to
        assert page.evaluate(n_open) == 1
        expect(page.locator("#accuracy table.heat").first).to_be_visible()


def test_rows_and_columns_can_be_hidden_and_cells_taken_along(
    browser: Browser, report: Report
) -> None:
    path = report("normal")
    records = Results.read(path.parent).records
    with opened(browser, path) as page:
        shown = page.locator("#accuracy table.heat").first.locator("tbody tr:visible th[scope=row]")
        assert shown.count() == len(ROWS)
        page.locator(".tools input").fill("SVD")
        assert shown.all_inner_texts() == ["surprise-svd"]
        expect(page.locator(".tools")).to_contain_text(f"1 of {len(ROWS)} rows shown")
        page.locator(".tools input").fill("")
        page.get_by_role("button", name="surprise", exact=True).click()
        assert shown.count() == len(ROWS) - 2

        bar = page.locator("#accuracy .tablebar").first
        expect(bar).to_contain_text("not shown, since equal in all rows: coverage (1.0000)")
        head = page.locator("#accuracy table.heat").first.locator("thead th", has_text="coverage")
        expect(head).to_be_hidden()
        bar.locator("summary").click()
        bar.get_by_label("coverage").check()
        expect(head).to_be_visible()
        bar.get_by_role("button", name="copy as Markdown").click()
        expect(bar).to_contain_text(re.compile("copied|does not let"))

        with page.expect_download() as download:
            bar.get_by_role("button", name="save as CSV").click()
        head_line, *table = csv.reader(download.value.path().read_text().splitlines())
        assert head_line[:3] == ["row", "RMSE", "MAE"]
        means = {row.name: row.mean("rmse") for row in Results.read(path.parent).rows}
        assert [line[0] for line in table] == shown.all_inner_texts()  # of the families shown
        for name, rmse, *_ in table:
            assert rmse == "–" if means[name] is None else float(rmse) == pytest.approx(means[name])

        with page.expect_download() as download:
            page.get_by_role("button", name="all cells as CSV").click()
        lines = download.value.path().read_text().splitlines()
        assert len(lines) == 1 + len(records) and lines[0].startswith("row,fold,status,")


def test_views_of_one_thing_are_chosen_by_buttons(browser: Browser, report: Report) -> None:
    with opened(browser, report("normal"), unfolded=False) as page:
        views = page.locator(".choice .view")
        expect(views.nth(0)).to_be_visible()
        expect(views.nth(1)).to_be_hidden()
        page.get_by_role("button", name="RMSE", exact=True).click()
        expect(views.nth(0)).to_be_hidden()
        expect(views.nth(1).locator("table")).to_be_visible()


def test_48_rows_and_3_folds_print_on_12_pages_of_a4_at_most(
    browser: Browser, report: Report
) -> None:
    path = report("48 rows")
    assert path.stat().st_size <= 2_000_000
    with opened(browser, path, unfolded=False) as page:
        printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page[^s]", printed)) <= 12


def names(page: Page) -> list[str]:
    """The rows of the first heatmap from above."""
    return [
        name.strip()
        for name in page.locator("#accuracy table.heat")
        .first.locator("th[scope=row]")
        .all_inner_texts()
    ]


def test_a_click_on_a_head_sorts_both_ways_and_back(browser: Browser, report: Report) -> None:
    path = report("half failed")
    results = Results.read(path.parent)
    with opened(browser, path) as page:
        original = names(page)
        assert original == [row.name for row in results.rows]
        for column in ("rmse", "ndcg@10"):
            means = {
                row.name: mean for row in results.rows if (mean := row.mean(column)) is not None
            }
            below = [name for name in original if name not in means]
            assert below
            head = page.locator("#accuracy table.heat thead th", has_text=column).first
            rising = sorted(means, key=lambda name: means[name])
            orders = [(rising, "ascending"), (rising[::-1], "descending")]
            best_first = orders if column == "rmse" else orders[::-1]
            for expected, state in best_first:
                head.locator("button").click()
                assert names(page) == expected + below
                assert head.get_attribute("aria-sort") == state
            head.locator("button").press("Enter")
            assert names(page) == original and head.get_attribute("aria-sort") is None


def test_every_sortable_column_sorts(browser: Browser, report: Report) -> None:
    """Also columns whose numbers are written with a sign, a comma or words; and text as text."""
    orders = """table => [...table.querySelectorAll('thead th')].map(head => {
        const rows = [...table.querySelectorAll('tbody tr')].filter(row => row.cells.length > 1);
        const known = rows.map(row => row.cells[head.cellIndex])
            .map(cell => cell.dataset.value ?? cell.textContent.trim());
        const button = head.querySelector('button');
        const seen = [1, 2, 3].map(() => { button.click(); return table.tBodies[0].textContent; });
        const differs = new Set(known.filter(text => text && text !== '–')).size > 1;
        return [head.textContent, differs, seen[0] !== seen[1]];
    })"""
    with opened(browser, report("normal")) as page:
        tables = page.locator("table.sortable").all()
        assert len(tables) >= 4
        for table in tables:
            for head, differs, sorts in table.evaluate(orders):
                assert sorts or not differs, head


def test_the_pointer_shows_the_folds(browser: Browser, report: Report) -> None:
    path = report("normal")
    row = next(row for row in Results.read(path.parent).rows if row.name == "surprise-svd")
    with opened(browser, path) as page:
        tip = page.locator("#tip")
        expect(tip).to_be_hidden()
        line = page.locator("#accuracy table.heat").first.locator("tr", has_text="surprise-svd")
        line.locator("td").first.hover()
        expect(tip).to_be_visible()
        for value in (*row.values("rmse"), row.mean("rmse")):
            expect(tip).to_contain_text(words.number(value))
        expect(tip).to_contain_text(f"fit {words.duration(row.seconds('fit'))},")
        page.keyboard.press("Escape")
        expect(tip).to_be_hidden()
        line.locator("td").nth(1).hover()
        expect(tip).to_be_visible()
        page.mouse.move(1, 1)
        expect(tip).to_be_hidden()


def test_the_keyboard_goes_through_the_heatmap(browser: Browser, report: Report) -> None:
    at = "document.activeElement.getBoundingClientRect().toJSON()"
    with opened(browser, report("48 rows")) as page:
        tip = page.locator("#tip")
        page.locator("#accuracy table.heat").first.locator(
            "thead th:not([hidden]) button"
        ).last.focus()
        page.keyboard.press("Tab")
        for _ in range(30):
            expect(tip).to_be_visible()
            described = page.evaluate("document.activeElement.getAttribute('aria-description')")
            assert described == tip.text_content() and "RMSE" in described
            page.keyboard.press("ArrowDown")
        page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        focused = page.evaluate(at)
        box = tip.bounding_box()
        head = page.locator("#accuracy thead").first.bounding_box()
        assert box and head and focused["top"] > 0 and focused["bottom"] < 800
        assert (
            0
            <= min(
                abs(box["y"] - focused["bottom"]), abs(box["y"] + box["height"] - focused["top"])
            )
            <= 10
        )
        page.keyboard.press("ArrowRight")
        expect(tip).to_contain_text("MAE")
        page.keyboard.press("Escape")
        expect(tip).to_be_hidden()
        for _ in range(40):
            page.keyboard.press("ArrowUp")
        assert page.evaluate(at)["top"] >= head["y"]
        page.keyboard.press("Tab")  # one stop, whatever the heatmap's size
        assert (
            page.evaluate(
                "document.activeElement.closest('#accuracy table.heat')?.caption.innerText"
            )
            != page.locator("#accuracy caption").first.inner_text()
        )


FAINT = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => numbers(colour).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + [0.2126, 0.7152, 0.0722][i] * c, 0);
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if ((numbers(colour)[3] ?? 1) > 0) return colour;
        }
    };
    const faint = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let read = 0;
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const isEmpty = !walker.currentNode.data.trim();
        if (isEmpty || !element.checkVisibility() || element.closest('script')) continue;
        const both = [getComputedStyle(element).color, behind(element)].map(luminance);
        read += 1;
        const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
        if (contrast < 4.5) faint.push([contrast, walker.currentNode.data.trim().slice(0, 60)]);
    }
    return [faint, read, luminance(getComputedStyle(document.body).backgroundColor)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["half failed", "simulated"])
def test_all_text_stands_out_from_its_background(
    browser: Browser, report: Report, kind: str, scheme: Any
) -> None:
    with opened(browser, report(kind), color_scheme=scheme) as page:
        page.locator("#accuracy td[data-value]").first.hover()  # the tip is text too
        faint, read, paper = page.evaluate(FAINT)
        assert faint == [] and read > 300
        assert paper < 0.05 if scheme == "dark" else paper > 0.9


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "simulated"])
def test_print_is_dark_on_white_and_cuts_nothing_off(
    browser: Browser, report: Report, kind: str
) -> None:
    folded = "<details><summary>more</summary><p>what is folded away on the screen</p></details>"
    with opened(browser, report(kind), PAPER, color_scheme="dark") as page:
        page.evaluate(f"document.querySelector('main').insertAdjacentHTML('beforeend', '{folded}')")
        page.emulate_media(media="print")
        for hidden in ("nav", ".skip", "#tip"):
            expect(page.locator(hidden)).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
        cut = (
            "[...document.querySelectorAll('main *')].filter(e => "
            "e.getBoundingClientRect().right > innerWidth + 1)"
        )
        assert page.evaluate(f"{cut}.map(e => e.outerHTML.slice(0, 100))") == []
        assert page.evaluate(
            "[...document.querySelectorAll('details p')].every(p => p.checkVisibility())"
        )
        faint, _, paper = page.evaluate(FAINT)
        assert faint == [] and paper == 1


STRUCTURE = """() => ({
    headings: [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
        .map(e => Number(e.tagName[1])),
    landmarks: ['body > header', 'nav[aria-label]', 'main']
        .map(name => document.querySelectorAll(name).length),
    nameless: [...document.querySelectorAll('table')]
        .filter(e => !(e.caption?.textContent || e.ariaLabel)).length,
    scopeless: [...document.querySelectorAll('th:not([scope])')].map(e => e.outerHTML),
    blind: [...document.querySelectorAll('img')].filter(e => !e.alt.trim()).length,
    leads: [...document.querySelectorAll('nav ol a')].map(e => e.hash),
    sections: [...document.querySelectorAll('main > section')].map(e => '#' + e.id),
    headless: document.querySelectorAll('main > section:not(:has(> h2:first-child,'
        + ' > details > summary:first-child > h2))').length,
    twins: [...document.querySelectorAll('[id]')].map(e => e.id)
        .filter((id, i, ids) => ids.indexOf(id) !== i),
    handlers: [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())
        .filter(a => a.startsWith('on')),
})"""


@pytest.mark.parametrize("kind", KINDS)
def test_headings_tables_and_figures_can_be_told_by_ear(
    browser: Browser, report: Report, kind: str
) -> None:
    with opened(browser, report(kind)) as page:
        found = page.evaluate(STRUCTURE)
    levels = found.pop("headings")
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert found.pop("landmarks") == [1, 1, 1]
    assert found.pop("leads") == found.pop("sections")
    assert {what: value for what, value in found.items() if value} == {}


@pytest.mark.parametrize(("width", "scheme"), [(SCREEN, "light"), (PHONE, "dark")])
@pytest.mark.parametrize("kind", ["half failed", "simulated"])
def test_axe_finds_nothing(
    browser: Browser, report: Report, kind: str, width: int, scheme: Any
) -> None:
    with opened(browser, report(kind), width, color_scheme=scheme) as page:
        violations = Axe().run(page).response["violations"]
        assert [(one["id"], one["help"], one["nodes"][0]["html"]) for one in violations] == []


@pytest.mark.parametrize("width", [PHONE, SCREEN])
def test_the_list_of_sections_leads_there_and_tells_where_one_is(
    browser: Browser, report: Report, width: int
) -> None:
    with opened(browser, report("normal"), width) as page:
        menu = page.locator("#menu")
        links = page.locator("nav ol a")
        for index in (1, 4):
            expect(links.nth(index)).to_be_hidden()
            menu.click()
            page.keyboard.press("Escape")
            expect(links.nth(index)).to_be_hidden()
            menu.press("Enter")
            links.nth(index).click()
            heading = page.get_by_role(
                "heading", name=links.nth(index).text_content() or "", exact=True
            )
            expect(heading).to_be_in_viewport()
            expect(page.locator("nav a[aria-current]")).to_have_count(1)
            expect(links.nth(index)).to_have_attribute("aria-current", "true")
            expect(menu).to_contain_text(links.nth(index).text_content() or "")
            bar = page.locator("nav").bounding_box()
            place = heading.bounding_box()
            assert bar and place and bar["y"] == 0 and place["y"] >= bar["height"]
        page.locator("nav .top").click()
        expect(page.locator("h1")).to_be_in_viewport()


def test_the_first_stop_of_the_keyboard_skips_to_the_report(
    browser: Browser, report: Report
) -> None:
    with opened(browser, report("normal"), unfolded=False) as page:
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        expect(page.locator(".skip")).to_be_in_viewport(ratio=1)
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_a_command_is_copied_or_selected(browser: Browser, report: Report) -> None:
    with opened(browser, report("normal")) as page:
        button = page.locator("pre .copy").first
        button.click()
        expect(button).to_have_text("copied")
    with opened(browser, report("normal")) as page:
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
        page.locator("pre .copy").first.click()
        expect(page.locator("pre .copy").first).to_have_text("selected")
        assert page.evaluate("getSelection().toString().trim()").startswith(
            "python -m benchmarks.run"
        )


def test_a_film_called_like_a_script_stays_text(
    browser: Browser, run_here: RunHere, ratings_file: Path, tmp_path: Path
) -> None:
    """A real run: every film of the table has that name, so that whichever is shown, it is shown
    like this.
    """
    films = tmp_path / "films.csv"
    films.write_text("item_id,title\n" + "".join(f"{item},{SCRIPT} {item}\n" for item in range(50)))
    chosen = ("--algorithm", "item-mean", "--algorithm", "popularity")
    data = f"table:{ratings_file}[items={films}]"
    run_here(
        "--dataset", data, *chosen, "--folds", 2, "--out", tmp_path / "out", "--no-report", check=0
    )
    with opened(browser, written_page(tmp_path / "out"), PHONE) as page:
        assert page.locator("script").count() == 2  # the records and the page's own
        assert SCRIPT not in page.evaluate(
            "document.body.innerHTML.replace(/<script[^]*<\\/script>\\s*$/, '')"
        )
        for place in page.get_by_text("alert(1)").all():
            assert SCRIPT in (place.text_content() or "")
