"""The README's table "I have ...": each command reads a small file of exactly that form."""

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recbench import datasets
from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.run import run
from tests.conftest import ROOT

N_USERS = 40
N_ITEMS = 30
N_RATINGS = 400
FEWEST_SETS = 15

Pair = tuple[int, int]  # a user and an item, by number
Line = Callable[[random.Random, int, int], str]


def draw_pairs(rng: random.Random) -> list[Pair]:
    """Every user and every item comes once at least, and no pair twice."""
    everybody = [(number, number % N_ITEMS) for number in range(N_USERS)]
    pairs = [(user, item) for user in range(N_USERS) for item in range(N_ITEMS)]
    others = sorted(set(pairs) - set(everybody))
    drawn = everybody + rng.sample(others, N_RATINGS - N_USERS)
    rng.shuffle(drawn)
    return drawn


def stars(rng: random.Random) -> int:
    return rng.choice([1, 2, 3, 3, 4, 4, 4, 5, 5])


def day(rng: random.Random) -> int:
    return 1_390_000_000 + 86_400 * rng.randrange(100)


def book_crossing(rng: random.Random, user: int, item: int) -> str:
    rating = rng.choice([0, 0, 1, 5, 7, 8, 8, 10])
    return f'"{276_700 + user}";"0{345_417_623 + item}";"{rating}"\r\n'


def anime(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1},{7 * item + 1},{rng.choice([-1, 1, 6, 7, 8, 9, 10])}\n"


def amazon_2014(rng: random.Random, user: int, item: int) -> str:
    return f"A{1_000_000 + user}XYZ,000{100_000 + item},{stars(rng)}.0,{day(rng)}\n"


def amazon_2018(rng: random.Random, user: int, item: int) -> str:
    return f"000{100_000 + item},A{1_000_000 + user}XYZ,{stars(rng)}.0,{day(rng)}\n"


def yelp(rng: random.Random, user: int, item: int) -> str:
    review = {
        "review_id": f"r{user}-{item}",
        "user_id": f"qVc8ODYU5SZjKXVBgXdI7w{user}",
        "business_id": f"XQfwVwDr-v0ZS3_CbbE5Xw{item}",
        "stars": float(stars(rng)),
        "useful": 0,
        "text": 'If you "decide",\nbe aware',
        "date": f"201{user % 9}-07-07 22:09:11",
    }
    return json.dumps(review) + "\n"


def goodbooks(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1},{item + 1},{stars(rng)}\n"


def food(rng: random.Random, user: int, item: int) -> str:
    rating = rng.choice([0, 1, 3, 4, 5, 5])
    review = '"Great with a salad. ""Cooked"" on top\nof the stove, nice"'
    return f"{38_094 + user},{40_893 + item},2003-02-{1 + user % 28:02d},{rating},{review}\n"


def steam(rng: random.Random, user: int, item: int) -> str:
    name = f"{151_603_712 + user},The Elder Scrolls {item}"
    return f"{name},purchase,1.0,0\n{name},play,{rng.uniform(0.1, 273):.1f},0\n"


def lastfm_360k(rng: random.Random, user: int, item: int) -> str:
    artist = f'3bd73256-3905-4f3a-97e2-8b341527{item:04d}\tbetty "bl{item}'
    return f"00000c289a1829a808ac09c00daf10bc3c4e{user:04d}\t{artist}\t{rng.randrange(1, 2000)}\n"


def lastfm_hetrec(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 2}\t{item + 51}\t{rng.randrange(1, 14_000)}\n"


def epinions(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1} {item + 100} {stars(rng)}\n"


def filmtrust(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1} {item + 1} {rng.randrange(1, 9) / 2:g}\n"


def recbole(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1}\t{item + 1}\t{stars(rng)}\t{day(rng)}\n"


def recbole_implicit(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1}\t{item + 1}\t{day(rng)}\n"


def movie_tweetings(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1}::{114_508 + item:07d}::{rng.randrange(1, 11)}::{day(rng)}\n"


def goodreads(rng: random.Random, user: int, item: int) -> str:
    return f"{user},{item + 948},1,{rng.choice([0, 1, 3, 4, 5, 5])},0\n"


def beer_advocate(rng: random.Random, user: int, item: int) -> str:
    overall = rng.choice([1, 1.5, 3, 3.5, 4, 4.5, 5])
    taste = f"2,2.5,stcules{user},Hefeweizen,1.5,1.5"
    return f"10325,Vecchio Birraio,{day(rng)},{overall},{taste},Sausa Weizen,5,{47_986 + item}\n"


def konect(rng: random.Random, user: int, item: int) -> str:
    return f"{user + 1} {item + 1} {stars(rng)} {day(rng)}\n"


