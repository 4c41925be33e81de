"""`make calibrate` measures what algorithms cost, and writes `benchmarks/planning/costs.toml`.

Every row of suite `standard` runs on one fold of the data sets below, which differ in how many
ratings, users and items they have, those of suite `large` on millions of ratings too, and some rows
with half the factors of their own. The terms of each algorithm, see FIT and below, get coefficients
that are not negative and make the relative errors small (NNLS). Processor time counts, so that a
busy machine disturbs little; finished cells in DIR are kept. `python -m tests.proof.calibrate DIR
--judge RUN...` compares the estimates with the records of other runs instead.
"""

import itertools
import math
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas
from scipy.optimize import nnls

import recbench
from recbench.adapters import available
from recbench.benchmarks.planning.cost_model import (
    COSTS,
    SERVING_SECONDS,
    USUAL_CALL_SECONDS,
    AlgorithmCosts,
    BenchCosts,
    CostModel,
    Provenance,
    Size,
    Term,
    add_terms,
    count_fits,
    read_cost_model,
)
from recbench.benchmarks.planning.suite import read_suite
from recbench.benchmarks.records import CellCost, PhaseCost
from recbench.benchmarks.records.record import Record, Run

Powers = dict[str, float]  # of quantities and hyperparameters, by name

SPLIT = "holdout[test=0.2]"
SUITE = "standard"
TWIN = "netflix-filtered[simulated_users={}]"
# The largest no longer fits the caches of a processor: there ratings take twice the time and more.
SHARES = (0.01, 0.03, 0.1, 0.3)
# Millions of ratings and a catalogue of the real size, for the rows that can take them: what grows
# with the data shows there, and what is extrapolated to a hundred million.
LARGE = "netflix[simulated_users=0.05]"
LARGE_SUITE = "large"
# Whose rows are also measured with half their factors, and asked for one user's list at a time
ASKED = f"twin-{SHARES[1]}"
BASELINES = ("random", "global-mean", "item-mean", "user-mean", "weighted-mean", "popularity")
LEAST_SECONDS = 0.01  # shorter phases are as long as the clock's own noise
BASE_SHARE = 0.85  # of the least memory peak of an algorithm: what is there without any data
QUANTILE = 0.9  # of errors that are within the factor
LEAST_FACTOR = 1.25
MOST_FACTOR = 4.0
WAITING_SECONDS = 0.07  # of a cell, beside its processor time: forks, pipes, what is synced to disk
START_SECONDS = 8.0  # until the first cell, on a quiet machine
# Of a report, fitted by hand to four that were timed: constant, by row, and by row and user
REPORT = (4.0, 0.05, 2e-6)

# The hyperparameter that counts factors or neighbours, in half of which the power is measured
SIZES = ("n_factors", "factors", "rank", "no_components", "n_hidden")
SIZED = (
    *("als", "bpr", "implicit-als", "implicit-bpr", "pure-svd", "myfm-mf", "numpy-sgd"),
    *("numba-sgd", "surprise-nmf", "surprise-svd", "surprise-svdpp"),
    *("lightfm-warp", "lightfm-bpr", "lightfm-logistic", "lightfm-warp-kos"),
)

