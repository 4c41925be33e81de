"""The report's answer to how it was measured: definitions, protocol, machine, data, commands."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recbench.benchmarks.metrics import CANDIDATES, PROTOCOLS, STANDARD, TIES, Metric
from recbench.benchmarks.records import REPEATABILITIES, DataDescription, Environment, Record
from recbench.reports import words
from recbench.reports.answers import answer_checklist
from recbench.reports.rendering import (
    Appendix,
    Block,
    Code,
    Commands,
    Definition,
    Definitions,
    Details,
    Heading,
    Pairs,
    Paragraph,
    RowName,
    Strong,
    Table,
    TableCell,
    TableHead,
    TableLine,
    Verbatim,
    Words,
)
from recbench.reports.results import Results, Row, metrics
from recbench.reports.sections.registry import section

UNITS_OF_SCALE = "units=scale"

# The parts of a fold, as records and as reports call them.
PARTS = {"train": "train", "history": "told", "test": "test"}


# What some facts about the machine are called on the page.
ENVIRONMENT_WORDS = {
    "bound": "processors reserved for each cell",
    "contended": "other cells of a bench at the same time",
    "apart": "test ratings kept in another process",
    "in_process": "measured in the command's own process",
}


@section("How was it measured?", place=95)
def method(results: Results) -> list[Block]:
    """Definitions, protocol, machine, data, and the commands that make it all again."""
    return [
        Heading("Metrics"),
        define_metrics(metrics(results)),
        *_describe_algorithms(results),
        Heading("Protocol"),
        Pairs("How metrics are computed", tuple(list_protocol(results))),
        Heading("Which pitfalls are avoided?"),
        _tabulate_pitfalls(results),
        Heading("Machine and versions"),
        Pairs(
            "Where the cells ran; several values where cells differ",
            tuple(
                (ENVIRONMENT_WORDS.get(name, name), value)
                for name, value in list_environment(results)
            ),
        ),
        Heading("Repeatability"),
        Pairs(
            "Whether a second fit with the same seed gives the same scores",
            tuple(
                (row.name, _describe_determinism(row))
                for row in results.rows
                if any(record.status == "ok" for record in row.records)
            ),
        ),
        Heading("Data"),
        *_describe_data(results.about.data),
        Heading("How to reproduce"),
        *_describe_commands(results),
    ]


def define_metrics(shown: Mapping[str, Metric]) -> Definitions:
    """What each column means, in which unit, and which way is better."""
    entries = []
    for column, metric in shown.items():
        name = words.field_name(column)
        note = f"{metric.unit}, {metric.better} is better"
        if name != column:
            note += f"; typed {column}"
        entries.append(Definition(name, metric.definition, note))
    return Definitions(tuple(entries))


def _describe_algorithms(results: Results) -> list[Block]:
    """Each row's own words and the licences behind it, folded; nothing if the plan has none."""
    algorithms = results.about.algorithms
    if not algorithms:
        return []

    in_stars = _rows_in_stars(results)
    defaults_by_row = {row.name: row.defaults for row in results.rows}
    how_by_row = {row.name: row.how_it_folds_in for row in results.rows}
    entries = []
    for row, algorithm in algorithms.items():
        libraries = "; ".join(algorithm.libraries)
        notes = [f"Libraries: {libraries}"] if libraries else []
        if algorithm.broken_law is not None:
            notes.append(f"BREAKS A LAW ON PURPOSE: {algorithm.broken_law}")
        if row in in_stars:
            notes.append(UNITS_OF_SCALE)
        if row in defaults_by_row:
            notes.append(f"Hyperparameters: {defaults_by_row[row]}")
        if results.asks_new_users:
            notes.append(f"New users: {how_by_row.get(row) or 'cannot answer them'}")
        entries.append(Definition(row, algorithm.definition, ". ".join(notes)))

    summary = (
        "Formula, source and defaults of each row, with the libraries behind it and their licences"
    )
    definitions = Definitions(tuple(entries), are_long=True)
    return [Heading("Algorithms"), Appendix("algorithms", summary, (definitions,))]


def _rows_in_stars(results: Results) -> list[str]:
    """The rows that were given stars from 1 to 5 for the ratings of the data."""
    names = [record.cell.row for record in results.records if record.units == "scale"]
    return list(dict.fromkeys(names))


