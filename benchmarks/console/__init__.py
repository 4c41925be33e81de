"""What all command lines of the bench share: exit codes, the live table, plans in print, plug-ins.

Commands come in; the rooms of the bench do not print.
"""

from recbench.benchmarks.console.command_line import (
    FAILED,
    FINE,
    INCOMPLETE,
    USAGE,
    import_plugin,
    serve,
)
from recbench.benchmarks.console.display import Display, announce_run, print_lines, print_plan
from recbench.benchmarks.console.estimates import print_estimates

__all__ = [
    "FAILED",
    "FINE",
    "INCOMPLETE",
    "USAGE",
    "Display",
    "announce_run",
    "import_plugin",
    "print_estimates",
    "print_lines",
    "print_plan",
    "serve",
]
