"""One search: a row on one fold. Optuna is asked what to try, and told what came of it.

The first trial is the configuration of the row itself, unless the design leaves it out, then some
are drawn at random, then the tree-structured Parzen estimator proposes (Bergstra et al. 2011). What
a trial tries depends on the seed, on its number and on the trials before it, and on nothing else,
since the sampler is made anew for each: a search that is taken up again goes on as it would have
gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from recbench.adapters import available
from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import Cell, Record
from recbench.benchmarks.tuning.design import TuningDesign
from recbench.benchmarks.tuning.history import History, Trial
from recbench.benchmarks.tuning.inner_split import choose_inner_split
from recbench.benchmarks.tuning.spaces import Interval, Options, Space, find_space

N_RANDOM = 15  # trials that are drawn before the estimator begins
# What a proposal goes by
ASKED_WITH = ("sampler", "seed", "metric", "space", "parameters", "default_trial")
HOPELESS = ("skipped", "not_installed")  # no other hyperparameters would help


@dataclass
class RowSearch:
    """The search for the hyperparameters of a row on one fold."""

    cell: Cell  # of the row itself on this fold
    design: TuningDesign
    trials: list[Trial] = field(default_factory=list)
    remembered: History | None = None  # of an earlier run, which need not have gone as far
    is_stopped: bool = False  # a trial could not be run, so the rest cannot be, either
    # For a model: the fold of `cell` is itself the division of all ratings that trials are made on
    is_on_all: bool = False

    def __post_init__(self) -> None:
        self._asked: Cell | None = None
        adapter = available()[self.cell.algorithm]
        self.space: Space = find_space(adapter, self.cell.given)
        self.metric = self.design.choose_metric(adapter.predicts)
        self.inner = ""
        if not self.is_on_all:
            self.inner = choose_inner_split(self.cell.split, adapter.predicts)

    @property
    def trial_cells(self) -> list[Cell]:
        """The cells of the trials so far."""
        return [
            self._make_cell(trial.tried, is_default=self._is_default(trial.number))
            for trial in self.trials
        ]

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent, or nothing can come of another trial."""
        if self.design.default_trial and self.trials and self.trials[0].status in HOPELESS:
            return True
        cost = sum(trial.cpu_seconds for trial in self.trials)
        return not self.design.budget.allows(len(self.trials), cost)

    @property
    def next_cell(self) -> Cell:
        """The cell of the next trial: the row on the inner division of the training part."""
        if self._asked is None:  # asking takes tens of milliseconds
            is_default = self._is_default(len(self.trials))
            self._asked = self._make_cell(self._propose(), is_default=is_default)
        return self._asked

    def _is_default(self, number: int) -> bool:
        """Whether the trial of this number has the hyperparameters of the row itself."""
        return self.design.default_trial and number == 0

    def _make_cell(self, tried: dict[str, Any], *, is_default: bool) -> Cell:
        return replace(
            self.cell,
            parameters=self.cell.parameters | tried,
            given=self.cell.given | ({} if is_default else tried),
            protocol=self.design.evaluation.to_json(),
            inner=self.inner,
        )

    def _propose(self) -> dict[str, Any]:
        if self._is_default(len(self.trials)):
            return {name: self.cell.parameters[name] for name in self.space}
        recalled = self._recall_proposal()
        if recalled is not None:
            return recalled
        n_before = N_RANDOM + self.design.default_trial
        return propose(self.space, self.trials, n_before, self.cell.seed, self.metric)

    def _recall_proposal(self) -> dict[str, Any] | None:
        """What an earlier run tried after the same trials, which saves asking; None if unknown.

        Verification asks again.
        """
        if self.remembered is None:
            return None
        number = len(self.trials)
        before = self.remembered.trials[:number]
        same = all(
            getattr(self.remembered, name) == getattr(self.history, name) for name in ASKED_WITH
        )
        results = [(trial.tried, trial.value) for trial in self.trials]
        same = same and results == [(trial.tried, trial.value) for trial in before]
        if not same or number >= len(self.remembered.trials):
            return None
        return dict(self.remembered.trials[number].tried)

    def recall_seconds(self, cell: Cell) -> float | None:
        """What the next trial cost in an earlier run, in seconds; None if that is not known."""
        known = self.remembered.trials if self.remembered is not None else []
        number = len(self.trials)
        if number < len(known) and known[number].cell == cell.name:
            return known[number].cpu_seconds
        return None

    def tell(self, record: Record, seconds: float) -> None:
        """What came of `next_cell`. A cell that did not run stops the search.

        `seconds` are the wall time of a cell that failed, and so does not say what it cost.
        """
        if record.status == "not_run":
            self.is_stopped = True
            return
        self._asked = None
        value = record.metrics.get(self.metric) if record.status == "ok" else None
        trial = Trial(
            number=len(self.trials),
            cell=record.cell.name,
            tried={name: record.cell.parameters[name] for name in self.space},
            status=record.status,
            value=value,
            cpu_seconds=cost_of(record) if record.costs else seconds,
            epochs=len(record.trace) or None,
        )
        self.trials.append(trial)

    @property
    def history(self) -> History:
        """The search as far as it has come."""
        cell = self.cell
        return History(
            row=cell.row,
            algorithm=cell.algorithm,
            split=cell.split,
            n_folds=cell.n_folds,
            fold=cell.fold,
            split_seed=cell.split_seed,
            inner=self.inner,
            metric=self.metric,
            budget=str(self.design.budget),
            default_trial=self.design.default_trial,
            seed=cell.seed,
            sampler=name_sampler(),
            space=dict(self.space),
            parameters=cell.parameters,
            trials=self.trials,
            is_over=self.is_over,
        )

    def tune(self, cell: Cell) -> Cell:
        """`cell`, one of the tuned row on this fold, with the values that were chosen.

        ValueError for a cell of another fold: its test part lies in this one's training part.
        """
        place = ("algorithm", "given", "digest", "split", "n_folds", "fold", "split_seed")
        if any(getattr(cell, name) != getattr(self.cell, name) for name in place):
            raise ValueError(
                f"the search of {self.cell.row}, {self.cell.place}, is not for {cell.row}, "
                f"{cell.place}: the training part of each fold holds the others' test ratings. "
                "For one search take a holdout"
            )
        return replace(
            cell,
            parameters=self.history.chosen,
            tuning=describe_search(self.cell, self.design, len(self.trials)),
        )


