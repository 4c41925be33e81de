"""The words of a report, each with one meaning, in a sentence or two."""

from recbench.reports.rendering import Block, Glossary, Term
from recbench.reports.results import Results
from recbench.reports.sections.registry import section

TERMS = (
    Term("row", "An algorithm with its hyperparameters: one line of a table."),
    Term("cell", "A row on one fold. Each cell runs in a process of its own.", ("cells",)),
    Term(
        "fold",
        "One division of the ratings into a training part and a test part. A mean over folds is "
        "the mean of one number from each.",
        ("folds",),
    ),
    Term(
        "training part",
        "The ratings that an algorithm learns from. It never sees the others.",
        ("training parts",),
    ),
    Term("test part", "The ratings that are predicted, or looked for in lists, and judged."),
    Term(
        "hyperparameters",
        "Settings that are fixed before an algorithm learns, such as its number of factors.",
    ),
    Term(
        "defaults",
        "The hyperparameters that a row has if nobody sets others. They come from a library, a "
        "paper, or a search, on these data or on others.",
    ),
    Term(
        "tuned",
        "With hyperparameters that were chosen by a search. A search on the data of the run is an "
        "advantage over rows without one, so it is marked.",
    ),
    Term(
        "RMSE",
        "Root mean squared error: how far predicted ratings are off, in rating points. Large "
        "errors weigh more. Lower is better.",
        ("rmse",),
    ),
    Term(
        "MAE",
        "Mean absolute error: how far predicted ratings are off on average. Lower is better.",
        ("mae",),
    ),
    Term(
        "family",
        "Algorithms of one idea or one library, such as neighbours or factorisation.",
        ("families",),
    ),
    Term("relevant", "An item that the user has rated highly in the test part."),
    Term(
        "nDCG",
        "How good a list is, from 0 to 1. Relevant items near the top count more; 1 is the "
        "best possible list. nDCG@10 looks at the first ten items.",
        ("ndcg",),
    ),
    Term("precision", "The share of a list that is relevant."),
    Term("recall", "The share of a user's relevant items that are in the list."),
    Term(
        "coverage",
        "The share of predictions that an algorithm made itself. The others are a fallback, the "
        "training mean.",
    ),
    Term(
        "95 % interval",
        "A range computed so that, in about 95 of 100 random samples of users, it holds the mean "
        "over all such users. It says nothing of other data or other random starts.",
        ("95 % intervals",),
    ),
    Term(
        "significantly",
        "By more than the random sampling of users explains, at the 5 % level, after a correction "
        "for comparing many rows. Not significantly different does not mean equal.",
        ("significant",),
    ),
    Term(
        "total time",
        "The time of one fold: to convert the data, to fit, to predict the test ratings, and to "
        "rank. Start-up, which is imports and what is compiled beforehand, is not in it.",
    ),
    Term(
        "contended",
        "Measured while other cells ran, so times may be too long.",
    ),
    Term(
        "front",
        "The Pareto front: the rows for which no other row is both as accurate and faster, or as "
        "fast and more accurate.",
    ),
    Term(
        "blind spot",
        "A question that the data of a run cannot answer, for any algorithm.",
        ("blind spots",),
    ),
    Term("seed", "The number that fixes every random choice, so that a run can be repeated."),
)


@section("What do the words mean?", place=99)
def glossary(results: Results) -> list[Block] | None:
    """The terms that reports use, in the order in which a reader meets them."""
    return [Glossary(TERMS)]
