"""From the raw answers of a cell to all its numbers, by the one path that every number takes.

Of a cell just measured, of a kept one that is evaluated again, and of one to verify.
"""

from dataclasses import dataclass
from typing import Literal

from recbench.benchmarks.evaluation.cell_metrics import CellMetrics, compute_metrics
from recbench.benchmarks.evaluation.known import KnownRatings
from recbench.benchmarks.evaluation.questions import Answers
from recbench.benchmarks.evaluation.raw_scores import RawScores, describe_raw_scores
from recbench.benchmarks.evaluation.slices import Slice, compute_slices
from recbench.benchmarks.metrics import Evaluation
from recbench.datasets.ratings import Catalogue, Ratings

# What the answers of a cell are; "lists": it ranks, and no test pair has a score
Predicts = Literal["ratings", "order", "lists"]


@dataclass(frozen=True)
class Numbers:
    """What comes of the raw answers of a cell: its metrics with each user's share, slices, and
    where its scores lie.
    """

    scored: CellMetrics
    slices: list[Slice]
    raw_scores: RawScores


def evaluate_answers(
    answers: Answers,
    train: Ratings,
    test: Ratings,
    catalogue: Catalogue,
    evaluation: Evaluation,
    predicts: Predicts,
) -> Numbers:
    """Every metric of a cell, every user's share in it, and the slices, from its raw answers.

    `train` and `test` are the parts of its fold, `predicts` is what its algorithm says of itself.
    Where users are new, what was told of them stands in `train` too, which then are `KnownRatings`.
    The slices are made at the first cutoff of `evaluation`.
    """
    predicts_ratings = predicts == "ratings"
    scored = compute_metrics(
        answers,
        train,
        test,
        catalogue,
        evaluation,
        predicts_ratings=predicts_ratings,
        scores_pairs=predicts != "lists",
    )

    first_cutoff = evaluation.ks[0]
    histories = None
    learned_from = train
    if isinstance(train, KnownRatings) and train.n_told:
        histories = train.histories
        learned_from = train.training

    slices = compute_slices(
        answers,
        scored,
        learned_from,
        test,
        first_cutoff,
        predicts_ratings=predicts_ratings,
        histories=histories,
    )
    raw_scores = describe_raw_scores(
        answers.scores, train, test, "ratings" if predicts_ratings else "order"
    )
    return Numbers(scored, slices, raw_scores)
