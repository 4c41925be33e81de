"""What every other room stands on: names with parameters, errors a user can mend, command lines,
amounts of time and memory, digits that are shown, how far a file may unpack, JSON and text of
others made legible, compiled loops, and SplitMix64.

Anybody may come in, also from other packages. It knows nothing of ratings.
"""

from recbench.datasets.foundation.amounts import parse_megabytes, parse_seconds
from recbench.datasets.foundation.command_line import (
    BROKEN,
    FINE,
    INCOMPLETE,
    INTERRUPTED,
    USAGE,
    Main,
    build_application,
    end_in_order,
)
from recbench.datasets.foundation.compilation import compile_lazily
from recbench.datasets.foundation.digits import Bounds, count_decimals, format_number
from recbench.datasets.foundation.durations import format_seconds
from recbench.datasets.foundation.expansion import (
    Expansion,
    longest_line,
    read_bounded_lines,
    refuse_long_line,
)
from recbench.datasets.foundation.json_files import parse_json
from recbench.datasets.foundation.legible import (
    LONGEST_LINE,
    LONGEST_TEXT,
    make_legible,
    open_console,
)
from recbench.datasets.foundation.markdown import (
    escape_markdown,
    find_addresses,
    format_code,
    longest_run_of_ticks,
)
from recbench.datasets.foundation.spec import (
    UsageError,
    format_spec,
    import_all,
    parse_spec,
    pick_name,
    refuse_path,
    validate_arguments,
)
from recbench.datasets.foundation.splitmix import GOLDEN_GAMMA, mix_bits

__all__ = [
    "BROKEN",
    "FINE",
    "GOLDEN_GAMMA",
    "INCOMPLETE",
    "INTERRUPTED",
    "LONGEST_LINE",
    "LONGEST_TEXT",
    "USAGE",
    "Bounds",
    "Expansion",
    "Main",
    "UsageError",
    "build_application",
    "compile_lazily",
    "count_decimals",
    "end_in_order",
    "escape_markdown",
    "find_addresses",
    "format_code",
    "format_number",
    "format_seconds",
    "format_spec",
    "import_all",
    "longest_line",
    "longest_run_of_ticks",
    "make_legible",
    "mix_bits",
    "open_console",
    "parse_json",
    "parse_megabytes",
    "parse_seconds",
    "parse_spec",
    "pick_name",
    "read_bounded_lines",
    "refuse_long_line",
    "refuse_path",
    "validate_arguments",
]
