"""The same ratings in every form in which people have them."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

N_USERS = 12
N_ITEMS = 15
QUOTE = '"'
FIRST_TIME = 1_101_731_671  # 2004-11-29 12:34:31
Row = tuple[int, int, int, int]  # user, item, rating, time
NAMES = ["user", "item", "rating", "timestamp"]


def make_rows(n_rows: int = 90, seed: int = 0) -> list[Row]:
    """Distinct pairs with 1 to 5 stars, most of them 3 and 4, an hour and a bit apart."""
    rng = random.Random(seed)
    pairs = [(user, item) for user in range(1, N_USERS + 1) for item in range(1, N_ITEMS + 1)]
    rows = []
    for place, (user, item) in enumerate(rng.sample(pairs, n_rows)):
        rating = rng.choices([1, 2, 3, 4, 5], [1, 3, 6, 6, 3])[0]
        rows.append((user, item, rating, FIRST_TIME + 3671 * place))
    return rows


ROWS = make_rows()
FRAME = pl.DataFrame(ROWS, schema=NAMES, orient="row")


def lines_of(separator: str = ",", header: list[str] | None = NAMES, width: int = 4) -> list[str]:
    """The ratings as lines between such separators, with a header or without."""
    lines = [separator.join(map(str, row[:width])) for row in ROWS]
    if header is None:
        return lines
    return [separator.join(header[:width]), *lines]


def text_of(lines: list[str], end: str = "\n") -> bytes:
    return "".join(line + end for line in lines).encode()


PLAIN = text_of(lines_of())


def as_tar(mode: Any) -> bytes:
    """A tar with the ratings and a file that is no table."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, content in (("x/ratings.csv", PLAIN), ("x/README.txt", b"about")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def as_zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return out.getvalue()


def with_frame(write: Callable[[pl.DataFrame, io.BytesIO], Any]) -> bytes:
    """What `write` makes of the ratings as a frame."""
    out = io.BytesIO()
    write(FRAME, out)
    return out.getvalue()


def as_workbook(rows: list[list[str]]) -> bytes:
    """An Excel workbook with one sheet of these cells; numbers are numbers there."""
    cells = []
    for place, row in enumerate(rows, start=1):
        written = []
        for text in row:
            if text.replace(".", "", 1).isdecimal():
                written.append(f"<c><v>{text}</v></c>")
            else:
                written.append(f'<c t="inlineStr"><is><t>{text}</t></is></c>')
        cells.append(f'<row r="{place}">{"".join(written)}</row>')
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{"".join(cells)}'
        "</sheetData></worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def json_records(**more: Any) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row, strict=True)) | more for row in ROWS]


def json_lines(records: list[Any]) -> bytes:
    return text_of([json.dumps(record) for record in records])


