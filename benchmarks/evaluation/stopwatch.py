"""How long a fitted algorithm takes to answer, one question after the other."""

import gc
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Question = TypeVar("Question")


def time_questions(
    answer: Callable[[Question], object], questions: Sequence[Question], most: float | None = None
) -> NDArray[np.float64]:
    """The seconds of each `answer(question)`, in their order; nothing but the call is timed.

    After `most` seconds no further question is put, so that a slow algorithm has fewer; the first
    always is. Garbage is collected before, and not meanwhile.
    """
    seconds: list[float] = []
    total = 0.0
    was_collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for question in questions:
            if most is not None and total >= most and seconds:
                break
            begun = perf_counter()
            answer(question)
            seconds.append(perf_counter() - begun)
            total += seconds[-1]
    finally:
        if was_collecting:
            gc.enable()
    return np.array(seconds)
