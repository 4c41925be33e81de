"""Which distribution a module comes from: as Python itself says it."""

from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from recbench.adapters import available
from recbench.benchmarks.records import distributions_by_module, version_of


def test_modules_of_adapters_have_the_owners_and_versions_that_python_knows() -> None:
    theirs = packages_distributions()
    ours = distributions_by_module()
    modules = {"numpy", "scipy"}
    modules |= {module for adapter in available().values() for module in adapter.requires}
    for module in modules & set(theirs):
        assert ours[module] == theirs[module]
        assert version_of(ours[module][0]) == version(theirs[module][0])
    assert version_of("Scikit_Surprise") == version("scikit-surprise")
    assert version_of("never-installed") == ""


def test_what_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    assert version_of("late-comer") == ""
    (tmp_path / "late").mkdir()
    for module in ("late/__init__.py", "late_alone.py"):
        (tmp_path / module).touch()
    information = tmp_path / "late_comer-1.5.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: late-comer\nVersion: 1.5\n")
    (information / "RECORD").write_text("late/__init__.py,,\nlate_alone.py,,\n")
    assert version_of("late-comer") == "1.5"
    owners = distributions_by_module()
    assert owners["late"] == owners["late_alone"] == ["late-comer"]
