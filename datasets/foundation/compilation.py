"""Loops in machine code: the one way in which this project has numba compile.

Numba takes a second to import, so it is imported when a loop is first called, and listing data sets
or algorithms does without it. Machine code is kept on disk beside the source, as numba does it.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


class _LazyLoop:
    """A function that becomes machine code when it is first called."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.function = function
        self.options = options
        self.machine_code: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        return self.compile()(*arguments)

    def compile(self) -> Callable[..., Any]:
        """The compiled function; the lazy loops that it can call by a global name become compiled
        ones too.
        """
        if self.machine_code is not None:
            return self.machine_code

        from numba import njit

        # Set before the others are compiled, so that loops that call each other come to an end.
        to_machine_code = njit(cache=True, error_model="numpy", **self.options)
        self.machine_code = to_machine_code(self.function)

        # Machine code finds what it calls by the global names of its module: compiled loops have
        # to stand there.
        global_names = self.function.__globals__
        for name, value in list(global_names.items()):
            if isinstance(value, _LazyLoop):
                global_names[name] = value.compile()
        return self.machine_code


def compile_lazily(**options: Any) -> Callable[[Function], Function]:
    """A decorator: at its first call a function becomes `numba.njit(cache=True, **options)` of it.

    Dividing by 0 gives infinity or NaN, as in NumPy. A lazy loop may call others of its module, or
    that its module has imported by name. What a function closes over is a constant to the
    compiler. Arguments go by position.

    >>> @compile_lazily()
    ... def sum_squares(values):
    ...     total = 0.0
    ...     for value in values:
    ...         total += value * value
    ...     return total
    """

    def wrap(function: Function) -> Function:
        return cast(Function, _LazyLoop(function, options))

    return wrap
