"""How the pages read: `python -m tests.proof.page` prints the figures of the present source.

Beside them stands the range of eight houses that good engineers point to (benchopt, LensKit, river,
scikit-surprise, ann-benchmarks, mteb's core, click, httpx), and with `--base COMMIT` what a commit
has. `tests/proof/figures.py` says what each figure counts.

`--draw 30 --seed 0` draws functions for the proof by reading: each is printed alone, for a reader
who does not know the house, and `--key FILE` keeps where they are.
"""

import argparse
import random
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.proof.figures import FIGURES, Figure, Function, Page, read_pages
from tests.proof.trees import PACKAGES, ROOT, UnknownCommit, commit_id, exported

FEWEST_LINES = 6  # of a body that is drawn or listed: shorter ones say little about how pages read


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; `arguments` are those of the process unless they are given."""
    parser = _parser()
    options = parser.parse_args(arguments)
    folders = [*PACKAGES, "tests"] if options.tests else list(PACKAGES)
    pages = read_pages(ROOT, folders)

    if options.draw:
        _print_drawn(parser, pages, options)
        return
    if options.worst:
        for function in densest(pages, options.worst):
            place = f"{function.file}:{function.node.lineno}"
            print(f"{place} {function.qualified_name} {function.density:.1f}")
        return

    columns = {"here": pages}
    if options.base:
        try:
            with exported(options.base) as tree:
                columns = {commit_id(options.base)[:7]: read_pages(tree, folders), "here": pages}
        except UnknownCommit as error:
            parser.error(str(error))

    if options.by_room:
        print("\n\n".join(f"## {room}\n\n{table(part)}" for room, part in by_room(columns)))
    else:
        print(table(columns))


def table(columns: Mapping[str, Sequence[Page]]) -> str:
    """A Markdown table: a row for each figure, a column for each entry of `columns`."""
    head = f"| figure | {' | '.join(columns)} | the eight |"
    rule = "|:--|" + "--:|" * (len(columns) + 1)
    rows = []
    for figure in FIGURES:
        values = [_format_value(figure, pages) for pages in columns.values()]
        rows.append(f"| {figure.name} | {' | '.join(values)} | {figure.the_eight} |")
    return "\n".join([head, rule, *rows])


def by_room(columns: Mapping[str, Sequence[Page]]) -> Iterator[tuple[str, dict[str, list[Page]]]]:
    """Each folder that any column has pages of, and the columns with these pages only."""
    rooms = sorted({page.room for pages in columns.values() for page in pages})
    for room in rooms:
        parts = {}
        for name, pages in columns.items():
            parts[name] = [page for page in pages if page.room == room]
        yield room, parts


def densest(pages: Sequence[Page], n_functions: int) -> list[Function]:
    """The functions with the most syntax nodes a line, of those with six body lines or more."""
    functions = [function for page in pages for function in page.functions]
    long_enough = [function for function in functions if len(function.body_lines) >= FEWEST_LINES]
    return sorted(long_enough, key=lambda function: function.density, reverse=True)[:n_functions]


def draw(pages: Sequence[Page], n_functions: int, seed: int) -> list[Function]:
    """Functions drawn without replacement; the seed and the source fix which and their order.

    Drawn are functions and methods with six body lines or more; what stands inside another function
    is read with it. ValueError where there are too few.
    """
    functions = [function for page in pages for function in page.functions]
    outermost = [function for function in functions if not function.is_inner]
    long_enough = [function for function in outermost if len(function.body_lines) >= FEWEST_LINES]

    if len(long_enough) < n_functions:
        raise ValueError(f"expected at most {len(long_enough)}, got {n_functions}")
    return random.Random(seed).sample(long_enough, n_functions)


def show_alone(number: int, function: Function) -> str:
    """The function under a numbered line, not indented, without a word on where it stands."""
    last_line = function.node.lineno + function.n_lines - 1
    source = "\n".join(function.file_lines[function.first_line - 1 : last_line])
    return f"# ---- {number} ----\n\n{textwrap.dedent(source)}\n"


def _print_drawn(
    parser: argparse.ArgumentParser, pages: Sequence[Page], options: argparse.Namespace
) -> None:
    try:
        functions = draw(pages, options.draw, options.seed)
    except ValueError as error:
        parser.error(f"--draw: {error}")

    places = []
    for number, function in enumerate(functions, 1):
        print(show_alone(number, function))
        places.append(f"{number} {function.file}:{function.node.lineno} {function.qualified_name}")

    if options.key:
        options.key.write_text("\n".join(places) + "\n", encoding="utf-8")


def _format_value(figure: Figure, pages: Sequence[Page]) -> str:
    """The figure of the pages in words; "" where there are none, as in a room that is new."""
    return figure.form.format(figure.measure(pages)) if pages else ""


def _parser() -> argparse.ArgumentParser:
    description = "Measure how the pages of the source read."
    parser = argparse.ArgumentParser(prog="python -m tests.proof.page", description=description)
    parser.add_argument("--tests", action="store_true", help="measure the tests too")
    parser.add_argument("--base", metavar="COMMIT", help="measure this commit as well")
    parser.add_argument("--by-room", action="store_true", help="one table for each folder")
    parser.add_argument(
        "--worst", type=int, default=0, metavar="N", help="only print the N densest functions"
    )
    parser.add_argument(
        "--draw", type=int, default=0, metavar="N", help="only draw and print N functions"
    )
    parser.add_argument("--seed", type=int, default=0, help="fixes what is drawn (default: 0)")
    parser.add_argument("--key", type=Path, metavar="FILE", help="write here where those drawn are")
    return parser


if __name__ == "__main__":
    main()
