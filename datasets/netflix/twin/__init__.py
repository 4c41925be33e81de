"""The simulated twin of the Netflix Prize: a seeded model with a known truth, written in the raw
format of the real files.

Only the Netflix room comes in: its loaders for `write_simulated_netflix`, they and the calibration
for the truth behind its files, `Twin`. Whatever is made here says that it is simulated.
"""

from recbench.datasets.netflix.twin.model import TRUTH, Twin
from recbench.datasets.netflix.twin.write import OVERVIEWS, write_simulated_netflix

__all__ = ["OVERVIEWS", "TRUTH", "Twin", "write_simulated_netflix"]
