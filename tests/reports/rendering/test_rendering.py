"""Each kind of block is shown by both renderers, and text from the data stays text."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import unquote

import pytest
from matplotlib.figure import Figure as DrawnFigure

from recbench import reports
from recbench.datasets.foundation import import_all
from recbench.reports import several
from recbench.reports.drawing import Column, Heatmap, Line, Picture, Square, differences
from recbench.reports.rendering import (
    Appendix,
    Beside,
    Block,
    Bullets,
    Card,
    Cards,
    Cautions,
    Choice,
    Code,
    Command,
    Commands,
    Definition,
    Definitions,
    Details,
    FailedCells,
    Figure,
    Gallery,
    Glossary,
    Heading,
    HeatmapTable,
    Link,
    MatrixTable,
    MissingCell,
    Note,
    Option,
    Pairs,
    Paragraph,
    References,
    RowName,
    SectionLink,
    Sign,
    Spoken,
    StarredTitles,
    Strong,
    Table,
    TableCell,
    TableHead,
    TableLine,
    TableRemark,
    Tag,
    Term,
    Verbatim,
    list_pictures,
    render_html,
    render_markdown,
)
from recbench.reports.sections import SECTIONS, Sections
from tests.reports.test_reports import Page

HOSTILE = "<b>x</b> | *y* & `z`"
NOT_SECTIONS = {"__init__", "registry"}


def picture(name: str) -> Picture:
    return Picture(name, f"alternative of {HOSTILE}", DrawnFigure)


def heatmap() -> Heatmap:
    squares = [
        Square("0.9", "tip", 0.9, 0.0, "best", note="0.8 to 1.0"),
        Square("timeout", "killed", failed=True),
    ]
    columns = [Column("rmse", "stars", "↓"), Column("fit", "s", "")]
    lines = [Line("als[a=1,b=2]", "sgd", squares), Line(HOSTILE, "sgd", [], "failed", "why")]
    return Heatmap("heat", "heat title", columns, lines)


def matrix() -> differences.Matrix:
    gap = differences.Gap("tip of a gap", 0.5, 0.4, 0.6, 0.01, better=True, shade=1.0)
    return differences.Matrix("rmse", ["first", HOSTILE], [[None, gap], [gap, None]], 2)


def table() -> Table:
    everything = (
        TableCell((Sign("✓ "), HOSTILE), small=("small", Spoken(" heard")), is_hit=True),
        TableCell("7", sort_value=7.0),
        TableCell(Command("run it | now")),
    )
    return Table(
        "region",
        "caption",
        (
            TableHead("row", "text"),
            TableHead("title", "text", small=("below",)),
            TableHead("n"),
            TableHead("again", "command"),
        ),
        (
            TableLine(RowName("als[a=1,b=2]"), everything),
            TableLine("failed one", (FailedCells(HOSTILE, 2), MissingCell("not asked"))),
            TableRemark("… 3 more …"),
        ),
        is_sortable=True,
    )


EXAMPLES: dict[type[Any], Block] = {
    Heading: Heading(HOSTILE),
    Paragraph: Paragraph((HOSTILE, Code("c|d"), Strong("no"), Link("there", "a%20b.html"))),
    Note: Note(HOSTILE),
    Verbatim: Verbatim(HOSTILE),
    Bullets: Bullets((HOSTILE, "second")),
    References: References((HOSTILE, "second")),
    StarredTitles: StarredTitles((("5", HOSTILE),)),
    Definitions: Definitions((Definition(HOSTILE, "meaning", "unit"), Definition("f", "a\nb"))),
    Pairs: Pairs("caption", (("name", HOSTILE),)),
    Commands: Commands("caption", (("row", HOSTILE),)),
    Table: table(),
    Figure: Figure(picture("figure"), HOSTILE, region="wide"),
    Gallery: Gallery((Figure(picture("small"), HOSTILE),)),
    HeatmapTable: HeatmapTable(heatmap(), picture("heat"), HOSTILE, tips="its folds"),
    MatrixTable: MatrixTable(matrix(), picture("matrix"), HOSTILE, tips="its interval"),
    Details: Details(HOSTILE, (Paragraph("inside"), Figure(picture("folded"), "below"))),
    Appendix: Appendix("more", HOSTILE, (Paragraph("inside"), Figure(picture("apart"), "below"))),
    Glossary: Glossary((Term("row", HOSTILE, ("rows",)),)),
    Cards: Cards(
        (Card("Best?", (HOSTILE, Tag("tuned", True)), "0.4", "remark", is_good_news=True),)
    ),
    Cautions: Cautions("Take care.", (HOSTILE, ("see ", SectionLink("more", "accuracy")))),
    Beside: Beside(Paragraph(HOSTILE), Figure(picture("beside"), "below")),
    Choice: Choice(
        "by",
        (
            Option("first", (Paragraph(HOSTILE),)),
            Option("second", (Figure(picture("other"), "below"),)),
        ),
    ),
}


def test_there_is_an_example_of_every_kind_of_block() -> None:
    assert set(EXAMPLES) == set(get_args(Block))


@pytest.mark.parametrize("block", EXAMPLES.values(), ids=lambda block: type(block).__name__)
def test_both_renderers_show_every_block_and_text_stays_text(block: Block) -> None:
    html = str(render_html([block]))
    markdown = render_markdown([block])
    assert HOSTILE in Page(html).text
    assert "<b>" not in html
    if not isinstance(block, Verbatim | Commands):  # what is fenced is shown letter by letter
        assert "<b>" not in markdown
    assert re.search("&lt;b&gt;x|<b>x", markdown)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_an_unknown_block_is_an_error_in_both(render: Callable[[list[Block]], str]) -> None:
    unknown = cast(Block, object())
    with pytest.raises(AssertionError, match="unreachable"):
        render([unknown])
    with pytest.raises(AssertionError, match="unreachable"):
        render([Details("summary", (unknown,))])
    with pytest.raises(AssertionError, match="unreachable"):
        render([Paragraph(cast(Any, (object(),)))])


def test_a_table_keeps_its_columns_in_markdown_and_its_marks_in_html() -> None:
    lines = [line for line in render_markdown([table()]).splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert lines[0] == r"| row | title<br>below | n | again |"
    assert lines[1] == "| :-- | :-- | --: | :-- |"
    assert lines[2].startswith("| als\\[a=1,b=2\\] | ✓ &lt;b&gt;x")
    assert "<br>small | 7 | `run it \\| now` |" in lines[2]
    assert lines[3].endswith("| – | – (not asked) |")
    assert "– (no mean: " in lines[3]
    assert lines[4] == "| … 3 more … |  |  |  |"

    html = render_html([table()])
    assert 'class="lined sortable"' in html
    assert '<td class="text hit"><span aria-hidden="true">✓ </span>' in html
    assert '<span class="visually-hidden"> heard</span>' in html
    assert '<td data-value="7.0">7</td>' in html
    assert '<td class="failed" colspan="2">' in html
    assert "als[a=1,<wbr>b=2]" in html
    assert '<td class="text" colspan="4">… 3 more …</td>' in html


def test_numbers_of_a_heatmap_stand_in_both() -> None:
    block = EXAMPLES[HeatmapTable]
    markdown = render_markdown([block])
    assert "![alternative of" in markdown and "](figures/heat.svg)" in markdown
    assert r"| als\[a=1,b=2\] | ★ 0.9<br>0.8 to 1.0 | timeout |" in markdown
    assert "★: best mean." in markdown
    assert "Below a number: its 95 % interval over users." in markdown
    assert "hatched" not in markdown  # nothing is hatched in a table of text

    html = render_html([block])
    assert "Point at a number or go there with the arrow keys for its folds" in html
    assert html.count("<tbody>") == 1 and 'scope="rowgroup" colspan="3"' in html
    assert '<span class="visually-hidden">best: </span>0.9<small>0.8 to 1.0</small>' in html


def test_every_picture_is_found_however_deep() -> None:
    names = [picture.name for picture in list_pictures(EXAMPLES.values())]
    assert names == ["figure", "small", "heat", "matrix", "folded", "apart", "beside", "other"]


# Of pages about several runs
OF_SEVERAL: tuple[Sections[Any], ...] = (
    several.COMPARISON_SECTIONS,
    several.HISTORY_SECTIONS,
    several.PAIR_SECTIONS,
)


def test_a_section_has_a_file_of_its_name_and_every_one_is_shown() -> None:
    import_all(reports)
    folder = Path(reports.__file__ or "").parent / "sections"
    files = {path.stem for path in folder.rglob("*.py")}
    assert set(SECTIONS) == files - NOT_SECTIONS
    for name, section in SECTIONS.items():
        module = section.describe.__module__
        assert module.startswith("recbench.reports.sections.") and module.endswith(f".{name}")
    for sections in (SECTIONS, *OF_SEVERAL):
        places = [section.place for section in sections.values()]
        assert places == sorted(set(places))


def test_two_sections_with_one_name_heading_or_place_are_refused() -> None:
    sections = Sections[str]()

    @sections.section("First?", place=20)
    def first(subject: str) -> list[Block] | None:
        return [Paragraph(subject)]

    @sections.section("Zeroth?", place=10)
    def zeroth(subject: str) -> list[Block] | None:
        return None

    assert list(sections) == ["zeroth", "first"]
    assert sections["first"].describe("said") == [Paragraph("said")]

    def other(subject: str) -> list[Block] | None:
        return None

    with pytest.raises(ValueError, match="two sections 'first'"):
        sections.section("Other?", place=30)(first)
    with pytest.raises(ValueError, match="first and other ask 'First\\?'"):
        sections.section("First?", place=30)(other)
    with pytest.raises(ValueError, match="first and other have place 20"):
        sections.section("Other?", place=20)(other)
    with pytest.raises(TypeError, match="place"):
        sections.section("Without a place?")(other)  # type: ignore[call-arg]


def test_a_large_picture_is_whole_in_the_page() -> None:
    """Texts of others are cut; a picture that was cut would be no picture."""

    def draw() -> DrawnFigure:
        drawn = DrawnFigure()
        axes = drawn.subplots()
        axes.plot(range(3000), [n * n % 97 for n in range(3000)])
        return drawn

    large = Picture("large", "many points", draw)
    html = render_html([Figure(large, "caption")])
    assert len(large.uri) > 20_000
    assert large.uri in html
    # What a browser makes of the address is the picture, less the ends of its lines
    assert "'" not in large.uri
    (_, content) = large.uri.split(",", 1)
    assert unquote(content).encode() == large.svg.replace(b"\n", b" ")
