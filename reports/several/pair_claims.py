"""What changed between two runs on the same data, in short: the answers of the first screen, and
the same as lines of a terminal.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from recbench.benchmarks.gating import MACHINE_FACTS
from recbench.benchmarks.records import Environment
from recbench.reports import words
from recbench.reports.answers import Caution, list_names, write_answer, write_cautions
from recbench.reports.several.pairing import Kind, Pair, PairedDifference, TwoRuns

MOST_ROWS = 10
LONGEST_COMMIT = 10  # letters

# From which ratio of its times on a row is called slower or faster: less is noise of most machines.
NOTEWORTHY = 1.2


@dataclass(frozen=True)
class PairClaim:
    """The answer to a question about two runs: in a few words, the largest change, how sure.

    Good news is that something got better and nothing worse; that nothing changed is no news.
    """

    question: str
    answer: str
    value: str
    remark: str
    is_good_news: bool = False


def list_pair_claims(two: TwoRuns) -> list[PairClaim]:
    """For each headline column whether rows changed and whether tuning paid; and times."""
    claims = []
    for column in two.headline:
        if two.pairs["same row"]:
            sides = f"run {two.labels[1]} against run {two.labels[0]}"
            question = f"{words.field_name(column)}: {sides}"
            claims.append(_claim_changes(question, two.compare("same row", column), column))
    for column in two.headline:
        if two.pairs["default and tuned"]:
            question = f"{words.field_name(column)}: tuned rows against their defaults"
            claims.append(
                _claim_changes(question, two.compare("default and tuned", column), column)
            )
    if two.pairs["same row"]:
        claims.append(_claim_times(two.pairs["same row"]))
    return claims


def _claim_changes(question: str, found: Sequence[PairedDifference], column: str) -> PairClaim:
    """How many rows are significantly better and worse, and the largest change."""
    counts = {
        verdict: sum(one.verdict == verdict for one in found)
        for verdict in ("better", "worse", "not significant", "equal", "not known")
    }
    if counts["not known"] == len(found):
        reasons = list(dict.fromkeys(one.reason for one in found))
        return PairClaim(question, "not known", "", f"{list_names(reasons)}.")

    answer = f"{counts['better']} better, {counts['worse']} worse"
    if not counts["better"] and not counts["worse"]:
        answer = "no significant change"
    if counts["equal"] == len(found):
        answer = "nothing changed"

    remarks = [f"Of {words.count(len(found), 'row')} compared"]
    for verdict in ("not significant", "equal", "not known"):
        if counts[verdict]:
            meaning = {
                "not significant": "not significantly different",
                "equal": "equal for every user",
                "not known": "not known",
            }[verdict]
            remarks.append(f"{counts[verdict]} {meaning}")
    remark = f"{', '.join(remarks)}." if len(remarks) > 1 else f"{remarks[0]}."
    changed = [one for one in found if one.verdict in ("better", "worse")]
    value = ""
    if changed:
        largest = max(changed, key=lambda one: abs(one.gain))
        value = f"largest: {largest.pair.name} {describe_difference(largest)}"
    is_good_news = counts["better"] > 0 and not counts["worse"]
    return PairClaim(question, answer, value, remark, is_good_news)


def describe_difference(found: PairedDifference) -> str:
    """Such as `+0.0123 [+0.0101, +0.0146]`; without an interval where that is not known."""
    if found.difference is None:
        return words.NONE
    text = words.signed(found.difference, found.bounds)
    if found.bounds is None:
        return text
    low, high = found.bounds
    return f"{text} [{words.signed(low, found.bounds)}, {words.signed(high, found.bounds)}]"


def _claim_times(pairs: Sequence[Pair]) -> PairClaim:
    """Which row's time changed most, and by how much in the median of all."""
    question = "Time of all phases"
    ratios = {pair.name: ratio for pair in pairs if (ratio := ratio_of_times(pair)) is not None}
    if not ratios:
        return PairClaim(question, "not known", "", "No row has a time in both runs.")

    middle = statistics.median(ratios.values())
    slower = [name for name, ratio in ratios.items() if ratio > NOTEWORTHY]
    faster = [name for name, ratio in ratios.items() if ratio < 1 / NOTEWORTHY]
    answer = f"{len(faster)} faster, {len(slower)} slower"
    if not faster and not slower:
        answer = "about the same"
    furthest = max(ratios, key=lambda name: max(ratios[name], 1 / ratios[name]))
    value = (
        f"median {describe_ratio(middle)}; furthest: {furthest} {describe_ratio(ratios[furthest])}"
    )
    limit = f"A factor of {NOTEWORTHY:g} or less counts as the same"
    remark = f"{limit}; one measurement each, so no interval."
    if any(row.contended for pair in pairs for row in (pair.first, pair.second)):
        remark += " Times are contended."
    is_good_news = bool(faster) and not slower
    return PairClaim(question, answer, value, remark, is_good_news)


