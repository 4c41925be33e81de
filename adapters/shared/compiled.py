"""Loops in machine code, for adapters that write an algorithm out: numba is imported when one is first called."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


class _Waiting:
    """A function that will be compiled, with all others of its module, when it is called."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.function, self.options = function, options

    def __call__(self, *arguments: Any) -> Any:
        from numba import njit

        names = (
            self.function.__globals__
        )  # they call each other by these names, so compiled ones have to stand there
        for name, value in list(names.items()):
            if isinstance(value, _Waiting):
                names[name] = njit(cache=True, error_model="numpy", **value.options)(value.function)
        return names[self.function.__name__](*arguments)


def compiled(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit(cache=True, **options)` at the first call; dividing by 0 gives infinity or NaN, as in NumPy."""

    def wrap(function: Function) -> Function:
        return cast(Function, _Waiting(function, options))

    return wrap
