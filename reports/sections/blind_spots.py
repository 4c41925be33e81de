"""What these data cannot tell, in front of what they tell."""

from recbench.reports.rendering import Block, Bullets
from recbench.reports.results import Results
from recbench.reports.sections.registry import section


@section("What can these data not tell?", place=5)
def blind_spots(results: Results) -> list[Block] | None:
    """The blind spots that were found before the run; None if there are none."""
    sentences = tuple(spot.sentence for spot in results.about.blind_spots)
    if not sentences:
        return None
    return [Bullets(sentences)]
