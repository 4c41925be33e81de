"""The report's answer to what a user gets: lists with titles, predictions beside ratings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from recbench.benchmarks.metrics import find_metric
from recbench.benchmarks.records import (
    ENOUGH_TEST_RATINGS,
    Answer,
    Examples,
    Person,
    Record,
    read_examples,
)
from recbench.datasets.profile import Profile, TopItem
from recbench.reports import words
from recbench.reports.rendering import (
    Block,
    Details,
    Heading,
    Note,
    Paragraph,
    RowName,
    Sign,
    Spoken,
    StarredTitles,
    Table,
    TableCell,
    TableHead,
    TableLine,
    TableRemark,
)
from recbench.reports.results import Results
from recbench.reports.sections.registry import section

MOST_ROWS = 12  # fit into one table; of more, the best of each family are shown, the others folded
MOST_COMMON = 3  # so many titles that most lists have in common are named
LIST_LENGTH = 5  # places of a list that are shown


@dataclass(frozen=True)
class RowAnswer:
    """One row's answer about one user, with the record that it comes from and the row's family."""

    answer: Answer
    record: Record
    family: str


@section("What do they recommend?", place=70)
def recommendations(results: Results) -> list[Block] | None:
    """For each user of the examples: favourites, lists and predictions; then what all users share.

    These are similar descriptions and the best-rated titles. None if the run has left none of it.
    """
    blocks: list[Block] = []
    examples = _read_examples(results)
    if examples is not None:
        blocks += [Paragraph(sentence) for sentence in _introduce(results, examples)]
        for person in order_people(results, examples):
            blocks += _describe_person(results, examples, person)
        blocks += _describe_similar(examples)

    if results.profile is not None:
        blocks += _describe_best_rated(results.profile)
    return blocks or None


def _read_examples(results: Results) -> Examples | None:
    """The examples beside the records; None if there are none or if they are of another plan."""
    examples = read_examples(results.run.directory)
    if examples is None or examples.digest != results.about.data.digest:
        return None

    place = (examples.split, examples.n_folds, examples.fold, examples.split_seed, examples.seed)
    for record in results.records:
        cell = record.cell
        if (cell.split, cell.n_folds, cell.fold, cell.split_seed, cell.seed) == place:
            return examples

    return None


def list_answers(results: Results, person: Person) -> list[RowAnswer]:
    """The answers whose records are still there and ok, in the order of the rows."""
    answers = {(answer.row, answer.key, answer.sha256): answer for answer in person.answers}
    listed = []
    for row in results.rows:
        for record in row.records:
            answer = answers.get((row.name, record.cell.key, record.answers))
            if record.status == "ok" and answer is not None:
                listed.append(RowAnswer(answer, record, row.family))

    return listed


def order_people(results: Results, examples: Examples) -> list[Person]:
    """The users for whom the most lists have a relevant title first; others in their order."""

    def count_hits(person: Person) -> int:
        relevant = {item for item, value in person.tested.items() if value >= examples.threshold}
        lists = [one.answer.recommended or [] for one in list_answers(results, person)]
        return sum(not relevant.isdisjoint(items[:LIST_LENGTH]) for items in lists)

    if examples.named:
        return examples.people
    return sorted(examples.people, key=count_hits, reverse=True)


def order_columns(results: Results) -> tuple[str, str]:
    """The error and the ranking metric that put rows in order, headline ones if there are."""
    error = results.first_error()
    if not error or find_metric(error).kind != "rating":
        error = "rmse"
    cutoff = results.about.protocol["ks"][0]
    return error, results.first_ranking() or f"ndcg@{cutoff}"


def _introduce(results: Results, examples: Examples) -> list[str]:
    """Which fold, which users, and whose answers are missing."""
    fold = "the one fold"
    if examples.n_folds > 1:
        fold = f"fold {examples.fold} of {examples.n_folds}"

    who = (
        f"The users were drawn at random with the seed {examples.seed}, preferring those with at "
        f"least {ENOUGH_TEST_RATINGS} test ratings, one of them relevant."
    )
    if examples.named:
        who = "The users were named in the command."

    threshold = f"{examples.threshold:g}"
    sentences = [f"Results of {fold}; a test rating of at least {threshold} is relevant.", who]

    answered = {
        answer.answer.row for person in examples.people for answer in list_answers(results, person)
    }
    able = [row for row in results.rows if not row.cannot_fold_in]
    absent = [row.name for row in able if row.name not in answered]
    if absent and examples.people:
        sentences.append(f"Without results there: {words.listed(absent)}.")
    return sentences


def _describe_person(results: Results, examples: Examples, person: Person) -> list[Block]:
    """What is shown of one user."""
    answers = list_answers(results, person)
    error, ranking = order_columns(results)
    blocks: list[Block] = [
        Heading(f"User {person.id}"),
        Paragraph(_count_ratings(results, person, examples.threshold)),
    ]
    if person.favourites:
        titles = tuple((f"{value:g}", examples.titles[item]) for item, value in person.favourites)
        where = "of what is told" if results.asks_new_users else "in the training part"
        blocks += [Heading(f"Highest ratings {where}", level=4), StarredTitles(titles)]

    lists = [one for one in answers if one.answer.recommended is not None]
    if lists:
        blocks += _describe_lists(lists, person, examples, ranking)

    raters = sort_by_column([one for one in answers if one.answer.nearest], error)
    if raters:
        blocks += [
            Heading("Predicted ratings", level=4),
            _tabulate_closeness(raters[0], person, examples, error),
        ]

    if len(raters) > 1:
        blocks.append(_compare_predictions(raters, person, examples, error))
    return blocks


def _count_ratings(results: Results, person: Person, threshold: float) -> str:
    """How much is known of a user, and what that leaves unsaid."""
    kind = "told rating" if results.asks_new_users else "training rating"
    known = f"This user has no {kind} in this fold"
    if person.n_train:
        known = words.count(person.n_train, kind)

    if not person.n_test:
        return f"{known}; no test rating, so nothing was asked about this user."

    tested = f"{known}; {words.count(person.n_test, 'test rating')}"
    if not person.n_relevant:
        return (
            f"{tested}, none of them at least {threshold:g}: without a relevant title no list was "
            "asked for."
        )
    return f"{tested}, {person.n_relevant:,} of them at least {threshold:g}."


def sort_by_column(answers: Sequence[RowAnswer], column: str) -> list[RowAnswer]:
    """Best `column` of this fold first; behind them who has none, and the oracle last of all."""
    metric = find_metric(column)

    def place(one: RowAnswer) -> tuple[bool, bool, float]:
        value = one.record.metrics.get(column)
        loss = 0.0 if value is None else float(metric.loss(value))
        return (one.family == "oracle", value is None, loss)

    return sorted(answers, key=place)


def choose_rows(
    answers: Sequence[RowAnswer], column: str
) -> tuple[list[RowAnswer], list[RowAnswer]]:
    """The rows that are shown at once, best first, and the rest in their own order.

    All are shown, or where there are many the best of each family.
    """
    ordered = sort_by_column(answers, column)
    if len(ordered) <= MOST_ROWS:
        return ordered, []

    best_by_family: dict[str, RowAnswer] = {}
    for one in ordered:
        best_by_family.setdefault(one.family, one)

    shown = list(best_by_family.values())
    return shown, [one for one in answers if one not in shown]


def _describe_choice(left_out: Sequence[RowAnswer]) -> str:
    return "the best row of each family" if left_out else "all rows with results"


def _describe_lists(
    lists: Sequence[RowAnswer], person: Person, examples: Examples, ranking: str
) -> list[Block]:
    """What rows recommend to a user: a sentence on all lists, some of them, the others folded."""
    shown, folded = choose_rows(lists, ranking)
    blocks: list[Block] = [Heading("Recommended", level=4)]
    common = _describe_common(lists, person, examples)
    if common:
        blocks.append(Paragraph(common))

    order = f"{_describe_choice(folded)}, best {ranking} of this fold first"
    caption = (
        f"The first five of each list: {order}. ✓: a relevant title, with the user's "
        "own rating in the test part."
    )
    label = f"Recommendations for user {person.id}"
    blocks.append(_tabulate_lists(shown, person, examples, label=label, caption=caption))
    if folded:
        table = _tabulate_lists(
            folded,
            person,
            examples,
            label=f"Other recommendations for user {person.id}",
            caption="The first five of each list, in the order of families",
        )
        blocks.append(Details(words.count(len(folded), "other row"), (table,)))

    return blocks


def _tabulate_lists(
    lists: Sequence[RowAnswer], person: Person, examples: Examples, *, label: str, caption: str
) -> Table:
    """A line for each row: its first titles, and how many of these are relevant."""
    places = (TableHead(str(place), "text") for place in range(1, LIST_LENGTH + 1))
    lines = []
    for one in lists:
        items = (one.answer.recommended or [])[:LIST_LENGTH]
        cells = [_title_cell(item, person, examples) for item in items]
        n_relevant = sum(cell.is_hit for cell in cells)
        cells += [TableCell(words.NONE)] * (LIST_LENGTH - len(items))
        cells.append(TableCell(str(n_relevant)))
        lines.append(TableLine(RowName(one.answer.row), tuple(cells)))

    return Table(
        label,
        caption,
        (TableHead("row", "text"), *places, TableHead("relevant")),
        tuple(lines),
        has_titles=True,
    )


def _title_cell(item: int, person: Person, examples: Examples) -> TableCell:
    """A recommended title, and the user's own test rating of it where there is one."""
    title = examples.titles[item]
    rating = person.tested.get(item)
    if rating is None:
        return TableCell(title)
    if rating < examples.threshold:
        return TableCell(title, (f"rated {rating:g}", Spoken(" in the test part")))

    small = (f"rated {rating:g}", Spoken(" in the test part, relevant"))
    return TableCell((Sign("✓ "), title), small, is_hit=True)


