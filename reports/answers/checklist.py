"""The pitfalls of comparing recommenders, each answered for one run from its records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from recbench.benchmarks.metrics import PROTOCOLS, find_metric, parse_column
from recbench.benchmarks.records import NOT_MEASURED_HERE, Record
from recbench.benchmarks.splits import order_in_time
from recbench.benchmarks.tuning import parse_budget
from recbench.reports import words
from recbench.reports.results import Results, Row

# A table without one of each kind has no strong simple baselines.
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
MOST_WAITING = 0.1  # of the wall time; from there on times are not called those of a lone cell
MOST_STOLEN = 0.02  # of the processors' time
SHORTEST = 0.02  # seconds
HEAVY = 0.2  # from which share of ratings dropped on filters are called heavy


@dataclass(frozen=True)
class ChecklistAnswer:
    """Whether a pitfall is avoided, None where it cannot arise, and what that rests on.

    What rests on how the bench is built, and not on the run, begins with `by construction`.
    """

    is_avoided: bool | None
    evidence: str
    is_known: bool = True  # the records say enough to answer

    @property
    def word(self) -> str:
        """`yes`, `no`, `does not arise` or `not known`."""
        if not self.is_known:
            return "not known"
        if self.is_avoided is None:
            return "does not arise"
        return "yes" if self.is_avoided else "no"


def answer_checklist(results: Results) -> list[tuple[str, str, str]]:
    """Question, the answer's `word`, and what the answer rests on, of every pitfall."""
    lines = []
    for question, ask in QUESTIONS.items():
        answer = ask(results)
        lines.append((question, answer.word, answer.evidence))
    return lines


def _has_baselines(results: Results) -> ChecklistAnswer:
    present = {row.records[0].cell.algorithm for row in results.rows if not row.failures}
    missing = [kind for kind, names in BASELINES.items() if present.isdisjoint(names)]
    if missing:
        return ChecklistAnswer(False, f"no row that ran for {words.listed(missing)}")
    evidence = "rows for chance, bias, popularity and matrix factorisation are in the table"
    return ChecklistAnswer(True, evidence)


def _has_equal_defaults(results: Results) -> ChecklistAnswer:
    """Whether no row has an advantage because its defaults were tuned on the data at hand."""
    data = results.about.data.name
    defaults = results.defaults
    evidence = f"no row has a default that was tuned on {data}"
    paired = [row for row in results.contestants if row.name in results.fairly_tuned]
    known = [row for row in paired if row.was_tuned_on(data)]
    if known:
        evidence = f"defaults of {_list_names(known)} were tuned on {data}, but all rows beside "
        evidence += "them that can be are tuned in this run, too"
    if defaults.tuned:
        evidence = f"defaults of {_list_names(defaults.tuned)} were tuned on {data}"
    if defaults.are_mixed:
        evidence += f", those of {_list_names(defaults.untuned)} were not"

    if defaults.unsaid:
        names = _list_names(defaults.unsaid)
        evidence += f"; where those of {names} come from is not said"

    if results.fairly_tuned:
        rows = words.count(len(results.fairly_tuned), "row")
        evidence += (
            f"; {rows} with defaults and tuned, under names that say so, all with the budget "
            f"{parse_budget(results.searches[0].budget).in_words}"
        )

    not_blind = list(dict.fromkeys(search.row for search in results.searches_not_blind))
    if not_blind:
        names = words.listed(not_blind)
        evidence += f"; searches of {names} chose such defaults, --no-default-trial prevents it"

    if results.external:
        evidence += f"; how {_list_names(results.external)} were tuned is not known here"

    given = [row for row in results.rows if row.given and not row.is_external]
    if given:
        names = _list_names(given)
        evidence += f"; values that were set stand in the row's name: {names}"
    is_said = not defaults.unsaid and not results.external
    if not is_said and not defaults.are_mixed:
        return ChecklistAnswer(None, evidence, is_known=False)
    return ChecklistAnswer(not defaults.are_mixed, evidence)


def _list_names(rows: Iterable[Row]) -> str:
    return words.listed(row.name for row in rows)


