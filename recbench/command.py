"""The commands: what the console script `recbench` starts, and how a command is typed here.

`recbench run` is `python -m recbench.benchmarks.run`, and so for the others. In a checkout the same
commands are typed as `python -m benchmarks.run`, from its root.
"""

import os
import runpy
import sys

import recbench

# What follows `recbench` on the command line, and the module that is run for it.
COMMANDS = {
    "run": "recbench.benchmarks.run",
    "compare": "recbench.benchmarks.compare",
    "history": "recbench.benchmarks.history",
    "verify": "recbench.benchmarks.verify",
    "merge": "recbench.benchmarks.merge",
    "blend": "recbench.benchmarks.blend",
    "behave": "recbench.benchmarks.behave",
    "train": "recbench.benchmarks.train",
    "check": "recbench.benchmarks.check",
    "new-adapter": "recbench.benchmarks.new_adapter",
    "recommend": "recbench.benchmarks.recommend",
    "accept": "recbench.benchmarks.accept",
    "export": "recbench.benchmarks.export",
    "list": "recbench.benchmarks.list",
    "doctor": "recbench.benchmarks.doctor",
    "datasets": "recbench.datasets",
    "report": "recbench.reports.build",
    "archive": "recbench.reports.archive",
}

USAGE_ERROR = 2  # the exit code of a command line that was not understood


def command_to_type(name: str) -> str:
    """What a reader has to type, where this recbench is, to start the command called `name`.

    For "run" that is `python -m benchmarks.run` in a checkout, and `recbench run` where a wheel is
    installed, which has no module called `benchmarks`. KeyError if `name` is not one of COMMANDS.
    """
    module = COMMANDS[name]
    if recbench.is_checkout():
        return f"python -m {module.removeprefix('recbench.')}"
    return f"recbench {name}"


def main() -> None:
    """Run the command that the first argument names with the arguments behind it.

    Without arguments or with --help it prints the usage; with a command that does not exist it says
    so on standard error, and exits with code 2.
    """
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("--help", "-h"):
        sys.stdout.write(usage())
        return

    name = arguments[0]
    if name not in COMMANDS:
        sys.stderr.write(f"unknown command {name!r}\n{usage()}")
        sys.exit(USAGE_ERROR)

    if not recbench.is_checkout():
        keep_compiled_code_apart()

    # The command takes its own name from here: its usage line says "recbench run".
    sys.argv[:] = [f"recbench {name}", *arguments[1:]]
    runpy.run_module(COMMANDS[name], run_name="__main__", alter_sys=True)


def keep_compiled_code_apart() -> None:
    """Let numba keep compiled loops in recbench's cache, unless NUMBA_CACHE_DIR is set already.

    Beside the modules of a wheel they would stay when it is uninstalled, and leave a folder that
    still could be imported as `recbench`.
    """
    from recbench.datasets.storage import cache_directory  # `recbench --help` need not wait for it

    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_directory() / "compiled"))


def usage() -> str:
    """How the console script is called: a line for each command."""
    lines = ["usage: recbench COMMAND ..."]
    lines += [f"  recbench {name}" for name in COMMANDS]
    return "\n".join(lines) + "\n"
