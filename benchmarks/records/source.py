"""Which code makes a cell's answers, and which makes numbers of them: two hashes over syntax trees.

*The answers' source* stands in a cell's key. It covers the module of the adapter with all that it
imports, transitively, of the house and, for a plug-in, of its own modules; and the harness's code
that divides the data, fits, and puts the questions. Whatever could change a stored answer is here:
with the candidates and the ties also the relevance threshold (the class `Protocol`), because only
users with a relevant test item are asked for a ranking, and because the stored AUC is over relevant
items. The values of protocols and cutoffs stand in the key themselves.

*The evaluation's source* stands in the record. It covers what makes numbers of stored answers:
fallback, clipping, hits, metrics, sums over users, slices, and the table of protocols with its
VERSION.

Both go over syntax trees, see `syntax.py`, so comments and docstrings do not count, and modules go
by their dotted name and not by their path. What no `import` statement names is not seen: modules
imported by a name made at run time, data files, and the libraries, whose versions stand in the key.
"""

import hashlib
import json
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType, FunctionType

from recbench import adapters, benchmarks, datasets
from recbench.adapters import Recommender
from recbench.adapters.unfitted import External
from recbench.benchmarks.records.distributions import distributions_by_module
from recbench.benchmarks.records.syntax import (
    Imported,
    file_of,
    locate_module,
    read_exports,
    read_module,
)
from recbench.datasets.foundation import UsageError

# The packages of the house. Their own `__init__` holds a registry and no algorithm: it is left out.
ADAPTERS = adapters.__name__
DATASETS = datasets.__name__
HARNESS = benchmarks.__name__
HOUSE = (ADAPTERS, DATASETS, HARNESS)

QUESTIONS = (
    f"{HARNESS}.evaluation.questions",
    f"{HARNESS}.splits.folds",
    f"{DATASETS}.ratings",
    f"{ADAPTERS}.shared.fitting",
    f"{ADAPTERS}.shared.units",
)
# What asks files in place of an algorithm
FOREIGN = f"{HARNESS}.evaluation.foreign"
# Modules of which only some definitions can change an answer; what they import is not followed.
PARTS = {
    f"{HARNESS}.metrics.protocols": ("Protocol",),
    f"{HARNESS}.execution.worker": ("_read_fold", "_measure_algorithm"),
    f"{HARNESS}.execution.subject": ("LocalSubject", "_fit_repeatedly", "_fit_once"),
    f"{HARNESS}.execution.keeper": (
        "RemoteSubject",
        "_answer",
        "_map_training",
        "_receive_histories",
        "_write_scores",
    ),
}
NUMBERS = (
    f"{HARNESS}.evaluation.cell_metrics",
    f"{HARNESS}.evaluation.known",
    f"{HARNESS}.evaluation.numbers",
    f"{HARNESS}.evaluation.slices",
    f"{HARNESS}.metrics.protocols",
)
METRICS = f"{HARNESS}.metrics"  # every file of this package counts, without being named here
# One reads what a user has typed, one fetches files: what came out of both stands in the key.
LEFT_OUT = (f"{DATASETS}.foundation.spec", f"{DATASETS}.storage.fetch")
SESSION = "__main__"  # the module of what is defined in a notebook

N_DIGITS = 12
NO_PARTS: Mapping[str, tuple[str, ...]] = {}


def answers_source(adapter: type[Recommender]) -> str:
    """Twelve hexadecimal digits over the code that makes the answers of `adapter`.

    UsageError if its module has no file that could be read.
    """
    return answers_sources([adapter])[adapter]


def answers_sources(adapters: Iterable[type[Recommender]]) -> dict[type[Recommender], str]:
    """`answers_source` of each of the adapters; the harness's own code is read once for all.

    UsageError if the module of one has no file that could be read.
    """
    harness = _digest_modules([*QUESTIONS, *PARTS], None, PARTS)
    sources = {}
    for adapter in adapters:
        digests = harness | _digest_adapter(adapter)
        if issubclass(adapter, External):
            digests |= _digest_modules([FOREIGN], None, PARTS)
        sources[adapter] = _hash_digests(digests)
    return sources


