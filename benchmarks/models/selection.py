"""Which items may be recommended, as somebody types it: a file of ids, or a genre."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recbench.benchmarks.models.model import KnownItems
from recbench.datasets.foundation import UsageError, pick_name, read_bounded_lines


def bar_items_by_option(
    items: KnownItems, exclude: Sequence[str], only: Sequence[str]
) -> NDArray[np.bool_] | None:
    """Which items are no candidates, (n_items,): the excluded ones, and all but the `only` ones.

    None if all are candidates. UsageError for what is neither a file nor a genre, and for a file
    none of whose ids is known.
    """
    if not exclude and not only:
        return None
    barred = np.zeros(len(items.ids), bool)
    if only:
        barred[:] = True
        for text in only:
            barred[_find_items(items, "--only", text)] = False
    for text in exclude:
        barred[_find_items(items, "--exclude", text)] = True
    return barred


def _find_items(items: KnownItems, option: str, text: str) -> list[int]:
    """The items that `text` stands for: those whose ids a file has, or those of a genre."""
    path = Path(text)
    if path.is_file():
        return _read_items(items, option, path)

    by_genre: dict[str, list[int]] = {}
    for item, genres in enumerate(items.genres):
        for genre in genres:
            by_genre.setdefault(genre, []).append(item)
    if not by_genre:
        raise UsageError(
            f"{option} {text}: there is no such file, and these items have no genres; give a file "
            "with the id of an item on each line"
        )
    if text not in by_genre and ("/" in text or "." in text):
        raise UsageError(f"{option} {text}: there is no such file, with an id on each line")
    return by_genre[pick_name(f"genre for {option}", text, sorted(by_genre))]


def _read_items(items: KnownItems, option: str, path: Path) -> list[int]:
    """The items whose ids stand in a file; unknown ids are of no account, unless all are."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            ids = [line.strip() for line in read_bounded_lines(file, str(path))]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {path}: cannot be read: {error}") from None

    named = [text for text in ids if text]
    known = [items.index_of(text) for text in named if items.has(text)]
    if not known:
        first = named[0] if named else "nothing"
        raise UsageError(
            f"{option} {path}: none of its {len(named)} lines is the id of an item, the first is "
            f"{first!r}; an id looks like {items.ids[0]!s}"
        )
    return known
