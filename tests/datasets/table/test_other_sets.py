"""Files of further well-known data sets: right at once, or in the next try, which the message has.

Their forms are those of what is published, with few lines.
"""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recbench import datasets
from recbench.datasets import UsageError

N_USERS = 20
N_ITEMS = 15
SUGGESTION = re.compile(r"table:[^\[\]\s]+\[[^\[\]]+\]")
PAIRS = [(user, item) for user in range(N_USERS) for item in range(N_ITEMS)]
Line = Callable[[random.Random, int, int], str]


def star(rng: random.Random) -> int:
    return rng.choice([1, 2, 3, 3, 4, 4, 5])


def score(rng: random.Random) -> int:
    return rng.choice([0, 0, 0, 5, 6, 7, 7, 8, 9, 10])


def moment(rng: random.Random) -> int:
    return 1_390_000_000 + rng.randrange(10**7)


def google(rng: random.Random, user: int, item: int) -> str:
    review = {"user_id": str(10**20 + user), "name": f"Jo {user}", "time": moment(rng) * 1000}
    return json.dumps(review | {"rating": star(rng), "pics": None, "gmap_id": f"0x8:0x{item:x}"})


def matlab(rng: random.Random, user: int, item: int) -> str:
    numbers = [user + 1, item + 1, rng.randrange(1, 28), star(rng), star(rng), moment(rng)]
    return "".join(f"  {number:.7e}" for number in numbers)


def board_game(rng: random.Random, user: int, item: int) -> str:
    return f'{user * N_ITEMS + item},Jo{user},{star(rng) + 0.5},"nice, ok",{30549 + item},Pandemic'


def shop(rng: random.Random, user: int, item: int) -> str:
    quantity = rng.choice([1, 1, 2, 6, 12]) if rng.random() < 0.95 else -1
    return f'536{user},8512{item},"WHITE, BIG",{quantity},2010-12-01,2.55,{17_850 + user},UK'


