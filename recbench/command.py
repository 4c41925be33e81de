"""The console script `recbench`: `recbench run` is `python -m recbench.benchmarks.run`, and so for the others."""

import runpy
import sys

COMMANDS = {
    "run": "recbench.benchmarks.run",
    "compare": "recbench.benchmarks.compare",
    "verify": "recbench.benchmarks.verify",
    "accept": "recbench.benchmarks.accept",
    "list": "recbench.benchmarks.list",
    "doctor": "recbench.benchmarks.doctor",
    "datasets": "recbench.datasets",
    "report": "recbench.reports.build",
}


def main() -> None:
    """Run the command that the first argument names with the arguments behind it; exit code 2 if there is none."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in COMMANDS:
        wants_help = arguments[:1] in ([], ["--help"], ["-h"])
        problem = "" if wants_help else f"unknown command {arguments[0]!r}\n"
        known = "".join(f"  recbench {name}\n" for name in COMMANDS)
        (sys.stdout if wants_help else sys.stderr).write(
            f"{problem}usage: recbench COMMAND ...\n{known}"
        )
        sys.exit(0 if wants_help else 2)
    name = arguments.pop(0)
    sys.argv[:] = [f"recbench {name}", *arguments]
    runpy.run_module(COMMANDS[name], run_name="__main__", alter_sys=True)
