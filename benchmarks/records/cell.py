"""What is measured: one algorithm, with its hyperparameters, on one fold."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator
from typing_extensions import TypedDict  # which pydantic asks for before Python 3.12

from recbench.datasets.foundation import LONGEST_LINE, format_spec, make_legible, refuse_path

PHASES = ("convert", "fit", "rate", "rank")  # the calls of an algorithm that are timed, each apart

KEY_DIGITS = 12
NAMES = ("dataset", "given")  # fields that say what a cell is called, and fix nothing
OF_SOME = ("inner", "tuning", "external")  # fields that only cells of some rows have
TUNED = " (tuned)"  # at the end of a row's name
# Of rows from files: what is said of their times, and of their hyperparameters
NOT_MEASURED_HERE = "not measured here"
MADE_ELSEWHERE = "made elsewhere, how is not known here"


class ExternalFiles(TypedDict):
    """The files with the answers of a cell that were given elsewhere."""

    directory: str  # where they were, absolute; in no key
    fold: str  # the digest of the fold that they are for
    files: dict[str, str]  # the sha256 of each by its name


def _check_protocol(written: dict[str, Any]) -> dict[str, Any]:
    """ValueError unless it has what `Evaluation.to_json` writes: it comes from a file."""
    cutoffs = written.get("ks")
    if not isinstance(cutoffs, list):
        raise ValueError(f"expected a list of cutoffs in 'ks', got {cutoffs!r}")
    if not all(type(cutoff) is int and cutoff > 0 for cutoff in cutoffs):
        raise ValueError(f"expected cutoffs from 1 up in 'ks', got {cutoffs!r}")
    if not isinstance(written.get("protocols"), dict) or "version" not in written:
        raise ValueError("expected a 'version', and the meaning of each name in 'protocols'")
    return written


@dataclass(frozen=True)
class Cell:
    """One measurement to be made: what fixes its raw answers, and what it is called.

    All fields but `dataset`, `given` and the place of `external` files fix the answers, as far as
    the bench can know it, and stand in the `key`. The metrics that are made of the answers depend
    on more: the code of the evaluation, which a record names. Times depend on the machine.
    """

    dataset: str
    digest: str  # of the data, and of the split's rows where the data set brings them
    algorithm: str
    parameters: dict[str, Any]  # all hyperparameters, defaults included
    given: dict[str, Any]  # those set on purpose, which tell two rows of one algorithm apart
    revision: int
    libraries: dict[str, str]  # module -> version of what the adapter wraps
    split: str
    n_folds: int
    fold: int
    seed: int  # fixes initialisations and ties
    # As `Evaluation.to_json` writes it, to the letter: it is hashed
    protocol: Annotated[dict[str, Any], AfterValidator(_check_protocol)]
    threads: int
    split_seed: int = 0  # fixes the folds
    source: str = ""  # the code, see `answers_source`; empty in records of before it was kept
    inner: str = ""  # the split that divides the training part again, for a trial of a search
    tuning: dict[str, Any] | None = None  # of a tuned row: how its `parameters` were searched for
    external: ExternalFiles | None = None  # None: it is fitted and asked here

    def __post_init__(self) -> None:
        """UsageError for a name from a foreign file that would lead out of `records/`."""
        refuse_path("algorithm", self.algorithm)

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits over everything that fixes the raw answers; names are left out.

        Candidates, ties, cutoffs and relevance thresholds are part of it; the version of the
        metrics is not, since it changes no answer. Records without a `source` have the key that
        they were written with.
        """
        fixed = self.fixed_fields()
        if self.source:
            protocol = dict(self.protocol)
            protocol.pop("version", None)
            fixed["protocol"] = protocol
        else:
            del fixed["source"]

        written = json.dumps(fixed, sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()[:KEY_DIGITS]

    def fixed_fields(self) -> dict[str, Any]:
        """The fields that fix the answers, without names, places and what this cell has not."""
        left_out = {*NAMES, *(name for name in OF_SOME if not getattr(self, name))}
        fixed = {name: value for name, value in asdict(self).items() if name not in left_out}
        if self.external is not None:
            fixed["external"].pop("directory", None)
        return fixed

    @property
    def first_cutoff(self) -> int:
        """The first cutoff of the run: how long a list is where only one length is looked at."""
        cutoff: int = self.protocol["ks"][0]
        return cutoff

    @property
    def kinds_of_files(self) -> list[str]:
        """What the files of an external row hold: `ratings`, `lists`, or both; sorted."""
        if self.external is None:
            return []
        return sorted(PurePath(name).stem for name in self.external["files"])

    @cached_property
    def row(self) -> str:
        """The name of the table row it belongs to, such as `surprise-svd[n_factors=20]`.

        Legible, since the plan may be a stranger's; what is cut has a digest of the whole at its
        end, so that two rows stay two.
        """
        name = format_spec(self.algorithm, self.given)
        if self.tuning is not None:
            name += TUNED
        row = make_legible(name, longest=LONGEST_LINE, keeps_lines=False)
        if len(name) <= LONGEST_LINE:
            return row
        digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()
        return f"{row} {digest[:KEY_DIGITS]}"

    @property
    def untuned_row(self) -> str:
        """The row whose hyperparameters were searched; `row` itself for one that was not tuned."""
        return self.row.removesuffix(TUNED) if self.tuning is not None else self.row

    @property
    def arguments(self) -> dict[str, Any]:
        """What the algorithm is made with: what was set on purpose or, of a tuned row, chosen."""
        return self.given if self.tuning is None else self.parameters

    @property
    def is_untuned(self) -> bool:
        """Whether it is of a tuned row and its hyperparameters are still to be searched."""
        return self.tuning is not None and self.tuning["n_trials"] == 0

    @property
    def seeded_fold(self) -> tuple[int, int]:
        """The seed of the split and the fold: the same test part in every row of a split."""
        return self.split_seed, self.fold

    @property
    def place(self) -> str:
        """Which part of the row it is: `fold 2`, `time fold 0`, with its seeds if they differ."""
        fold = f"fold {self.fold}"
        if self.split != "kfold":
            split = make_legible(self.split, longest=LONGEST_LINE, keeps_lines=False)
            fold = f"{split} {fold}"
        if self.seed != self.split_seed:
            fold += f" (split seed {self.split_seed}, seed {self.seed})"
        if self.inner:
            fold += f", inner {self.inner}"
        return fold

    @property
    def name(self) -> str:
        """The file name of its record, without ending."""
        return f"{self.algorithm}-{self.key}"
