"""Text that somebody else has written, as LaTeX that prints just this text and compiles."""

import re
import unicodedata
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from recbench.datasets.foundation import make_legible
from recbench.reports import words

TEMPLATES = Path(__file__).parents[1] / "templates"

# Letters that mean something to LaTeX, and those that its usual fonts lack.
LETTERS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": "$-$",
    "–": "--",
    "→": r"$\rightarrow$",
    "∞": r"$\infty$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "★": r"$\star$",
    "✓": r"$\surd$",
    "☆": r"$\circ$",
    "†": r"$\dagger$",
    "▽": r"$\bigtriangledown$",
    "▼": r"$\bigtriangledown$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "·": r"$\cdot$",
}
TABLE_OF_LETTERS = str.maketrans(LETTERS)

DIGEST = re.compile(r"\b[0-9a-f]{40,}\b")  # of data and files, and the hash of a commit
# What the T1 fonts of pdfTeX have beyond ASCII. Whatever else there is would end a compilation.
PRINTED = re.compile(r"[\x20-\x7e\xa1-\xff\u0100-\u0107\u010a-\u011b\u011e-\u0123\u0130\u0131"
    r"\u0139-\u013e\u0141-\u0148\u014a\u014b\u0150-\u0155\u0158-\u0165\u016e-\u0171\u0178-\u017e"
    r"\u2018-\u201a\u201c-\u201e\u2026\u2014\u20ac]")  # fmt: skip


def escape_latex(value: object) -> Markup:
    """Text as LaTeX that prints just this text, in one line.

    `Markup` is taken for LaTeX already. A letter that pdfTeX's fonts do not have is written as
    [U+4E2D], since with it nothing would compile.
    """
    if isinstance(value, Markup):
        return value
    if value == words.NONE:
        return Markup("--")

    legible = unicodedata.normalize("NFC", make_legible(str(value)))
    text = "".join(map(_replace_letter, legible))
    # Two hyphens that stand in the data must not become a dash.
    text = text.translate(TABLE_OF_LETTERS).replace("--", "-{}-")
    text = re.sub(r"(?<![\w.}])-(?=\d)", "$-$", text)
    return Markup(DIGEST.sub(_let_lines_end, text))


def _let_lines_end(digest: re.Match[str]) -> str:
    """A digest with places where a line may end; it has none, and would leave the page."""
    parts = re.findall(r".{1,8}", digest[0])
    return r"\allowbreak{}".join(parts)


def _replace_letter(letter: str) -> str:
    """The letter itself, a blank for what cannot be seen, or its number."""
    if letter in LETTERS or PRINTED.fullmatch(letter):
        return letter
    if letter.isspace() or not letter.isprintable():
        return " "
    return f"[U+{ord(letter):04X}]"


def escape_bibtex(value: object) -> Markup:
    """Text as the value of a field in braces, which BibTeX counts whatever stands before them."""
    text = str(escape_latex(value))
    return Markup(text.replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}"))


def make_environment() -> Environment:
    """Templates whose marks do not look like LaTeX, and which escape what is put into them."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=escape_latex,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
    )
