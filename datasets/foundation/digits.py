"""How many digits of a number are shown, wherever that is: in the live table and in reports."""

import math

USUAL_DECIMALS = 4  # of a metric, unless its data carry more
SMALL = 1e-3  # what is smaller would lose digits in the usual decimals
SIGNIFICANT = 3  # digits of such a number
NOISE = 1e-12  # what is smaller is the rounding of computers

Bounds = tuple[float, float]


def count_decimals(value: float, bounds: Bounds | None = None) -> int:
    """How many decimals a number is shown with: the usual ones, or more where they say less than
    the data do.

    Where its interval is known and the usual decimals do not tell its ends apart, as many as show
    two digits of its half width: more would be chance. Where it is not known, a number below a
    thousandth has three significant digits.

    >>> count_decimals(0.9195, (0.9130, 0.9260)), count_decimals(0.000213, (0.0002, 0.000226))
    (4, 6)
    >>> count_decimals(0.000213), count_decimals(1.5), count_decimals(1e-17)
    (6, 4, 4)
    """
    half_width = 0.0
    if bounds is not None and all(map(math.isfinite, bounds)):
        half_width = (bounds[1] - bounds[0]) / 2
    if half_width >= 10**-USUAL_DECIMALS:
        return USUAL_DECIMALS
    if half_width > NOISE:
        return 1 + math.ceil(-math.log10(half_width))

    size = abs(value)
    if NOISE < size < SMALL:
        return SIGNIFICANT - 1 - math.floor(math.log10(size))
    return USUAL_DECIMALS


def format_number(value: float, bounds: Bounds | None = None) -> str:
    """A metric with the decimals of `count_decimals`.

    >>> format_number(0.91954), format_number(0.00021, (0.0002, 0.00022)), format_number(1e-6)
    ('0.9195', '0.000210', '0.00000100')
    """
    return f"{value:.{count_decimals(value, bounds)}f}"