BEER_HEADER = (
    "brewery_id,brewery_name,review_time,review_overall,review_aroma,review_appearance,"
    "review_profilename,beer_style,review_palate,review_taste,beer_name,beer_abv,beer_beerid\n"
)
# The header of each file, and what makes a line of it.
FORMS: dict[str, tuple[str, Line]] = {
    "BX-Book-Ratings.csv": ('"User-ID";"ISBN";"Book-Rating"\r\n', book_crossing),
    "rating.csv": ("user_id,anime_id,rating\n", anime),
    "ratings_Books.csv": ("", amazon_2014),
    "Books.csv": ("", amazon_2018),
    "yelp_academic_dataset_review.json": ("", yelp),
    "ratings.csv": ("user_id,book_id,rating\n", goodbooks),
    "RAW_interactions.csv": ("user_id,recipe_id,date,rating,review\n", food),
    "steam-200k.csv": ("", steam),
    "usersha1-artmbid-artname-plays.tsv": ("", lastfm_360k),
    "user_artists.dat": ("userID\tartistID\tweight\n", lastfm_hetrec),
    "ratings_data.txt": ("", epinions),
    "ratings.txt": ("", filmtrust),
    "ml-100k.inter": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n",
        recbole,
    ),
    "clicks.inter": ("user_id:token\titem_id:token\ttimestamp:float\n", recbole_implicit),
    "ratings.dat": ("", movie_tweetings),
    "goodreads_interactions.csv": ("user_id,book_id,is_read,rating,is_reviewed\n", goodreads),
    "beer_reviews.csv": (BEER_HEADER, beer_advocate),
    "out.epinions": ("% bip weighted\n% 400 40 30\n", konect),
}
# Those without ratings, and those with a code for "not rated".
IMPLICIT = {
    "steam-200k.csv",
    "usersha1-artmbid-artname-plays.tsv",
    "user_artists.dat",
    "clicks.inter",
}
HAS_NOT_RATED = {"BX-Book-Ratings.csv", "rating.csv", "RAW_interactions.csv"}
HAS_NOT_RATED |= {"goodreads_interactions.csv", "jester-data-1.csv"}


def write_jester(path: Path, rng: random.Random) -> None:
    """A line for each user: how many jokes were rated, then each of them, 99 where it was not."""
    lines = []
    for _ in range(N_USERS):
        values = [
            round(rng.uniform(-10, 10), 2) if rng.random() < 0.6 else 99 for _ in range(N_ITEMS)
        ]
        n_rated = sum(value != 99 for value in values)
        lines.append(",".join(map(str, [n_rated, *values])))
    path.write_text("\n".join(lines) + "\n")


def write_books(path: Path) -> None:
    """goodbooks' file about the books: commas and quotes in titles, years that are floats."""
    lines = ["book_id,isbn,authors,original_publication_year,original_title,title,language_code"]
    for number in range(N_ITEMS):
        title = f'"Mockingjay (The Hunger Games, #{number + 1})"'
        lines.append(f"{number + 1},439023483,Suzanne Collins,2008.0,Mockingjay,{title},eng")
    path.write_text("\n".join(lines) + "\n")


def write_set(directory: Path, name: str) -> None:
    """The file of that name, as those who publish it write it."""
    rng = random.Random(name)
    if name == "jester-data-1.csv":
        write_jester(directory / name, rng)
        return

    header, line = FORMS[name]
    lines = [line(rng, user, item) for user, item in draw_pairs(rng)]
    (directory / name).write_bytes((header + "".join(lines)).encode())
    write_books(directory / "books.csv")


def commands_of_the_readme() -> Sequence[str]:
    """What to type for each set of the table, as in table:FILE[...]."""
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("### I have ...")[2].partition("\n## ")[0]
    return re.findall(r"^\|.*\| `(table:[^`]+)` \|$", section, re.M)


COMMANDS = commands_of_the_readme()


def test_the_table_has_enough_sets_and_each_of_these() -> None:
    names = {re.split(r"[:\[]", command)[1] for command in COMMANDS}
    assert len(COMMANDS) == len(names) >= FEWEST_SETS
    assert names == {*FORMS, "jester-data-1.csv"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.slow
def test_what_the_readme_says_reads_the_set(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = re.split(r"[:\[]", command)[1]
    write_set(tmp_path, name)
    monkeypatch.chdir(tmp_path)

    planned = CliRunner().invoke(application(run), ["--dataset", command, "--dry-run"])
    assert planned.exit_code == 0, planned.output

    loaded = datasets.load(command)
    ratings = loaded.ratings
    assert (ratings.n_users, ratings.n_items) == (N_USERS, N_ITEMS)
    assert loaded.feedback == ("implicit" if name in IMPLICIT else "explicit")
    if name in HAS_NOT_RATED:
        [step] = loaded.provenance.steps
        assert step.before["ratings"] > step.after["ratings"] == len(ratings)
    else:
        assert len(ratings) == N_RATINGS
    if "items=" in command:
        assert loaded.catalogue.titles[0].startswith("Mockingjay (The Hunger Games, #")