# Terms are written as products of powers. Those with a third power, or with products of two large
# quantities, stand only where the algorithm has such a step: they decide what is extrapolated.
OF_USERS = ["1", "ratings", "ratings^2 items^-1", "users^2"]  # all pairs of users
OF_ITEMS = ["1", "ratings", "ratings^2 users^-1", "items^2"]
DENSE = [*OF_ITEMS, "items^3"]
NETWORK = ["1", "ratings", "ratings users", "ratings items"]  # Adam goes over whole tables
EPOCHS = ["1", "ratings", "users", "items"]
# Each step reads the factors of a user drawn from all: the more there are, the less of them a cache
# holds. With 1,000, 21,000 and 480,000 users a step of bpr takes 72, 113 and 182 ns on an AMD EPYC;
# before it fetched factors in advance it took 72, 260 and 505.
SCATTERED = [*EPOCHS, "ratings users^0.25"]
FIT = {
    "cosine-user": OF_USERS,
    "cosine-user-centred": OF_USERS,
    "item-knn": OF_ITEMS,
    "sar": OF_ITEMS,
    "rp3beta": OF_ITEMS,
    "ease": DENSE,
    "slim": DENSE,
    "surprise-slope-one": OF_ITEMS,
    "surprise-knn-basic": OF_USERS,
    "surprise-knn-with-means": OF_USERS,
    "surprise-knn-with-zscore": OF_USERS,
    "surprise-knn-baseline": OF_USERS,
    "surprise-svdpp": ["ratings", "ratings^2 users^-1"],
    "keras-autorec": ["1", "users", "items", "users items"],
    "bpr": SCATTERED,
    "implicit-bpr": SCATTERED,
    "lightfm-warp": SCATTERED,
    "lightfm-bpr": SCATTERED,
    "lightfm-logistic": SCATTERED,
    "lightfm-warp-kos": SCATTERED,
    "lightfm-hybrid": SCATTERED,
}
PAIRS = ["1", "asked items"]
OF_PROFILES = [*PAIRS, "ratings", "ratings items"]
OF_RATERS = [*PAIRS, "ratings", "asked ratings"]
RANK = {
    "cosine-user": OF_RATERS,
    "cosine-user-centred": OF_RATERS,
    "item-knn": OF_PROFILES,
    "sar": OF_PROFILES,
    "rp3beta": OF_PROFILES,
    "ease": [*OF_PROFILES, "asked items^2"],
    "slim": OF_PROFILES,
    "surprise-slope-one": OF_PROFILES,
    "surprise-knn-basic": OF_RATERS,
    "surprise-knn-with-means": OF_RATERS,
    "surprise-knn-with-zscore": OF_RATERS,
    "surprise-knn-baseline": OF_RATERS,
    "surprise-svdpp": [*PAIRS, "ratings"],
}
RATED = ["1", "tested"]
BY_PROFILE = [*RATED, "ratings", "tested ratings users^-1"]
BY_RATER = [*RATED, "ratings", "tested ratings items^-1"]
RATE = {name: BY_PROFILE for name, terms in RANK.items() if terms is not OF_RATERS}
RATE |= {name: BY_RATER for name, terms in RANK.items() if terms is OF_RATERS}
MEMORY = ["1", "ratings", "users", "items"]
PEAK = {
    "sar": [*MEMORY, "items^2"],
    "ease": [*MEMORY, "items^2"],
    "slim": [*MEMORY, "items^2"],
    "surprise-slope-one": [*MEMORY, "items^2"],
    "surprise-knn-basic": [*MEMORY, "users^2"],
    "surprise-knn-with-means": [*MEMORY, "users^2"],
    "surprise-knn-with-zscore": [*MEMORY, "users^2"],
    "surprise-knn-baseline": [*MEMORY, "users^2"],
    "keras-autorec": [*MEMORY, "users items"],
}
NO_POWERS: Mapping[str, float] = {}
CELL = ["1", "ratings", "tested", "asked items", "users", "items"]