def _ranks_whole_catalogue(results: Results) -> ChecklistAnswer:
    return _shows_no_protocol(
        results,
        "rated",
        why_not="{columns}: only items rated in the test part are ranked",
        why="by construction: every item of the catalogue is ranked, none is sampled",
    )


def _leaves_out_training_items(results: Results) -> ChecklistAnswer:
    why = "by construction: the user's training items are not candidates"
    if results.asks_new_users:
        why = "by construction: new users have none, and their given ratings are not candidates"
    return _shows_no_protocol(
        results,
        "all",
        why_not="they stay among the candidates in {columns}, under names that say so",
        why=why,
    )


def _shows_no_protocol(
    results: Results, candidates: str, *, why_not: str, why: str
) -> ChecklistAnswer:
    """Whether no shown column has a protocol with these `candidates`; all but errors have one."""
    judged = [column for column in results.columns if find_metric(column).kind != "rating"]
    if not judged:
        return ChecklistAnswer(None, "no ranking metric is shown")

    affected = []
    for column in judged:
        protocol, _ = parse_column(column)
        if PROTOCOLS[protocol].candidates == candidates:
            affected.append(column)

    if affected:
        return ChecklistAnswer(
            False, why_not.format(columns=words.listed(map(words.field_name, affected)))
        )
    return ChecklistAnswer(True, why)


def _defines_metrics(results: Results) -> ChecklistAnswer:
    version = results.about.protocol["version"]
    rows = f"one implementation for all rows, protocol version {version}, defined above"
    return ChecklistAnswer(True, f"by construction: {rows}")


def _favours_no_ties(results: Results) -> ChecklistAnswer:
    diverged = [
        row.name
        for row in results.rows
        if any(record.status == "diverged" for record in row.failures)
    ]
    nan = "no row gave NaN where a number is required"
    if diverged:
        nan = f"NaN made {words.listed(diverged)} fail"
    ties = "by construction, ties are ordered by a seeded hash or counted against the row"
    return ChecklistAnswer(True, f"{ties}; {nan}")


def _averages_all_folds(results: Results) -> ChecklistAnswer:
    evidence = "by construction: the mean of all planned folds is shown, never the best"
    silent = [row for row in results.rows if row.cannot_fold_in]
    if silent:
        evidence += f"; {words.count(len(silent), 'row')} cannot answer new users and have no mean"
    failed = [row for row in results.rows if row.failures and not row.cannot_fold_in]
    if failed:
        evidence += f"; {_list_names(failed)} lack a fold and have no mean"
    return ChecklistAnswer(True, evidence)


def _hides_test_part(results: Results) -> ChecklistAnswer:
    evidence = "by construction: an algorithm is given the training part alone"
    if all(record.environment.apart for record in results.records if record.status == "ok"):
        evidence += ", in a process that holds no test rating"
    if results.asks_new_users:
        evidence += "; of new users it is told the histories, with the questions"
        if results.knew_new_users:
            names = _list_names(results.knew_new_users)
            evidence += f"; but the defaults of {names} were chosen on data with these users"
    if results.external:
        names = _list_names(results.external)
        evidence = f"what {names} were given is not known here; of all others {evidence}"
        return ChecklistAnswer(None, evidence, is_known=False)
    return ChecklistAnswer(True, f"{evidence}; Python opens no file of the data while it runs")


def _hides_future(results: Results) -> ChecklistAnswer:
    """Whether what is trained on was rated before what is tested; does not arise without times."""
    if not results.about.data.timed:
        return ChecklistAnswer(None, "the ratings have no times")
    if results.has_blind_spot("all times are equal"):
        return ChecklistAnswer(None, "all ratings share one moment, so none comes before another")

    split = results.records[0].cell.split
    if order_in_time(split) == "all":
        return ChecklistAnswer(True, f"split {split}")

    evidence = _describe_order(split)
    if results.has_blind_spot("the order in time is not known"):
        evidence += "; of many users the order of the file decides which are the latest, see above"
    others = {record.cell.split for row in results.rows for record in row.also}
    by_time = sorted(other for other in others if order_in_time(other) == "all")
    if by_time:
        return ChecklistAnswer(True, f"{evidence}; split {words.listed(by_time)} stands beside it")
    other = words.split_by_time(results)
    return ChecklistAnswer(False, f"{evidence}; --also-split {other} keeps it out")