def is_plugin(adapter: type[Recommender]) -> bool:
    """Whether an adapter comes from outside the house."""
    return not _is_of_house(adapter.__module__)


def is_of_session(adapter: type[Recommender]) -> bool:
    """Whether an adapter was defined in a notebook, or in the script that is run.

    No other process can import it, and nobody can tell whether it is what it was.
    """
    return adapter.__module__ == SESSION


def plugin_source(adapter: type[Recommender]) -> str:
    """Twelve hexadecimal digits over the modules of a plug-in, without those of the house.

    UsageError if its module has no file that could be read.
    """
    digests = _digest_adapter(adapter)
    own = {name: digest for name, digest in digests.items() if not _is_of_house(name)}
    return _hash_digests(own)


def evaluation_source() -> str:
    """Twelve hexadecimal digits over the code that makes numbers of stored answers.

    RuntimeError if a module that this page names is gone.
    """
    package = locate_module(METRICS)
    if package is None or package.submodule_search_locations is None:
        raise RuntimeError(f"{__name__} names the package {METRICS}, which is gone")

    files_of_metrics = iter_modules(package.submodule_search_locations)
    metrics = [f"{METRICS}.{module.name}" for module in files_of_metrics]
    digests = _digest_modules([*NUMBERS, METRICS, *metrics], None)
    return _hash_digests(digests)


