"""From what the user asked for to the cells that answer it.

Here are the request and its plan, suites and rows, published numbers, where results go, what is
kept of an earlier run, and what the rest will take. Commands and `api` come in with a `Request`,
verification with a `Cell`, the command `list` for suites. Everything is checked here, before any
long work; nothing is measured.
"""

from recbench.benchmarks.planning.cells import (
    Design,
    add_seeds,
    library_versions,
    plan_cells,
)
from recbench.benchmarks.planning.cost_model import Likely
from recbench.benchmarks.planning.destination import (
    choose_directory,
    dataset_of,
    describe_replacement,
    files_of,
    load_data_of,
    load_same_data,
)
from recbench.benchmarks.planning.estimate import (
    Estimator,
    RowCosts,
    add_likely,
    estimate_rows,
)
from recbench.benchmarks.planning.request import (
    USUAL_SUITE,
    Request,
    RunPlan,
    check_request,
)
from recbench.benchmarks.planning.resume import (
    TO_MEASURE,
    DivisionId,
    State,
    division_of,
    find_misfits,
    name_changes,
    resume_plan,
    state_of,
)
from recbench.benchmarks.planning.shard import Shard, parse_shard
from recbench.benchmarks.planning.suite import (
    PlannedRow,
    Suite,
    hyperparameters_of,
    parse_rows,
    read_suite,
    suite_names,
    with_truth_seers,
)

__all__ = [
    "TO_MEASURE",
    "USUAL_SUITE",
    "Design",
    "DivisionId",
    "Estimator",
    "Likely",
    "PlannedRow",
    "Request",
    "RowCosts",
    "RunPlan",
    "Shard",
    "State",
    "Suite",
    "add_likely",
    "add_seeds",
    "check_request",
    "choose_directory",
    "dataset_of",
    "describe_replacement",
    "division_of",
    "estimate_rows",
    "files_of",
    "find_misfits",
    "hyperparameters_of",
    "library_versions",
    "load_data_of",
    "load_same_data",
    "name_changes",
    "parse_rows",
    "parse_shard",
    "plan_cells",
    "read_suite",
    "resume_plan",
    "state_of",
    "suite_names",
    "with_truth_seers",
]
