"""The examples in the docstrings of the data sets' rooms are true."""

import doctest
import importlib
import pkgutil

import pytest

from recbench import datasets

MODULES = [
    module.name
    for module in pkgutil.walk_packages(datasets.__path__, "recbench.datasets.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_there_are_examples() -> None:
    """Were they not found, the test above could not fail."""
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in MODULES]
    n_examples = sum(len(test.examples) for module in modules for test in finder.find(module))
    assert n_examples >= 10
