"""The bench on which classical recommenders are compared: the one name under which everything is imported.

`recbench.datasets`, `recbench.adapters`, `recbench.benchmarks` and `recbench.reports` are the four packages. In a
checkout they are the folders at its root, to which links in this folder point; in an installed wheel they lie here.
Importing `recbench` itself imports none of them.
"""

import sys
from pathlib import Path

PACKAGES = ("datasets", "adapters", "benchmarks", "reports")

# The root of the checkout, or site-packages. This file is no link, so resolving it leads to the real folder.
ROOT = Path(__file__).resolve().parent.parent

# A zip from GitHub, an unpacked sdist and a checkout without symbolic links have files where the links should be.
if not Path(__file__).with_name("datasets").is_dir():
    __path__.append(str(ROOT))


def is_checkout() -> bool:
    """Whether this is a checkout of recbench, and not an installed wheel."""
    return (ROOT / "benchmarks").is_dir() and (ROOT / "pyproject.toml").is_file()


def refuse_short_name(name: str) -> None:
    """ImportError if a package of recbench is imported as `name` without `recbench.` before it.

    It would be loaded a second time, and its classes would not be those that the bench knows. `python -m` alone may
    import it so, while it looks for the command; see `forget_short_names`.
    """
    if name.startswith("recbench.") or sys.argv[0] == "-m":
        return
    raise ImportError(
        f"this is recbench.{name} in {ROOT}, which is imported by its full name: write recbench.{name} for "
        f"{name}, as in `from recbench.adapters.base import Recommender`. If another package called {name} is "
        f"meant, take {ROOT} off the path on which Python looks for modules."
    )


def forget_short_names() -> None:
    """Called when a command line starts: let other packages called `datasets` be found, also in a checkout.

    `python -m benchmarks.run` has put the root of the checkout first on Python's path, and imported the shell of
    `benchmarks` under its short name.
    """
    if not is_checkout():
        return
    for name in PACKAGES:
        sys.modules.pop(name, None)
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
    sys.path[:] = [*elsewhere, str(ROOT)]