# Of each: the file's name, its header, what makes a line, what of a proposal is typed next ("" if
# it is right at once), and how the ratings then are: their lowest and highest, "implicit", or None
# where only the ids count. The ids of the first line are 0 of users and 0 of items.
FORMS: dict[str, tuple[str, str, Line, str, object]] = {
    "Amazon 2023": (
        "Books.csv",
        "user_id,parent_asin,rating,timestamp",
        lambda rng, u, i: f"A{u},B{i},{star(rng)}.0,{moment(rng)}123",
        "item=parent_asin",
        (1, 5),
    ),
    "Google Local": ("review.json", "", google, "ids=text", (1, 5)),
    "Epinions and Ciao from MATLAB": ("rating_with_timestamp.txt", "", matlab, "rating=4", (1, 5)),
    "CiaoDVD": (
        "movie-ratings.txt",
        "",
        lambda rng, u, i: f"{u},{i},{i + 1},{u * 31 + i},{star(rng)},2004-02-1{i % 9}",
        "",
        (1, 5),
    ),
    "Jester, with two tabs": (
        "jester_ratings.dat",
        "",
        lambda rng, u, i: f"{u}\t\t{i}\t\t{rng.uniform(-10, 10):.3f}",
        "",
        (-10, 10),
    ),
    "BoardGameGeek": (
        "bgg-15m-reviews.csv", ",user,rating,comment,ID,name", board_game, "item=ID", (0.5, 10),
    ),
    "MyAnimeList": (
        "UserAnimeList.csv",
        "username,anime_id,my_watched_episodes,my_score,my_status",
        lambda rng, u, i: f"jo{u},{i},586,{score(rng)},1",
        "missing=0",
        (1, 10),
    ),
    "Steam, recommendations": (
        "recommendations.csv",
        "app_id,helpful,funny,date,is_recommended,hours,user_id,review_id",
        lambda rng, u, i: f"{i},0,0,2022-12-12,{rng.choice(['true', 'false'])},{i}.5,{u},{u}{i}",
        "rating=is_recommended",
        (0, 1),
    ),
    "likes": (
        "likes.csv",
        "user_id,post_id,reaction",
        lambda rng, u, i: f"{u},{i},{rng.choice(['like', 'dislike'])}",
        "rating=reaction",
        (0, 1),
    ),
    "KuaiRec": (
        "big_matrix.csv",
        "user_id,video_id,play_duration,video_duration,time,watch_ratio",
        lambda rng, u, i: f"{u},{i},{rng.randrange(9999)},10867,2020-07-05 00:08:23.438,1.2{u}{i}",
        "rating=watch_ratio",
        None,
    ),
    "Million Songs": (
        "train_triplets.txt",
        "",
        lambda rng, u, i: f"u{u}\ts{i}\t{rng.choice([1, 1, 1, 2, 3, 40])}",
        "rating=count",
        "implicit",
    ),
    "Taobao": (
        "UserBehavior.csv",
        "",
        lambda rng, u, i: f"{u},{i},{252037 + i % 4},{rng.choice(['pv', 'buy'])},{moment(rng)}",
        "where=4=buy",
        "implicit",
    ),
    "Tianchi": (
        "user.csv",
        "user_id,item_id,behavior_type,user_geohash,item_category,time",
        lambda rng, u, i: f"{u},{i},{rng.choice([1, 1, 4])},,{42 + i % 4},2014-12-06 {i:02}",
        "where=behavior_type=1",
        "implicit",
    ),
    "H&M": (
        "transactions.csv",
        "t_dat,customer_id,article_id,price,sales_channel_id",
        lambda rng, u, i: f"2018-09-20,c{u},0{i},0.05{i},2",
        "time=t_dat",
        "implicit",
    ),
    "Dunnhumby": (
        "transaction_data.csv",
        "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE",
        lambda rng, u, i: f"{u},{26984851472 + u},1,{i},{rng.randrange(1, 4)},1.39",
        "count=QUANTITY",
        "implicit",
    ),
    "Online Retail": (
        "data.csv",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        shop,
        "count=Quantity",
        "implicit",
    ),
    "Gowalla": (
        "check-ins.txt",
        "",
        lambda rng, u, i: f"{u}\t2010-10-{10 + i}T23:55:27Z\t51.{rng.randrange(10**9):09}\t"
        f"-0.{rng.randrange(10**9):09}\t{i}",
        "rating=none",
        "implicit",
    ),
    "Yoochoose": (
        "clicks.dat",
        "",
        lambda rng, u, i: f"{u},2014-04-{10 + i}T10:51:09.277Z,{i},0",
        "rating=none",
        "implicit",
    ),
    "EachMovie": (
        "vote.txt",
        "",
        lambda rng, u, i: f"{u}\t{i}\t{star(rng) / 5:g}\t1\t04/{10 + i}/97 12:31:07",
        "",
        (0, 1),
    ),
    "Restaurants": (
        "rating_final.csv",
        "userID,placeID,rating,food_rating,service_rating",
        lambda rng, u, i: f"U{u},{i},{rng.choice([0, 1, 2, 2])},1,2",
        "",
        (0, 2),
    ),
    "Yahoo Music": (
        "train.txt",
        "",
        lambda rng, u, i: f"{u}\t{i}\t{rng.choice([255, 0, 30, 50, 70, 90, 100])}",
        "missing=255",
        (0, 100),
    ),
    "Douban": (
        "ratings.csv",
        "RATING_ID,USER_MD5,MOVIE_ID,RATING,RATING_TIME",
        lambda rng, u, i: f"{u * 31 + i},{u:032x},{i},{star(rng)},2016-06-{10 + i} 15:22:49",
        "user=USER_MD5",
        (1, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMS)
def test_further_sets_are_read_in_at_most_two_tries(case: str, tmp_path: Path) -> None:
    name, header, line, typed_next, expected = FORMS[case]
    rng = random.Random(case)
    lines = [header] * bool(header) + [line(rng, user, item) for user, item in PAIRS]
    path = tmp_path / name
    path.write_text("".join(f"{text}\n" for text in lines))
    spec = f"table:{path}"
    if typed_next:
        with pytest.raises(UsageError) as raised:
            datasets.load(spec)
        spec = next(text for text in SUGGESTION.findall(str(raised.value)) if typed_next in text)

    data = datasets.load(spec)
    is_filtered = any(word in spec for word in ("where=", "missing=", "count="))
    assert len(data.ratings) == len(PAIRS) or is_filtered
    assert data.ratings.n_users == N_USERS
    assert data.ratings.n_items == N_ITEMS
    assert data.feedback == ("implicit" if expected == "implicit" else "explicit")
    if isinstance(expected, tuple):
        assert data.ratings.scale == expected
    if "time" in header.lower() or "date" in header.lower() or "t_dat" in header:
        assert data.ratings.times is not None


def test_counts_that_look_like_ratings_are_remarked(tmp_path: Path) -> None:
    """Play counts that reach 10 only, in a file without names."""
    rng = random.Random(0)
    path = tmp_path / "triplets.txt"
    plays = rng.choices(range(1, 11), [60, 16, 8, 5, 3, 2, 2, 2, 1, 1], k=len(PAIRS))
    path.write_text("".join(f"u{u}\ts{i}\t{n}\n" for (u, i), n in zip(PAIRS, plays, strict=True)))
    data = datasets.load(f"table:{path}")
    remark = next(text for text in data.provenance.remarks if "looks like counts" in text)
    assert remark.endswith(f"If they are: table:{path}[count=3,rating=count]")
    assert datasets.load(SUGGESTION.findall(remark)[0]).feedback == "implicit"


def test_events_of_several_kinds_in_one_file_are_remarked(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = [f"{u},{i},{'view' if i % 2 else 'buy'},{1 + i % 5}\n" for u, i in PAIRS]
    path.write_text(f"user_id,item_id,event_type,rating\n{''.join(lines)}")
    remarks = datasets.load(f"table:{path}").provenance.remarks
    (remark,) = (text for text in remarks if "kinds" in text)
    assert "column 'event_type' has buy, view" in remark
    assert len(datasets.load(SUGGESTION.findall(remark)[0]).ratings) < len(PAIRS)


def test_goods_sent_back_are_counted_and_many_counts_below_0_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for n_returned, is_read in ((9, True), (90, False)):
        counts = [-1] * n_returned + [2] * (len(PAIRS) - n_returned)
        lines = [f"{u},{i},{n}\n" for (u, i), n in zip(PAIRS, counts, strict=True)]
        path.write_text(f"user,item,quantity\n{''.join(lines)}")
        spec = f"table:{path}[rating=count,count=quantity]"
        if is_read:
            (step,) = datasets.load(spec).provenance.steps
            assert step.before["ratings"] - step.after["ratings"] == n_returned
        else:
            with pytest.raises(UsageError, match=r"90 of 300 lines.*a count, 0 or more"):
                datasets.load(spec)


def test_blocks_of_fields_are_told_with_what_converts_them(tmp_path: Path) -> None:
    """SNAP's finefoods.txt and beeradvocate.txt; the line that converts them is run."""
    blocks = [
        f"product/productId: B{i}\nreview/userId: A{u}\nreview/profileName: Jo, {u}\n"
        f"review/score: {1 + (u + i) % 5}.0\nreview/time: 130386240{i % 10}\n"
        f"review/text: I have: several\n"
        for u, i in PAIRS
    ]
    (tmp_path / "finefoods.txt").write_text("\n".join(blocks), encoding="latin-1")
    with pytest.raises(UsageError, match="blocks with a line for each field") as raised:
        datasets.load(f"table:{tmp_path / 'finefoods.txt'}")
    command = str(raised.value).partition("This converts it: ")[2]
    command = command.replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    data = datasets.load(f"table:{tmp_path / 'ratings.csv'}")
    assert (data.ratings.n_users, data.ratings.n_items) == (N_USERS, N_ITEMS)
    assert data.ratings.times is not None
