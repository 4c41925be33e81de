"""Spark's algorithms, for ratings that one machine does not hold; pyspark and Java are needed.

Adapters are found by themselves; `MASTER` is the variable that names a master, for who starts runs.
Nothing here imports pyspark before an algorithm is asked.
"""

from recbench.adapters.spark.session import MASTER

__all__ = ["MASTER"]
