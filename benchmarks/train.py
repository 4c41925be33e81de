"""Fits the chosen row to all ratings, and keeps it as a directory that can be asked."""

import shlex
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from recbench.benchmarks import api
from recbench.benchmarks.console import FINE, import_plugin, print_lines, serve
from recbench.benchmarks.models import (
    Model,
    describe_choice,
    describe_epochs,
    measure_training_precision,
)
from recbench.benchmarks.tuning import Trial
from recbench.command import command_to_type
from recbench.datasets.foundation import UsageError, format_seconds, make_legible, open_console


def train(
    run: Annotated[
        Path | None, Argument(metavar="[RUN]", help="the directory of a run, whose row is trained")
    ] = None,
    row: Annotated[str | None, Option(help="a row of RUN, as its report calls it")] = None,
    best: Annotated[
        str | None,
        Option(help="the best row of RUN in this metric of its report, such as rmse or ndcg@10"),
    ] = None,
    dataset: Annotated[
        str | None,
        Option(help=f"without RUN: a name from `{command_to_type('list')} datasets`"),
    ] = None,
    algorithm: Annotated[
        str | None, Option(help="without RUN: NAME or NAME[key=value,...]")
    ] = None,
    out: Annotated[Path, Option(help="the directory of the model")] = Path("model"),
    parameters_of: Annotated[
        int | None,
        Option(
            help="of a tuned row: the fold whose hyperparameters are taken [default: they are "
            "searched again, on all ratings]",
            metavar="FOLD",
            min=0,
        ),
    ] = None,
    tune: Annotated[
        str,
        Option(
            help="search the hyperparameters on all ratings: 50 (trials), 10m (processor time), or "
            "50,10m "
            "[default: a tuned row has the budget of RUN]",
            metavar="TRIALS|TIME|TRIALS,TIME",
            show_default=False,
        ),
    ] = "",
    seed: Annotated[
        int | None, Option(help="[default: that of RUN, or 0]", min=0, max=2**32 - 1)
    ] = None,
    threads: Annotated[int | None, Option(help="[default: those of RUN, or 1]", min=1)] = None,
    trace: Annotated[
        bool, Option("--trace", help="print what the algorithm says of its epochs")
    ] = False,
    training_precision: Annotated[
        int | None,
        Option(
            help="print precision@K on the training ratings themselves, all items being candidates",
            metavar="K",
            min=1,
        ),
    ] = None,
    plugin: Annotated[
        list[str] | None, Option(help="module with more adapters; repeatable")
    ] = None,
) -> int:
    """Fit a row to all ratings and write it to OUT: model.json, arrays, ids and titles."""
    plugins = plugin or []
    for module in plugins:
        import_plugin(module)
    if run is not None and dataset is not None:
        raise UsageError("give RUN or --dataset, not both: a run names its data")
    if run is None and dataset is None:
        raise UsageError(
            "what to train on? Name the directory of a run and a --row of it, or --dataset and "
            "--algorithm"
        )
    console = open_console(soft_wrap=True)

    def show_trial(trial: Trial) -> None:
        value = "-" if trial.value is None else f"{trial.value:.4f}"
        tried = ", ".join(f"{name}={value}" for name, value in trial.tried.items())
        print_lines(console, [f"  trial {trial.number + 1}: {trial.status}  {value}  {tried}"])

    model = api.train(
        dataset,
        algorithm,
        out=out,
        run=run,
        row=row,
        best=best,
        parameters_of=parameters_of,
        tune=tune,
        seed=seed,
        threads=threads,
        plugins=plugins,
        on_trial=show_trial,
    )
    if trace:
        print_lines(console, describe_epochs(model.description.training.trace))
    if training_precision is not None:
        print_lines(console, [_describe_training_precision(model, training_precision)])
    print_lines(console, _summarise(model, out))
    return FINE


def _describe_training_precision(model: Model, k: int) -> str:
    """The number, and what it is of, in a line."""
    precision = measure_training_precision(model, k)
    return (
        f"training precision@{k} {precision:.4f}: of the {k} items that each user would be shown, "
        "the share that the user has rated, all items being candidates and every rating counting; "
        "it says what was learned by heart, and nothing of ratings to come"
    )


def _summarise(model: Model, out: Path) -> list[str]:
    """What was trained, what is known of it, and how it is asked, as lines."""
    described = model.description
    data = described.data
    seconds = described.training.convert_seconds + described.training.fit_seconds
    lines = [
        f"{described.title}: {data.ratings:,} ratings, {data.users:,} users, {data.items:,} items, "
        f"in {format_seconds(seconds)} s",
        f"  hyperparameters: {described.parameters_from}",
    ]
    measured = described.measured
    if measured is not None:
        for column, number in measured.columns.items():
            lines.append(f"  {column} {number.text} in {measured.run}")
        if measured.best_by:
            lines.append(f"  {describe_choice(measured)}")
            if measured.cheapest != measured.row:
                command = f"{command_to_type('train')} {shlex.quote(measured.run)}"
                lines.append(f"  to train that: {command} --row {shlex.quote(measured.cheapest)}")
    lines.append(
        f"  {described.megabytes:.1f} MB on disk, {format_seconds(described.load_seconds)} s to "
        "load; read again it gives the same scores to the last bit"
    )
    user = shlex.quote(str(model.user_ids[0]))
    place = shlex.quote(str(out))
    lines.append(f"model: {out}")
    lines.append(f"ask it: {command_to_type('recommend')} {place} --user {user} --top 10")
    return [make_legible(line, keeps_lines=False) for line in lines]


if __name__ == "__main__":
    serve(train)
