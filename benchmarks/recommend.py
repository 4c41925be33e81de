"""Asks a model: whom to show what, and why; what is like an item; the lists of all users."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from typer import Argument, Option

from recbench.benchmarks.console import FINE, import_plugin, print_lines, serve
from recbench.benchmarks.models import (
    Histories,
    Model,
    RecommendedLists,
    bar_items_by_option,
    compare_own_ratings,
    describe_latency,
    load_model,
    measure_latency,
    rank_new_users,
    read_histories,
    write_all_lists,
    write_lists,
)
from recbench.datasets.foundation import (
    UsageError,
    format_number,
    make_legible,
    open_console,
    pick_name,
)

POPULARITY = "popularity"
LONGEST_TITLE = 60  # characters in a line


def recommend(
    directory: Annotated[Path, Argument(metavar="MODEL", help="what `train` has written")],
    user: Annotated[
        list[str] | None, Option(help="the id of a user, as in the data; repeatable")
    ] = None,
    top: Annotated[int, Option(help="how many items to each user", min=1)] = 10,
    all_users: Annotated[
        bool, Option("--all-users", help="the lists of all users, written to --out")
    ] = False,
    out: Annotated[
        Path | None, Option(help="a .csv or .parquet file for --all-users", show_default=False)
    ] = None,
    history: Annotated[
        str | None,
        Option(
            help="users who were not in training: a table of their ratings, such as new.csv or "
            "new.csv[rating=stars]; with --out their lists are written"
        ),
    ] = None,
    item: Annotated[
        str | None,
        Option(help="the title or id of an item, for --similar; or with --user, to be predicted"),
    ] = None,
    similar: Annotated[int | None, Option(help="how many items like --item", min=1)] = None,
    exclude: Annotated[
        list[str] | None,
        Option(help="no candidates: a file with an id on each line, or a genre; repeatable"),
    ] = None,
    only: Annotated[
        list[str] | None,
        Option(help="the only candidates: a file with an id on each line, or a genre; repeatable"),
    ] = None,
    closeness: Annotated[
        bool,
        Option(
            "--closeness",
            help="what is predicted for what --user has rated, the closest first",
        ),
    ] = False,
    latency: Annotated[
        bool,
        Option("--latency", help="how long one user's list takes, and how many users a second"),
    ] = False,
    include_rated: Annotated[
        bool, Option("--include-rated", help="also what the user has rated")
    ] = False,
    fallback: Annotated[
        str | None,
        Option(help="for users that are not known: popularity, what most users have rated"),
    ] = None,
    plugin: Annotated[
        list[str] | None, Option(help="module with more adapters; repeatable")
    ] = None,
) -> int:
    """Recommend items to users of MODEL, or say which items are like one."""
    for module in plugin or []:
        import_plugin(module)
    if fallback is not None:
        pick_name("--fallback", fallback, [POPULARITY])
    _refuse_contradiction(
        user, history, item, all_users=all_users, out=out, similar=similar, latency=latency
    )
    if closeness and (not user or item is not None):
        raise UsageError("--closeness: of whom? Name users with --user, and no --item")

    console = open_console(soft_wrap=True)
    model = load_model(directory)
    barred = bar_items_by_option(model.items, exclude or [], only or [])
    print_lines(console, [_legible(model.description.title)])
    if latency:
        print_lines(console, describe_latency(measure_latency(model, top)))
        return FINE
    if item is not None and user:
        print_lines(console, [_predict(model, name, item) for name in user])
        return FINE
    if item is not None:
        print_lines(console, _list_similar(model, item, similar or top))
        return FINE

    if all_users:
        assert out is not None
        n_lines = write_all_lists(model, out, top, barred=barred, include_rated=include_rated)
        lines = [f"{n_lines:,} recommendations for {len(model.user_ids):,} users: {out}"]
        print_lines(console, lines)
        return FINE

    if history is not None:
        histories = read_histories(model, history)
        lists = rank_new_users(
            model, histories.ratings, top, barred=barred, include_rated=include_rated
        )
        print_lines(console, _describe_histories(model, histories))
        if out is not None:
            n_lines = write_lists(model, histories.user_ids, lists, out)
            n_users = len(histories.user_ids)
            print_lines(console, [f"{n_lines:,} recommendations for {n_users:,} users: {out}"])
        else:
            print_lines(console, _list_for_new_users(model, histories, lists))
        return FINE

    if closeness:
        for name in user or []:
            print_lines(console, _list_by_closeness(model, name, top))
        return FINE

    for name in user or []:
        if model.has_user(name) or fallback is None:
            lines = _list_recommendations(model, name, top, barred, include_rated=include_rated)
        else:
            lines = _list_popular(model, name, top, barred)
        print_lines(console, lines)
    return FINE


def _refuse_contradiction(
    user: Sequence[str] | None,
    history: str | None,
    item: str | None,
    *,
    all_users: bool,
    out: Path | None,
    similar: int | None,
    latency: bool,
) -> None:
    """UsageError unless exactly one thing is asked for, with all that it needs."""
    if user and item is not None and similar is None and not (all_users or history or out):
        return  # a pair
    asked = [
        option
        for option, is_given in (
            ("--user", bool(user)),
            ("--history", history is not None),
            ("--all-users", all_users),
            ("--latency", latency),
            ("--item", item is not None),
        )
        if is_given
    ]
    if len(asked) != 1:
        got = " and ".join(asked) or "none of them"
        raise UsageError(
            "what to recommend? Expected one of --user ID (with --item TITLE: that pair), "
            "--history FILE, --all-users with --out FILE, --latency, and --item TITLE with "
            f"--similar N, got {got}"
        )
    if similar is not None and item is None:
        raise UsageError("--similar: like which item? Name it with --item")
    if all_users and out is None:
        raise UsageError("--all-users needs --out FILE, which ends in .csv or .parquet")
    if out is not None and not all_users and history is None:
        raise UsageError(
            "--out is for --all-users and --history: the lists of single users are printed"
        )


def _list_recommendations(
    model: Model,
    user: str,
    top: int,
    barred: NDArray[np.bool_] | None,
    *,
    include_rated: bool,
) -> list[str]:
    """A user's list with its reasons, and what the user rated best, as lines."""
    index = model.find_user(user)
    users = np.array([index], np.int32)
    lists = model.rank_users(users, top, barred=barred, include_rated=include_rated)
    items = [int(item) for item in lists.items[0] if item >= 0]
    lines = [f"top {len(items)} for user {_legible(user)}"]
    of_items = _list_items(model, lists, 0)
    for place, item in enumerate(items):
        reasons = model.explain(index, item)
        if reasons:
            because = ", ".join(_title(model, reason.item) for reason in reasons)
            of_items[place] += f"  because of {because}"
    lines += of_items

    best = model.find_best_rated(index)
    if best:
        rated = ", ".join(f"{_title(model, item)} {rating:g}" for item, rating in best)
        lines.append(f"  rated best by user {_legible(user)}: {rated}")
    else:
        lines.append(f"  user {_legible(user)} has rated nothing")
    return lines


