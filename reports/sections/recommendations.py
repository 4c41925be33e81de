"""The report's answer to what the numbers look like to a user: lists with titles, and predictions beside ratings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import ENOUGH, Answer, Examples, Person, Record, read_examples
from recbench.reports import words
from recbench.reports.results import Results
from recbench.reports.sections.registry import section

ALL_SHOWN = 12  # as many rows fit into one table; of more, the best of each family are shown and the others folded
TOPS = {"top_by_mean": "mean", "top_by_weighted_mean": "weighted"}
N_COMMON = 3


@dataclass(frozen=True)
class Told:
    """One row's answer about one user, with the record that it comes from and the family of the row."""

    answer: Answer
    record: Record
    family: str


@section("What do they recommend?")
def recommendations(results: Results) -> dict[str, Any] | None:
    """For each user of the examples: favourites, lists and predictions; similar descriptions; the best-rated titles.

    None if the run has left none of it.
    """
    examples, tops = _examples(results), _tops(results)
    if examples is None:
        return (
            {"about": [], "people": [], "similar": None, "no_similar": "", "tops": tops}
            if tops
            else None
        )
    without = (
        "" if examples.similar else "No descriptions of the titles are known, so none are compared."
    )
    return {
        "about": _about(results, examples),
        "people": [_person(results, examples, person) for person in examples.people],
        "similar": _similar(examples),
        "no_similar": without,
        "tops": tops,
    }


def _examples(results: Results) -> Examples | None:
    """The examples beside the records; None if there are none or if they are of another plan."""
    examples = read_examples(results.run.directory)
    if examples is None or examples.digest != results.about.data.digest:
        return None
    place = (examples.split, examples.n_folds, examples.fold, examples.split_seed, examples.seed)
    planned = (
        (c.split, c.n_folds, c.fold, c.split_seed, c.seed)
        for c in (r.cell for r in results.records)
    )
    return examples if place in planned else None


def _told(results: Results, person: Person) -> list[Told]:
    """The answers whose records are still there and ok, in the order of the rows."""
    answers = {(answer.row, answer.key, answer.sha256): answer for answer in person.answers}
    return [
        Told(answers[named], record, row.family)
        for row in results.rows
        for record in row.records
        if record.status == "ok"
        and (named := (row.name, record.cell.key, record.answers)) in answers
    ]


def _columns(results: Results) -> tuple[str, str]:
    """The error and the ranking metric by which rows are put in order: the headline ones where there are any."""
    error, ranking = results.first_error(), results.first_ranking()
    by_error = error if error and find_metric(error).kind == "rating" else "rmse"
    return by_error, ranking or f"ndcg@{results.about.protocol['ks'][0]}"


def _about(results: Results, examples: Examples) -> list[str]:
    """Which fold, which users, and whose answers are missing."""
    fold = f"fold {examples.fold} of {examples.n_folds}" if examples.n_folds > 1 else "the one fold"
    who = (
        "The users were asked for by name."
        if examples.named
        else f"The users were drawn with the seed {examples.seed}, those with at least {ENOUGH} test ratings, one of "
        "them relevant, before all others."
    )
    sentences = [
        f"Answers of {fold}; relevant is a test rating of at least {examples.threshold:g}.",
        who,
    ]
    there = {told.answer.row for person in examples.people for told in _told(results, person)}
    absent = [row.name for row in results.rows if row.name not in there]
    if absent and examples.people:
        sentences.append(f"Without an answer there: {words.listed(absent)}.")
    return sentences


def _person(results: Results, examples: Examples, person: Person) -> dict[str, Any]:
    """What is shown of one user."""
    told, titles = _told(results, person), examples.titles
    by_error, by_ranking = _columns(results)
    lists = [one for one in told if one.answer.recommended is not None]
    shown, folded = _chosen(lists, by_ranking)
    raters = _best([one for one in told if one.answer.nearest], by_error)
    beside, left_out = _chosen(raters, by_error)
    return {
        "id": person.id,
        "sentence": _counts(person, examples.threshold),
        "favourites": [
            {"title": titles[item], "stars": f"{value:g}"} for item, value in person.favourites
        ],
        "lists": [_line(one, person, examples) for one in shown],
        "order": f"{_which(folded)}, best {by_ranking} of this fold first",
        "folded": [_line(one, person, examples) for one in folded],
        "common": _common(lists, person, examples),
        "closeness": _closeness(raters[0], person, titles, by_error) if raters else None,
        "compared": _compared(beside, person, titles) if len(raters) > 1 else None,
        "by_error": f"{_which(left_out)}, lowest {by_error} of this fold first",
    }


def _which(left_out: Sequence[Told]) -> str:
    return "the best row of each family" if left_out else "all rows that have one"


def _counts(person: Person, threshold: float) -> str:
    """How much is known of a user, and what that leaves unsaid."""
    if not person.n_train:
        known = "This user has no training rating in this fold"
    else:
        known = f"{words.count(person.n_train, 'training rating')}"
    if not person.n_test:
        return f"{known}; no test rating, so nothing was asked about this user."
    tested = f"{known}; {words.count(person.n_test, 'test rating')}"
    if not person.n_relevant:
        return f"{tested}, none of them at least {threshold:g}: without a relevant title no list was asked for."
    return f"{tested}, {person.n_relevant:,} of them at least {threshold:g}."


