"""Times in every usual form are the same seconds, or a form is asked for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recbench import datasets
from recbench.datasets import UsageError
from tests.datasets.table.forms import ROWS, text_of, write_form

FIRST = datetime(2004, 11, 29, 12, 34, 31, tzinfo=UTC)
MOMENTS = [FIRST + timedelta(days=3 * k, hours=5 * k) for k in range(40)]


def write(path: Path, times: list[str]) -> str:
    lines = [f'{k % 7},{k // 7},{1 + k % 5},"{time}"\n' for k, time in enumerate(times)]
    path.write_text(f"user,item,rating,date\n{''.join(lines)}")
    return f"table:{path}"


# By a form of strftime; what it leaves out of a moment is lost
FORMS = [
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+00:00",
    "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d", "%m/%d/%Y", "%m/%d/%Y %H:%M",
    "%d/%m/%Y", "%d.%m.%Y", "%d.%m.%Y %H:%M:%S", "%d-%m-%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
    "%b %d, %Y", "%B %d, %Y", "%m %d, %Y", "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S +0000 %Y",
    "%a %b %d %H:%M:%S UTC %Y", "%a, %d %b %Y %H:%M:%S GMT", "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p", "%Y%m%d", "%Y%m%d%H%M%S",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_dates_in_every_usual_form_are_recognised(tmp_path: Path, form: str) -> None:
    data = datasets.load(write(tmp_path / "t.csv", [moment.strftime(form) for moment in MOMENTS]))
    expected = []
    for moment in MOMENTS:
        kept = datetime.strptime(moment.strftime(form), form).replace(tzinfo=UTC)
        expected.append(int(kept.timestamp()))
    assert data.ratings.times is not None
    assert data.ratings.times.tolist() == expected


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
def test_parts_of_seconds_are_recognised(tmp_path: Path, per_second: int) -> None:
    seconds = [int(moment.timestamp()) for moment in MOMENTS]
    texts = [str(second * per_second + per_second // 2) for second in seconds]
    data = datasets.load(write(tmp_path / "t.csv", texts))
    assert data.ratings.times is not None
    assert data.ratings.times.tolist() == seconds


def test_what_can_be_read_in_two_ways_is_asked_for(tmp_path: Path) -> None:
    spec = write(tmp_path / "t.csv", [f"0{1 + k % 9}/0{1 + k % 7}/2004" for k in range(40)])
    with pytest.raises(UsageError, match=r"all 40 times .*time_format=%m/%d/%Y\] or .*%d/%m/%Y\]"):
        datasets.load(spec)
    american = datasets.load(f"{spec}[time_format=%m/%d/%Y]").ratings.times
    european = datasets.load(f"{spec}[time_format=%d/%m/%Y]").ratings.times
    assert american is not None
    assert european is not None
    assert american.tolist() != european.tolist()


@pytest.mark.parametrize(
    ("times", "form", "message"),
    [
        ([str(2001 + k % 9) for k in range(40)], "%Y", "look like years"),
        ([f"{38320 + k}" for k in range(40)], "excel", "days as Excel counts them"),
        ([f"{38320.25 + k}" for k in range(40)], "excel", "days as Excel counts them"),
    ],
)
def test_years_and_days_of_excel_are_no_seconds(
    tmp_path: Path, times: list[str], form: str, message: str
) -> None:
    spec = write(tmp_path / "t.csv", times)
    with pytest.raises(UsageError, match=message) as raised:
        datasets.load(spec)
    for option in (f"time_format={form}", "time=none", "time_format=s"):
        assert f"[{option}]" in str(raised.value)
    read = datasets.load(f"{spec}[time_format={form}]").ratings.times
    assert read is not None
    assert datetime.fromtimestamp(int(read[0]), UTC).year in (2001, 2004)
    assert datasets.load(f"{spec}[time=none]").ratings.times is None


def test_steps_and_lost_digits_are_remarked(tmp_path: Path) -> None:
    steps = datasets.load(write(tmp_path / "a.csv", [str(k) for k in range(40)]))
    assert "All 40 times are before 1971" in " ".join(steps.provenance.remarks)
    lost = datasets.load(write(tmp_path / "b.csv", [f"1.{101730 + k}e+09" for k in range(40)]))
    assert "seem to have lost digits" in " ".join(lost.provenance.remarks)


def test_missing_times_are_counted_and_can_be_left_out(tmp_path: Path) -> None:
    times = [str(int(moment.timestamp())) for moment in MOMENTS]
    times[5] = times[7] = ""
    spec = write(tmp_path / "t.csv", times)
    with pytest.raises(UsageError, match=r"2 of 40 lines, first line 7: .*\[time=none\]"):
        datasets.load(spec)
    assert datasets.load(f"{spec}[time=none]").ratings.times is None


def test_a_form_that_does_not_fit_is_refused_with_its_lines(tmp_path: Path) -> None:
    spec = write(tmp_path / "t.csv", [moment.strftime("%d %b %Y") for moment in MOMENTS])
    with pytest.raises(UsageError, match=r"all 40 lines, first line 2: .*written as %Y/%m/%d"):
        datasets.load(f"{spec}[time_format=%Y/%m/%d]")
    with pytest.raises(UsageError, match="a number, as time_format=ms says"):
        datasets.load(f"{spec}[time_format=ms]")
    with pytest.raises(UsageError, match="written as nonsense"):
        datasets.load(f"{spec}[time_format=nonsense]")


def test_zeros_among_times_are_counted_and_can_be_left_out(tmp_path: Path) -> None:
    lines = ["user,item,rating,time", *(f"{u},{i},{r},{t}" for u, i, r, t in ROWS), "99,99,3,0"]
    spec = write_form(tmp_path, "t.csv", text_of(lines))
    remarks = " ".join(datasets.load(spec).provenance.remarks)
    assert f"1 of {len(ROWS) + 1} times are before 1971, such as 0" in remarks
    assert f"{spec}[where=time!=0]" in remarks
    assert len(datasets.load(f"{spec}[where=time!=0]").ratings) == len(ROWS)


def test_zones_with_a_name_are_no_utc(tmp_path: Path) -> None:
    date = "Sun Jan 01 10:00:00 PST 2006"
    lines = ["user,item,rating,time", *(f"{u},{i},{r},{date}" for u, i, r, _ in ROWS)]
    times = datasets.load(write_form(tmp_path, "t.csv", text_of(lines))).ratings.times
    assert times is not None
    assert times[0] == 1_136_138_400  # 18:00 in UTC
