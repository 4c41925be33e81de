"""The pitfalls of comparing recommenders, each answered for one run from its records."""

from collections.abc import Callable

from recbench.benchmarks.metrics import PROTOCOLS, find_metric, parse_column
from recbench.benchmarks.splits import order_in_time
from recbench.reports import words
from recbench.reports.results import Results

Answer = tuple[
    bool | None, str
]  # whether the pitfall is avoided, None where it cannot arise; and the evidence

BASELINES = {
    "chance": ("random",),
    "bias": ("user-item-bias", "surprise-baseline-only"),
    "popularity": ("popularity",),
    "matrix factorisation": (
        "surprise-svd",
        "surprise-svdpp",
        "numpy-sgd",
        "numba-sgd",
        "als",
        "implicit-als",
        "myfm-mf",
    ),
}
HEAVY = 0.2  # from which share of ratings dropped on filters are called heavy


def checklist(results: Results) -> list[tuple[str, str, str]]:
    """Question, `yes`, `no` or `does not arise`, and what the answer rests on, of every pitfall."""
    said = {True: "yes", False: "no", None: "does not arise"}
    answers = [(question, answer(results)) for question, answer in QUESTIONS.items()]
    return [(question, said[avoided], evidence) for question, (avoided, evidence) in answers]


def _baselines(results: Results) -> Answer:
    present = {row.records[0].cell.algorithm for row in results.rows if not row.failures}
    missing = [kind for kind, names in BASELINES.items() if not present & set(names)]
    if missing:
        return False, f"no row that ran for {words.listed(missing)}"
    return True, "rows for chance, bias, popularity and matrix factorisation are in the table"


def _marked(results: Results) -> Answer:
    changed = [row.name for row in results.rows if row.records[0].cell.given]
    if changed:
        return (
            True,
            f"hyperparameters that were set stand in the row's name: {words.listed(changed)}",
        )
    return True, "every row has its adapter's defaults"


def _full_catalogue(results: Results) -> Answer:
    why = "{columns}: only items rated in the test part are ranked"
    return _without(results, "rated", why, "every item of the catalogue is ranked, none is sampled")


def _training_items(results: Results) -> Answer:
    why = "they stay among the candidates in {columns}, under names that say so"
    return _without(results, "all", why, "the user's training items are no candidates")


def _without(results: Results, candidates: str, why: str, else_: str) -> Answer:
    """Whether no shown column has a protocol with these `candidates`; all but errors have one."""
    judged = [column for column in results.columns if find_metric(column).kind != "rating"]
    if not judged:
        return None, "no ranking metric is shown"
    found = [
        column for column in judged if PROTOCOLS[parse_column(column)[0]].candidates == candidates
    ]
    return (False, why.format(columns=words.listed(found))) if found else (True, else_)


def _definitions(results: Results) -> Answer:
    return (
        True,
        f"one implementation for all rows, protocol version {results.about.protocol['version']}, defined above",
    )


def _ties(results: Results) -> Answer:
    diverged = [
        row.name
        for row in results.rows
        if any(record.status == "diverged" for record in row.failures)
    ]
    nan = (
        f"; NaN made {words.listed(diverged)} fail"
        if diverged
        else "; no row gave NaN where it may not"
    )
    return True, f"ties are ordered by a seeded hash or counted against the row{nan}"


def _means(results: Results) -> Answer:
    part = [row.name for row in results.rows if row.failures]
    left_out = f"; {words.listed(part)} lack a fold and have no mean" if part else ""
    return True, f"the mean of all planned folds is shown, never the best{left_out}"


def _unseen(results: Results) -> Answer:
    return (
        True,
        "an algorithm is given the training part alone; Python opens no file of the data while it runs",
    )


def _future(results: Results) -> Answer:
    if not results.about.data.timed:
        return None, "the ratings have no times"
    split = results.records[0].cell.split
    others = {record.cell.split for row in results.rows for record in row.also}
    kept = {
        "all": f"split {split}",
        "user": f"split {split}: no user's own future is trained on, that of other users is",
        "none": f"split {split} is random, for comparability",
        None: f"what the official split {split} does with time is not known",
    }[order_in_time(split)]
    if order_in_time(split) == "all":
        return True, kept
    by_time = sorted(other for other in others if order_in_time(other) == "all")
    if by_time:
        return True, f"{kept}; split {words.listed(by_time)} stands beside it"
    return False, f"{kept}; --also-split time shows what remains without"


def _uncertainty(results: Results) -> Answer:
    column = results.first_error() or results.first_ranking()
    if column not in results.certainty:
        why = results.unknown(column) if column else "no metric is shown"
        return False, f"{why}; the deviation over folds is no standard error"
    return (
        True,
        "paired bootstrap over users with Holm's correction; deviations over folds are named as such",
    )


def _filters(results: Results) -> Answer:
    steps = results.about.data.steps
    if not steps:
        return True, "no filter was applied"
    before, after = steps[0].before["ratings"], steps[-1].after["ratings"]
    dropped = words.percent(before - after, before)
    evidence = f"filters before the split dropped {dropped} of the ratings, see the table in the data section"
    return before - after < HEAVY * before, evidence


def _real(results: Results) -> Answer:
    return (
        (False, "the ratings are SIMULATED")
        if results.simulated
        else (True, "the ratings were given by people")
    )


def _alone(results: Results) -> Answer:
    contended = [row.name for row in results.rows if row.contended]
    if contended:
        return False, f"other cells ran at the same time as {words.listed(contended)}"
    return True, "one cell at a time, in a process of its own; loading and scoring are not charged"


def _repeatable(results: Results) -> Answer:
    found = {
        row.name: [record.determinism for record in row.records if record.determinism]
        for row in results.rows
    }
    varying = [
        name for name, all_ in found.items() if any(c.verdict == "not deterministic" for c in all_)
    ]
    if varying:
        return False, f"not so for {words.listed(varying)}"
    if not all(found.values()):
        return (
            False,
            f"not checked for {words.listed(name for name, all_ in found.items() if not all_)}",
        )
    return True, "no row gave other scores in a second fit with the same seed"


QUESTIONS: dict[str, Callable[[Results], Answer]] = {
    "Are strong simple baselines in the table?": _baselines,
    "Are default and tuned rows told apart?": _marked,
    "Is the full catalogue ranked?": _full_catalogue,
    "Are training items left out of the recommendations?": _training_items,
    "Is each metric defined once, and printed?": _definitions,
    "Are ties and NaN handled without favour?": _ties,
    "Are all folds averaged?": _means,
    "Is the test part unseen by fits?": _unseen,
    "Is the future kept out of training?": _future,
    "Are differences judged by more than the deviation over folds?": _uncertainty,
    "Do filters keep most of the data?": _filters,
    "Are the data real?": _real,
    "Were times taken alone?": _alone,
    "Does the same seed give the same numbers?": _repeatable,
}
