"""From answers in files to the raw answers of a cell, by the rules that hold for every other row.

What of the questions files can answer is decided here, and who needs a list; what the files hold
is the business of `adapters/unfitted/external.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recbench.adapters.unfitted import (
    AnswerFolder,
    ForeignAnswers,
    Questions,
    find_folders,
    read_answers,
)
from recbench.benchmarks.evaluation.questions import Answers, collect_answers, user_item_matrix
from recbench.benchmarks.metrics import PROTOCOLS, Evaluation, Protocol
from recbench.datasets.foundation import UsageError
from recbench.datasets.ratings import Dataset, Ratings


def limit_to_lists(evaluation: Evaluation, *, has_lists: bool) -> Evaluation:
    """What of the questions can be put to lists in files, or to no lists at all.

    Lists say nothing of training items, nor how many other items have a score as good as the last.
    """
    protocols: tuple[str, ...] = ()
    if has_lists:
        protocols = tuple(filter(_is_answered_by_lists, evaluation.protocols))
    return Evaluation(evaluation.ks, protocols)


def _is_answered_by_lists(name: str) -> bool:
    protocol: Protocol = PROTOCOLS[name]
    return protocol.candidates == "unseen" and protocol.ties == "random"


def read_foreign_answers(
    directory: Path,
    digest: str,
    dataset: Dataset,
    known: Ratings,
    test: Ratings,
    evaluation: Evaluation,
) -> tuple[AnswerFolder, ForeignAnswers]:
    """The files below `directory` for the fold with this digest, and what they answer.

    `known` is the training part and, where users are new, what is told of them. UsageError if there
    are none for this fold, and for whatever `read_answers` refuses.
    """
    folders = find_folders(directory)
    if digest not in folders:
        others = "; ".join(
            f"{folder.directory.name} is for {folder.sidecar.text}" for folder in folders.values()
        )
        raise UsageError(
            f"external[path={directory}]: no answers for this fold (digest {digest[:12]}): "
            f"{others}. Answers of other folds are of no use: export the folds of this run, with "
            "the same data, split, seed and number of folds"
        )

    folder = folders[digest]
    asked = limit_to_lists(evaluation, has_lists="lists" in folder.files)
    is_asked = np.zeros(test.n_users, bool)
    for name in asked.protocols:
        threshold = PROTOCOLS[name].threshold(test.scale)
        is_asked |= np.diff(user_item_matrix(test, threshold).indptr) > 0
    questions = Questions(
        user_ids=dataset.user_ids,
        item_ids=dataset.item_ids,
        known=known,
        test=test,
        listed_users=np.flatnonzero(is_asked).astype(np.int32),
        n_places=max(asked.ks),
    )
    return folder, read_answers(folder, questions)


def collect_foreign_answers(
    answers: ForeignAnswers, known: Ratings, test: Ratings, evaluation: Evaluation, seed: int
) -> Answers:
    """The raw answers of a cell whose protocols are those of `limit_to_lists`.

    AUC is unknown (NaN): the scores of the items outside the lists are.
    """
    if not evaluation.protocols:
        return Answers(answers.score(test.users, test.items), {})

    collected = collect_answers(answers, known, test, evaluation, seed, _call_directly)
    lists = {
        name: replace(of_protocol, auc=np.full(len(of_protocol.users), np.nan))
        for name, of_protocol in collected.lists.items()
    }
    return replace(collected, lists=lists)


def _call_directly(phase: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Nothing is timed: what these answers cost was paid elsewhere."""
    return function(*arguments)
