"""The report's answer to how it was measured: definitions, protocol, machine, data, licences, and commands."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from recbench.benchmarks.metrics import CANDIDATES, PROTOCOLS, STANDARD, TIES
from recbench.benchmarks.records import VERDICTS, Record
from recbench.reports import words
from recbench.reports.results import Results, Row, metrics
from recbench.reports.sections.checklist import checklist
from recbench.reports.sections.registry import section


@section("How was it measured?")
def method(results: Results) -> dict[str, Any]:
    """Definitions, protocol, machine, data, and the commands that make it all again."""
    data = results.about.data
    return {
        "metrics": metrics(results),
        "protocol": _protocol(results),
        "environment": _environment(results),
        "data": data,
        "certificates": [(row.name, _determinism(row)) for row in results.rows],
        "algorithms": results.about.algorithms,
        "checklist": checklist(results),
        "commands": [(row.name, words.again(results, row.name)) for row in results.rows],
        "verify_command": words.verify_command(results),
        "keys": [
            (row.name, [(record.cell.place, record.cell.key) for record in _all(row)])
            for row in results.rows
        ],
    }


def _all(row: Row) -> tuple[Record, ...]:
    return (*row.records, *row.initialisations, *row.also)


def _protocol(results: Results) -> list[tuple[str, str]]:
    """How answers became numbers, as pairs of a word and its value."""
    protocol = results.about.protocol
    folds = [record.fold for record in results.records if record.fold is not None]
    pairs = [*_divisions(results), ("cutoffs", words.listed(map(str, protocol["ks"])))]
    for name, rules in protocol["protocols"].items():
        thresholds = sorted({fold.threshold for fold in folds}) if name == STANDARD else []
        title = (
            "ranking" if name == STANDARD else f"ranking, columns {name}: ({PROTOCOLS[name].about})"
        )
        pairs.append((title, in_words(rules, thresholds)))
    pairs += [("users counted in ranking metrics", "those with at least one relevant test item")]
    pairs += [("predictions", "no opinion becomes the training mean; then clipped to the scale")]
    return [*pairs, ("protocol version", str(protocol["version"]))]


def in_words(rules: dict[str, Any], thresholds: Sequence[float] = ()) -> str:
    """What a protocol calls relevant, where known with the ratings that this means, its candidates, and its ties."""
    relevant = f"relevant is a test rating of at least {rules['relevant_share']:.0%} of the scale"
    relevant += f", here {words.listed(f'{value:g}' for value in thresholds)}" if thresholds else ""
    return f"{relevant}; candidates are {CANDIDATES[rules['candidates']]}; {TIES[rules['ties']]}"


def _divisions(results: Results) -> list[tuple[str, str]]:
    """Each split of the run, with the sizes of its folds; behind the first one each word names its split."""
    by_split: dict[str, list[Record]] = {}
    for record in results.records:
        by_split.setdefault(record.cell.split, []).append(record)
    pairs = []
    for place, (split, records) in enumerate(by_split.items()):
        where = f", split {split}" if place else ""
        pairs.append(
            ("also split" if place else "split", words.split(replace(results, records=records)))
        )
        for part in ("train", "test"):
            counts = [getattr(record.fold, part) for record in records if record.fold]
            if counts:
                pairs.append((f"{part} ratings a fold{where}", words.span(counts)))
        asked = [[e.n_lists for e in record.slices if e.n_lists is not None] for record in records]
        if any(asked):
            counted = words.span(sum(groups) for groups in asked if groups)
            counted += f" of {results.about.data.users:,}"
            own = (
                ", by the bench's own protocol"
                if len(results.about.protocol["protocols"]) > 1
                else ""
            )
            pairs.append((f"users in ranking metrics a fold{where}", counted + own))
    return pairs


def _environment(results: Results) -> list[tuple[str, str]]:
    """Machine, versions and commit of the cells that ran; where cells differ, every value."""
    ran = [record.environment for record in results.records if record.status != "not_run"]
    found: dict[str, dict[str, None]] = {}
    for environment in ran or [results.about.environment]:
        flat = {
            name: value
            for name, value in environment.to_json().items()
            if name not in ("versions", "memory_mb", "dirty")
        }
        flat["memory"] = f"{words.megabytes(environment.memory_mb)} MB"
        flat["commit"] = (environment.commit or "unknown") + (
            ", with changes" if environment.dirty else ""
        )
        flat |= environment.versions
        for name, value in flat.items():
            text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
            found.setdefault(name, {})[text] = None
    started = sorted(record.started for record in results.records if record.started)
    pairs = [(name, "; ".join(values)) for name, values in found.items()]
    return [
        *pairs,
        ("started", " to ".join(sorted({started[0], started[-1]})) if started else "not yet"),
    ]


def _determinism(row: Row) -> str:
    """The worst verdict of the row's folds, with what it rests on."""
    found = [record.determinism for record in row.records if record.determinism]
    if not found:
        return "not checked"
    worst = max(found, key=lambda certificate: VERDICTS.index(certificate.verdict))
    differences = [certificate.largest_difference or 0.0 for certificate in found]
    parts = [
        worst.verdict,
        f"scores differ by up to {max(differences):.2g}" if any(differences) else "",
    ]
    parts += [
        f"seen in {worst.checked_on}" if worst.largest_difference is not None else "",
        worst.reason or "",
    ]
    return "; ".join(filter(None, parts))
