"""What to be wary of before any number is read, and what was compared on which data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recbench.benchmarks.gating import suspect_rows
from recbench.benchmarks.records import NOT_MEASURED_HERE
from recbench.benchmarks.splits import order_in_time
from recbench.reports import words
from recbench.reports.answers.claims import list_briefly
from recbench.reports.answers.disagreement import describe_disagreements
from recbench.reports.answers.short_histories import describe_short_histories
from recbench.reports.results import Results, Row


@dataclass(frozen=True)
class Caution:
    """A sentence, and the name of the section that says more; empty if none does."""

    text: str
    section: str = ""


def describe_run(results: Results) -> str:
    """What was compared on which data, on one line: rows, ratings, split, cells."""
    data = results.about.data
    lowest, highest = data.scale
    n_ok = len(results.records) - results.n_failures
    kind = "simulated ratings" if results.simulated else "ratings"
    facts = (
        words.count_compared(results) + (" compared" if results.n_failures else ""),
        f"{data.ratings:,} {kind} ({lowest:g} to {highest:g}) of "
        f"{words.count(data.users, 'user')} on {words.count(data.items, 'item')}",
        _name_split(results),
        f"{n_ok:,} of {words.count(len(results.records), 'cell')} ran",
    )
    return " · ".join(facts)


def _name_split(results: Results) -> str:
    """How the data were split; where users are new, in words too."""
    explained = words.explain_split(results.records[0].cell.split)
    name = words.split(results)
    return f"{name} ({explained})" if explained else name


def list_cautions(results: Results) -> list[Caution]:
    """Whatever limits what the numbers say, the gravest first; how rows are tuned is always one."""
    cautions = []
    for find in FINDERS:
        caution = find(results)
        if caution is not None:
            cautions.append(caution)
    return cautions


def _find_suspects(results: Results) -> Caution | None:
    suspects = suspect_rows(results.records)
    if not suspects:
        return None
    rows = [row for row in results.rows if row.name in suspects]
    names = list_briefly(rows) if rows else words.listed(suspects)
    return Caution(f"Too good to be taken on trust (SUSPICIOUS): {names}.")


def _find_broken_laws(results: Results) -> Caution | None:
    """Rows that are measured with a mistake which somebody has made, as their adapter says."""
    broken = {
        name: described.broken_law
        for name, described in results.about.algorithms.items()
        if described.broken_law is not None
    }
    if not broken:
        return None
    texts = [f"{name}: {law}" for name, law in broken.items()]
    return Caution(f"Measured with its mistake: {'; '.join(texts)}.", "method")


def _find_failures(results: Results) -> Caution | None:
    if not results.n_failures:
        return None
    verb = "is" if results.n_failures == 1 else "are"
    cells = words.count(len(results.records), "cell")
    text = f"{results.n_failures} of {cells} {verb} not ok."
    silent = [row for row in results.rows if row.cannot_fold_in]
    if silent:
        text += f" Skipped, since they cannot answer new users: {list_briefly(silent)}."
    failed = [row for row in results.rows if row.failures and not row.cannot_fold_in]
    if failed:
        text += f" Without a mean: {list_briefly(failed)}."
    return Caution(text, "failures")


def _find_blind_spots(results: Results) -> Caution | None:
    kinds = [spot.kind for spot in results.about.blind_spots]
    if not kinds:
        return None
    return Caution(f"What these data cannot tell: {'; '.join(kinds)}.", "blind_spots")


def _describe_tuning(results: Results) -> Caution:
    """Whether rows are tuned, and whether they are on equal terms."""
    rows = results.compared
    with_parameters = [row for row in results.contestants if row.records[0].cell.parameters]
    tunable = [row for row in with_parameters if not row.is_external]
    if not tunable and results.external:
        return Caution(_say_how_external_is_tuned(results), "accuracy")
    if not tunable:
        return Caution("No row has hyperparameters, so none is tuned.")

    tuned = [row for row in rows if row.is_tuned]
    defaults = results.defaults
    n_rows = words.count(len([row for row in rows if not row.is_external]), "row")
    sentences = []
    if tuned:
        sentence = f"Tuned in this run: {len(tuned)} of {n_rows}, on the training part of each fold"
        if not results.fairly_tuned:
            sentence += ", and not with the same budget"
        sentences.append(f"{sentence}.")

    if defaults.found:
        sentences.append(f"{_describe_found(defaults.found, n_rows, results.about.data.name)}.")

    if defaults.are_mixed:
        sentences.append(
            f"Not on equal terms: the defaults of {len(defaults.tuned)} of {n_rows} were tuned on "
            f"{results.about.data.name}, those of {len(defaults.untuned)} come from elsewhere."
        )
    elif defaults.tuned:
        sentences.append(
            f"The defaults of {words.count(len(defaults.tuned), 'row')} were tuned on "
            f"{results.about.data.name}."
        )
    if results.knew_new_users:
        sentences.append("The users held out here were among these data.")
    if not sentences:
        other = "other " if results.external else ""
        sentences.append(f"No {other}row is tuned on these data.")
    if results.external:
        sentences.insert(0, _say_how_external_is_tuned(results))
    if defaults.are_mixed and not tuned:
        sentences.append("The option --tune 50 tunes every row, with 50 trials each.")
    return Caution(" ".join(sentences), "accuracy")


def _describe_found(found: Sequence[Row], n_rows: str, dataset: str) -> str:
    """How many rows have values that searches elsewhere have found, and whether on these data."""
    origins = [row.values_from for row in found if row.values_from is not None]
    data_sets: dict[str, None] = {}  # in their order, each once
    for origin in origins:
        data_sets.update(dict.fromkeys(origin.data))

    where = words.listed(data_sets)
    sentence = f"{len(found)} of {n_rows} with values that searches have found on {where}"
    if any(origin.was_tuned_on(dataset) for origin in origins):
        sentence += ", so perhaps with ratings that are tested here"
    return sentence


def _say_how_external_is_tuned(results: Results) -> str:
    """Rows from files are neither tuned nor untuned: nobody here can tell."""
    names = list_briefly(results.external)
    return f"Whether and on what {names} were tuned is not known here."


def _find_external(results: Results) -> Caution | None:
    if not results.external:
        return None
    names = list_briefly(results.external)
    text = f"{NOT_MEASURED_HERE.capitalize()}: {names}. Their answers come from files; what they "
    return Caution(f"{text}have seen of the test part, and what they cost, is not known.", "cost")


def _find_future(results: Results) -> Caution | None:
    """Whether the training part holds ratings from after those that are tested."""
    if not results.about.data.timed or results.has_blind_spot("all times are equal"):
        return None
    order = order_in_time(results.records[0].cell.split)
    if order == "none":
        if results.asks_new_users:
            return Caution(
                "Tested users are drawn at random, not by time: rows learn from other users' "
                "ratings that were given after those they are tested on.",
                "new_users",
            )
        return Caution(
            "Folds are random, not by time: rows learn from ratings that were given after those "
            "they are tested on."
        )
    if order == "user":
        return Caution(
            "Training parts hold other users' ratings that were given after the tested ones."
        )
    return None


def _find_short_histories(results: Results) -> Caution | None:
    """Whether another row than the best leads where little is told of new users."""
    texts = describe_short_histories(results)
    return Caution(" ".join(texts), "slices") if texts else None


def _find_other_order(results: Results) -> Caution | None:
    """Whether the split of `--also-split` orders the rows differently, and why."""
    texts = describe_disagreements(results)
    return Caution(" ".join(texts), "division") if texts else None


def _find_contention(results: Results) -> Caution | None:
    if not any(row.contended for row in results.contestants):
        return None
    return Caution("Cells ran side by side, so times are contended.", "cost")


def _find_hosts(results: Results) -> Caution | None:
    if len(results.hosts) < 2:
        return None
    n_hosts = len(results.hosts)
    return Caution(f"Cells ran on {n_hosts} hosts: times of different hosts do not compare.")


def _find_disagreements(results: Results) -> Caution | None:
    sentences = [f"{each.sentence}." for each in results.about.disagreements]
    return Caution(" ".join(sentences)) if sentences else None


FINDERS: tuple[Callable[[Results], Caution | None], ...] = (
    _find_suspects,
    _find_broken_laws,
    _find_failures,
    _find_blind_spots,
    _find_external,
    _describe_tuning,
    _find_future,
    _find_short_histories,
    _find_other_order,
    _find_contention,
    _find_hosts,
    _find_disagreements,
)
