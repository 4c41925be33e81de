"""The adapters of the bench that can be tried here."""

from importlib.util import find_spec

from recbench.adapters import Recommender, available
from recbench.adapters.unfitted import External


def own_adapters() -> dict[str, type[Recommender]]:
    """The adapters of the house by name, without plug-ins that other tests have imported.

    Without optional rows, too, whose libraries are not installed, and without the row that asks
    files and fits nothing, see `tests/benchmarks/test_external.py`.
    """
    return {
        name: adapter
        for name, adapter in available().items()
        if adapter.__module__.startswith("recbench.adapters.") and _can_be_tried(adapter)
    }


def _can_be_tried(adapter: type[Recommender]) -> bool:
    if adapter is External:
        return False
    if adapter.install is None:
        return True
    return all(find_spec(module) for module in adapter.requires)
