"""How all rows of a run are tuned: the budget, the first trial, and the metric to go by."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from recbench.benchmarks.metrics import Evaluation, find_metric, protocols_of_columns
from recbench.benchmarks.tuning.budget import TuningBudget

Predicts = Literal["ratings", "order"]

HEADLINES: dict[Predicts, str] = {"ratings": "rmse", "order": "ndcg@10"}
KINDS = {"ratings": ("rating", "ranking"), "order": ("ranking",)}  # in the order of preference


@dataclass(frozen=True)
class TuningDesign:
    """What the searches of all rows have in common, so that they are on equal terms."""

    budget: TuningBudget
    columns: tuple[str, ...] = ()  # the metric columns of the report
    default_trial: bool = True  # whether the row's own hyperparameters are the first trial

    def choose_metric(self, predicts: Predicts) -> str:
        """The metric that a search goes by: the row's headline metric.

        RMSE for who predicts ratings and nDCG@10 for who ranks only; in a report without that
        column the first one that judges such a row, which the suite of a published table has.
        """
        usual = HEADLINES[predicts]
        if usual in self.columns:
            return usual
        return next(self._list_judging(predicts), usual)

    def _list_judging(self, predicts: Predicts) -> Iterator[str]:
        for kind in KINDS[predicts]:
            for column in self.columns:
                metric = find_metric(column)
                is_accuracy = metric.kind == "ranking" or metric.needs_ratings
                if metric.kind == kind and is_accuracy and metric.better != "zero":
                    yield column

    @property
    def metrics(self) -> list[str]:
        """The metrics of all searches, each once."""
        return list(dict.fromkeys(self.choose_metric(predicts) for predicts in HEADLINES))

    @property
    def evaluation(self) -> Evaluation:
        """The questions of all trials, whatever else the report shows."""
        cutoffs = sorted(
            {int(metric.partition("@")[2]) for metric in self.metrics if "@" in metric}
        )
        protocols = protocols_of_columns(self.metrics)
        return Evaluation(tuple(cutoffs) or Evaluation().ks, protocols)