def ratio_of_times(pair: Pair) -> float | None:
    """The second row's seconds by the first one's; None where one is not known."""
    before, after = pair.seconds()
    if not before or after is None:
        return None
    return after / before


def describe_ratio(ratio: float) -> str:
    """`1.8×` of a time that grew, `0.55×` of one that shrank."""
    return f"{ratio:.2g}×"


def list_pair_cautions(two: TwoRuns) -> list[Caution]:
    """What is not the same beside the rows, and what intervals do not cover."""
    cautions = [
        Caution(
            "Intervals are over the choice of users: another initialisation moves means, too, and "
            "can by itself make a difference significant."
        )
    ]
    for label, results in two.runs.items():
        if results.n_failures:
            verb = "is" if results.n_failures == 1 else "are"
            cells = words.count(len(results.records), "cell")
            text = f"{results.n_failures} of {cells} of {label} {verb} not ok."
            cautions.append(Caution(text, "failures"))

    changed = [pair for pair in two.pairs["same row"] if pair.changes]
    if changed:
        briefly = list_names([pair.name for pair in changed])
        text = f"What fixes the numbers differs in {words.count(len(changed), 'row')}: {briefly}."
        cautions.append(Caution(text, "changes"))
    cautions += _compare_environments(two)
    for label, names in two.unmatched.items():
        if names:
            cautions.append(Caution(f"Only in {label}, so not compared: {list_names(names)}."))
    return cautions


def _compare_environments(two: TwoRuns) -> list[Caution]:
    """Other code of the bench, and another machine."""
    first, second = (results.about.environment for results in two.runs.values())
    cautions = []
    first_commit = _name_commit(first)
    second_commit = _name_commit(second)
    if first_commit != second_commit:
        text = f"Commits of the bench: {first_commit}, then {second_commit}."
        cautions.append(Caution(text))

    others = [name for name in MACHINE_FACTS if getattr(first, name) != getattr(second, name)]
    if others:
        text = f"Times do not compare: the runs did not have the same {words.listed(others)}."
        cautions.append(Caution(text, "cost"))
    return cautions


def _name_commit(environment: Environment) -> str:
    if not environment.commit:
        return "not known"
    changed = " with changes" if environment.dirty else ""
    return f"{environment.commit[:LONGEST_COMMIT]}{changed}"


def rank_changes(two: TwoRuns, kind: Kind, column: str) -> list[PairedDifference]:
    """The pairs with a known difference: significant ones first, the largest of them first."""
    known = [one for one in two.compare(kind, column) if one.verdict != "not known"]
    return sorted(known, key=_order_change)


def _order_change(found: PairedDifference) -> tuple[bool, float]:
    is_significant = found.verdict in ("better", "worse")
    return not is_significant, -abs(found.gain)


def describe_two_runs(two: TwoRuns) -> str:
    """What was compared on which data, on one line."""
    data = two.about.data
    kind = "simulated ratings" if two.simulated else "ratings"
    facts = [
        f"{two.labels[0]} (first) and {two.labels[1]} (second)",
        f"{data.name}: {data.ratings:,} {kind} of {words.count(data.users, 'user')}",
        words.split(two.first),
        f"{words.count(len(two.pairs['same row']), 'row')} in both",
    ]
    n_tuned = len(two.pairs["default and tuned"])
    if n_tuned:
        facts.append(f"{n_tuned} by default and tuned")
    return " · ".join(facts)


def write_pair_answers(two: TwoRuns) -> list[str]:
    """What the first screen says, as lines of a terminal."""
    lines = []
    for claim in list_pair_claims(two):
        lines.append(write_answer(claim.question, claim.answer, claim.value, claim.remark))
    return lines + write_cautions(list_pair_cautions(two))