def _describe_order(split: str) -> str:
    """What a split that does not keep the whole future out does with time."""
    order = order_in_time(split)
    if order == "user":
        return f"split {split}: each user's latest ratings are tested, those of others may be later"
    if order == "none":
        return f"split {split} is random, for comparability"
    return f"what the split {split}, whose rows are given, does with time is not known"


def _judges_differences(results: Results) -> ChecklistAnswer:
    column = results.first_error() or results.first_ranking()
    if column in results.certainty:
        return ChecklistAnswer(
            True,
            "paired bootstrap over users, corrected for all pairs of rows; deviations over folds "
            "are named as such",
        )

    why = results.unknown(column) if column else "no metric is shown"
    return ChecklistAnswer(False, f"{why}; the deviation over folds is no standard error")


def _keeps_most_data(results: Results) -> ChecklistAnswer:
    steps = results.about.data.steps
    if not steps:
        return ChecklistAnswer(True, "no filter was applied")

    before = steps[0].before["ratings"]
    n_dropped = before - steps[-1].after["ratings"]
    share = words.percent(n_dropped, before)

    evidence = (
        f"filters before the split dropped {share} of the ratings, see the table in the data "
        "section"
    )
    return ChecklistAnswer(n_dropped < HEAVY * before, evidence)


def _has_real_data(results: Results) -> ChecklistAnswer:
    if results.simulated:
        return ChecklistAnswer(False, "the ratings are SIMULATED")
    return ChecklistAnswer(True, "the ratings were given by people")


def _timed_alone(results: Results) -> ChecklistAnswer:
    contended = [row.name for row in results.rows if row.contended]
    if contended:
        names = words.listed(contended)
        return ChecklistAnswer(False, f"other cells ran at the same time as {names}")

    doubts = _list_doubts_of_times(results)
    if doubts:
        evidence = f"no other cell ran at the same time, but {'; '.join(doubts)}"
        return ChecklistAnswer(False, evidence)

    ran = [record for record in results.records if record.status == "ok"]
    external = ""
    if results.external:
        external = f"; {_list_names(results.external)}: {NOT_MEASURED_HERE}"
    waits = [share for share in map(_waiting_share, ran) if share is not None]
    if not waits:
        return ChecklistAnswer(
            None,
            f"the records do not say how long a processor worked{external}",
            is_known=False,
        )

    evidence = (
        "one cell at a time, each in a process of its own; the processor was busy "
        f"{_describe_busy_share(1 - max(waits))}"
    )
    loads = [record.environment.load for record in ran if record.environment.load is not None]
    if loads:
        evidence += f", with a load of at most {max(loads):.1f}"
    else:
        evidence += "; the load of the machine was not recorded"
    return ChecklistAnswer(True, f"{evidence}{external}")


def _describe_busy_share(share: float) -> str:
    """Such as `at least 97% of the time`."""
    text = f"{share:.0%}"
    return "all of the time" if text == "100%" else f"at least {text} of the time"


def _list_doubts_of_times(results: Results) -> list[str]:
    """What the records say of other work on the machine while cells were measured."""
    ran = [record for record in results.records if record.status == "ok"]
    doubts = []

    waiting = []
    for row in results.rows:
        shares = [_waiting_share(record) or 0.0 for record in row.records]
        if max(shares, default=0.0) > MOST_WAITING:
            waiting.append(f"{row.name} ({max(shares):.0%})")
    if waiting:
        doubts.append(
            f"a part of their time no processor worked for {words.listed(waiting)}: other "
            "programs had it, or the row waited for something"
        )

    busy = [
        record.environment.load
        for record in ran
        if record.environment.load is not None
        and record.environment.load > (record.environment.cores or 1)
    ]
    if busy:
        cores = words.count(ran[0].environment.cores or 1, "core")
        doubts.append(
            f"the load was up to {max(busy):.1f} on {cores} when {words.count(len(busy), 'cell')} "
            "began"
        )

    stolen = [record.environment.steal for record in ran if record.environment.steal is not None]
    if stolen and max(stolen) > MOST_STOLEN:
        doubts.append(f"the host gave up to {max(stolen):.0%} of the processors' time to others")
    return doubts