def _hash_digests(digests: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits over the names of modules and the digest of each, in any order."""
    written = json.dumps(sorted(digests.items()))
    return hashlib.sha256(written.encode()).hexdigest()[:N_DIGITS]


@dataclass(frozen=True)
class _PlugIn:
    """Which modules are a plug-in's own: those of its packages, and what lies in its directory.

    An installed plug-in has no directory of its own: libraries lie in the same one.
    """

    packages: frozenset[str]
    directory: Path | None

    def owns(self, name: str) -> bool:
        """Whether the module of this dotted name is the plug-in's, and not a library's."""
        if name.partition(".")[0] in self.packages:
            return True
        if self.directory is None:
            return False

        file = file_of(locate_module(name, self.directory))
        if file is None or _is_installed(file):
            return False
        return file.is_relative_to(self.directory)


def _plugin_of(adapter: type[Recommender]) -> _PlugIn | None:
    """What belongs to the plug-in that brings `adapter`; None for an adapter of the house."""
    if not is_plugin(adapter):
        return None

    package = adapter.__module__.partition(".")[0]
    spec = locate_module(package)
    file = file_of(spec)
    if file is None:
        return _PlugIn(frozenset([package]), None)
    if _is_installed(file):
        return _PlugIn(frozenset([package, *_same_distribution(package)]), None)

    is_package = spec is not None and spec.submodule_search_locations is not None
    directory = file.parent.parent if is_package else file.parent
    return _PlugIn(frozenset([package]), directory)


def _same_distribution(package: str) -> list[str]:
    """The top-level names of the distributions that have installed `package`, itself among them."""
    distributions_by_name = distributions_by_module()
    own = set(distributions_by_name.get(package, ()))
    return [name for name, owners in distributions_by_name.items() if own & set(owners)]


def _is_of_house(name: str) -> bool:
    """Whether the module of this dotted name is ours."""
    return any(name == package or name.startswith(f"{package}.") for package in HOUSE)


def _is_installed(file: Path) -> bool:
    """Whether a file belongs to Python or to what is installed in it or in another environment."""
    if {"site-packages", "dist-packages"} & set(file.parts):
        return True

    for name in ("stdlib", "platstdlib"):
        library = Path(sysconfig.get_path(name)).resolve()
        if file.is_relative_to(library):
            return True
    return False


def _digest_adapter(adapter: type[Recommender]) -> dict[str, str]:
    """The digests, by module, of the adapter's module and of what it imports.

    That is of the house and of its plug-in. Of an adapter that was defined in a notebook, the
    digest of its byte code. UsageError if the module's source cannot be read.
    """
    if is_of_session(adapter):
        return {SESSION: _digest_byte_code(adapter)}

    digests = _digest_modules([adapter.__module__], _plugin_of(adapter), PARTS)
    if adapter.__module__ not in digests:
        raise UsageError(
            f"{adapter.__module__}.{adapter.__qualname__}: the source of its module cannot be "
            "read, so nobody could tell when its numbers are out of date: put it into a file of "
            "its own"
        )
    return digests


def _digest_byte_code(adapter: type[Recommender]) -> str:
    """sha256 over the byte code of what the session defines of `adapter`, which has no file."""
    codes = []
    for cls in adapter.__mro__:
        if cls.__module__ != SESSION:
            continue
        for member in vars(cls).values():
            function = getattr(member, "__func__", member)
            if isinstance(function, FunctionType):
                codes.append(_simplify_code(function.__code__))
    return hashlib.sha256(repr(codes).encode()).hexdigest()


def _simplify_code(code: CodeType) -> tuple[object, ...]:
    """Byte code as a tuple without positions and addresses, so that its `repr` stays the same."""
    constants = [
        _simplify_code(constant) if isinstance(constant, CodeType) else constant
        for constant in code.co_consts
    ]
    return code.co_name, code.co_code, code.co_names, constants


def _find_origin(imported: Imported, plugin: _PlugIn | None) -> Imported:
    """The module behind `from module import name`; `imported` has a name.

    The `__init__` of a room of the house is a door: who takes a name from it gets the module that
    the name comes from, and nothing else of the room. A plug-in's own packages are whole.
    """
    directory = plugin.directory if plugin else None
    submodule = f"{imported.module}.{imported.name}"
    if file_of(locate_module(submodule, directory)) is not None:
        return Imported(submodule)

    spec = locate_module(imported.module, directory)
    file = file_of(spec)
    is_package = spec is not None and spec.submodule_search_locations is not None
    is_door = is_package and _is_of_house(imported.module)
    if is_door and file is not None and imported.name is not None:
        exports = read_exports(file.read_bytes(), imported.module)
        if imported.name in exports:
            return exports[imported.name]
    return Imported(imported.module)


def _digest_modules(
    roots: Iterable[str],
    plugin: _PlugIn | None,
    parts: Mapping[str, tuple[str, ...]] = NO_PARTS,
) -> dict[str, str]:
    """The digests, by module, of `roots` and of what they import, transitively.

    Followed are modules of the house and those that `plugin` owns, whose packages' `__init__` count
    too. Of the modules in `parts` the named definitions count. RuntimeError if a root that is of
    the house, or a named definition, is gone.
    """
    digests: dict[str, str] = {}
    seen: set[Imported] = set()
    waiting = [Imported(name) for name in roots]
    while waiting:
        imported = waiting.pop()
        name = imported.module
        if not name or name in LEFT_OUT or imported in seen:
            continue
        seen.add(imported)

        if not _is_of_house(name):
            if plugin is None or not plugin.owns(name):
                continue
            package = name.rpartition(".")[0]
            waiting.append(Imported(package))

        if imported.name is not None:
            waiting.append(_find_origin(imported, plugin))
        elif name not in digests and name not in HOUSE:
            waiting += _add_digest(digests, name, plugin, parts)

    lost = [name for name in roots if _is_of_house(name) and name not in digests]
    if lost:
        raise RuntimeError(f"{__name__} names the modules {', '.join(lost)}, which are gone")
    return digests


def _add_digest(
    digests: dict[str, str],
    name: str,
    plugin: _PlugIn | None,
    parts: Mapping[str, tuple[str, ...]],
) -> tuple[Imported, ...]:
    """Put the digest of the module `name` into `digests`; what the module imports.

    Nothing for a name inside a module and for a folder without an `__init__`. A compiled module has
    the digest of its file.
    """
    spec = locate_module(name, plugin.directory if plugin else None)
    file = file_of(spec)
    if spec is None or file is None:
        return ()

    content = file.read_bytes()
    if file.suffix != ".py":
        digests[name] = hashlib.sha256(content).hexdigest()
        return ()

    is_package = spec.submodule_search_locations is not None
    digest, imports = read_module(content, name, is_package, parts.get(name))
    digests[name] = digest
    return imports
