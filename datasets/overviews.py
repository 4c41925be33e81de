"""Film descriptions from The Movies Dataset's `movies_metadata.csv`, joined by title with the year as tie-break."""

import csv
from collections.abc import Sequence
from pathlib import Path

FEWEST_VOTES = 10  # films with no more are left out, as in the source notebook


def overviews(path: Path, titles: Sequence[str], years: Sequence[int | None]) -> tuple[tuple[str, ...], str]:
    """The overview of each item, "" where there is none, and a remark about the match rate."""
    known: dict[str, list[tuple[int, str]]] = {}
    malformed = 0
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                year, votes = int((row["release_date"] or "0")[:4]), int(row["vote_count"])
            except (TypeError, ValueError):
                malformed += 1
                continue
            if votes > FEWEST_VOTES and row["overview"]:
                known.setdefault(row["title"].lower(), []).append((year, row["overview"]))
    found = tuple(
        min(known[title.lower()], key=lambda film: abs(film[0] - (year or film[0])))[1]
        if title.lower() in known
        else ""
        for title, year in zip(titles, years, strict=True)
    )
    matched = sum(map(bool, found))
    remark = (
        f"{path.name}: {matched:,} of {len(titles):,} titles have an overview; {malformed} malformed rows left out."
    )
    return found, remark
