"""SplitMix64 (Steele, Lea and Flood 2014): pseudo-random numbers that keep no state."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Bits = TypeVar("Bits", np.uint64, NDArray[np.uint64])

# 2^64 over the golden ratio, as an odd number: the distance between two states.
GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def mix_bits(state: Bits) -> Bits:
    """SplitMix64's mixing function: a bijection of 64 bits that leaves neighbours nothing in
    common.

    Takes an array, and also a single number in a compiled loop. Products wrap around at 2^64.
    """
    # Shifts and factors are Stafford's variant 13, as in Java's SplittableRandom.
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
