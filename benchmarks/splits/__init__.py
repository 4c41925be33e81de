"""How ratings are divided into training and test parts: every way by name, and the rows of a fold.

Planning, execution and verification come in. The same split, fold and seed give the same rows
everywhere.
"""

from recbench.benchmarks.splits.folds import divide, fingerprint
from recbench.benchmarks.splits.ways import SPLITS

__all__ = ["SPLITS", "divide", "fingerprint"]