def with_review() -> bytes:
    """CSV with a last column of texts, one of which has lines, and one is very long."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow([*NAMES, "review"])
    for place, row in enumerate(ROWS):
        review = 'nice, "very"\nagain' if place == 3 else "good"
        table.writerow([*row, "x" * 140_000 if place == 5 else review])
    return out.getvalue().encode()


# Forms that were always read at once, and must stay so without a question or a new remark
OLD_FORMS: dict[str, bytes] = {
    "plain.csv": PLAIN,
    "mark.csv": b"\xef\xbb\xbf" + PLAIN,
    "crlf.csv": text_of(lines_of(), "\r\n"),
    "lone_cr.csv": text_of(lines_of(), "\r"),
    "no_last_end.csv": PLAIN.rstrip(b"\n"),
    "blank_lines.csv": PLAIN + b"\n\n",
    "tabs.tsv": text_of(lines_of("\t")),
    "semicolons.csv": text_of(lines_of(";")),
    "pipes.txt": text_of(lines_of("|")),
    "colons.dat": text_of(lines_of("::")),
    "quoted.csv": text_of(
        [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines_of()]
    ),
    "blanks.csv": text_of([line.replace(",", " , ") for line in lines_of()]),
    "floats.csv": text_of(
        lines_of()[:1] + [f"{user},{item},{rating}.0,{time}" for user, item, rating, time in ROWS]
    ),
    "movielens.csv": text_of(lines_of(header=["userId", "movieId", "rating", "timestamp"])),
    "goodbooks.csv": text_of(lines_of(header=["user_id", "book_id", "rating", "timestamp"])),
    "recbole.inter": text_of(
        lines_of("\t", ["user_id:token", "item_id:token", "rating:float", "timestamp:float"])
    ),
    "index.csv": text_of(
        [f"{place - 1 if place else ''},{line}" for place, line in enumerate(lines_of())]
    ),
    "more_columns.csv": with_review().replace(b"x" * 140_000, b"fine"),
    "packed.csv.gz": gzip.compress(PLAIN),
    "typed.parquet": with_frame(lambda frame, out: frame.write_parquet(out)),
    "small_types.parquet": with_frame(
        lambda frame, out: frame.cast(
            {"user": pl.Int16, "item": pl.UInt32, "rating": pl.Float32}
        ).write_parquet(out)
    ),
    "dates.parquet": with_frame(
        lambda frame, out: frame.with_columns(timestamp=pl.from_epoch("timestamp")).write_parquet(
            out
        )
    ),
    "iso.csv": text_of(
        lines_of()[:1]
        + [
            f"{row[0]},{row[1]},{row[2]},{moment}"
            for row, moment in zip(
                ROWS,
                pl.from_epoch(FRAME["timestamp"]).dt.strftime("%Y-%m-%d %H:%M:%S"),
                strict=True,
            )
        ]
    ),
    "milliseconds.csv": text_of(
        lines_of()[:1] + [f"{u},{i},{r},{time}000" for u, i, r, time in ROWS]
    ),
}
# Forms that are read since people's own tables were tried
NEW_FORMS: dict[str, bytes] = {
    "space.txt": text_of(lines_of(" ", None)),
    "space_with_header.txt": text_of(lines_of(" ")),
    "aligned.txt": text_of(
        [" ".join(f"{cell:>12}" for cell in line.split(",")) for line in lines_of()]
    ),
    "konect.tsv": b"% bip weighted unirat\n% 90 12 15\n" + text_of(lines_of(" ", None)),
    "comments.csv": b"# exported by a shop\n# user,item,rating\n" + PLAIN,
    "comments_within.csv": PLAIN + b"# the end\n",
    "r_table.txt": text_of(
        ['"user" "item" "rating" "timestamp"']
        + [f'"{place}" {" ".join(map(str, row))}' for place, row in enumerate(ROWS)]
    ),
    "trailing.csv": text_of(lines_of()[:1] + [f"{line}," for line in lines_of()[1:]]),
    "headless.csv": text_of(lines_of(header=None)),
    "orange.tab": text_of(
        [lines_of("\t")[0], "c\tc\tc\tc", "row=1\tcol=1\tclass\tmeta", *lines_of("\t", None)]
    ),
    "for_excel.csv": b"sep=;\r\n" + text_of(lines_of(";"), "\r\n"),
    "stray_quote.tsv": text_of(
        ["name\t" + lines_of("\t")[0]]
        + [
            f"{'<q>Weird Al<q> J' if place == 4 else 'x'}\t{line}".replace("<q>", '"')
            for place, line in enumerate(lines_of("\t")[1:])
        ]
    ),
    "swallowing_quote.tsv": text_of(
        [lines_of("\t")[0] + "\tname"]
        + [
            f"{line}\t{QUOTE + 'Heroes' if place == 4 else 'Live at 12' + QUOTE * (place == 30)}"
            for place, line in enumerate(lines_of("\t")[1:])
        ]
    ),
    "backslash.csv": text_of(
        ['"' + '";"'.join([*NAMES, "title"]) + '"']
        + ['"' + '";"'.join([*map(str, row), 'The \\"x\\"; y']) + '"' for row in ROWS]
    ),
    "header_with_commas.csv": text_of(
        ["user;item;rating (1,2,3,4,5);timestamp", *lines_of(";", None)]
    ),
    "utf_16.csv": PLAIN.decode().encode("utf-16"),
    "long_field.csv": with_review(),
    "lines.json": json_lines(json_records(text="a\nb, c", more=[1, 2])),
    "array.json": json.dumps(json_records(), indent=1).encode(),
    "arrays.json": json.dumps([list(row) for row in ROWS]).encode(),
    "columns.json": json.dumps(
        {name: dict(enumerate(FRAME[name].to_list())) for name in NAMES}
    ).encode(),
    "within.json": json.dumps({"version": 1, "ratings": json_records()}).encode(),
    "nested.json": json_lines(
        [{"user": {"id": u}, "item": {"id": i}, "rating": r, "timestamp": t} for u, i, r, t in ROWS]
    ),
    "python.json": text_of([repr(record) for record in json_records(text="it's")]),
    "book.xlsx": as_workbook([line.split(",") for line in lines_of()]),
    "packed.csv.bz2": bz2.compress(PLAIN),
    "packed.csv.xz": lzma.compress(PLAIN),
    "packed.lzma": lzma.compress(PLAIN, format=lzma.FORMAT_ALONE),
    "packed.json.gz": gzip.compress(json_lines(json_records())),
    "packed.tar.gz": as_tar("w:gz"),
    "packed.tar.bz2": as_tar("w:bz2"),
    "packed.tar.xz": as_tar("w:xz"),
    "packed.tar": as_tar("w:"),
    "packed.zip": as_zip(ratings_csv=PLAIN),
    "frame.feather": with_frame(lambda frame, out: frame.write_ipc(out)),
    "frame_zstd.arrow": with_frame(lambda frame, out: frame.write_ipc(out, compression="zstd")),
    "float_ids.parquet": with_frame(
        lambda frame, out: frame.cast({"user": pl.Float64}).write_parquet(out)
    ),
    "mixed_ids.csv": text_of(
        lines_of()[:1]
        + [f"{u}{'.0' if place % 2 else ''},{i},{r},{t}" for place, (u, i, r, t) in enumerate(ROWS)]
    ),
    "of_five.csv": text_of(lines_of()[:1] + [f"{u},{i},{r}/5,{t}" for u, i, r, t in ROWS]),
    "stars.csv": text_of(lines_of()[:1] + [f"{u},{i},{'★' * r},{t}" for u, i, r, t in ROWS]),
    "in_words.csv": text_of(lines_of()[:1] + [f"{u},{i},{r} stars,{t}" for u, i, r, t in ROWS]),
    "commas.csv": text_of(lines_of(";")[:1] + [f"{u};{i};{r},0;{t}" for u, i, r, t in ROWS]),
    "nanoseconds.csv": text_of(
        lines_of()[:1] + [f"{u},{i},{r},{t}{'0' * 9}" for u, i, r, t in ROWS]
    ),
    "microseconds.csv": text_of(lines_of()[:1] + [f"{u},{i},{r},{t}000000" for u, i, r, t in ROWS]),
    "two_equal_columns.csv": text_of(
        ["user,item,rating,rating,timestamp"] + [f"{u},{i},{r},{r},{t}" for u, i, r, t in ROWS]
    ),
}


def write_form(directory: Path, name: str, content: bytes) -> str:
    """Write a form; its spec."""
    path = directory / name
    path.write_bytes(content)
    return f"table:{path}"
