"""Numbers as reports print them, rounded, and names of what they show.

How many digits a number has is decided in `datasets.foundation`, for the live table too; records
are never rounded.
"""

import math
import re
import shlex
from collections.abc import Iterable
from inspect import signature

from markupsafe import Markup

from recbench.benchmarks.records import TUNED
from recbench.benchmarks.splits import SPLITS, asks_new_users
from recbench.datasets.foundation import (
    LONGEST_TEXT,
    Bounds,
    count_decimals,
    escape_markdown,
    format_code,
    format_number,
    format_seconds,
    longest_run_of_ticks,
    make_legible,
    parse_spec,
)
from recbench.reports.fold_spread import Spread
from recbench.reports.results import Results, Row

NONE = "–"

ABSOLUTE_PATH = re.compile(r"(?<![\w/.…])(?!(?<=:)//)(?:/[^\s/[\]=,]+)*/([^\s/[\]=,]+)")
FOLDERS_OF_OUT = re.compile(
    r"(?<=--out[ =])/(?:\S*/)?(?=[^\s/])|(?<=--out[ =]')/(?:[^']*/)?(?=[^'/])"
)
POPULATIONS = ("warm", "cold", "fallback")
FIELD_NAMES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "ndcg": "nDCG",
    "map": "MAP",
    "mrr": "MRR",
    "auc": "AUC",
}

CROSS_VALIDATIONS = {
    "kfold": "cross-validation",
    "user-kfold": "cross-validation inside each user",
}


def number(value: float | None, bounds: Bounds | None = None) -> str:
    """A metric: four decimals, or as many as the ends of its interval tell apart."""
    return NONE if value is None else format_number(value, bounds)


def field_name(column: str) -> str:
    """A column as the field writes it, for readers; where one types it, its own name stands.

    >>> field_name("rmse"), field_name("ndcg@10"), field_name("lightfm:precision@10")
    ('RMSE', 'nDCG@10', 'lightfm:precision@10')
    >>> field_name("cold_rmse"), field_name("fallback_ndcg@10")
    ('cold RMSE', 'fallback nDCG@10')
    """
    protocol, colon, metric = column.rpartition(":")
    name, at, cutoff = metric.partition("@")
    population, _, rest = name.partition("_")
    shown = FIELD_NAMES.get(name, name)
    if population in POPULATIONS:
        shown = f"{population} {FIELD_NAMES.get(rest, rest)}"
    return f"{protocol}{colon}{shown}{at}{cutoff}"


def bracketed(bounds: Bounds) -> str:
    """An interval as `[0.4186, 0.4477]`."""
    low, high = bounds
    return f"[{number(low, bounds)}, {number(high, bounds)}]"


def signed(value: float, bounds: Bounds | None = None) -> str:
    """A difference between two values of a metric, with digits as a `number`, and with its sign."""
    return f"{value:+.{count_decimals(value, bounds)}f}".replace("-", "−")


def signed_briefly(value: float, bounds: Bounds | None = None) -> str:
    """As `signed`, in no more room: `+0.0123`, and `+1.2e−6` where that has too many decimals."""
    if count_decimals(value, bounds) == count_decimals(1.0):
        return signed(value)
    digits, _, exponent = f"{value:+.1e}".partition("e")
    return f"{digits}e{int(exponent)}".replace("-", "−")


def chance(p: float) -> str:
    """A p-value: four decimals."""
    return f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def effect(size: float) -> str:
    """Cohen's d: two decimals, with its sign."""
    return NONE if math.isnan(size) else f"{size:+.2f}".replace("-", "−")


def hide_paths(text: str) -> str:
    """`text` without the folders of a machine that stand in it; addresses stay.

    >>> hide_paths("put it from https://a.org/b/c into /home/ann/data/netflix.")
    'put it from https://a.org/b/c into …/netflix.'
    >>> hide_paths("--dataset table:/home/ann/orders.csv[items=/home/ann/products.csv]")
    '--dataset table:…/orders.csv[items=…/products.csv]'
    """
    return ABSOLUTE_PATH.sub(r"…/\1", text)