def describe_search(cell: Cell, design: TuningDesign, n_trials: int) -> dict[str, Any]:
    """What of a search stands in the key of the tuned cell, beside the chosen values.

    A budget of time is the number of trials that it allowed; 0 before there were any.
    """
    adapter = available()[cell.algorithm]
    space = find_space(adapter, cell.given)
    return {
        "n_trials": n_trials,
        "n_random": N_RANDOM,
        "default_trial": design.default_trial,
        "inner": choose_inner_split(cell.split, adapter.predicts),
        "metric": design.choose_metric(adapter.predicts),
        "sampler": name_sampler(),
        "seed": cell.seed,
        "space": {name: dimension.to_json() for name, dimension in space.items()},
    }


def name_sampler() -> str:
    """The library that proposes, with its version."""
    return f"optuna {version('optuna')}"


def cost_of(record: Record) -> float:
    """The processor time of all calls of a cell in seconds, repetitions included."""
    return sum(
        sum(cost.cpu_samples) if cost.cpu_samples else cost.cpu_seconds or cost.seconds
        for cost in record.costs.values()
    )


def propose(
    space: Space, trials: Sequence[Trial], n_before: int, seed: int, metric: str
) -> dict[str, Any]:
    """What the trial after `trials` tries: the same for the same arguments.

    It is drawn at random as long as there are fewer than `n_before`, else estimated. Of the default
    configuration what lies outside of the space is not shown to the sampler.
    """
    import optuna  # takes a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    number = len(trials)
    (drawn,) = np.random.SeedSequence([seed, number]).generate_state(1)
    sampler: optuna.samplers.BaseSampler
    if number < n_before:
        sampler = optuna.samplers.RandomSampler(seed=int(drawn))
    else:
        sampler = optuna.samplers.TPESampler(
            seed=int(drawn), n_startup_trials=1, multivariate=False, constant_liar=False
        )

    distributions = _describe_space(space)
    is_error = find_metric(metric).better == "lower"
    direction: Literal["minimize", "maximize"] = "minimize" if is_error else "maximize"
    study = optuna.create_study(sampler=sampler, direction=direction)
    for trial in trials:
        shown = [name for name in space if space[name].holds(trial.tried[name])]
        is_valued = trial.value is not None
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.COMPLETE
                if is_valued
                else optuna.trial.TrialState.FAIL,
                value=trial.value,
                params={name: trial.tried[name] for name in shown},
                distributions={name: distributions[name] for name in shown},
            )
        )
    asked = study.ask(distributions)
    proposed = dict(asked.params)
    for name, dimension in space.items():
        if isinstance(dimension, Interval):
            proposed[name] = dimension.round(proposed[name])
    return proposed


def _describe_space(space: Space) -> dict[str, Any]:
    """The space in Optuna's words, in the order of the names: values are drawn in this order."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    distributions: dict[str, Any] = {}
    for name, dimension in sorted(space.items()):
        if isinstance(dimension, Options):
            distributions[name] = CategoricalDistribution(dimension.values)
        elif dimension.is_whole:
            distributions[name] = IntDistribution(
                int(dimension.lowest), int(dimension.highest), log=dimension.log
            )
        else:
            distributions[name] = FloatDistribution(
                dimension.lowest, dimension.highest, log=dimension.log
            )
    return distributions


def find_replay_errors(history: History) -> list[int]:
    """The numbers of the trials that did not try what the sampler proposes after those before.

    Empty as well if another version of the sampler has proposed: then nobody can tell.
    """
    if history.sampler != name_sampler():
        return []

    wrong = []
    for trial in history.trials:
        expected: Mapping[str, Any] = history.parameters
        if trial.number or not history.default_trial:
            before = history.trials[: trial.number]
            n_before = N_RANDOM + history.default_trial
            expected = propose(history.space, before, n_before, history.seed, history.metric)
        if any(trial.tried[name] != expected[name] for name in history.space):
            wrong.append(trial.number)
    return wrong