def _describe_common(lists: Sequence[RowAnswer], person: Person, examples: Examples) -> str:
    """How many lists have a relevant title, and which most of them share; empty of one list."""
    if len(lists) < 2:
        return ""

    recommended = [one.answer.recommended or [] for one in lists]
    relevant = {item for item, value in person.tested.items() if value >= examples.threshold}
    n_hit = sum(not relevant.isdisjoint(items) for items in recommended)
    verb = "has" if n_hit == 1 else "have"
    sentence = f"{n_hit} of the {len(lists)} lists {verb} a relevant title."

    counts = Counter(item for items in recommended for item in items)
    most = max(counts.values(), default=0)
    common = [item for item, count in counts.items() if count == most]
    if most < 2 or len(common) > MOST_COMMON:
        return sentence

    names = words.listed(f"“{examples.titles[item]}”" for item in common)
    each = " each" if len(common) > 1 else ""
    return f"{sentence} Most often recommended: {names}, in {most} lists{each}."


def _tabulate_closeness(one: RowAnswer, person: Person, examples: Examples, column: str) -> Table:
    """One row's predictions in the order of their distance to the ratings: both ends of it."""

    def describe_prediction(item: int, predicted: float) -> TableLine:
        actual = person.tested[item]
        distance = words.stars(abs(predicted - actual), like=predicted)
        texts = (f"{actual:g}", words.stars(predicted), distance)
        return TableLine(examples.titles[item], tuple(TableCell(text) for text in texts))

    nearest = one.answer.nearest
    farthest = one.answer.farthest
    lines: list[TableLine | TableRemark] = [describe_prediction(*pair) for pair in nearest]
    n_left_out = person.n_test - len(nearest) - len(farthest)
    if n_left_out:
        lines.append(TableRemark(f"… {n_left_out:,} more …"))

    lines += [describe_prediction(*pair) for pair in farthest]
    return Table(
        f"Predictions for user {person.id} by closeness",
        f"Predictions of the user's test ratings by {one.answer.row}, the lowest "
        f"{words.field_name(column)} of this fold, smallest difference first",
        (
            TableHead("title", "text"),
            TableHead("rated"),
            TableHead("predicted"),
            TableHead("difference"),
        ),
        tuple(lines),
        has_titles=True,
    )