def _describe_histories(model: Model, histories: Histories) -> list[str]:
    """What is to be known of the users of a file, as lines."""
    lines = []
    if histories.n_unknown:
        items = ", ".join(map(_legible, histories.unknown_items))
        lines.append(
            f"  {histories.n_unknown:,} ratings of items that the model does not know are left "
            f"out: {items}"
        )
    known = [str(raw) for raw in histories.user_ids.tolist() if model.has_user(raw)]
    if known:
        lines.append(
            f"  {len(known):,} of the users were in training, such as {_legible(known[0])}: here "
            "they are answered from the file alone"
        )
    return lines


def _list_for_new_users(model: Model, histories: Histories, lists: RecommendedLists) -> list[str]:
    """The lists of all users of a file, as lines."""
    ratings = histories.ratings
    n_ratings = np.bincount(ratings.users, minlength=ratings.n_users)
    lines = []
    for row, user_id in enumerate(histories.user_ids.tolist()):
        user = _legible(str(user_id))
        lines.append(f"for new user {user}, from {n_ratings[row]:,} ratings")
        lines += _list_items(model, lists, row)
    return lines


def _list_items(model: Model, lists: RecommendedLists, row: int) -> list[str]:
    """The items of one list, each with what the model says of it, as lines."""
    items = [int(item) for item in lists.items[row] if item >= 0]
    if not items:
        return ["  no candidate is left"]

    names = [_name(model, item) for item in items]
    width = max(map(len, names))
    lines = []
    for place, name in enumerate(names):
        if lists.ratings is not None:
            answer = f"predicted {lists.ratings[row, place]:.2f}"
        else:
            answer = f"score {format_number(float(lists.scores[row, place]))}"
        lines.append(f"{place + 1:4}  {name:{width}}  {answer}")
    return lines


