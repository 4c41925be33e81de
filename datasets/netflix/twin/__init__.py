"""The simulated twin of the Netflix Prize: a seeded model with a known truth, written in the raw
format of the real files.

Only the Netflix loaders come in, for `write_simulated_netflix` and the truth behind its files,
`Twin`. Whatever is made here says that it is simulated.
"""

from recbench.datasets.netflix.twin.model import TRUTH, Twin
from recbench.datasets.netflix.twin.write import OVERVIEWS, write_simulated_netflix

__all__ = ["OVERVIEWS", "TRUTH", "Twin", "write_simulated_netflix"]