def _compare_predictions(
    raters: Sequence[RowAnswer], person: Person, examples: Examples, column: str
) -> Details:
    """Rows against a few of the user's test titles, folded away."""
    shown, left_out = choose_rows(raters, column)
    heads = [TableHead("row", "text")]
    for item in person.compared:
        heads.append(TableHead(examples.titles[item], small=(f"rated {person.tested[item]:g}",)))

    lines = []
    for one in shown:
        cells = tuple(TableCell(words.stars(value)) for value in one.answer.compared)
        lines.append(TableLine(RowName(one.answer.row), cells))

    order = f"{_describe_choice(left_out)}, lowest {words.field_name(column)} of this fold first"
    table = Table(
        f"Predictions for user {person.id} by row",
        f"The user's test titles with the most training ratings: {order}",
        tuple(heads),
        tuple(lines),
        has_titles=True,
    )
    return Details(f"Predictions of {words.count(len(lines), 'row')} side by side", (table,))


def _describe_similar(examples: Examples) -> list[Block]:
    """The titles whose descriptions are nearest to that of one.

    Or that no descriptions are known.
    """
    similar = examples.similar
    if similar is None:
        return [Note("The data have no descriptions of the titles to compare.")]

    lines: list[TableLine | TableRemark] = []
    for item, cosine in similar.nearest:
        lines.append(TableLine(examples.titles[item], (TableCell(words.cosine(cosine)),)))

    if not lines:
        lines.append(TableRemark("no other description shares a word with it"))

    table = Table(
        "Similar descriptions",
        f"Nearest to the description of “{examples.titles[similar.item]}”, the most rated title "
        f"that has one ({similar.n_ratings:,} ratings): cosine of TF-IDF vectors, 1 for the same "
        "words",
        (TableHead("title", "text"), TableHead("cosine")),
        tuple(lines),
        has_titles=True,
    )
    return [Heading("Which descriptions are alike?"), table]


