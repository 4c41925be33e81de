"""Which columns a report answers by: the first error and the first ranking metric."""

from recbench.benchmarks.metrics import find_metric
from recbench.reports.results import Results


def headline_columns(results: Results) -> list[str]:
    """The first error and the first ranking metric, as far as they are shown.

    These are the columns that have views of their own. One in which the data name no best row has
    none.
    """
    columns = (results.first_error(), results.first_ranking())
    return [column for column in columns if column and not results.hidden_by(column)]


def primary_column(results: Results) -> str | None:
    """The column that rows are ranked by first: top lists if they are judged, else ratings.

    A ranking in which the data name no best row gives way to the error; None if neither is left.
    """
    columns = headline_columns(results)
    rankings = [column for column in columns if find_metric(column).kind == "ranking"]
    return next(iter([*rankings, *columns]), None)
