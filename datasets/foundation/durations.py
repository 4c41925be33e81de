"""How seconds are shown, wherever they are: in the live table and in reports."""

import math


def format_seconds(value: float) -> str:
    """A time in seconds with three significant digits, rounded here and nowhere before.

    >>> [format_seconds(value) for value in (0.0, 0.00002, 0.0061, 1.5, 9.999, 1234.5)]
    ['0', '2.00e-05', '0.00610', '1.50', '10.0', '1,230']
    """
    if value < 1e-4:
        return f"{value:.2e}" if value else "0"

    digits = 2 - math.floor(math.log10(value))
    if round(value, digits) >= 10 ** (3 - digits):  # one digit more, as in 9.999 -> 10.0
        digits -= 1
    return f"{round(value, digits):,.{max(0, digits)}f}"
