"""The simulated twin of the Netflix Prize: a seeded model with a known truth, written in the raw
format of the real files.

Only the Netflix loaders come in. Whatever is made here says that it is simulated.
"""

from recbench.datasets.netflix.twin.model import Twin
from recbench.datasets.netflix.twin.write import OVERVIEWS, TRUTH, simulated_netflix

__all__ = ["OVERVIEWS", "TRUTH", "Twin", "simulated_netflix"]
