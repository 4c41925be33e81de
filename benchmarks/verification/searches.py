"""Whether tuned rows have the values that their searches chose, and trials are what they say."""

from recbench.benchmarks.records import Cell, Record, Run
from recbench.benchmarks.tuning import (
    History,
    Trial,
    find_replay_errors,
    find_trials,
    read_histories,
)
from recbench.benchmarks.verification.ledger import Ledger

FILE = "tuning.json"
# In what a tuned cell, a trial and their search agree
PLACE = ("algorithm", "split", "n_folds", "fold", "split_seed")

Place = tuple[object, ...]


def check_searches(run: Run, cells: list[Cell], ledger: Ledger) -> None:
    """Compare tuning.json with the tuned cells, with the records of its trials, and with itself.

    What each trial tried is asked for again. UsageError for a file that cannot be read.
    """
    histories = read_histories(run.directory)
    by_place = {_place_of(history): history for history in histories}
    for cell in cells:
        if cell.tuning is None or cell.is_untuned:
            continue
        history = by_place.get(_place_of(cell))
        if history is None:
            ledger.note(FILE, f"{cell.row}, {cell.place}", "the search of its values", None)
            continue
        where = f"cell {cell.name}"
        ledger.compare("searches", FILE, f"{where}.parameters", history.chosen, cell.parameters)
        n_trials = len(history.trials)
        ledger.compare("searches", FILE, f"{where}.n_trials", n_trials, cell.tuning["n_trials"])
        for name in ("inner", "metric", "default_trial"):
            recorded = cell.tuning.get(name, True)  # of before there was a choice of first trials
            ledger.compare("searches", FILE, f"{where}.{name}", getattr(history, name), recorded)

    trials = find_trials(run)
    for history in histories:
        where = f"{history.row}, {history.split} fold {history.fold}"
        records = {record.cell.name: record for record in _read_records(trials, history)}
        for trial in history.trials:
            place = f"{where}, trial {trial.number}"
            _check_trial(history, trial, records.get(trial.cell), place, ledger)
        wrong = find_replay_errors(history)
        ledger.compare("searches", FILE, f"{where}, trials not proposed", [], wrong)


def _place_of(one: Cell | History) -> Place:
    """The row, as it is called without being tuned, and the fold."""
    row = one.row if isinstance(one, History) else one.untuned_row
    return (row, *(getattr(one, name) for name in PLACE))


def _read_records(trials: Run, history: History) -> list[Record]:
    """The records of the trials of a search that are there."""
    records = []
    for trial in history.trials:
        path = trials.directory / "records" / f"{trial.cell}.json"
        if path.exists():
            records.append(Record.from_json(path.read_bytes()))
    return records


def _check_trial(
    history: History, trial: Trial, record: Record | None, place: str, ledger: Ledger
) -> None:
    """Compare a trial with its record, and that with the fold that it has to be measured on."""
    if record is None:
        ledger.note(FILE, place, f"a record tuning/records/{trial.cell}.json", None)
        return
    cell = record.cell
    tried = {name: cell.parameters[name] for name in history.space}
    value = record.metrics.get(history.metric) if record.status == "ok" else None
    ledger.compare("searches", FILE, f"{place}, tried", tried, trial.tried)
    ledger.compare("searches", FILE, f"{place}, status", record.status, trial.status)
    ledger.compare("searches", FILE, f"{place}, value", value, trial.value)
    ledger.compare("searches", FILE, f"{place}, inner", cell.inner, history.inner)
    for name in PLACE:
        ledger.compare(
            "searches", FILE, f"{place}, {name}", getattr(history, name), getattr(cell, name)
        )
