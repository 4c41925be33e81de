"""Text of others inside Markdown as GitHub shows it, which stays just this text.

No heading, table, link, picture or HTML comes of it, nobody is notified, and no bare address
becomes a link.
"""

import re
from collections.abc import Iterator

from recbench.datasets.foundation.legible import LONGEST_LINE, make_legible

# What GitHub makes a link of by itself, or notifies somebody of: `@name`, `#12`, addresses. The
# cutoff in `precision@10` is none.
ADDRESSES = re.compile(
    r"""
    [\w.+-]*(?<![^\W_])@[\w/-]+             # @name, also behind a dot or a bracket
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+          # name@example.org
    | [\w+.-]+://\S*                        # https://example.org
    | (?<!\w)(?:mailto|xmpp):\S+
    | (?<!\w)www\.\S+
    | (?:[\w.-]+/[\w.-]+|(?<!\w))\#\d+\b    # #12, owner/name#12
    | (?<!\w)GH-\d+\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
SPECIAL = re.compile(r"([\\`*_\[\]|~])")
ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("$", "&#36;"))

# What begins a heading, a list, a rule or a quotation at the beginning of a line.
BEGINNING = re.compile(
    r"\s*(?:\d{1,9}(?=[.)](?:\s|$))|(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|-{2,}|=+\s*$))"
)


def find_addresses(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of `text` in order, each with whether GitHub would make a link of it."""
    end = 0
    for match in ADDRESSES.finditer(text):
        if match.start() > end:
            yield text[end : match.start()], False
        yield match[0], True
        end = match.end()
    if end < len(text):
        yield text[end:], False


def escape_markdown(text: str, *, longest: int = LONGEST_LINE) -> str:
    """`text`, made legible, as Markdown that shows just it, in a table cell too.

    Ends of lines become `<br>`, and what would be linked, or would notify somebody, becomes code.
    """
    lines = make_legible(text, longest=longest).split("\n")
    return "<br>".join(map(_escape_line, lines)).removesuffix("<br>")


def _escape_line(line: str) -> str:
    line = re.sub(r"^\s{2,}", " ", line)  # four spaces would begin a block of code
    parts = []
    for part, is_address in find_addresses(line):
        if is_address:
            parts.append(format_code(part))
            continue
        escaped = SPECIAL.sub(r"\\\1", part)
        for character, entity in ENTITIES:
            escaped = escaped.replace(character, entity)
        parts.append(escaped)

    escaped_line = "".join(parts)
    beginning = BEGINNING.match(escaped_line)
    if beginning is None:
        return escaped_line
    return f"{beginning[0]}\\{escaped_line[beginning.end() :]}"


def format_code(text: str) -> str:
    """`text`, made legible, as code in a line or a table cell, where pipes need a backslash."""
    line = make_legible(text, longest=LONGEST_LINE, keeps_lines=False)
    ticks = "`" * (1 + longest_run_of_ticks(line))
    pad = " " if "`" in line else ""
    return f"{ticks}{pad}{line}{pad}{ticks}".replace("|", r"\|")


def longest_run_of_ticks(text: str) -> int:
    """How many backticks follow each other in `text` at most; code needs one more around it."""
    return max((len(run) for run in re.findall("`+", text)), default=0)
