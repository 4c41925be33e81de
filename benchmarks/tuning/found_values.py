"""Values that searches have found, as a TOML file that other runs can take: `--parameters`.

A file says where its values come from, and for each row what was searched for. Those in `found/`
ship with the bench, under the name of the data that they were found on.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from recbench.adapters.base import Origin
from recbench.benchmarks.records import RunDescription
from recbench.benchmarks.tuning.history import FILE, History, Value, read_histories
from recbench.datasets.foundation import UsageError, pick_name

FOUND = Path(__file__).parent / "found"
OPTION = "--parameters"
SHIPPED = "tuned:"


class FoundValues(BaseModel):
    """What the searches of a run on one data set have found, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    digest: str  # of the data
    split: str  # whose fold's training part was searched in
    fold: int
    seed: int  # of the division
    budget: str  # of each search, as it is typed
    sampler: str
    commit: str
    rows: dict[str, dict[str, Value]]  # by row, as it is called without values

    def describe_origin(self, row: str) -> Origin:
        """What a report says of `row` with the values found for it."""
        return Origin(
            kind="tuned here",
            data=(self.dataset,),
            chosen=tuple(self.rows[row]),
            part="validation part",
            budget=f"{self.budget} a search, {self.split} fold {self.fold}, seed {self.seed}",
        )

    def to_toml(self) -> str:
        """As it stands in a file; `parse_found_values` reads it."""
        fields = self.model_dump(mode="json", exclude={"rows"})
        lines = _write_values(fields)
        for row, values in self.rows.items():
            lines.append("")
            lines.append(f"[rows.{json.dumps(row)}]")
            lines += _write_values(values)
        return "\n".join(lines) + "\n"


def shipped_names() -> list[str]:
    """The data sets whose found values ship with the bench, sorted."""
    return sorted(path.stem for path in FOUND.glob("*.toml"))


def read_found_values(typed: str) -> FoundValues:
    """What `--parameters` names: `tuned:DATASET` for values that ship, else a TOML file.

    UsageError for an unknown name, and for a file that cannot be read or is none of these.
    """
    if typed.startswith(SHIPPED):
        names = [f"{SHIPPED}{name}" for name in shipped_names()]
        name = pick_name("values", typed, names)
        return _read_file(FOUND / f"{name.removeprefix(SHIPPED)}.toml")

    path = Path(typed)
    if path.suffix != ".toml":
        raise UsageError(
            f"{OPTION} {typed}: expected {SHIPPED}DATASET or a TOML file, as `list parameters RUN` "
            f"prints; what ships: {', '.join(shipped_names()) or 'nothing'}"
        )
    return _read_file(path)


def _read_file(path: Path) -> FoundValues:
    try:
        return parse_found_values(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{OPTION} {path}: {error}; `list parameters RUN` prints such a file"
        ) from None


def parse_found_values(text: str) -> FoundValues:
    """The values in a TOML text; ValueError, on one line, if it is not as `to_toml` writes."""
    content = tomllib.loads(text)
    try:
        return FoundValues.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}") from None


def collect_found_values(directory: Path, about: RunDescription) -> FoundValues:
    """What the searches in the run at `directory` have found on its first fold.

    UsageError if the run was not tuned, or no search of that fold is over.
    """
    histories = read_histories(directory)
    if not histories:
        raise UsageError(f"{directory} has no {FILE}: its rows were not tuned, see --tune")

    fold = min(history.fold for history in histories)
    first = [one for one in histories if one.fold == fold and one.split == histories[0].split]
    over = [history for history in first if history.is_over and history.best is not None]
    if not over:
        raise UsageError(f"{directory}: no search of fold {fold} is over; run the command again")

    return FoundValues(
        dataset=about.data.name,
        digest=about.data.digest,
        split=over[0].split,
        fold=fold,
        seed=over[0].split_seed,
        budget=_join_distinct(history.budget for history in over),
        sampler=_join_distinct(history.sampler for history in over),
        commit=about.environment.commit,
        rows={history.row: _searched_values(history) for history in over},
    )


def _searched_values(history: History) -> dict[str, Value]:
    """The chosen values of what was searched for; TOML has no word for None, the default then."""
    chosen = {name: history.chosen[name] for name in history.space}
    return {name: value for name, value in chosen.items() if value is not None}


def _join_distinct(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _write_values(values: Mapping[str, Value]) -> list[str]:
    """A line of TOML for each value, under its name."""
    return [f"{name} = {_write_value(value)}" for name, value in values.items()]


def _write_value(value: Value) -> str:
    """As TOML has it, which is as JSON has it for all that a search can find."""
    return json.dumps(value)
