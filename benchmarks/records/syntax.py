"""The code of a module as it is on disk: where it is, what it imports, and a digest of its syntax tree.

The digest is over the tree without comments, docstrings and line numbers, in a form of our own that leaves out
empty fields, since `ast.dump` changes between versions of Python.
"""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def locate_module(name: str, directory: Path | None = None) -> ModuleSpec | None:
    """Where a module is, without importing it or its parents; None if there is none of this name.

    `directory` is looked into last: while a plug-in is imported it may lie on Python's path for a moment only.
    """
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec
    file = getattr(loaded, "__file__", None)
    if file:  # a script that is run
        return importlib.util.spec_from_file_location(name, file)

    path: list[str] | None = None
    parent = name.rpartition(".")[0]
    if parent:
        above = locate_module(parent, directory)
        if above is None or above.submodule_search_locations is None:
            return None
        path = list(above.submodule_search_locations)
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    if directory is not None and path is None:
        return PathFinder.find_spec(name, [str(directory)])
    return None


def file_of(spec: ModuleSpec | None) -> Path | None:
    """The file of a module, resolved; None if it has none."""
    if spec is None or spec.origin is None or not spec.has_location:
        return None
    return Path(spec.origin).resolve()


@dataclass(frozen=True)
class Imported:
    """What an import statement names: a module, and what is taken from it, if it is `from module import name`."""

    module: str
    name: str | None = None


@lru_cache(maxsize=1024)
def read_module(
    source: bytes, name: str, is_package: bool, only: tuple[str, ...] | None
) -> tuple[str, tuple[Imported, ...]]:
    """The digest of a module's code, and all that it may import.

    With `only`, the digest of these top-level definitions, and no imports.
    """
    try:
        tree = ast.parse(source)
    except (
        SyntaxError,
        ValueError,
    ):  # a plug-in's; it fails in the cell that imports it, which says so
        return hashlib.sha256(source).hexdigest(), ()

    if only is None:
        package = name if is_package else name.rpartition(".")[0]
        imports = tuple(dict.fromkeys(_imports(tree, package)))
        return _digest(tree.body), imports

    definitions = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    lost = [definition for definition in only if definition not in definitions]
    if lost:
        raise RuntimeError(
            f"{', '.join(lost)} of {name} should count as code that makes answers, and are gone"
        )
    return _digest([definitions[definition] for definition in only]), ()


@lru_cache(maxsize=256)
def read_exports(source: bytes, package: str) -> dict[str, Imported]:
    """Where the names come from that the `__init__` of a package imports, for those who import them from it."""
    found: dict[str, Imported] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            found |= {
                alias.asname or alias.name: Imported(module, alias.name) for alias in node.names
            }
    return found


def _imports(tree: ast.Module, package: str) -> Iterator[Imported]:
    """What `tree`, which lies in `package`, imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Imported(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            yield from (Imported(module, alias.name) for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that a `from` statement in `package` names, also where it begins with dots."""
    module = node.module or ""
    if not node.level:
        return module
    above = package.split(".")
    above = above[: len(above) - (node.level - 1)]
    return ".".join([*above, *filter(None, [module])])


def _digest(nodes: list[ast.stmt]) -> str:
    return hashlib.sha256(repr(_plain(nodes)).encode("utf-8", "backslashreplace")).hexdigest()


def _plain(value: object) -> object:
    """A syntax tree as tuples and lists, without positions, empty fields, and texts that stand alone."""
    if isinstance(value, ast.AST):
        fields = [
            (name, _plain(content))
            for name, content in ast.iter_fields(value)
            if content is not None and content != []
        ]
        return type(value).__name__, *fields
    if isinstance(value, list):
        return [_plain(entry) for entry in value if not _is_docstring(entry)]
    return value


def _is_docstring(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
