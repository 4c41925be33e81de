"""What a comparison is for: the chosen row, fitted to all ratings, kept as a directory, and asked.

`training` fits, `state` makes plain arrays of what was learned, `directory` writes and reads them,
`model` answers by the ids of users and items, `latency` times it, `serving` does all of that to a
row of a run. The commands `train`, `recommend` and `verify` come in, `api`, and execution, to know
what a measured row would cost. Records, planning and tuning are asked from here.
Nothing that is read is executed. What has to measure cells first, `searching`, is a room above.
"""

from recbench.benchmarks.models.check import ModelCheck, check_model
from recbench.benchmarks.models.choice import MeasuredRun, find_best, group_rows
from recbench.benchmarks.models.description import (
    Measurement,
    ModelDescription,
    describe_choice,
    describe_epochs,
)
from recbench.benchmarks.models.directory import (
    holds_model,
    load_model,
    read_description,
    refuse_place,
    save_model,
)
from recbench.benchmarks.models.latency import describe_latency, measure_latency
from recbench.benchmarks.models.list_files import write_all_lists, write_lists
from recbench.benchmarks.models.model import Model, RecommendedLists, probe_scores
from recbench.benchmarks.models.new_users import Histories, rank_new_users, read_histories
from recbench.benchmarks.models.own_ratings import (
    compare_own_ratings,
    measure_training_precision,
)
from recbench.benchmarks.models.selection import bar_items_by_option
from recbench.benchmarks.models.serving import FittedRow, measure_serving
from recbench.benchmarks.models.training import Recipe, train_model

__all__ = [
    "FittedRow",
    "Histories",
    "MeasuredRun",
    "Measurement",
    "Model",
    "ModelCheck",
    "ModelDescription",
    "Recipe",
    "RecommendedLists",
    "bar_items_by_option",
    "check_model",
    "compare_own_ratings",
    "describe_choice",
    "describe_epochs",
    "describe_latency",
    "find_best",
    "group_rows",
    "holds_model",
    "load_model",
    "measure_latency",
    "measure_serving",
    "measure_training_precision",
    "probe_scores",
    "rank_new_users",
    "read_description",
    "read_histories",
    "refuse_place",
    "save_model",
    "train_model",
    "write_all_lists",
    "write_lists",
]
