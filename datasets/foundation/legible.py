"""Text of others, which may hold anything, as it can be kept and shown anywhere.

Names, titles, reasons and rows come from files, libraries and plans of strangers. What cannot be
seen in them, or would steer a terminal or turn a line around, is written out; what is endless is
cut.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

LONGEST_TEXT = 20_000  # characters: a paragraph that names some hundred rows has them
LONGEST_LINE = 1000  # of what is a name or a title

# Zero-width characters that are part of words in some scripts, and of emoji.
JOINERS = "\u200c\u200d"
FIRST_JOINED = "\u0600"  # no script before this one needs them: not Latin, Greek nor Cyrillic

# Letters and marks by their category, which nobody can see.
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
UNSEEN_SELECTORS = range(0xE0100, 0xE01F0)


def make_legible(text: str, *, longest: int = LONGEST_TEXT, keeps_lines: bool = True) -> str:
    """`text` without what cannot be seen, at most about `longest` characters long.

    Lone surrogates, control characters and with them terminal escapes, bidirectional and zero-width
    characters are written out as Python would write them; spaces of any kind become spaces. Ends of
    lines become line feeds, or spaces without `keeps_lines`. What is cut says so, and how long it
    was. A legible text stays as it is.

    >>> make_legible("a\\x1b[31mb\\u202ec")
    'a\\\\x1b[31mb\\\\u202ec'
    """
    if len(text) > longest:
        # The remark comes first, so that a cut text is not cut again.
        remark = f" ... ({len(text):,} characters)"
        text = text[: max(0, longest - len(remark))] + remark
    if text.isascii() and text.isprintable():
        return text

    lines = text.splitlines() if keeps_lines else [" ".join(text.splitlines())]
    if keeps_lines and text.endswith("\n"):
        lines.append("")
    return "\n".join(map(_write_out, lines))


def _write_out(line: str) -> str:
    """A line with what cannot be seen in it written out."""
    if line.isascii() and line.isprintable():
        return line
    parts = []
    for place, character in enumerate(line):
        if character == "\t" or unicodedata.category(character) == "Zs":
            parts.append(" ")
        elif _can_be_seen(character) or _joins(line, place):
            parts.append(character)
        else:
            parts.append(character.encode("ascii", "backslashreplace").decode("ascii"))
            if parts[-1] == character:  # ASCII, such as escape
                parts[-1] = f"\\x{ord(character):02x}"
    return "".join(parts)


def _can_be_seen(character: str) -> bool:
    """Whether a character is printable and more than an empty place."""
    if character in UNSEEN or ord(character) in UNSEEN_SELECTORS:
        return False
    return character.isprintable()


def _joins(line: str, place: int) -> bool:
    """Whether there is a joiner between two characters whose scripts use it."""
    if line[place] not in JOINERS or not 0 < place < len(line) - 1:
        return False
    return min(line[place - 1], line[place + 1]) >= FIRST_JOINED


def open_console(**options: Any) -> "Console":
    """Where a command prints: a console of rich with these `options`, for text of any origin.

    Nothing in it is taken for markup or for the name of an emoji unless `options` say so.
    """
    usual = {"highlight": False, "markup": False, "emoji": False}
    return _define_console()(**(usual | options))


@lru_cache
def _define_console() -> "type[Console]":
    """The class of these consoles, made when one is wanted: everybody imports this room, and few
    print.
    """
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class LegibleConsole(Console):
        """A console of rich whose text is made legible, whatever is printed on it."""

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            """As rich does, but for the text of the segments; its own control codes stay."""
            for segment in super().render(renderable, options):
                if segment.control is None:
                    yield Segment(make_legible(segment.text), segment.style)
                else:
                    yield segment

    return LegibleConsole
