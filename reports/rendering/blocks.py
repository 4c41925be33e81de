"""What a section says, as typed blocks that know nothing of HTML or Markdown.

A section returns a list of them, and each renderer of this room shows every one.
"""

from dataclasses import dataclass
from typing import Literal

from recbench.reports.drawing import Heatmap, Matrix, Picture

# What a column of a table holds. Numbers stand on the right, all others on the left: "text" may be
# broken into lines, "word" may not, "reason" keeps its own lines, and "command" can be copied.
Content = Literal["number", "text", "word", "reason", "command"]


@dataclass(frozen=True)
class Code:
    """A piece of text that is typed or read by machines, such as a file's name."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command of one line, which breaks between its words only."""

    text: str


@dataclass(frozen=True)
class Strong:
    """A piece of text that must not be overlooked."""

    text: str


@dataclass(frozen=True)
class Link:
    """A text that leads to an address, which is quoted already."""

    text: str
    address: str


@dataclass(frozen=True)
class SectionLink:
    """A text that leads to the section of that name, where the page has it."""

    text: str
    section: str


@dataclass(frozen=True)
class RowName:
    """The name of a row, such as `als[factors=20,epochs=5]`, which may break after its commas."""

    name: str


@dataclass(frozen=True)
class Sign:
    """A sign for the eye, which is not read aloud; a `Spoken` beside it says the same."""

    text: str


@dataclass(frozen=True)
class Spoken:
    """What is read aloud and not shown, because a sign or a place shows it."""

    text: str


@dataclass(frozen=True)
class Tag:
    """A word or two that sort a line, such as where its defaults come from; one may stand out."""

    text: str
    stands_out: bool = False


Piece = str | Code | Command | Strong | Link | RowName | SectionLink | Sign | Spoken | Tag
Words = Piece | tuple[Piece, ...]


def list_pieces(words: Words) -> tuple[Piece, ...]:
    """The pieces of `words` in order; one piece alone becomes a tuple of one."""
    if isinstance(words, tuple):
        return words
    return (words,)


@dataclass(frozen=True)
class Heading:
    """A heading inside a section: level 3 is below the section's own, and 4 is below that."""

    text: str
    level: Literal[3, 4] = 3


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    words: Words


@dataclass(frozen=True)
class Note:
    """Some sentences that are less important than a paragraph's."""

    words: Words


@dataclass(frozen=True)
class Verbatim:
    """Text that is shown letter by letter, such as a command that can be copied."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list whose order means nothing; each entry is a sentence or two."""

    entries: tuple[str, ...]


@dataclass(frozen=True)
class References:
    """A numbered list of sources, which tables name as `[1]`."""

    entries: tuple[str, ...]


@dataclass(frozen=True)
class StarredTitles:
    """Titles with the number of stars that a user gave to each: (stars, title)."""

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Definition:
    """A term, what it means, and a note on it such as its unit; the note may be empty."""

    term: str
    meaning: str
    note: str = ""


@dataclass(frozen=True)
class Definitions:
    """A list of terms with their meanings; long ones have paragraphs and keep their lines."""

    entries: tuple[Definition, ...]
    are_long: bool = False


