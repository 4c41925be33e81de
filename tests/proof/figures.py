"""The figures of how pages read, counted on syntax trees; docstrings say what exactly is counted.

On commit 9ec4418 they give the numbers from which the second version of the house began: 14.9 nodes
a line, 1 % blank or comment lines, 9.0 % tuple assignments, 5.9 conditional expressions, 76 %
one-word names, 10.9 % long lines, 28 `Any`, 135 open dictionaries, 250 and 115 lines.
"""

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LONGEST_LINE = 100
OPEN_DICTIONARY = re.compile(r"\b(dict|Mapping)\[str, Any\]")

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function or method as it stands in its file. Lambdas are none."""

    file: str  # below the root of the tree
    qualified_name: str
    node: AnyFunction
    file_lines: Sequence[str]
    is_inner: bool  # it stands inside another function

    @property
    def name(self) -> str:
        """The name without the class or function around it."""
        return self.node.name

    @property
    def first_line(self) -> int:
        """The line, from 1, of the first decorator, or of `def` where there is none."""
        return min(
            [self.node.lineno, *(decorator.lineno for decorator in self.node.decorator_list)]
        )

    @property
    def n_lines(self) -> int:
        """From `def` to the last line, signature and docstring with them, decorators not."""
        return _last_line(self.node) - self.node.lineno + 1

    @property
    def is_dunder(self) -> bool:
        """Whether Python gives the name, as in `__len__`."""
        return self.name.startswith("__") and self.name.endswith("__")

    @cached_property
    def body(self) -> list[ast.stmt]:
        """The statements after the docstring."""
        first = self.node.body[0]
        has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        return self.node.body[1:] if has_docstring else self.node.body

    @cached_property
    def body_lines(self) -> Sequence[str]:
        """The lines from the first statement after the docstring to the last; may be none."""
        if not self.body:
            return []
        return self.file_lines[self.body[0].lineno - 1 : _last_line(self.node)]

    @cached_property
    def n_nodes(self) -> int:
        """All that `ast.walk` finds in the body, contexts such as `Load` included."""
        return sum(1 for statement in self.body for _ in ast.walk(statement))

    @property
    def density(self) -> float:
        """Syntax nodes on a line of the body; 0 where it has none."""
        return self.n_nodes / len(self.body_lines) if self.body_lines else 0.0


@dataclass(frozen=True)
class Page:
    """One file of source."""

    file: str  # below the root of the tree
    text: str

    @property
    def room(self) -> str:
        """The folder it lies in."""
        return str(Path(self.file).parent)

    @cached_property
    def lines(self) -> list[str]:
        """All lines, without their ends."""
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All syntax nodes of the file."""
        return list(ast.walk(self._tree))

    @cached_property
    def functions(self) -> list[Function]:
        """All functions, those inside classes and other functions too, from top to bottom."""
        functions: list[Function] = []

        def visit(node: ast.AST, prefix: str, is_inner: bool) -> None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, AnyFunction):
                    name = prefix + child.name
                    functions.append(Function(self.file, name, child, self.lines, is_inner))
                    visit(child, f"{name}.", is_inner=True)
                elif isinstance(child, ast.ClassDef):
                    visit(child, f"{prefix}{child.name}.", is_inner)
                else:
                    visit(child, prefix, is_inner)

        visit(self._tree, prefix="", is_inner=False)
        return functions

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.file)