def list_protocol(results: Results) -> list[tuple[str, str]]:
    """How metrics are computed, as pairs of a word and its value."""
    protocol = results.about.protocol
    pairs = _list_splits(results)
    pairs.append(("cutoffs", words.listed(map(str, protocol["ks"]))))

    folds = [record.fold for record in results.records if record.fold is not None]
    for name, rules in protocol["protocols"].items():
        title = "ranking"
        thresholds: list[float] = []
        if name == STANDARD:
            thresholds = sorted({fold.threshold for fold in folds})
        else:
            title = f"ranking, columns {name}: ({PROTOCOLS[name].about})"
        of_new_users = results.asks_new_users
        pairs.append((title, describe_protocol(rules, thresholds, of_new_users=of_new_users)))

    in_stars = _rows_in_stars(results)
    if in_stars:
        explained = (
            f"given stars from 1 to 5, answers in the unit of the data: {', '.join(in_stars)}"
        )
        pairs.append((UNITS_OF_SCALE, explained))
    return [
        *pairs,
        ("users counted in ranking metrics", "those with at least one relevant test item"),
        ("predictions", "a missing one becomes the training mean; all are clipped to the scale"),
        ("protocol version", str(protocol["version"])),
    ]


def describe_protocol(
    rules: dict[str, Any], thresholds: Sequence[float] = (), *, of_new_users: bool = False
) -> str:
    """What a protocol calls relevant, its candidates, and what it does with ties.

    `thresholds` are the ratings from which a title is relevant here, where they are known. New
    users have no training items: those that are told stand in their place.
    """
    relevant = f"relevant is a test rating of at least {rules['relevant_share']:.0%} of the scale"
    if thresholds:
        relevant += f", here {words.listed(f'{value:g}' for value in thresholds)}"
    candidates = CANDIDATES[rules["candidates"]]
    if of_new_users:
        candidates = candidates.replace("training items", "told items")
    return f"{relevant}; candidates are {candidates}; {TIES[rules['ties']]}"


def _list_splits(results: Results) -> list[tuple[str, str]]:
    """Each split of the run, with the sizes of its folds; all but the first one are named."""
    records_by_split: dict[str, list[Record]] = {}
    for record in results.records:
        records_by_split.setdefault(record.cell.split, []).append(record)

    pairs = []
    for place, (split, records) in enumerate(records_by_split.items()):
        where = f", split {split}" if place else ""
        title = "also split" if place else "split"
        pairs.append((title, words.split(replace(results, records=records))))
        explained = words.explain_split(split)
        if explained:
            pairs.append((f"what it holds out{where}", explained))
        for part in PARTS:
            known = [getattr(record.fold, part) for record in records if record.fold]
            sizes = [size for size in known if size is not None]
            if sizes:
                pairs.append((f"{PARTS[part]} ratings a fold{where}", words.span(sizes)))
        counted = _count_ranked_users(results, records)
        if counted:
            pairs.append((f"users in ranking metrics a fold{where}", counted))

    return pairs


def _count_ranked_users(results: Results, records: Sequence[Record]) -> str:
    """How many users of how many got a list in each fold; empty if no record says."""
    counts = []
    for record in records:
        lists = [part.n_lists for part in record.slices if part.n_lists is not None]
        if lists:
            counts.append(sum(lists))

    if not counts:
        return ""

    tested = [part for record in records for part in (record.fold,) if part is not None]
    n_tested = [part.cold_users for part in tested if part.history is not None]
    whom = f"{results.about.data.users:,} in the data"
    if n_tested and all(n_users is not None for n_users in n_tested):
        whom = f"{words.span(n_users or 0 for n_users in n_tested)} that are tested"
    counted = f"{words.span(counts)} of {whom}"
    if len(results.about.protocol["protocols"]) > 1:
        counted += ", by the bench's own protocol"
    return counted


def _tabulate_pitfalls(results: Results) -> Table:
    lines = []
    for question, answer, evidence in answer_checklist(results):
        shown = Strong(answer) if answer == "no" else answer
        lines.append(TableLine(question, (TableCell(shown), TableCell(evidence))))

    return Table(
        "Pitfalls",
        "Common mistakes in comparisons of recommenders: “yes” means that this run avoids one; "
        "every answer follows from its records",
        (TableHead("question", "text"), TableHead("answer", "word"), TableHead("because", "text")),
        tuple(lines),
    )


