"""How recommendations are judged, as data: relevance, candidates and ties of each protocol.

What the words mean stands here; the candidates are collected in `evaluation/questions.py` and ties
are broken in `evaluation/ranking.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from recbench.datasets.foundation import UsageError, pick_name
from recbench.datasets.ratings import share_of_scale

VERSION = 2  # raise it when the meaning of a protocol or a metric changes

# What each word for candidates and for ties means; the words stand in records.
CANDIDATES = {
    "unseen": "the whole catalogue without the user's training items",
    "unliked": "the whole catalogue without the user's relevant training items",
    "all": "the whole catalogue, the user's training items included",
    "rated": "only the items that the user rated in the test part",
}
TIES = {
    "random": "equal scores are ordered at random, by a hash of seed, user and item",
    "pessimistic": "an item's rank counts every other candidate with an equal score as better",
}


@dataclass(frozen=True)
class Protocol:
    """One way to judge recommendations.

    Relevant is an item whose test rating lies at `relevant_share` of the scale or above: 0 is its
    lowest and 1 its highest rating. UsageError for a share outside of that.
    """

    about: str  # a sentence for readers, in no key
    relevant_share: float = 0.75  # 4 on a scale from 1 to 5
    candidates: Literal["unseen", "unliked", "all", "rated"] = "unseen"
    ties: Literal["random", "pessimistic"] = "random"

    def __post_init__(self) -> None:
        if not 0 <= self.relevant_share <= 1:
            share = f"{self.relevant_share:g}"
            raise UsageError(
                f"relevant_share {share}: expected 0 (every rating) to 1 (the highest)"
            )

    def threshold(self, scale: tuple[float, float]) -> float:
        """The lowest rating that counts as relevant."""
        return share_of_scale(scale, self.relevant_share)


STANDARD = "standard"
PROTOCOLS = {
    STANDARD: Protocol("the bench's own"),
    "recommenders": Protocol(
        "as Microsoft Recommenders: every test item is relevant, whatever its rating",
        relevant_share=0,
    ),
    "tois-2021": Protocol(
        "as Ferrari Dacrema et al. 2021: every test item is relevant, whatever its rating",
        relevant_share=0,
    ),
    "lightfm": Protocol(
        "as lightfm.evaluation without train_interactions: training items stay",
        relevant_share=0,
        candidates="all",
        ties="pessimistic",
    ),
    "lightfm-masked": Protocol(
        "as lightfm.evaluation with train_interactions",
        relevant_share=0,
        candidates="unseen",
        ties="pessimistic",
    ),
    "lightfm-5-stars": Protocol(
        "as lightfm.evaluation on data fetched with min_rating=5: training items stay",
        relevant_share=1,
        candidates="all",
        ties="pessimistic",
    ),
    "lightfm-5-stars-masked": Protocol(
        "as lightfm.evaluation on data fetched with min_rating=5, with train_interactions",
        relevant_share=1,
        candidates="unliked",
        ties="pessimistic",
    ),
    "rated-only": Protocol(
        "the user's own test items put in order; easy, since all of them were chosen by the user",
        candidates="rated",
    ),
}


@dataclass(frozen=True)
class Evaluation:
    """The questions that are put to an algorithm, and how its answers become metrics.

    In a cell's key stands all of it but the version: candidates, ties and cutoffs are questions,
    and so is what is relevant, since only users with a relevant test item are asked, and AUC is
    stored.
    """

    ks: tuple[int, ...] = (10,)  # the cutoffs
    protocols: tuple[str, ...] = (STANDARD,)  # their names

    def to_json(self) -> dict[str, Any]:
        """As it is written in cells: version, cutoffs, and each protocol's name and meaning."""
        definitions = {}
        for name in self.protocols:
            definition = asdict(PROTOCOLS[name])
            del definition["about"]  # a better wording changes no number
            definitions[name] = definition
        return {"version": VERSION, "ks": list(self.ks), "protocols": definitions}

    @staticmethod
    def from_json(written: Mapping[str, Any]) -> "Evaluation":
        """The cutoffs and the names of the protocols in what `to_json` wrote.

        What the names meant then is not looked at: compare with `to_json` where that matters.
        """
        return Evaluation(tuple(written["ks"]), tuple(written["protocols"]))


def parse_column(column: str) -> tuple[str, str]:
    """The protocol of a column, and the column without it. UsageError for an unknown protocol.

    >>> parse_column("lightfm:precision@10")
    ('lightfm', 'precision@10')
    >>> parse_column("auc")
    ('standard', 'auc')
    """
    protocol, colon, rest = column.rpartition(":")
    if not colon:
        return STANDARD, column
    return pick_name("protocol", protocol, PROTOCOLS), rest


def column_name(protocol: str, metric: str) -> str:
    """The inverse of `parse_column`: the standard protocol is not named.

    >>> column_name("lightfm", "auc"), column_name("standard", "auc")
    ('lightfm:auc', 'auc')
    """
    if protocol == STANDARD:
        return metric
    return f"{protocol}:{metric}"


def protocols_of_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The protocols that `columns` need, each once, the standard one first and always.

    UsageError for an unknown protocol.
    """
    protocols = [STANDARD]
    for column in columns:
        protocol, _ = parse_column(column)
        protocols.append(protocol)
    return tuple(dict.fromkeys(protocols))