def shorten_out(command: str) -> str:
    """`command` whose --out names no folder of a machine: it can be typed anywhere.

    >>> shorten_out("python -m benchmarks.run --out /home/ann/runs/mine --dataset filmtrust")
    'python -m benchmarks.run --out mine --dataset filmtrust'
    >>> shorten_out("recbench run --out='/home/ann/my runs/mine'")
    "recbench run --out='mine'"
    """
    return FOLDERS_OF_OUT.sub("", command)


def slug(text: str) -> str:
    """`text` as a part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def seconds(value: float | None) -> str:
    """A time in seconds: three significant digits."""
    if value is None:
        return NONE
    return format_seconds(value)


def stars(value: float, like: float | None = None) -> str:
    """A predicted rating or a mean of ratings: two decimals, or three digits of a small one.

    A difference has as many decimals as the rating that it is `like`.
    """
    size = abs(value if like is None else like)
    decimals = 2
    if 1e-12 < size < 0.1:
        decimals -= math.floor(math.log10(size))
    return f"{value:.{decimals}f}"


def cosine(value: float) -> str:
    """A cosine: two decimals."""
    return f"{value:.2f}"


def duration(value: float | None) -> str:
    """A time in the unit that suits it, three significant digits: `2.43 µs`, `135 ms`, `3.35 s`."""
    if value is None:
        return NONE
    name, scale = unit_of_time(value)
    return f"{seconds(value * scale)} {name}"


def round_duration(value: float) -> str:
    """A round time as it stands beside an axis: `10 µs`, `100 ms`, `1,000 s`."""
    name, scale = unit_of_time(value)
    return f"{round(value * scale, 3):,g} {name}"


def unit_of_time(value: float) -> tuple[str, float]:
    """The unit that suits a number of seconds, and how many of it make a second."""
    if value < 0.9995e-3:
        return "µs", 1e6
    if value < 0.9995:
        return "ms", 1e3
    return "s", 1.0


def megabytes(value: float | None) -> str:
    """Memory in whole megabytes."""
    return NONE if value is None else f"{value:,.0f}"


def rank(value: float) -> str:
    """A mean rank, or a difference of two: two decimals."""
    return f"{value:.2f}"


def bracketed_ranks(bounds: Bounds) -> str:
    """An interval of mean ranks as `[1.00, 2.25]`."""
    low, high = bounds
    return f"[{rank(low)}, {rank(high)}]"


def share_of_best(gap: float) -> str:
    """How far a mean is from the best one, as a percentage of it: `0.34 %`, `12 %`."""
    percentage = 100 * gap
    return f"{percentage:.0f} %" if percentage >= 10 else f"{percentage:.2g} %"


def p_value(value: float) -> str:
    """`= 0.0123`, or `< 0.0001`."""
    text = chance(value)
    return text if text.startswith("<") else f"= {text}"


def percent(part: float, whole: float) -> str:
    """A share with one decimal."""
    return f"{part / whole:.1%}" if whole else NONE


def share(part: float, whole: float) -> str:
    """A share with three significant digits, since it may be very small: `6.3%`, `0.0117%`."""
    return f"{100 * part / whole:.3g}%" if whole else NONE


def amount(value: float) -> str:
    """A count, or a mean of counts or ratings: four significant digits, from a thousand on all."""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def plus_minus(spread: Spread, bounds: Bounds | None = None) -> str:
    """`mean ± deviation` with the digits of the mean; the mean alone where there was one fold."""
    mean = number(spread.mean, bounds)
    if spread.deviation is None:
        return mean
    decimals = len(mean.partition(".")[2])
    return f"{mean} ± {spread.deviation:.{decimals}f}"


def count(n: int, one: str, many: str = "") -> str:
    """`1 row`, `1,200 rows`."""
    if n == 1:
        return f"1 {one}"
    return f"{n:,} {many or one + 's'}"


def span(values: Iterable[int]) -> str:
    """`7`, or `7 to 1,200` for the lowest and the highest."""
    ordered = sorted(values)
    low = ordered[0]
    high = ordered[-1]
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def markdown(value: object) -> Markup:
    """Text as Markdown that shows just this text, in a table cell too."""
    if isinstance(value, Markup):
        return value
    return Markup(escape_markdown(str(value), longest=LONGEST_TEXT))


def code(text: str) -> Markup:
    """Text as inline code of a Markdown table cell, where a pipe needs a backslash in code too."""
    return Markup(format_code(text))


def fenced(text: str) -> Markup:
    """Text as a Markdown block of code."""
    text = make_legible(text)
    ticks = "`" * max(3, 1 + longest_run_of_ticks(text))
    return Markup(f"{ticks}\n{text}\n{ticks}")


def again(results: Results, row: str) -> str:
    """The command that measures `row` anew, into a directory of its own: this report stays."""
    row = row.removesuffix(TUNED)  # it comes with the other
    return f"{results.about.reproduce} --algorithm {shlex.quote(row)} --out again"


def verify_command(results: Results) -> str:
    """How a cell is fitted again, typed as the run was: in a checkout or from a wheel.

    The answer comes from the records alone, so that a report does not depend on where it is built.
    """
    was_installed = results.about.reproduce.startswith("recbench ")
    verify = "recbench verify" if was_installed else "python -m benchmarks.verify"
    return f"{verify} DIR --rerun KEY"


def count_compared(results: Results) -> str:
    """`48 recommenders`, or `19 of 48 recommenders` where the others have no mean."""
    n_planned = len(results.contestants)
    n_compared = len(results.compared)
    planned = count(n_planned, "recommender")
    return planned if n_compared == n_planned else f"{n_compared} of {planned}"


def over_folds(results: Results, words_for_several: str) -> str:
    """`words_for_several`, such as ` over the folds`; nothing where there is one fold."""
    return "" if results.has_one_fold else words_for_several


def title(results: Results) -> str:
    """What the report is called; the word SIMULATED is part of it where the data are."""
    done = "compared" if len(results.contestants) > 1 else "measured"
    name = f"{results.about.data.name}: {count_compared(results)} {done}"
    return f"{name} (SIMULATED data)" if results.simulated else name


def split(results: Results) -> str:
    """How the data were split: `5-fold cross-validation, seed 0`."""
    everything = [record.cell for record in results.records]
    cells = [cell for cell in everything if cell.split == everything[0].split]
    name = cells[0].split
    n_folds = cells[0].n_folds
    if name in CROSS_VALIDATIONS:
        described = f"{n_folds}-fold {CROSS_VALIDATIONS[name]}"
    else:
        described = f"split {name}, {count(n_folds, 'fold')}"

    n_planned = len({cell.fold for cell in cells})
    if n_planned < n_folds:
        described += f" ({n_planned} of the {n_folds} folds planned)"
    seeds = sorted({cell.split_seed for cell in cells})
    noun = "seed" if len(seeds) == 1 else "seeds"
    return f"{described}, {noun} {listed(map(str, seeds))}"


def split_by_time(results: Results) -> str:
    """The split to lay beside a random one, which leaves the future out."""
    return "new-users-by-time" if results.asks_new_users else "time"


def explain_split(spec: str) -> str:
    """What a split of new users holds out and tells, in words; empty for every other split.

    >>> explain_split("new-users[given=0.8,share=0.25]")
    "25% of the users are held out whole; 80% of each one's ratings are told, drawn at random like \
the users, the rest are tested"
    """
    name, given = parse_spec(spec)
    if not asks_new_users(spec):
        return ""

    parameters = signature(SPLITS[name].divide).parameters.values()
    values = {each.name: each.default for each in parameters} | given
    match name:
        case "new-users":
            return (
                f"{100 * float(values['share']):g}% of the users are held out whole; "
                f"{100 * float(values['given']):g}% of each one's ratings are told, drawn at "
                "random like the users, the rest are tested"
            )
        case "new-users-by-time":
            return (
                f"users whose first rating comes at the moment {values['at']} or later are held "
                f"out whole; the first {values['given']} ratings of each in time are told, the "
                "rest are tested"
            )
        case "liang-2018":
            return (
                f"{int(values['users']):,} users with five likes or more are held out whole; four "
                "fifths of each one's likes are told, drawn at random like the users, the rest are "
                "tested"
            )
    return "users are held out whole; some of their ratings are told, the rest are tested"


def interval(results: Results, row: Row, column: str) -> Bounds | None:
    """The 95 % interval of a mean over users; None where it is not known."""
    certainty = results.certainty.get(column)
    return certainty.interval(row) if certainty else None


def between(bounds: Bounds | None, before: str = "") -> str:
    """`before` and `low to high`; nothing if there are no bounds."""
    if bounds is None:
        return ""
    low, high = bounds
    return f"{before}{number(low, bounds)} to {number(high, bounds)}"