def list_environment(results: Results) -> list[tuple[str, str]]:
    """Machine, versions and commit of the cells that ran; where cells differ, every value."""
    ran = [record for record in results.records if record.status != "not_run"]
    environments = [record.environment for record in ran] or [results.about.environment]
    values_by_name: dict[str, list[str]] = {}
    for environment in environments:
        for name, text in _flatten_environment(environment).items():
            values = values_by_name.setdefault(name, [])
            if text not in values:
                values.append(text)

    pairs = [(name, "; ".join(values)) for name, values in values_by_name.items()]

    for name, noun in (
        ("load", "load average when a cell began"),
        ("steal", "steal time, a share"),
    ):
        known = [value for value in (getattr(e, name) for e in environments) if value is not None]
        if known:
            pairs.append((noun, f"{min(known):.2g} to {max(known):.2g}"))

    started = sorted(record.started for record in ran if record.started)
    if not started:
        return [*pairs, ("started", "not yet")]

    first_and_last = sorted({started[0], started[-1]})
    return [*pairs, ("started", " to ".join(first_and_last))]


def _flatten_environment(environment: Environment) -> dict[str, str]:
    """What a record says of its machine, in words, with a line for each library."""
    apart = ("versions", "memory_mb", "commit", "dirty", "load", "steal")
    texts = {}
    for name, value in environment.to_json().items():
        if name in apart:
            continue
        texts[name] = str(value)
        if isinstance(value, bool):
            texts[name] = "yes" if value else "no"

    commit = environment.commit or "unknown"
    texts["commit"] = f"{commit}, with changes" if environment.dirty else commit
    texts["memory"] = f"{words.megabytes(environment.memory_mb)} MB"
    return texts | environment.versions


def _describe_determinism(row: Row) -> str:
    """How repeatable the worst of the row's folds is, with what that rests on."""
    certificates = [record.determinism for record in row.records if record.determinism]
    if not certificates:
        return "not checked"

    worst = max(
        certificates, key=lambda certificate: REPEATABILITIES.index(certificate.repeatability)
    )
    largest = max(certificate.largest_difference or 0.0 for certificate in certificates)

    parts: list[str] = [worst.repeatability]
    if largest:
        parts.append(f"scores differ by up to {largest:.2g}")

    if worst.largest_difference is not None:
        parts.append(f"seen in {worst.checked_on}")

    if worst.reason:
        parts.append(worst.reason)
    return "; ".join(parts)


def _describe_data(data: DataDescription) -> list[Block]:
    """What the ratings are, whose they are, and the files that were read, if any."""
    lowest, highest = data.scale
    name = f"{data.name} (SIMULATED)" if data.simulated else data.name
    facts = Pairs(
        "Where the ratings come from",
        (
            ("name", name),
            ("users", f"{data.users:,}"),
            ("items", f"{data.items:,}"),
            ("ratings", f"{data.ratings:,}"),
            ("scale", f"{lowest:g} to {highest:g}"),
            ("licence", data.licence),
            ("citation", data.citation),
            ("sha256 of the content", data.digest),
        ),
    )
    if not data.sources:
        return [facts]

    lines = []
    for source in data.sources:
        cells = (TableCell(f"{source.n_bytes:,}"), TableCell(Code(source.sha256)))
        lines.append(TableLine(source.file, cells))

    heads = (TableHead("file", "text"), TableHead("bytes"), TableHead("sha256", "text"))
    return [facts, Table("Files", "Files that were read", heads, tuple(lines))]


def _describe_commands(results: Results) -> list[Block]:
    """The commands that measure the run, a row, or a cell again, with the key of each cell."""
    rows_by_command: dict[str, list[str]] = {}  # a tuned row comes with its default
    for row in results.rows:
        if not row.cannot_fold_in:
            rows_by_command.setdefault(words.again(results, row.name), []).append(row.name)
    commands = tuple((words.listed(rows), command) for command, rows in rows_by_command.items())
    keys = Table(
        "Keys",
        "A cell's record is the file that has its key in its name",
        (TableHead("row", "text"), TableHead("keys", "text")),
        tuple(TableLine(RowName(row.name), (TableCell(_list_keys(row)),)) for row in results.rows),
    )

    return [
        Paragraph("The command of this run:"),
        Verbatim(words.shorten_out(results.about.command)),
        Commands("Commands that measure one row again", commands),
        Paragraph(
            "To fit one cell again and compare its results bit by bit, give its key (DIR is the "
            "directory of this report):"
        ),
        Verbatim(words.verify_command(results)),
        Details("The key of each cell", (keys,)),
    ]


def _list_keys(row: Row) -> Words:
    """The place and the key of each of the row's cells, those of other seeds and splits too."""
    pieces: list[str | Code] = []
    for record in (*row.records, *row.initialisations, *row.also):
        separator = ", " if pieces else ""
        pieces += [f"{separator}{record.cell.place}: ", Code(record.cell.key)]
    return tuple(pieces)
