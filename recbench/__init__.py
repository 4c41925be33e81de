"""The bench on which classical recommenders are compared: the one name under which it is imported.

`recbench.datasets`, `recbench.adapters`, `recbench.benchmarks` and `recbench.reports` are the four
packages. In a checkout they are the folders at its root, to which links in this folder point; in an
installed wheel they lie here. Importing `recbench` itself imports none of them: `load`, `run` and
`Comparison`, `train`, `load_model` and `Model`, which are for notebooks, are fetched from
`recbench.benchmarks.api` when they are first used.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recbench.benchmarks.api import Comparison, Model, load, load_model, run, train

__all__ = ["Comparison", "Model", "load", "load_model", "run", "train"]

PACKAGES = ("datasets", "adapters", "benchmarks", "reports")

# The root of the checkout, or site-packages. This file is no link, so resolving it leads to the
# real folder.
ROOT = Path(__file__).resolve().parent.parent

# A zip from GitHub, an unpacked sdist and a checkout without symbolic links have files where the
# links should be.
if not Path(__file__).with_name("datasets").is_dir():
    __path__.append(str(ROOT))


def __getattr__(name: str) -> object:
    """One of `__all__`; AttributeError else. Called for names that are not there."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("recbench.benchmarks.api"), name)


def __dir__() -> list[str]:
    """What completion offers, with the names that are fetched when they are first used."""
    return sorted({*globals(), *__all__})


def is_checkout() -> bool:
    """Whether this is a checkout or an unpacked source archive, and not an installed wheel.

    A wheel's modules may lie in somebody else's project, so both signs are asked for.
    """
    return (ROOT / "benchmarks").is_dir() and (ROOT / "pyproject.toml").is_file()


def refuse_short_name(name: str) -> None:
    """ImportError if a package of recbench is imported as `name` without `recbench.` before it.

    It would be loaded a second time, and its classes would not be those that the bench knows.
    `python -m` alone may import it so, while it looks for the command; see `forget_short_names`.
    """
    python_looks_for_the_command = sys.argv[:1] == ["-m"]
    if name.startswith("recbench.") or python_looks_for_the_command:
        return

    raise ImportError(
        f"this is recbench.{name} in {ROOT}, which is imported by its full name: write "
        f"recbench.{name} for {name}, as in `from recbench.adapters.base import Recommender`. If "
        f"another package called {name} is meant, take {ROOT} off the path on which Python looks "
        "for modules."
    )


def advise_on_short_name(error: BaseException) -> str:
    """What to write instead, if `error` comes from importing ours by its short name.

    An empty string for every other error, and where `refuse_short_name` has said it already. Beside
    an installed wheel there is no module `adapters` at all, and `datasets` may be somebody else's.
    """
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return ""

    package = error.name.partition(".")[0]
    if package not in PACKAGES:
        return ""
    return (
        f"If recbench's is meant, write recbench.{error.name}: it is imported by its full name, as "
        "in `from recbench.adapters.base import Recommender`."
    )


def forget_short_names() -> None:
    """Let other packages called `datasets` be found, also in a checkout; commands start with it.

    `python -m benchmarks.run` has put the root of the checkout first on Python's path, and imported
    the shell of `benchmarks` under its short name. The shell goes, and the root moves to the end.
    """
    if not is_checkout():
        return

    for name in PACKAGES:
        sys.modules.pop(name, None)

    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
    sys.path[:] = [*elsewhere, str(ROOT)]