def read_pages(root: Path, folders: Iterable[str]) -> list[Page]:
    """All Python files in those of the `folders` that `root` has, in the order of their names."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return [
        Page(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths
    ]


def nodes_per_line(pages: Sequence[Page]) -> float:
    """The syntax nodes of all function bodies, divided by their lines, empty ones included.

    A body begins after the docstring. That of a function inside another is counted for both.
    """
    functions = _functions(pages)
    n_nodes = sum(function.n_nodes for function in functions)
    return _ratio(n_nodes, _n_body_lines(functions))


def percent_of_empty_lines(pages: Sequence[Page]) -> float:
    """The lines of function bodies that are blank or begin with `#`, in percent of their lines."""
    functions = _functions(pages)
    lines = [line.strip() for function in functions for line in function.body_lines]
    n_empty = sum(not line or line.startswith("#") for line in lines)
    return 100 * _ratio(n_empty, len(lines))


def percent_of_tuple_assignments(pages: Sequence[Page]) -> float:
    """Assignments such as `a, b = 1, 2`, in percent of all plain assignments (`=`).

    Counted are those with a tuple on both sides; taking one value apart (`a, b = pair`) is none.
    """
    assignments = [node for node in _nodes(pages) if isinstance(node, ast.Assign)]
    n_tuples = sum(
        isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
        for node in assignments
    )
    return 100 * _ratio(n_tuples, len(assignments))


def conditional_expressions(pages: Sequence[Page]) -> float:
    """All expressions `a if b else c`, wherever they stand, on 100 lines of function bodies."""
    n_expressions = sum(isinstance(node, ast.IfExp) for node in _nodes(pages))
    return 100 * _ratio(n_expressions, _n_body_lines(_functions(pages)))


def nested_conditional_expressions(pages: Sequence[Page]) -> int:
    """Conditional expressions with another one somewhere inside them."""
    return sum(isinstance(node, ast.IfExp) and _holds_conditional(node) for node in _nodes(pages))


def percent_of_one_word_names(pages: Sequence[Page]) -> float:
    """Functions whose name has no underscore inside it, in percent of all functions.

    Leading and trailing underscores are ignored. Names such as `__len__` are no choice of ours:
    they count among all functions and never as one word.
    """
    functions = _functions(pages)
    n_one_word = sum(
        "_" not in function.name.strip("_") for function in functions if not function.is_dunder
    )
    return 100 * _ratio(n_one_word, len(functions))


def percent_of_long_lines(pages: Sequence[Page]) -> float:
    """Lines of more than 100 columns, in percent of all lines of the files."""
    lines = [line for page in pages for line in page.lines]
    n_long = sum(len(line) > LONGEST_LINE for line in lines)
    return 100 * _ratio(n_long, len(lines))


def any_per_thousand_lines(pages: Sequence[Page]) -> float:
    """How often the name `Any` is used or imported, on 1,000 lines of the files."""
    n_any = 0
    for node in _nodes(pages):
        is_used = isinstance(node, ast.Name) and node.id == "Any"
        is_imported = isinstance(node, ast.alias) and node.name == "Any"
        n_any += is_used or is_imported
    return 1000 * _ratio(n_any, _n_lines(pages))


def open_dictionaries(pages: Sequence[Page]) -> int:
    """How often `dict[str, Any]` or `Mapping[str, Any]` stands in the text."""
    return sum(len(OPEN_DICTIONARY.findall(page.text)) for page in pages)


def longest_file(pages: Sequence[Page]) -> int:
    """The lines of the longest file."""
    return max((len(page.lines) for page in pages), default=0)


def longest_function(pages: Sequence[Page]) -> int:
    """The lines of the longest function, from `def` to its end, docstring included."""
    return max((function.n_lines for function in _functions(pages)), default=0)


@dataclass(frozen=True)
class Figure:
    """A row of the table."""

    name: str
    measure: Callable[[Sequence[Page]], float]
    form: str  # how its number is written, for str.format
    the_eight: str  # the range in the eight houses; "" where it was not measured


FIGURES = (
    Figure("syntax nodes on a line of a function's body", nodes_per_line, "{:.1f}", "5.4 - 8.0"),
    Figure("blank and comment lines in bodies", percent_of_empty_lines, "{:.1f} %", "9 - 22 %"),
    Figure(
        "assignments of tuples, of all assignments",
        percent_of_tuple_assignments,
        "{:.1f} %",
        "0 - 1.7 %",
    ),
    Figure("conditional expressions on 100 lines", conditional_expressions, "{:.1f}", "0.4 - 2.0"),
    Figure(
        "conditional expressions inside one another", nested_conditional_expressions, "{:,}", ""
    ),
    Figure("functions whose name is one word", percent_of_one_word_names, "{:.0f} %", "5 - 28 %"),
    Figure(f"lines over {LONGEST_LINE} columns", percent_of_long_lines, "{:.1f} %", "0 - 2.3 %"),
    Figure("`Any` on 1,000 lines", any_per_thousand_lines, "{:.1f}", "8 - 21"),
    Figure("`dict[str, Any]`, `Mapping[str, Any]`", open_dictionaries, "{:,}", ""),
    Figure("longest file", longest_file, "{:,}", "404 - 3,799"),
    Figure("longest function", longest_function, "{:,}", "59 - 288"),
    Figure("lines of source", lambda pages: _n_lines(pages), "{:,}", ""),
)


def _functions(pages: Iterable[Page]) -> list[Function]:
    return [function for page in pages for function in page.functions]


def _nodes(pages: Iterable[Page]) -> Iterable[ast.AST]:
    return (node for page in pages for node in page.nodes)


def _n_lines(pages: Iterable[Page]) -> int:
    return sum(len(page.lines) for page in pages)


def _n_body_lines(functions: Iterable[Function]) -> int:
    return sum(len(function.body_lines) for function in functions)


def _holds_conditional(expression: ast.IfExp) -> bool:
    return any(
        isinstance(node, ast.IfExp) and node is not expression for node in ast.walk(expression)
    )


def _last_line(node: AnyFunction) -> int:
    assert node.end_lineno is not None  # ast.parse always sets it
    return node.end_lineno


def _ratio(part: float, whole: float) -> float:
    """0 where there is nothing to divide by."""
    return part / whole if whole else 0.0
