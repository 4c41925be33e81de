"""The answers of a run as lines of a terminal."""

from collections.abc import Sequence

from recbench.benchmarks.records import NOT_MEASURED_HERE
from recbench.reports import words
from recbench.reports.answers.cautions import Caution, list_cautions
from recbench.reports.answers.claims import Claim, list_claims
from recbench.reports.answers.headlines import primary_column
from recbench.reports.answers.ranking import RankedRow, rank_rows
from recbench.reports.results import Results


def write_answers(results: Results) -> list[str]:
    """What the first screen of the report says: answers, the best rows, what to be wary of."""
    lines = [_write_claim(claim) for claim in list_claims(results)]
    column = primary_column(results)
    if column is not None:
        lines += _write_ranking(results, column)
    return lines + write_cautions(list_cautions(results))


def _write_claim(claim: Claim) -> str:
    question = claim.question[0].lower() + claim.question[1:]
    return write_answer(question, claim.winner, claim.value, claim.remark)


def write_answer(question: str, answer: str, value: str, remark: str) -> str:
    """Such as `best value: pure-svd, nDCG@10 0.4147 [0.4007, 0.4284] in 27 ms. ...`.

    Without the value where it is empty.
    """
    if value:
        answer = f"{answer}, {value}"
    return f"{question}: {answer}. {remark}"


def write_cautions(cautions: Sequence[Caution]) -> list[str]:
    """What to be wary of, a line for each."""
    return [f"read with care: {caution.text}" for caution in cautions]


def _write_ranking(results: Results, column: str) -> list[str]:
    """The best rows, one a line, in columns; nothing unless there are two."""
    ranking = rank_rows(results, column)
    if len(ranking.rows) < 2:
        return []

    width = max(len(ranked.row.name) for ranked in ranking.rows)
    lines = [f"the best by {words.field_name(column)}, with 95 % interval and time of all phases:"]
    for ranked in ranking.rows:
        lines.append(f"  {ranked.rank:>2} {ranked.row.name:<{width}}  {_write_numbers(ranked)}")
    if ranking.n_more:
        lines.append(f"  and {words.count(ranking.n_more, 'more row', 'more rows')}")
    return lines


def _write_numbers(ranked: RankedRow) -> str:
    """The value with its interval, the time, and whether the row might as well be the best."""
    text = ranked.text
    if ranked.bounds is not None:
        text += f" {words.bracketed(ranked.bounds)}"
    if ranked.seconds is not None:
        text += f"  {words.duration(ranked.seconds)}"
    elif ranked.row.is_external:
        text += f"  {NOT_MEASURED_HERE}"
    if ranked.is_near:
        text += "  not significantly different from the best"
    return text
