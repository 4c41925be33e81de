"""How recommendations are judged, as data: what is relevant, what could have been recommended, who wins a tie."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from recbench.datasets.foundation import UsageError, pick_name
from recbench.datasets.ratings import share_of_scale

VERSION = 2  # raise it when the meaning of a protocol or a metric changes

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
    """One way to judge recommendations. Relevant = a test rating of at least `relevant_share` of the scale."""

    about: str
    relevant_share: float = 0.75  # 4 on a scale from 1 to 5
    candidates: Literal["unseen", "unliked", "all", "rated"] = "unseen"
    ties: Literal["random", "pessimistic"] = "random"

    def __post_init__(self) -> None:
        if not 0 <= self.relevant_share <= 1:
            raise UsageError(
                f"relevant_share {self.relevant_share:g}: expected 0 (every rating) to 1 (the highest)"
            )

    def threshold(self, scale: tuple[float, float]) -> float:
        """The lowest rating that counts as relevant."""
        return share_of_scale(scale, self.relevant_share)


STANDARD = "standard"
PROTOCOLS = {
    STANDARD: Protocol("the bench's own"),
    "recommenders": Protocol(
        "as Microsoft Recommenders: every test item is relevant, whatever its rating", 0
    ),
    "lightfm": Protocol(
        "as lightfm.evaluation without train_interactions: training items stay",
        0,
        "all",
        "pessimistic",
    ),
    "lightfm-masked": Protocol(
        "as lightfm.evaluation with train_interactions", 0, "unseen", "pessimistic"
    ),
    "lightfm-5-stars": Protocol(
        "as lightfm.evaluation on data fetched with min_rating=5: training items stay",
        1,
        "all",
        "pessimistic",
    ),
    "lightfm-5-stars-masked": Protocol(
        "as lightfm.evaluation on data fetched with min_rating=5, with train_interactions",
        1,
        "unliked",
        "pessimistic",
    ),
    "rated-only": Protocol(
        "the user's own test items put in order; easy, since all of them were chosen by the user",
        candidates="rated",
    ),
}


@dataclass(frozen=True)
class Evaluation:
    """The questions that are put to an algorithm, and how its answers become metrics.

    In a cell's key stands all of it but the version: candidates, ties and cutoffs are questions, and so is what is
    relevant, since only users with a relevant test item are asked, and AUC is stored.
    """

    ks: tuple[int, ...] = (10,)
    protocols: tuple[str, ...] = (STANDARD,)

    def to_json(self) -> dict[str, Any]:
        """As it is written in cells: names and meaning."""
        definitions = {}
        for name in self.protocols:
            definitions[name] = asdict(PROTOCOLS[name])
            del definitions[name]["about"]  # a better wording changes no number
        return {"version": VERSION, "ks": list(self.ks), "protocols": definitions}

    @staticmethod
    def from_json(written: Mapping[str, Any]) -> "Evaluation":
        """The inverse of `to_json`."""
        return Evaluation(tuple(written["ks"]), tuple(written["protocols"]))


def parse_column(column: str) -> tuple[str, str]:
    """The protocol and the metric of a column: `lightfm:auc` -> (`lightfm`, `auc`), `auc` -> (`standard`, `auc`).

    UsageError for an unknown protocol.
    """
    name, colon, rest = column.rpartition(":")
    return (pick_name("protocol", name, PROTOCOLS), rest) if colon else (STANDARD, column)


def column_name(protocol: str, metric: str) -> str:
    """The inverse of `named`."""
    return metric if protocol == STANDARD else f"{protocol}:{metric}"


def protocols_of_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The protocols that `columns` need, the standard one first and always."""
    return tuple(dict.fromkeys([STANDARD, *(parse_column(column)[0] for column in columns)]))
