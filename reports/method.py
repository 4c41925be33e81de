"""The report's answer to how it was measured: definitions, protocol, machine, data, licences, and commands."""

from typing import Any

from benchmarks.determinism import VERDICTS
from benchmarks.protocols import CANDIDATES, PROTOCOLS, STANDARD, TIES
from benchmarks.results import Record
from reports import words
from reports.checklist import checklist
from reports.sections import section
from reports.tables import Results, Row, metrics


@section("How was it measured?")
def method(results: Results) -> dict[str, Any]:
    """Definitions, protocol, machine, data, and the commands that make it all again."""
    data = results.about["data"]
    return {
        "metrics": metrics(results),
        "protocol": _protocol(results),
        "environment": _environment(results),
        "data": data,
        "certificates": [(row.name, _determinism(row)) for row in results.rows],
        "algorithms": results.about.get("algorithms", {}),
        "checklist": checklist(results),
        "commands": [(row.name, words.again(results, row.name)) for row in results.rows],
        "keys": [(row.name, [(record.cell.place, record.cell.key) for record in _all(row)]) for row in results.rows],
    }


def _all(row: Row) -> tuple[Record, ...]:
    return (*row.records, *row.initialisations, *row.also)


def _protocol(results: Results) -> list[tuple[str, str]]:
    """How answers became numbers, as pairs of a word and its value."""
    protocol = results.about["protocol"]
    ran = [record for record in results.records if "train" in record.data]
    pairs = [("split", words.split(results))]
    for part in ("train", "test"):
        counts = [record.data[part] for record in ran]
        if counts:
            low, high = min(counts), max(counts)
            pairs.append((f"{part} ratings a fold", f"{low:,}" if low == high else f"{low:,} to {high:,}"))
    pairs += [("cutoffs", words.listed(map(str, protocol["ks"])))]
    for name, rules in protocol["protocols"].items():
        relevant = f"relevant is a test rating of at least {rules['relevant_share']:.0%} of the scale"
        if name == STANDARD:
            thresholds = sorted({record.data["threshold"] for record in ran})
            relevant += f", here {words.listed(f'{value:g}' for value in thresholds)}" if thresholds else ""
        parts = [relevant, f"candidates are {CANDIDATES[rules['candidates']]}", TIES[rules["ties"]]]
        title = "ranking" if name == STANDARD else f"ranking, columns {name}: ({PROTOCOLS[name].about})"
        pairs.append((title, "; ".join(parts)))
    pairs += [("users counted in ranking metrics", "those with at least one relevant test item")]
    pairs += [("predictions", "no opinion becomes the training mean; then clipped to the scale")]
    return [*pairs, ("protocol version", str(protocol["version"]))]


def _environment(results: Results) -> list[tuple[str, str]]:
    """Machine, versions and commit of the cells that ran; where cells differ, every value."""
    ran = [record.environment for record in results.records if record.status != "not_run"]
    found: dict[str, dict[str, None]] = {}
    for environment in ran or [results.about["environment"]]:
        flat = {name: value for name, value in environment.items() if name not in ("versions", "memory_mb")}
        flat["memory"] = f"{words.megabytes(environment['memory_mb'])} MB"
        flat["commit"] = (environment["commit"] or "unknown") + (", with changes" if environment["dirty"] else "")
        flat |= environment["versions"]
        del flat["dirty"]
        for name, value in flat.items():
            text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
            found.setdefault(name, {})[text] = None
    started = sorted(record.started for record in results.records if record.started)
    pairs = [(name, "; ".join(values)) for name, values in found.items()]
    return [*pairs, ("started", " to ".join(sorted({started[0], started[-1]})) if started else "not yet")]


def _determinism(row: Row) -> str:
    """The worst verdict of the row's folds, with what it rests on."""
    found = [record.determinism for record in row.records if record.determinism]
    if not found:
        return "not checked"
    worst = max(found, key=lambda certificate: VERDICTS.index(certificate.verdict))
    differences = [certificate.largest_difference or 0.0 for certificate in found]
    parts = [worst.verdict, f"scores differ by up to {max(differences):.2g}" if any(differences) else ""]
    parts += [f"seen in {worst.checked_on}" if worst.largest_difference is not None else "", worst.reason or ""]
    return "; ".join(filter(None, parts))