def _waiting_share(record: Record) -> float | None:
    """The share of the phases' wall time in which no processor worked for the cell.

    None if it is not known. Very short cells say nothing: clocks are too coarse.
    """
    wall = 0.0
    worked = 0.0
    for cost in record.costs.values():
        if cost.cpu_seconds is None:
            return None
        wall += cost.seconds
        worked += cost.cpu_seconds
    if not record.costs:
        return None
    if wall < SHORTEST:
        return 0.0
    return max(0.0, 1 - worked / wall)


def _repeats_numbers(results: Results) -> ChecklistAnswer:
    varying = []
    unchecked = []
    for row in results.rows:
        if row.is_external:
            continue
        certificates = [record.determinism for record in row.records if record.determinism]
        has_run = any(record.status == "ok" for record in row.records)
        if has_run and not certificates:
            unchecked.append(row.name)
        if any(certificate.repeatability == "not deterministic" for certificate in certificates):
            varying.append(row.name)

    if varying:
        evidence = f"not so for {words.listed(varying)}"
        n_seeds = [1 + len({r.cell.seed for r in row.initialisations}) for row in results.rows]
        if max(n_seeds) > 1:
            evidence += (
                f"; how much means vary over {max(n_seeds)} seeds stands with the differences"
            )
        return ChecklistAnswer(False, evidence)
    if unchecked:
        return ChecklistAnswer(False, f"not checked for {words.listed(unchecked)}")
    evidence = _describe_second_fits(results)
    if results.external:
        evidence += f"; {_list_names(results.external)} were not fitted here"
    return ChecklistAnswer(True, evidence)


def _describe_second_fits(results: Results) -> str:
    """What was compared to say that rows repeat their numbers, and what was not tried."""
    rows_by_check: dict[str, list[str]] = {}
    only_near: list[str] = []
    for row in results.rows:
        certificates = [record.determinism for record in row.records if record.determinism]
        if certificates:
            checks = dict.fromkeys(certificate.checked_on for certificate in certificates)
            rows_by_check.setdefault("; ".join(checks), []).append(row.name)
        if any(certificate.largest_difference for certificate in certificates):
            only_near.append(row.name)
    if not rows_by_check:
        return "no row was fitted"

    counted = sorted(rows_by_check.items(), key=lambda entry: -len(entry[1]))
    texts = [f"{words.count(len(names), 'row')} in {check}" for check, names in counted]
    evidence = (
        f"fits with the same seed gave the same scores on the machine below: {', '.join(texts)}"
    )
    if only_near:
        evidence += f", {words.listed(only_near)} but for rounding"
    return f"{evidence}; other machines, versions and numbers of threads were not tried"


QUESTIONS: dict[str, Callable[[Results], ChecklistAnswer]] = {
    "Are strong simple baselines in the table?": _has_baselines,
    "Are default and tuned rows kept apart?": _has_equal_defaults,
    "Is the full catalogue ranked?": _ranks_whole_catalogue,
    "Are training items left out of the recommendations?": _leaves_out_training_items,
    "Is each metric defined once, and printed?": _defines_metrics,
    "Do ties and NaN favour no row?": _favours_no_ties,
    "Are all folds averaged?": _averages_all_folds,
    "Is the test part unseen by fits?": _hides_test_part,
    "Is the future kept out of training?": _hides_future,
    "Are differences judged by more than the deviation over folds?": _judges_differences,
    "Do filters keep most of the data?": _keeps_most_data,
    "Are the data real?": _has_real_data,
    "Was each cell timed alone?": _timed_alone,
    "Does a second fit with the same seed give the same numbers?": _repeats_numbers,
}