@dataclass(frozen=True)
class Observed:
    """What one cell has cost, in processor seconds and MB."""

    algorithm: str
    row: str
    size: Size
    hyperparameters: dict[str, float]
    fit: float
    rank: float
    rate: float
    rest: float
    peak_mb: float
    call: float | None = None  # wall time of one user's list from a loaded model

    @staticmethod
    def of(record: Record) -> "Observed":
        """From an ok record."""
        assert record.fold is not None and record.whole is not None
        size = Size(record.fold.train, record.data.users, record.data.items, record.fold.test)
        medians = {phase: cost.cpu_seconds or 0.0 for phase, cost in record.costs.items()}
        serving = record.serving
        numbers = {
            name: float(value)
            for name, value in record.cell.parameters.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        return Observed(
            algorithm=record.cell.algorithm,
            row=record.cell.row,
            size=size,
            hyperparameters=numbers,
            fit=medians["convert"] + medians["fit"],
            rank=medians.get("rank", 0.0),
            rate=medians.get("rate", 0.0),
            rest=measure_rest(record.whole, record.costs.values()),
            peak_mb=record.peak_mb or 0.0,
            call=serving.cost.p50_seconds if serving and serving.cost else None,
        )

    @property
    def seconds(self) -> float:
        """All that the cell has taken, as if its fits were as long as their median."""
        return self.fit * count_fits(self.fit) + self.rank + self.rate + self.rest

    @property
    def quantities(self) -> dict[str, float]:
        """What terms are made of."""
        positive = {name: value for name, value in self.hyperparameters.items() if value > 0}
        return positive | self.size.quantities


def measure_rest(whole: CellCost, phases: Iterable[PhaseCost]) -> float:
    """Seconds of a cell outside its timed phases: of processor time, or of wall time where the
    cell has not counted all of its processes, as one that is asked for latencies has not.
    """
    phases = list(phases)
    if whole.cpu_seconds is None:
        spent = sum(sum(phase.samples) for phase in phases)
        return max(0.0, whole.seconds - spent)
    spent = sum(sum(phase.cpu_samples) for phase in phases)
    return max(0.0, whole.cpu_seconds - spent)


def main(directory: Path) -> None:
    """Measure, write the file, and print how well it fits."""
    measure(directory)
    records = read_records(directory.iterdir())
    model = fit_model(records)
    COSTS.write_text(write_toml(model))
    read_cost_model.cache_clear()
    print(f"{COSTS}: {len(model.algorithms)} algorithms from {len(records)} cells")
    judge(records)


def measure(directory: Path) -> None:
    """Run the suite on every data set, and rows of half the size on one of them."""
    frames = make_frames()
    data = {f"twin-{share}": TWIN.format(share) for share in SHARES} | frames
    for name, dataset in data.items():
        measure_rows(dataset, SUITE, directory / name, latency=name == ASKED)
    large = [row.name for row in read_suite(LARGE_SUITE).rows]
    measure_rows(LARGE, large, directory / "large")
    rows = []
    for name in SIZED:
        size = size_name(name)
        default = getattr(available()[name](), size)
        rows.append(f"{name}[{size}={default // 2}]")
    measure_rows(data[ASKED], rows, directory / "half")


def measure_rows(
    data: str | pandas.DataFrame, rows: str | list[str], out: Path, *, latency: bool = False
) -> None:
    """One fold of each row; whatever it takes."""
    recbench.run(
        data,
        rows,
        split=SPLIT,
        folds=1,
        out=out,
        time_limit="1h",
        no_skip=True,
        latency=latency,
    )


def make_frames() -> dict[str, pandas.DataFrame]:
    """Ratings of other shapes, drawn from the twin: many users and items with few ratings each, few
    users with many, and many users of few items.
    """
    rng = np.random.default_rng(0)
    whole = recbench.load("netflix[simulated_users=0.01]").ratings
    is_sparse = rng.random(len(whole)) < 60_000 / len(whole)
    active = np.argsort(-np.bincount(whole.users))[:250]
    some = rng.choice(whole.n_items, 4000, replace=False)
    is_heavy = np.isin(whole.users, active) & np.isin(whole.items, some)

    filtered = recbench.load(TWIN.format(SHARES[2])).ratings
    popular = np.argsort(-np.bincount(filtered.items))[:60]
    is_narrow = np.isin(filtered.items, popular)

    chosen = {
        "sparse": (whole, is_sparse),
        "heavy": (whole, is_heavy),
        "narrow": (filtered, is_narrow),
    }
    return {
        name: pandas.DataFrame(
            {
                "user": ratings.users[rows],
                "item": ratings.items[rows],
                "rating": ratings.values[rows],
            }
        )
        for name, (ratings, rows) in chosen.items()
    }


def read_records(directories: Iterable[Path]) -> list[Record]:
    """The ok records of some runs that say what the whole cell took."""
    return [
        record
        for directory in sorted(directories)
        for record in Run(directory).every_record()
        if record.status == "ok" and record.whole is not None
    ]


def fit_model(records: Sequence[Record]) -> CostModel:
    """The coefficients of all algorithms that were measured."""
    by_algorithm: dict[str, list[Observed]] = {}
    for record in records:
        seen = Observed.of(record)
        by_algorithm.setdefault(seen.algorithm, []).append(seen)

    idle = [seen for name in BASELINES for seen in by_algorithm[name]]
    cell = fit_terms(parse_terms(CELL), idle, [seen.rest for seen in idle])
    everything = list(itertools.chain.from_iterable(by_algorithm.values()))
    names = ("ratings", "users", "items", "tested", "asked")
    largest = {name: max(seen.quantities[name] for seen in everything) for name in names}
    constant, by_row, by_row_and_user = REPORT
    return CostModel(
        origin=describe_origin(records, largest),
        bench=BenchCosts(
            cell=[Term(coefficient=WAITING_SECONDS), *cell],
            serving_seconds=SERVING_SECONDS,
            start_seconds=START_SECONDS,
            report=[
                Term(coefficient=constant),
                Term(coefficient=by_row, powers={"rows": 1}),
                Term(coefficient=by_row_and_user, powers={"rows": 1, "users": 1}),
            ],
        ),
        algorithms={
            name: fit_algorithm(name, seen, cell) for name, seen in sorted(by_algorithm.items())
        },
    )


def describe_origin(records: Sequence[Record], largest: dict[str, float]) -> Provenance:
    """Where and on what was measured."""
    kernels = [record.kernel_seconds for record in records if record.kernel_seconds is not None]
    environment = records[-1].environment
    shapes = {describe_shape(record) for record in records}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    return Provenance(
        cpu=environment.cpu,
        cores=environment.cores or 0,
        kernel_seconds=statistics.median(kernels),
        commit=commit.stdout.strip(),
        dated=datetime.now(UTC).date().isoformat(),
        data=sorted(shapes),
        largest=largest,
    )


def describe_shape(record: Record) -> str:
    """The data of a record, and how large they are."""
    data = record.data
    counts = f"{data.ratings:,} ratings of {data.users:,} users and {data.items:,} items"
    return f"{counts}: {data.name}"


def fit_algorithm(name: str, seen: list[Observed], cell: list[Term]) -> AlgorithmCosts:
    """The terms of one algorithm, with how far they are off on data that were left out."""
    costs = fit_phases(name, seen, cell, seconds_factor=1.0, memory_factor=1.0)
    sizes = {each.size for each in seen}
    seconds_errors = []
    memory_errors = []
    for left_out in sizes:
        rest = [each for each in seen if each.size != left_out]
        if len({each.size for each in rest}) < 2:
            continue
        without = fit_phases(name, rest, cell, seconds_factor=1.0, memory_factor=1.0)
        for each in seen:
            if each.size == left_out:
                seconds = estimate_seconds(without, cell, each)
                seconds_errors.append(abs(math.log(seconds / each.seconds)))
                peak_mb = add_terms(without.peak_mb, each.quantities)
                memory_errors.append(abs(math.log(peak_mb / each.peak_mb)))
    return costs.model_copy(
        update={
            "seconds_factor": choose_factor(seconds_errors),
            "memory_factor": choose_factor(memory_errors),
        }
    )


def choose_factor(errors: Sequence[float]) -> float:
    """The factor that most errors, as logarithms, are within."""
    if not errors:
        return MOST_FACTOR
    factor = math.exp(float(np.quantile(errors, QUANTILE)))
    return round(min(MOST_FACTOR, max(LEAST_FACTOR, factor)), 2)


def estimate_seconds(costs: AlgorithmCosts, cell: list[Term], seen: Observed) -> float:
    """What a whole cell would take, as `CostModel.estimate_cell` has it."""
    fit = add_terms(costs.fit, seen.quantities)
    others = add_terms([*costs.rank, *costs.rate, *cell], seen.quantities)
    return fit * count_fits(fit) + others + costs.warm_up_seconds


def fit_phases(
    name: str,
    seen: Sequence[Observed],
    cell: list[Term],
    *,
    seconds_factor: float,
    memory_factor: float,
) -> AlgorithmCosts:
    """The terms of each phase of one algorithm."""
    own = own_powers(name, seen)
    fit = parse_terms(FIT.get(name, NETWORK if name.startswith("keras") else EPOCHS), own)
    rank = parse_terms(RANK.get(name, PAIRS))
    rate = parse_terms(RATE.get(name, RATED))
    peak = parse_terms(PEAK.get(name, MEMORY))
    warm_ups = [each.rest - add_terms(cell, each.quantities) for each in seen]
    return AlgorithmCosts(
        warm_up_seconds=max(0.0, statistics.median(warm_ups)),
        call_seconds=find_call_seconds(seen),
        fit=fit_terms(fit, seen, [each.fit for each in seen]),
        rank=fit_terms(rank, seen, [each.rank for each in seen]),
        rate=fit_terms(rate, seen, [each.rate for each in seen]),
        peak_mb=fit_peak(peak, seen),
        seconds_factor=seconds_factor,
        memory_factor=memory_factor,
    )


def find_call_seconds(seen: Sequence[Observed]) -> float:
    """What one call takes beyond a user's share of `rank`; `USUAL_CALL_SECONDS` if nobody asked."""
    excesses = [
        each.call - each.rank / each.size.quantities["asked"]
        for each in seen
        if each.call is not None
    ]
    if not excesses:
        return USUAL_CALL_SECONDS
    return max(0.0, statistics.median(excesses))


def own_powers(name: str, seen: Sequence[Observed]) -> dict[str, float]:
    """The powers of an algorithm's own hyperparameters in its fit: linear in epochs, and in factors
    as was measured on the same data with half of them.
    """
    adapter = available()[name]
    powers = {}
    epochs = adapter.epochs_hyperparameter
    if epochs is not None and isinstance(getattr(adapter(), epochs), int):
        powers[epochs] = 1.0

    size = size_name(name)
    pairs = []
    for one, other in itertools.combinations(seen, 2):
        if size and one.size == other.size and one.row != other.row:
            pairs.append((one, other))
    if pairs:
        one, other = pairs[0]
        ratio = one.hyperparameters[size] / other.hyperparameters[size]
        power = math.log(one.fit / other.fit) / math.log(ratio)
        powers[size] = round(min(3.0, max(0.0, power)), 2)
    elif size:
        powers[size] = 0.5  # between what does not look at them and what does nothing else
    return powers


def size_name(name: str) -> str:
    """The hyperparameter that counts factors; "" if there is none."""
    adapter = available()[name]()
    return next((size for size in SIZES if isinstance(getattr(adapter, size, None), int)), "")


def parse_terms(texts: Sequence[str], own: Mapping[str, float] = NO_POWERS) -> list[Powers]:
    """Powers by quantity, of each term; all but a constant have those of `own`, too.

    >>> parse_terms(["1", "ratings^2 users^-1"], {"n_epochs": 1.0})
    [{}, {'ratings': 2.0, 'users': -1.0, 'n_epochs': 1.0}]
    """
    terms: list[Powers] = []
    for text in texts:
        if text == "1":
            terms.append({})
            continue
        powers: Powers = {}
        for factor in text.split():
            quantity, _, power = factor.partition("^")
            powers[quantity] = float(power or 1)
        terms.append({**powers, **own})
    return terms


def fit_terms(
    candidates: Sequence[Powers], seen: Sequence[Observed], targets: Sequence[float]
) -> list[Term]:
    """The candidates with coefficients above 0 that make the relative errors small."""
    weights = 1 / np.maximum(targets, LEAST_SECONDS)
    matrix = np.array(
        [
            [Term(coefficient=1, powers=powers).evaluate(each.quantities) for powers in candidates]
            for each in seen
        ]
    )
    matrix *= weights[:, None]
    scales = np.maximum(matrix.max(axis=0), 1e-300)
    coefficients, _ = nnls(matrix / scales, np.asarray(targets) * weights)
    return [
        Term(coefficient=float(f"{value:.3g}"), powers=powers)
        for value, powers in zip(coefficients / scales, candidates, strict=True)
        if value > 0
    ]


def fit_peak(candidates: Sequence[Powers], seen: Sequence[Observed]) -> list[Term]:
    """As `fit_terms`, of memory peaks: libraries and all that is there without data, which is most
    of the least peak, is no matter of the data, however few sizes were measured.
    """
    base = BASE_SHARE * min(each.peak_mb for each in seen)
    terms = fit_terms(candidates, seen, [each.peak_mb - base for each in seen])
    constant = base + sum(term.coefficient for term in terms if not term.powers)
    return [
        Term(coefficient=float(f"{constant:.3g}")),
        *(term for term in terms if term.powers),
    ]


def write_toml(model: CostModel) -> str:
    """The file, one term a line."""
    lines = ["# What cells cost, written by `make calibrate`: see cost_model.py for what it means."]
    lines += ["", "[origin]"]
    origin = model.origin
    for name in ("cpu", "cores", "kernel_seconds", "commit", "dated"):
        lines.append(f"{name} = {_toml_value(getattr(origin, name))}")
    lines.append("data = [")
    lines += [f"  {_toml_value(text)}," for text in origin.data]
    lines.append("]")
    largest = ", ".join(f"{name} = {value:g}" for name, value in origin.largest.items())
    lines += [f"largest = {{ {largest} }}", "", "[bench]"]
    lines.append(f"serving_seconds = {model.bench.serving_seconds}")
    lines.append(f"start_seconds = {model.bench.start_seconds}")
    lines += _toml_terms("cell", model.bench.cell)
    lines += _toml_terms("report", model.bench.report)
    for name, costs in model.algorithms.items():
        lines += ["", f"[algorithms.{name}]"]
        lines.append(f"warm_up_seconds = {costs.warm_up_seconds:.3g}")
        lines.append(f"call_seconds = {costs.call_seconds:.3g}")
        for field in ("seconds_factor", "memory_factor"):
            lines.append(f"{field} = {getattr(costs, field)}")
        for field in ("fit", "rank", "rate", "peak_mb"):
            lines += _toml_terms(field, getattr(costs, field))
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _toml_terms(name: str, terms: Sequence[Term]) -> Iterator[str]:
    yield f"{name} = ["
    for term in terms:
        powers = ", ".join(f"{quantity} = {power:g}" for quantity, power in term.powers.items())
        inside = f", powers = {{ {powers} }}" if powers else ""
        yield f"  {{ coefficient = {term.coefficient!r}{inside} }},"
    yield "]"


@dataclass(frozen=True)
class Within:
    """The shares of rows whose estimate is within a factor of 2 for time and 1.5 for memory."""

    seconds: float
    memory: float


def judge(records: Sequence[Record], speed: float = 1.0) -> Within:
    """Print the rows whose estimate is further off, and how many are not."""
    model = read_cost_model()
    are_timely = []
    are_small = []
    for record in records:
        seen = Observed.of(record)
        costs = model.estimate_cell(seen.algorithm, seen.hyperparameters, seen.size, speed)
        if costs is None:
            continue
        seconds = costs.seconds.value / seen.seconds
        peak_mb = costs.peak_mb.value / seen.peak_mb
        are_timely.append(1 / 2 <= seconds <= 2)
        are_small.append(1 / 1.5 <= peak_mb <= 1.5)
        if not (are_timely[-1] and are_small[-1]):
            print(
                f"{seen.row:<30} {costs.seconds.value:8.2f} s for {seen.seconds:8.2f} (fit "
                f"{seen.fit:.2f} rank {seen.rank:.2f} rate {seen.rate:.2f} rest {seen.rest:.2f}), "
                f"{costs.peak_mb.value:6.0f} MB for {seen.peak_mb:6.0f}"
            )
    within = Within(statistics.mean(are_timely), statistics.mean(are_small))
    names = ", ".join(dict.fromkeys(record.data.name for record in records))
    print(
        f"{names}: of {len(are_timely)} cells {within.seconds:.0%} within a factor of 2 for time, "
        f"{within.memory:.0%} within 1.5 for memory"
    )
    return within


if __name__ == "__main__":
    place, *more = sys.argv[1:]
    if more[:1] == ["--judge"]:
        for run in map(Path, more[1:]):
            judge(read_records([run]))
    else:
        main(Path(place))
