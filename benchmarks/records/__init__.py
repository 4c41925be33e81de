"""What is planned and what came out: cells, records, the directory of a run, the table of results,
which code made them.

Everybody above comes in; this room knows nothing of processes. Yesterday's files must load today.
"""

from recbench.benchmarks.records.arrays import UNREADABLE_ARRAYS, read_arrays
from recbench.benchmarks.records.cell import (
    MADE_ELSEWHERE,
    NOT_MEASURED_HERE,
    PHASES,
    TUNED,
    Cell,
    ExternalFiles,
)
from recbench.benchmarks.records.certificate import REPEATABILITIES, Certificate, Repeatability
from recbench.benchmarks.records.csv_table import (
    PROVENANCE,
    csv_row,
    describe_table_schema,
    embed_records,
    table_values,
    write_table,
)
from recbench.benchmarks.records.custody import Custody, blame_cell
from recbench.benchmarks.records.describe import (
    describe_algorithms,
    describe_data,
    describe_fold_in,
    predicts_of,
)
from recbench.benchmarks.records.distributions import distributions_by_module, version_of
from recbench.benchmarks.records.examples import (
    ENOUGH_TEST_RATINGS,
    Answer,
    Examples,
    Person,
    find_users,
    make_examples,
    read_examples,
    write_examples,
)
from recbench.benchmarks.records.facts import (
    AlgorithmDescription,
    BlindSpot,
    CellCost,
    ColdStart,
    DataDescription,
    Disagreement,
    Environment,
    FoldFacts,
    FoldInCost,
    PhaseCost,
    PublishedNumber,
    RunDescription,
    Serving,
    ServingCost,
)
from recbench.benchmarks.records.leftovers import NAMES_BELOW
from recbench.benchmarks.records.ownership import (
    REPORT_LIST,
    claim_directory,
    read_report_digests,
    refuse_foreign_files,
    refuse_foreign_report,
)
from recbench.benchmarks.records.record import (
    Record,
    Run,
    describe_schema,
    group_by_role,
    record_not_run,
)
from recbench.benchmarks.records.schema import unreadable_record_error
from recbench.benchmarks.records.source import (
    answers_source,
    answers_sources,
    evaluation_source,
    is_of_session,
    is_plugin,
    plugin_source,
)

__all__ = [
    "ENOUGH_TEST_RATINGS",
    "MADE_ELSEWHERE",
    "NAMES_BELOW",
    "NOT_MEASURED_HERE",
    "PHASES",
    "PROVENANCE",
    "REPEATABILITIES",
    "REPORT_LIST",
    "TUNED",
    "UNREADABLE_ARRAYS",
    "AlgorithmDescription",
    "Answer",
    "BlindSpot",
    "Cell",
    "CellCost",
    "Certificate",
    "ColdStart",
    "Custody",
    "DataDescription",
    "Disagreement",
    "Environment",
    "Examples",
    "ExternalFiles",
    "FoldFacts",
    "FoldInCost",
    "Person",
    "PhaseCost",
    "PublishedNumber",
    "Record",
    "Repeatability",
    "Run",
    "RunDescription",
    "Serving",
    "ServingCost",
    "answers_source",
    "answers_sources",
    "blame_cell",
    "claim_directory",
    "csv_row",
    "describe_algorithms",
    "describe_data",
    "describe_fold_in",
    "describe_schema",
    "describe_table_schema",
    "distributions_by_module",
    "embed_records",
    "evaluation_source",
    "find_users",
    "group_by_role",
    "is_of_session",
    "is_plugin",
    "make_examples",
    "plugin_source",
    "predicts_of",
    "read_arrays",
    "read_examples",
    "read_report_digests",
    "record_not_run",
    "refuse_foreign_files",
    "refuse_foreign_report",
    "table_values",
    "unreadable_record_error",
    "version_of",
    "write_examples",
    "write_table",
]
