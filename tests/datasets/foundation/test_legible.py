"""Text of strangers, character by character, and as Markdown."""

import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.table import Table
from rich.text import Text

from recbench.datasets.foundation import escape_markdown, make_legible, open_console
from recbench.datasets.foundation.markdown import format_code
from tests.conftest import ROOT
from tests.plugins.hostile import HOSTILE

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=60)


def unseen(text: str) -> list[str]:
    """The characters of a text that nobody should meet."""
    forbidden = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
    return [
        character
        for character in text
        if character != "\n" and unicodedata.category(character) in forbidden
    ]


@pytest.mark.parametrize(
    ("text", "legible"),
    [
        ("plain text, 7 %", "plain text, 7 %"),
        ("Сталкер – 千と千尋の神隠し – Amélie", "Сталкер – 千と千尋の神隠し – Amélie"),
        ("caf\udce9.csv", r"caf\udce9.csv"),
        ("\ud83d", r"\ud83d"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("bell\x07 null\x00 del\x7f c1\x9b", r"bell\x07 null\x00 del\x7f c1\x9b"),
        ("\u202egnp.exe\u202c \u2066x\u2069", r"\u202egnp.exe\u202c \u2066x\u2069"),
        ("\u200e\u200f\u061c", r"\u200e\u200f\u061c"),
        ("zero\u200bwidth\u2060 \ufeff\u00ad", r"zero\u200bwidth\u2060 \ufeff\xad"),
        ("a\u200db \u3164\u2800\u034f", r"a\u200db \u3164\u2800\u034f"),
        ("\U000e0041tag \U000e0100", r"\U000e0041tag \U000e0100"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627", "\u0645\u06cc\u200c\u062e\u0648\u0627"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("no\u00a0break\tand\u3000wide", "no break and wide"),
        ("one\r\ntwo\rthree\u2028four\x0bfive\n", "one\ntwo\nthree\nfour\nfive\n"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_written_out(text: str, legible: str) -> None:
    assert make_legible(text) == legible
    assert make_legible(legible) == legible
    assert make_legible(text, keeps_lines=False) == make_legible(text.rstrip("\n")).replace(
        "\n", " "
    )


@given(ANY_TEXT)
def test_any_text_becomes_legible_once_and_for_all(text: str) -> None:
    legible = make_legible(text)
    assert not [c for c in unseen(legible) if c not in "\u200c\u200d"]
    assert make_legible(legible) == legible
    legible.encode()  # no lone surrogate is left


def test_what_is_endless_is_cut_and_says_so() -> None:
    cut = make_legible("x" * 10_000_000, longest=1000)
    assert len(cut) == 1000 and cut.endswith("x ... (10,000,000 characters)")
    assert make_legible(cut, longest=1000) == cut


def rendered(source: str) -> list[tuple[str, str]]:
    """The tokens of a piece of Markdown as GitHub reads it: type and content."""
    tokens = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source):
        tokens.append((token.type, token.content))
        tokens += [(child.type, child.content) for child in token.children or ()]
    return tokens


ENDS_OF_BLOCKS = ("td_close", "th_close", "paragraph_close", "heading_close")


def plain_text_of(source: str) -> str:
    """What a reader sees of a piece of Markdown but for code, which nothing is made of.

    What stands in two cells of a table, or in two paragraphs, is not read as one word.
    """
    pieces = []
    for kind, content in rendered(source):
        if kind == "text":
            pieces.append(content)
        elif kind in ENDS_OF_BLOCKS:
            pieces.append("\n")
    return "".join(pieces)


LINKED = re.compile(r"(?<!\w)@\w|\w@\w+\.\w|://|www\.\w|(?<!\w)#\d", re.IGNORECASE)


def test_markdown_of_a_hostile_text_shows_just_it() -> None:
    kinds = {kind for kind, _ in rendered(escape_markdown(HOSTILE))}
    assert kinds <= {
        "paragraph_open", "paragraph_close", "inline", "text", "text_special", "code_inline",
        "html_inline", "softbreak",
    }  # fmt: skip
    html = [
        content for kind, content in rendered(escape_markdown(HOSTILE)) if kind == "html_inline"
    ]
    assert set(html) == {"<br>"}
    assert not LINKED.search(plain_text_of(escape_markdown(HOSTILE)))
    table = f"| a | b |\n| :-- | :-- |\n| {escape_markdown(HOSTILE)} | {format_code(HOSTILE)} |"
    assert [kind for kind, _ in rendered(table)].count("td_open") == 2


@pytest.mark.parametrize(
    "text",
    [
        "@octocat", "cc @octocat, @octo/team", "(@octocat)", "a.b@example.org", "HTTPS://x.org/a_b",
        "see www.example.org.", "javascript://x", "mailto:a@b.c", "fixes #12", "owner/repo#3",
        "GH-5", ".@octocat",
    ],
)  # fmt: skip
def test_names_and_addresses_become_code(text: str) -> None:
    escaped = escape_markdown(text)
    assert not LINKED.search(plain_text_of(escaped))
    seen = "".join(c for kind, c in rendered(escaped) if kind in ("text", "code_inline"))
    assert seen == text


def test_a_cutoff_is_no_name() -> None:
    assert escape_markdown("ndcg@10 of lightfm:precision@10") == "ndcg@10 of lightfm:precision@10"


@pytest.mark.parametrize(
    "text",
    [
        "# heading", "###### heading", "- item", "+ item", "1. item", "12) item", "> quote",
        "---", "===", "    code", "\tcode", "| a | b |\n| - | - |", "~~~", "```", "<!-- x", "&amp;",
        "[a]: http://x", "![a](b)", "*a* _b_ `c` ~~d~~", "\\", "Title\n===", "a\n# b", "$x$",
    ],
)  # fmt: skip
def test_a_line_that_begins_like_markdown_stays_a_line(text: str) -> None:
    kinds = [kind for kind, _ in rendered(escape_markdown(text))]
    assert set(kinds) <= {
        "paragraph_open", "paragraph_close", "inline", "text", "text_special", "code_inline",
        "html_inline",
    }  # fmt: skip


@given(ANY_TEXT)
def test_any_text_is_one_paragraph_of_markdown(text: str) -> None:
    kinds = [kind for kind, _ in rendered(escape_markdown(text))]
    assert kinds.count("paragraph_open") <= 1
    assert not {"heading_open", "link_open", "image", "em_open", "table_open", "fence"} & set(kinds)


def test_nothing_is_printed_past_the_one_console() -> None:
    for package in ("datasets", "adapters", "benchmarks", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            makes_console = re.search(
                r"(?<!\w)(Console|sys\.std(out|err)\.write)\(", path.read_text()
            )
            is_the_class = path.name == "legible.py"
            assert is_the_class or not makes_console, f"{path}: use open_console"


def test_a_terminal_gets_no_escapes_but_those_of_the_style() -> None:
    file = io.StringIO()
    console = open_console(file=file, width=200)
    console.print(HOSTILE, style="bold red")
    table = Table("row", "x")
    table.add_row(HOSTILE, Text(HOSTILE, "red"))
    console.print(table)
    console.print("[bold]als[n=1][/bold] :smile:")
    assert not unseen(file.getvalue())
    assert "[bold]als[n=1][/bold] :smile:" in file.getvalue()

    file = io.StringIO()
    open_console(file=file, force_terminal=True, color_system="standard").print(
        "x\x1b[2J", style="red"
    )
    assert file.getvalue() == "\x1b[31mx\\x1b[2J\x1b[0m\n"
