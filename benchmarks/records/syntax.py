"""The code of a module as it is on disk: where it is, what it imports, a digest of its syntax tree.

The digest is over the tree without comments, docstrings and line numbers, in a form of our own that
leaves out empty fields, since `ast.dump` changes between versions of Python.
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

    `directory` is looked into last: while a plug-in is imported it may lie on Python's path for a
    moment only.
    """
    spec = _spec_of_loaded(name)
    if spec is not None:
        return spec

    path: list[str] | None = None
    parent = name.rpartition(".")[0]
    if parent:
        package = locate_module(parent, directory)
        if package is None or package.submodule_search_locations is None:
            return None
        path = list(package.submodule_search_locations)

    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    if directory is not None and path is None:
        return PathFinder.find_spec(name, [str(directory)])
    return None


def _spec_of_loaded(name: str) -> ModuleSpec | None:
    """Where a module that is loaded has come from; None if it is not loaded, or has no file."""
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec
    file = getattr(module, "__file__", None)
    if file:  # a script that is run
        return importlib.util.spec_from_file_location(name, file)
    return None


def file_of(spec: ModuleSpec | None) -> Path | None:
    """The file of a module, resolved; None if it has none."""
    if spec is None or spec.origin is None or not spec.has_location:
        return None
    return _resolve(spec.origin)


@lru_cache(maxsize=4096)
def _resolve(origin: str) -> Path:
    """The path without links: it is asked for thousands of times, and links stay what they are."""
    return Path(origin).resolve()


@dataclass(frozen=True)
class Imported:
    """What an import statement names: a module and, in `from module import name`, the name."""

    module: str
    name: str | None = None


@lru_cache(maxsize=1024)
def read_module(
    source: bytes, name: str, is_package: bool, only: tuple[str, ...] | None
) -> tuple[str, tuple[Imported, ...]]:
    """The digest of the code in `source`, and all that it may import, each once.

    `name` is the module's. With `only`, the digest of these top-level classes and functions, and no
    imports; RuntimeError if one is gone. Code that cannot be parsed has the digest of its bytes.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        # A plug-in's: it fails in the cell that imports it, and the record says so
        return hashlib.sha256(source).hexdigest(), ()

    if only is None:
        package = name if is_package else name.rpartition(".")[0]
        imports = dict.fromkeys(_find_imports(tree, package))
        return _digest_statements(tree.body), tuple(imports)

    definitions: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            definitions[node.name] = node
    lost = [definition for definition in only if definition not in definitions]
    if lost:
        raise RuntimeError(
            f"{', '.join(lost)} of {name} should count as code that makes answers, and are gone"
        )
    return _digest_statements([definitions[definition] for definition in only]), ()


@lru_cache(maxsize=256)
def read_exports(source: bytes, package: str) -> dict[str, Imported]:
    """The names that the `__init__` of `package`, with this `source`, takes from other modules.

    By the name that it gives them: the module, and what they are called there.
    """
    exports: dict[str, Imported] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            module = _absolute_name(node, package)
            for alias in node.names:
                exports[alias.asname or alias.name] = Imported(module, alias.name)
    return exports


def _find_imports(tree: ast.Module, package: str) -> Iterator[Imported]:
    """What `tree`, which lies in `package`, imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Imported(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute_name(node, package)
            for alias in node.names:
                yield Imported(module, alias.name)


def _absolute_name(node: ast.ImportFrom, package: str) -> str:
    """The module that a `from` statement in `package` names, also where it begins with dots."""
    module = node.module or ""
    if not node.level:
        return module

    # One dot is the package itself, each further one a package above it
    parts = package.split(".")
    n_kept = len(parts) - (node.level - 1)
    kept = parts[:n_kept]
    if module:
        kept.append(module)
    return ".".join(kept)


def _digest_statements(statements: list[ast.stmt]) -> str:
    """sha256 over the syntax trees of `statements`, in hexadecimal digits."""
    written = repr(_simplify_tree(statements))
    return hashlib.sha256(written.encode("utf-8", "backslashreplace")).hexdigest()


def _simplify_tree(value: object) -> object:
    """A syntax tree as tuples and lists: without positions, empty fields, texts that stand alone.

    `value` is a node, a list of nodes, or what stands in a field, which is given back as it is.
    """
    if isinstance(value, ast.AST):
        fields = [
            (name, _simplify_tree(content))
            for name, content in ast.iter_fields(value)
            if content is not None and content != []
        ]
        return type(value).__name__, *fields
    if isinstance(value, list):
        return [_simplify_tree(entry) for entry in value if not _is_lone_text(entry)]
    return value


def _is_lone_text(node: object) -> bool:
    """Whether a node is a statement that is only a text, as a docstring is."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
