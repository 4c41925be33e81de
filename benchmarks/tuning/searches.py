"""All searches of a run, side by side: one for each tuned row, division and fold.

Trials have a directory of their own in that of the run, `tuning`, which is a run as any other: with
a plan and a record for each trial.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from recbench.benchmarks.records import Cell, Record, Run, RunDescription
from recbench.benchmarks.tuning.design import TuningDesign
from recbench.benchmarks.tuning.history import History, read_histories, write_histories
from recbench.benchmarks.tuning.search import RowSearch

DIRECTORY = "tuning"  # of the trials, in that of the run
# Failures of a trial that another try would not change: they are kept with their records
LASTING = ("failed", "diverged")

Place = tuple[str, str, int, int, int]


def find_trials(run: Run) -> Run:
    """The run of the trials of a run, which need not exist."""
    return Run(run.directory / DIRECTORY)


class Searches:
    """The searches that the tuned rows of a plan need, and where their trials are kept."""

    def __init__(self, cells: Iterable[Cell], design: TuningDesign, run: Run) -> None:
        """`cells` are those of the plan; trials of an earlier run in the same place are known.

        UsageError if what that has left of its searches is damaged.
        """
        self._run = run
        self._design = design
        self.trials = find_trials(run)
        remembered = {_place_of(history): history for history in read_histories(run.directory)}

        # Other initialisations of a division have the search of the first
        self._searches: dict[Place, RowSearch] = {}
        for cell in cells:
            if cell.tuning is not None:
                default = replace(cell, tuning=None)
                place = _place_of(default)
                if place not in self._searches:
                    search = RowSearch(default, design, remembered=remembered.get(place))
                    self._searches[place] = search

    @property
    def n_left(self) -> int:
        """How many searches go on."""
        return len(self._list_active())

    def _list_active(self) -> list[RowSearch]:
        searches = self._searches.values()
        return [search for search in searches if not search.is_over and not search.is_stopped]

    @property
    def progress(self) -> str:
        """How far those have come that go on, as `trial 3 of 50` or `trial 3, for 600s each`."""
        numbers = [len(search.trials) + 1 for search in self._list_active()]
        number = min(numbers, default=0)
        budget = self._design.budget
        if budget.trials is None:
            return f"trial {number}, for {budget.in_words} each"
        return f"trial {number} of {budget.in_words}".removesuffix(" trials")

    def replay(self, is_kept: Callable[[Cell], bool]) -> None:
        """Go on from the trials of an earlier run, as far as their records are kept.

        Of failures only those are that would come again, and whose cost is known.
        """
        for search in self._list_active():
            while not search.is_over:
                cell = search.next_cell
                seconds = search.recall_seconds(cell)
                record = self.trials.read(cell)
                if record is None:
                    break
                is_failure = record.status in LASTING and seconds is not None
                if not is_failure and not is_kept(cell):
                    break
                search.tell(record, seconds or 0.0)

    def next_cells(self) -> list[Cell]:
        """The next trial of each search that goes on; each cell once."""
        cells = {}
        for search in self._list_active():
            cell = search.next_cell
            cells[cell.name] = cell
        return list(cells.values())

    def tell(self, records: Mapping[str, Record], seconds: Mapping[str, float]) -> None:
        """What came of `next_cells`: records, and wall times of those that were measured, by name.

        Every search hears of its cell.
        """
        for search in self._list_active():
            name = search.next_cell.name
            search.tell(records[name], seconds.get(name, 0.0))

    def fill_in(self, cells: Iterable[Cell]) -> list[Cell]:
        """`cells` with the values that were chosen, where the search is over."""
        filled = []
        for cell in cells:
            if cell.tuning is not None:
                search = self._searches[_place_of(replace(cell, tuning=None))]
                if search.is_over:
                    cell = search.tune(cell)
            filled.append(cell)
        return filled

    def write_histories(self) -> None:
        """Keep how far all searches have come, beside the plan of the run."""
        histories = [search.history for search in self._searches.values()]
        write_histories(self._run.directory, histories)

    def write_plan(self, about: RunDescription) -> None:
        """Keep the plan of the trials; `about` is what that of the run says."""
        cells = {}
        for search in self._searches.values():
            for cell in search.trial_cells:
                cells[cell.name] = cell
        described = RunDescription(
            command=about.command,
            reproduce=about.reproduce,
            metrics=self._design.metrics,
            protocol=self._design.evaluation.to_json(),
            evaluation=about.evaluation,
            published=[],
            data=about.data,
            environment=about.environment,
        )
        if cells:
            self.trials.write_plan(cells.values(), described)


def _place_of(one: Cell | History) -> Place:
    """Which row and which fold of which division."""
    return one.row, one.split, one.n_folds, one.split_seed, one.fold