def _list_popular(model: Model, user: str, top: int, barred: NDArray[np.bool_] | None) -> list[str]:
    """What most users have rated, said to be that, as lines."""
    lines = [
        f"user {_legible(user)} is not among the {len(model.user_ids):,} users of the model: "
        "popularity, what most users have rated, is the same for everybody"
    ]
    for place, (item, count) in enumerate(model.rank_by_popularity(top, barred), 1):
        lines.append(f"{place:4}  {_name(model, item)}  {count:,} ratings")
    return lines


def _predict(model: Model, user: str, item: str) -> str:
    """What the model says of one pair, in a line."""
    index = model.items.find(item)
    users = np.array([model.find_user(user)], np.int32)
    items = np.array([index], np.int32)

    if model.predicts_ratings:
        (rating,) = model.rate_pairs(users, items)
        answer = f"predicted {rating:.4f}"
    else:
        (score,) = model.algorithm.score(users, items)
        answer = f"score {format_number(float(score))}"
    return f"user {_legible(user)}, {_name(model, index)}: {answer}"


def _list_by_closeness(model: Model, user: str, top: int) -> list[str]:
    """What is predicted for a user's own ratings, the closest first, as lines."""
    compared = compare_own_ratings(model, model.find_user(user))
    if not compared:
        return [f"user {_legible(user)} has rated nothing"]

    shown = compared[:top]
    lines = [
        f"predictions for what user {_legible(user)} has rated, the closest first: {len(shown)} of "
        f"{len(compared)}; the model has learned from these ratings, so others are further off"
    ]
    names = [_name(model, one.item) for one in shown]
    width = max(map(len, names))
    for place, (name, one) in enumerate(zip(names, shown, strict=True), 1):
        lines.append(
            f"{place:4}  {name:{width}}  rated {one.rating:g}  predicted {one.predicted:.4f}  "
            f"off {one.error:.4f}"
        )
    mean_error = sum(one.error for one in compared) / len(compared)
    lines.append(f"  off by {mean_error:.4f} on average, by {compared[-1].error:.4f} at most")
    return lines


def _list_similar(model: Model, item: str, n: int) -> list[str]:
    """The items most like one, as lines."""
    index = model.items.find(item)
    items, similarities = model.find_similar(index, n)
    lines = [f"like {_name(model, index)}"]
    found = zip(items, similarities, strict=True)
    for place, (other, similarity) in enumerate(found, start=1):
        name = _name(model, int(other))
        lines.append(f"{place:4}  {name}  {similarity:.4f}")
    return lines


def _title(model: Model, item: int) -> str:
    """The title of an item, as long as a line can have it."""
    return make_legible(model.items.name(item), longest=LONGEST_TITLE, keeps_lines=False)


def _name(model: Model, item: int) -> str:
    """The title of an item, and its id."""
    raw = str(model.items.ids[item])
    title = model.items.name(item)
    if title == raw:
        return _legible(raw)
    return f"{_title(model, item)} [{_legible(raw)}]"


def _legible(text: str) -> str:
    return make_legible(text, longest=LONGEST_TITLE * 4, keeps_lines=False)


if __name__ == "__main__":
    serve(recommend)
