"""What is refused when adapters are listed, each with a sentence that says what to write."""

import gc
from collections.abc import Iterator
from typing import ClassVar, get_origin, get_type_hints

import pytest

from recbench.adapters import Recommender, available
from recbench.datasets.foundation import UsageError

# An adapter that keeps the contract; the cases change it.
SOUND = '''
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from recbench.adapters import Recommender

@dataclass(eq=False)
class Mine(Recommender):
    """The same number for every pair."""

    name = "mine"
    family = "tests"
    predicts = "ratings"
    damping: float = 1.0
    fit = score = None
'''


@pytest.fixture(autouse=True)
def _adapters_of_the_test_go() -> Iterator[None]:
    """An adapter is known as long as its class exists, so it must not outlive its test."""
    gc.freeze()  # the collection looks at what is new only
    yield
    gc.collect()
    assert all(adapter.__module__ != "my_plugin" for adapter in Recommender.__subclasses__())


def refusal(source: str) -> str:
    """What is said of the adapter that `source` defines."""
    assert source != SOUND
    namespace: dict[str, object] = {"__name__": "my_plugin"}
    exec(source, namespace)
    with pytest.raises(UsageError) as caught:
        available()
    return str(caught.value)


def test_a_sound_adapter_is_listed() -> None:
    namespace: dict[str, object] = {"__name__": "my_plugin"}
    exec(SOUND, namespace)
    assert "mine" in available()
    namespace.clear()


def test_a_unit_that_there_is_not_is_refused() -> None:
    text = refusal(SOUND.replace('predicts = "ratings"', 'predicts = "ratings"; units = "stars"'))
    assert text == (
        "my_plugin.Mine says units = 'stars': expected one of data, scale, library, "
        "see adapters/base.py"
    )


def test_an_adapter_of_two_bases_is_one_adapter() -> None:
    two_bases = "class One(Recommender): pass\nclass Two(Recommender): pass\n\n@dataclass(eq=False)"
    source = SOUND.replace("@dataclass(eq=False)", two_bases)
    namespace: dict[str, object] = {"__name__": "my_plugin"}
    exec(source.replace("class Mine(Recommender)", "class Mine(One, Two)"), namespace)
    assert "mine" in available()
    namespace.clear()


@pytest.mark.parametrize(
    ("variable", "sound", "mistaken"),
    [
        ("name", 'name = "mine"', 'name: str = "mine"'),
        ("name", 'name = "mine"', 'name: str = field(default="mine")'),
        ("name", 'name = "mine"\n', "name: str\n"),
        ("family", 'family = "tests"', 'family: str = "tests"'),
        ("predicts", "predicts =", 'predicts: Literal["ratings", "order"] ='),
    ],
)
def test_a_class_variable_that_became_a_field_is_refused(
    variable: str, sound: str, mistaken: str
) -> None:
    text = refusal(SOUND.replace(sound, mistaken))
    assert text == (
        f"my_plugin.Mine: {variable} would be among the hyperparameters, because a field of a "
        f"dataclass has a type: write `{variable} = ...` instead of `{variable}: ... = ...`"
    )


CLASS_VARIABLES = sorted(
    name for name, type_ in get_type_hints(Recommender).items() if get_origin(type_) is ClassVar
)


@pytest.mark.parametrize("variable", CLASS_VARIABLES)
def test_no_class_variable_of_the_contract_may_be_a_field(variable: str) -> None:
    text = refusal(SOUND.replace("    damping", f'    {variable}: str = "x"\n    damping'))
    assert f"my_plugin.Mine: {variable} would be among the hyperparameters" in text


def test_a_declared_class_variable_is_no_field() -> None:
    namespace: dict[str, object] = {"__name__": "my_plugin"}
    exec(SOUND.replace('name = "mine"', 'name: ClassVar[str] = "mine"'), namespace)
    assert "mine" in available()
    namespace.clear()


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ('"library"', "my_plugin.Mine says origin = 'library': expected an Origin as in"),
        (
            'Origin("paper", "Somebody 2020", ("netflix",), ("dampin",))',
            "my_plugin.Mine says in its origin that dampin was tuned, but has no such",
        ),
    ],
)
def test_an_origin_that_says_nothing_is_refused(origin: str, expected: str) -> None:
    """Without one an adapter is sound, as the first test shows."""
    base = "from recbench.adapters import Recommender\n"
    code = SOUND.replace(base, f"{base}from recbench.adapters.base import Origin\n")
    text = refusal(code.replace("    damping", f"    origin = {origin}\n    damping", 1))
    assert text.startswith(expected)


@pytest.mark.parametrize("docstring", ["", '"""  """', '"""Mine(damping: float = 1.0)"""'])
def test_an_adapter_without_a_docstring_of_its_own_is_refused(docstring: str) -> None:
    text = refusal(SOUND.replace('"""The same number for every pair."""', docstring))
    assert text.startswith("my_plugin.Mine has no docstring: say below its first line what it")
