"""Which sections a report has, in which order, and what several of them share.

A section is one function in a file of its own that has its name. It describes in blocks what there
is to say of a run, or returns None if there is nothing:

    @section("How accurate?", place=20)
    def accuracy(results: Results) -> list[Block] | None:
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from recbench.reports import words
from recbench.reports.rendering import Block
from recbench.reports.results import Results

Subject = TypeVar("Subject")  # what a report is about: the results of a run, or of several


@dataclass(frozen=True)
class Section(Generic[Subject]):
    """A question, its place in the report, and the function that describes the answer in blocks.

    The function returns None where there is nothing to say, and then the report lacks the section.
    """

    name: str
    heading: str
    place: int
    describe: Callable[[Subject], list[Block] | None]


class Sections(Mapping[str, Section[Subject]]):
    """The sections of one kind of report by name, in the order of their places."""

    def __init__(self) -> None:
        self._by_name: dict[str, Section[Subject]] = {}

    def __getitem__(self, name: str) -> Section[Subject]:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._by_name, key=lambda name: self._by_name[name].place))

    def __len__(self) -> int:
        return len(self._by_name)

    def section(
        self, heading: str, *, place: int
    ) -> Callable[
        [Callable[[Subject], list[Block] | None]], Callable[[Subject], list[Block] | None]
    ]:
        """A decorator that adds a function under its own name, between its neighbours by `place`.

        ValueError if another section has that name, heading or place, for then one would not be
        found.
        """

        def add(
            function: Callable[[Subject], list[Block] | None],
        ) -> Callable[[Subject], list[Block] | None]:
            added = Section(function.__name__, heading, place, function)
            for other in self.values():
                if added.name == other.name:
                    raise ValueError(f"there are two sections {added.name!r}")
                if added.heading == other.heading:
                    raise ValueError(f"sections {other.name} and {added.name} ask {heading!r}")
                if added.place == other.place:
                    raise ValueError(f"sections {other.name} and {added.name} have place {place}")

            self._by_name[added.name] = added
            return function

        return add


SECTIONS = Sections[Results]()
section = SECTIONS.section


def title_figure(results: Results, what: str, *, is_whole: bool = False) -> str:
    """The title of a figure: the data, whether they are simulated, `what`, and the split.

    A figure of the whole data, before any split, does not name one.
    """
    if not what[:2].isupper():  # an abbreviation such as RMSE
        what = what[0].lower() + what[1:]
    title = f"{results.about.data.name}: {what}"
    if not is_whole:
        title += f", {words.split(results)}"
    if results.simulated:
        return f"SIMULATED data, {title}"
    return title