def _best(told: Sequence[Told], column: str) -> list[Told]:
    """Best `column` of this fold first; behind them who has none, and last the oracle, which competes with nobody."""
    metric = find_metric(column)

    def place(one: Told) -> tuple[bool, bool, float]:
        value = one.record.metrics.get(column)
        return (
            one.family == "oracle",
            value is None,
            0.0 if value is None else float(metric.loss(value)),
        )

    return sorted(told, key=place)


def _chosen(told: Sequence[Told], column: str) -> tuple[list[Told], list[Told]]:
    """The rows that are shown at once, best first: all, or where there are many the best of each family; the rest."""
    ordered = _best(told, column)
    if len(ordered) <= ALL_SHOWN:
        return ordered, []
    firsts = list({one.family: one for one in reversed(ordered)}.values())
    return [one for one in ordered if one in firsts], [one for one in told if one not in firsts]


def _line(one: Told, person: Person, examples: Examples) -> dict[str, Any]:
    """A row's first titles, each with the user's own test rating where there is one."""
    shown: list[dict[str, Any]] = []
    for item in one.answer.recommended or []:
        value = person.tested.get(item)
        relevant = value is not None and value >= examples.threshold
        rating = None if value is None else f"{value:g}"
        shown.append({"title": examples.titles[item], "stars": rating, "relevant": relevant})
    n_relevant = sum(one["relevant"] for one in shown)
    return {"row": one.answer.row, "family": one.family, "titles": shown, "n_relevant": n_relevant}


def _common(lists: Sequence[Told], person: Person, examples: Examples) -> str:
    """How many lists have a relevant title, and which title most lists have in common; nothing of a single list."""
    if len(lists) < 2:
        return ""
    relevant = {item for item, value in person.tested.items() if value >= examples.threshold}
    n_hit = sum(not relevant.isdisjoint(one.answer.recommended or ()) for one in lists)
    verb = "has" if n_hit == 1 else "have"
    said = f"{n_hit} of the {len(lists)} lists {verb} a relevant title."
    counts = Counter(item for one in lists for item in one.answer.recommended or ())
    most = max(counts.values(), default=0)
    names = [f"“{examples.titles[item]}”" for item, n in counts.items() if n == most]
    if most < 2 or len(names) > N_COMMON:
        return said
    return f"{said} Most often recommended: {words.listed(names)}, in {most} lists{' each' if len(names) > 1 else ''}."


def _closeness(one: Told, person: Person, titles: dict[int, str], column: str) -> dict[str, Any]:
    """One row's predictions in the order of their distance to the ratings: both ends of it."""

    def line(item: int, predicted: float) -> dict[str, str]:
        actual = person.tested[item]
        distance = words.stars(abs(predicted - actual))
        return {
            "title": titles[item],
            "actual": f"{actual:g}",
            "predicted": words.stars(predicted),
            "off": distance,
        }

    n_left_out = person.n_test - len(one.answer.nearest) - len(one.answer.farthest)
    return {
        "row": one.answer.row,
        "column": column,
        "nearest": [line(*pair) for pair in one.answer.nearest],
        "farthest": [line(*pair) for pair in one.answer.farthest],
        "left_out": words.count(n_left_out, "more", "more") if n_left_out else "",
    }


def _compared(raters: Sequence[Told], person: Person, titles: dict[int, str]) -> dict[str, Any]:
    """Rows against a few of the user's test titles."""
    heads = [
        {"title": titles[item], "stars": f"{person.tested[item]:g}"} for item in person.compared
    ]
    lines = [
        (one.answer.row, [words.stars(value) for value in one.answer.compared]) for one in raters
    ]
    return {"heads": heads, "lines": lines}


def _similar(examples: Examples) -> dict[str, Any] | None:
    """The titles whose descriptions are nearest to that of one."""
    if examples.similar is None:
        return None
    lines = [
        (examples.titles[item], words.stars(cosine)) for item, cosine in examples.similar.nearest
    ]
    return {
        "title": examples.titles[examples.similar.item],
        "n": f"{examples.similar.n_ratings:,}",
        "lines": lines,
    }


def _tops(results: Results) -> list[dict[str, Any]]:
    """The best-rated titles by mean and by weighted mean, from the profile of the data; none where it has none."""
    profile = results.profile
    return [_top(profile, key, column) for key, column in TOPS.items()] if profile else []


def _top(profile: dict[str, Any], key: str, column: str) -> dict[str, Any]:
    """A table of titles, which are ordered already."""
    weighted, caption = (
        column == "weighted",
        "Highest mean rating, however few ratings it comes from",
    )
    if weighted:
        rule = "(n × mean + m × mean of all ratings) / (n + m) for n ratings"
        caption = f"Highest weighted mean: {rule} and m = {profile['prior']:,g}"
    lines = [
        {
            "title": entry["title"],
            "value": words.stars(entry[column]),
            "mean": words.stars(entry["mean"]),
            "n": f"{entry['n']:,}",
        }
        for entry in profile[key]
    ]
    return {"weighted": weighted, "caption": caption, "lines": lines}