def _describe_best_rated(profile: Profile) -> list[Block]:
    """The best-rated titles by mean and by weighted mean, from the profile of the data."""
    prior = f"{profile['prior']:,g}"
    by_mean = Table(
        "Best-rated titles by mean",
        "Highest mean rating, however few ratings it comes from",
        (TableHead("title", "text"), TableHead("mean"), TableHead("ratings")),
        tuple(_describe_title(entry, [entry["mean"]]) for entry in profile["top_by_mean"]),
        has_titles=True,
    )

    by_weighted_mean = Table(
        "Best-rated titles by weighted mean",
        "Highest weighted mean: (n × mean + m × mean of all ratings) / (n + m) for n ratings and "
        f"m = {prior}",
        (
            TableHead("title", "text"),
            TableHead("weighted mean"),
            TableHead("mean"),
            TableHead("ratings"),
        ),
        tuple(
            _describe_title(entry, [entry["weighted"], entry["mean"]])
            for entry in profile["top_by_weighted_mean"]
        ),
        has_titles=True,
    )
    return [Heading("Which titles are rated best overall?"), by_mean, by_weighted_mean]


def _describe_title(entry: TopItem, means: Sequence[float]) -> TableLine:
    """A title of the profile with these of its means, and how many ratings they come from."""
    cells = [TableCell(words.stars(mean)) for mean in means]
    cells.append(TableCell(f"{entry['n']:,}"))
    return TableLine(entry["title"], tuple(cells))
