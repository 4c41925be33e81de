"""What every other room of the data sets stands on: names with parameters, errors a user can mend,
command lines.

Anybody may come in, also from other packages. It knows nothing of ratings.
"""

from recbench.datasets.foundation.command_line import (
    BROKEN,
    FINE,
    INCOMPLETE,
    INTERRUPTED,
    USAGE,
    Main,
    application,
)
from recbench.datasets.foundation.spec import (
    UsageError,
    format_spec,
    import_all,
    parse_spec,
    pick,
    refuse_path,
    validated,
)

__all__ = [
    "BROKEN",
    "FINE",
    "INCOMPLETE",
    "INTERRUPTED",
    "USAGE",
    "Main",
    "UsageError",
    "application",
    "format_spec",
    "import_all",
    "parse_spec",
    "pick",
    "refuse_path",
    "validated",
]
