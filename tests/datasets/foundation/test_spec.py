"""Names with parameters, and names that are not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbench.datasets import UsageError
from recbench.datasets.foundation.spec import format_spec, parse_spec, pick_name

names = st.text("abcdefghij-:/._ ", min_size=1).map(str.strip).filter(bool)


words = st.text("abc_123.", min_size=1)


@given(names, st.dictionaries(words, words, max_size=4))
def test_specs_are_read_back(name: str, parameters: dict[str, str]) -> None:
    assert parse_spec(format_spec(name, parameters)) == (name, parameters)


@pytest.mark.parametrize("spec", ["", "a[b", "a[b]", "a[=1]", "a[b=1,b=2]", "a[b=1][c=2]", "[a=1]"])
def test_malformed_specs_are_refused(spec: str) -> None:
    with pytest.raises(UsageError):
        parse_spec(spec)


def test_an_unknown_name_gets_the_nearest_and_all_valid_ones() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'item-mean'\? Valid: item-mean, random"):
        pick_name("algorithm", "itm-mean", ["random", "item-mean"])
