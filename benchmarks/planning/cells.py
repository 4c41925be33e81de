"""The cells of a run: every row on every fold, each with all that fixes its answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from recbench.adapters import Recommender, available, create
from recbench.benchmarks.metrics import Evaluation
from recbench.benchmarks.planning.external import attach_files, is_external
from recbench.benchmarks.planning.suite import PlannedRow, hyperparameters_of
from recbench.benchmarks.records import (
    Cell,
    Run,
    answers_sources,
    distributions_by_module,
    is_plugin,
    plugin_source,
    version_of,
)
from recbench.benchmarks.splits import digest_of_split, is_seeded, refuse_empty_parts
from recbench.benchmarks.tuning import (
    TuningDesign,
    choose_inner_split,
    describe_search,
    find_space,
)
from recbench.datasets.ratings import Dataset

N_INITIALISATIONS = 3  # of a row that is not deterministic
N_SEEDS = 2**32  # how many seeds numpy's generators know


@dataclass(frozen=True)
class Design:
    """What is the same for all rows of a table: how data are divided, asked about and repeated."""

    split: str
    n_folds: int
    seed: int
    evaluation: Evaluation
    threads: int = 1
    repeats: int = 1
    split_seed: int | None = None  # that of the folds, where it is not `seed`
    tune: TuningDesign | None = None  # of the search on each fold; None: no row is tuned


def library_versions(adapter: type[Recommender]) -> dict[str, str]:
    """Module -> version of the distribution behind it, for numpy, scipy and what the adapter wraps.

    "" where it is not installed. A plug-in's module stands there with the hash of all its own code.
    """
    owners = distributions_by_module()
    versions = {}
    if is_plugin(adapter):
        versions[adapter.__module__] = plugin_source(adapter)

    for module in ("numpy", "scipy", *adapter.requires):
        distribution = owners.get(module, [module])[0]
        versions[module] = version_of(distribution)
    return versions


def plan_cells(dataset: Dataset, rows: Iterable[PlannedRow], design: Design) -> list[Cell]:
    """The cells of the table, row by row: the first row is complete before the second begins.

    With repeats, each row also has that many divisions less one, and on the first division as many
    more initialisations, so that the two sources of chance can be told apart. A split that does not
    go by a seed has one division. Below a row stands the tuned one, still with the values of the
    row itself, if any are to be tuned. UsageError if a fold of any division would be empty, and if
    the files of an external row do not answer it.
    """
    rows = list(rows)
    seeds = _seeds_of(design)
    _refuse_empty_parts(dataset, rows, design, [split_seed for split_seed, _ in seeds])

    sources = answers_sources(available()[row.algorithm] for row in rows)
    digest = digest_of_split(dataset, design.split)
    protocol = design.evaluation.to_json()
    cells = []
    for row in rows:
        adapter = available()[row.algorithm]
        parameters = hyperparameters_of(create(row.algorithm, row.given))
        libraries = library_versions(adapter)
        of_row: list[Cell] = []
        for split_seed, seed in seeds:
            of_row += [
                Cell(
                    dataset=dataset.name,
                    digest=digest,
                    algorithm=row.algorithm,
                    parameters=parameters,
                    given=row.given,
                    revision=adapter.revision,
                    libraries=libraries,
                    split=design.split,
                    n_folds=design.n_folds,
                    fold=fold,
                    seed=seed,
                    protocol=protocol,
                    threads=design.threads,
                    split_seed=split_seed,
                    source=sources[adapter],
                )
                for fold in range(design.n_folds)
            ]
        if is_external(row.algorithm):
            of_row = attach_files(dataset, of_row)
        cells += of_row
        if design.tune is not None:
            cells += _plan_tuned_row(of_row, design.tune)
    return cells


def _refuse_empty_parts(
    dataset: Dataset, rows: Iterable[PlannedRow], design: Design, split_seeds: Iterable[int]
) -> None:
    """UsageError if a fold of any division would be empty, or an inner division of one."""
    inner_splits = [""]
    if design.tune is not None:
        kinds = dict.fromkeys(available()[row.algorithm].predicts for row in rows)
        inner_splits += [choose_inner_split(design.split, predicts) for predicts in kinds]
    for split_seed in dict.fromkeys(split_seeds):
        for inner in inner_splits:
            refuse_empty_parts(dataset, design.split, design.n_folds, split_seed, inner)


def _plan_tuned_row(cells: Sequence[Cell], design: TuningDesign) -> list[Cell]:
    """The cells of a tuned row beside those of the row itself; none if there is nothing to tune."""
    adapter = available()[cells[0].algorithm]
    if not find_space(adapter, cells[0].given):
        return []
    return [replace(cell, tuning=describe_search(cell, design, n_trials=0)) for cell in cells]


def add_seeds(cells: Sequence[Cell], run: Run) -> list[Cell]:
    """`cells`, and more of the rows that `run` knows not to be deterministic: one seed says little.

    These get as many initialisations of the first division as make `N_INITIALISATIONS`, on all of
    its folds. Rows that are not measured yet are left as they are.
    """
    by_row: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.split == cells[0].split:
            by_row.setdefault(cell.row, []).append(cell)

    added = []
    for of_row in by_row.values():
        first = of_row[0]
        if not any(_is_known_to_vary(run, cell) for cell in of_row):
            continue
        known = {cell.seed for cell in of_row}
        division = [
            cell
            for cell in of_row
            if cell.split_seed == first.split_seed and cell.seed == first.seed
        ]
        for repeat in range(N_INITIALISATIONS):
            seed = (first.seed + repeat) % N_SEEDS
            if seed not in known:
                added += [replace(cell, seed=seed) for cell in division]
    return [*cells, *added]


def _is_known_to_vary(run: Run, cell: Cell) -> bool:
    """Whether the cell's record says that the same seed gave other numbers, or may."""
    record = run.read(cell)
    if record is None or record.determinism is None:
        return False
    return record.determinism.repeatability == "not deterministic"


def _seeds_of(design: Design) -> list[tuple[int, int]]:
    """The seed of the folds and that of initialisations and ties, for each pass over the folds.

    First all divisions with the first seed, then the first division with other initialisations.
    """
    first_split_seed = design.seed if design.split_seed is None else design.split_seed
    n_divisions = design.repeats if is_seeded(design.split) else 1

    divisions = [
        ((first_split_seed + repeat) % N_SEEDS, design.seed) for repeat in range(n_divisions)
    ]
    initialisations = [
        (first_split_seed, (design.seed + repeat) % N_SEEDS) for repeat in range(1, design.repeats)
    ]
    return [*divisions, *initialisations]