@dataclass(frozen=True)
class Term:
    """A word of reports, what it means, and other forms in which it occurs."""

    word: str
    meaning: str
    forms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Glossary:
    """Words with their meanings, to which a page links where they occur."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Pairs:
    """A table of two columns without a head: what it is, and its value."""

    caption: str
    entries: tuple[tuple[str, Words], ...]


@dataclass(frozen=True)
class Commands:
    """A command for each row of the report: (row, command)."""

    caption: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TableHead:
    """The head of a column, with smaller lines below it."""

    words: Words
    content: Content = "number"
    small: tuple[str, ...] = ()
    higher_is_better: bool = False  # a sortable column puts its greatest numbers first
    is_spare: bool = False  # a brief table leaves it out on a phone


@dataclass(frozen=True)
class TableCell:
    """A cell: its text, a smaller line below it, what it is sorted by if not by its text."""

    words: Words
    small: Words = ""
    sort_value: float | None = None
    is_hit: bool = False  # tinted, because it is what one hopes for


@dataclass(frozen=True)
class MissingCell:
    """A cell without a value, and why it has none."""

    reason: str


@dataclass(frozen=True)
class FailedCells:
    """`n_columns` cells without a value, because of the same failure."""

    failure: str
    n_columns: int


@dataclass(frozen=True)
class IntervalCell:
    """An interval drawn to a scale that all lines share, from `start` to `end`; its ends in words.

    All are numbers of the same unit, and `low <= value <= high`.
    """

    text: str
    low: float
    value: float
    high: float
    start: float
    end: float


AnyCell = TableCell | MissingCell | FailedCells | IntervalCell


@dataclass(frozen=True)
class TableLine:
    """A line of a table: what it is about, and the cells of all other columns."""

    head: Words
    cells: tuple[AnyCell, ...]
    stands_out: bool = False  # such as the best of a ranking


@dataclass(frozen=True)
class TableRemark:
    """A line that is not about a row, such as how many lines are left out here."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table with heads; the first column says what a line is about.

    `label` names the region that moves sideways where the page is narrow, for those who hear it.
    """

    label: str
    caption: str
    heads: tuple[TableHead, ...]
    lines: tuple[TableLine | TableRemark, ...]
    is_sortable: bool = False
    is_brief: bool = False  # lines that are read at one glance: close together
    has_titles: bool = False  # of films and the like: columns of equal width, which break


@dataclass(frozen=True)
class Figure:
    """A picture and what is said below it; a wide one moves sideways, in a region of that name."""

    picture: Picture
    caption: str
    region: str = ""


@dataclass(frozen=True)
class Gallery:
    """Small pictures side by side."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class HeatmapTable:
    """A heatmap: a table to point at where pages can be pointed at, else its picture and numbers.

    `tips` is what pointing at a number shows, if a reader has to be told. One that is folded shows
    its title until it is unfolded.
    """

    heatmap: Heatmap
    picture: Picture
    caption: str
    tips: str = ""
    is_folded: bool = False


@dataclass(frozen=True)
class MatrixTable:
    """The differences between all pairs of rows: a table to point at, else its picture."""

    matrix: Matrix
    picture: Picture
    caption: str
    tips: str


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away below a line which says what they are."""

    summary: str
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True)
class Appendix:
    """Blocks that a page folds away below `summary`, and Markdown keeps in `NAME.md` beside it."""

    name: str
    summary: str
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True)
class Card:
    """An answer at a glance: the question, who it is, what they reach, and how sure that is.

    An answer that is good news, such as a winner, is green; that there is none, or that nothing
    changed, is not.
    """

    question: str
    answer: Words
    value: str
    remark: Words
    is_good_news: bool


@dataclass(frozen=True)
class Cards:
    """Answers side by side."""

    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Cautions:
    """Sentences to be read before any number, below a word that says so."""

    lead: str
    entries: tuple[Words, ...]


@dataclass(frozen=True)
class Beside:
    """Two blocks, side by side where there is room, the first one the more important."""

    first: "Block"
    second: "Block"


@dataclass(frozen=True)
class Option:
    """One of several views of the same thing, and its name on a button."""

    name: str
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True)
class Choice:
    """Views of which a page shows one at a time, the first one first; `label` says of what."""

    label: str
    options: tuple[Option, ...]


Block = (
    Heading
    | Paragraph
    | Note
    | Verbatim
    | Bullets
    | References
    | StarredTitles
    | Definitions
    | Pairs
    | Commands
    | Table
    | Figure
    | Gallery
    | HeatmapTable
    | MatrixTable
    | Details
    | Appendix
    | Glossary
    | Cards
    | Cautions
    | Beside
    | Choice
)
