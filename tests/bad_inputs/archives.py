"""Tars that climb, link, repeat, break off or blow up; tables that name what is not there."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from mm_model.records import Reason
from tests.bad_inputs.drawn import jpeg, photograph, saved
from tests.bad_inputs.pictures import KEPT
from tests.bad_inputs.port import INDEX, SHEET, TARS, Made, kind

Entry = tuple[tarfile.TarInfo, bytes]

OUTSIDE = "mm-bad-input-must-not-exist"


def _member(name: str, content: bytes = b"", **values: object) -> Entry:
    head = tarfile.TarInfo(name)
    head.size = len(content)
    for key, value in values.items():
        setattr(head, key, value)
    return head, content


def _picture(seed: int) -> bytes:
    return saved(photograph(seed), "JPEG")


def _tar(*members: Entry, form: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for head, content in members:
            archive.addfile(head, io.BytesIO(content) if head.isreg() else None)
    return made.getvalue()


def _around(
    seed: int, *between: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT
) -> bytes:
    """A tar of two good samples, and what stands between them."""
    first, last = _member("1.jpg", _picture(seed)), _member("9.jpg", _picture(seed + 1))
    return _tar(first, *between, last, form=form)


Listed = tuple[str | None, bytes | Callable[[Path], object] | None]
"""What a row says, and what lies there: a picture where None, nothing where no byte."""

GOOD = {"1.jpg": None, "9.jpg": None}


@kind("tar that climbs", "members named ../, /, or nothing", Reason.IO_UNSAFE, 5, source=TARS)
def _(number: int, seed: int) -> Made:
    name = (
        f"../../{OUTSIDE}.jpg",
        f"/{OUTSIDE}.jpg",
        f"a/../../../{OUTSIDE}.jpg",
        f"//{OUTSIDE}.jpg",
        f"/tmp/{OUTSIDE}.jpg",
    )[number]
    content = _around(seed, _member(name, _picture(seed + 2)))
    row = f"{name}#member-2"
    return Made(b"%d.tar" % number, content, rows=GOOD | {row: Reason.IO_UNSAFE})


@kind("tar of links and devices", "what is never followed", Reason.IO_UNSAFE, 6, source=TARS)
def _(number: int, seed: int) -> Made:
    values = (
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "1.jpg"},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.BLKTYPE, "devmajor": 8},
        {"type": b"V"},
    )[number]
    rows = GOOD | {"5.jpg#member-2": Reason.IO_UNSAFE}
    return Made(b"%d.tar" % number, _around(seed, _member("5.jpg", **values)), rows=rows)


@kind("tar with a key twice", "adjacent or not", Reason.IO_TWICE, 2, source=TARS)
def _(number: int, seed: int) -> Made:
    again = _member("1.jpg", _picture(seed + 2))
    between = (again,) if number else (_member("5.jpg", _picture(seed + 3)), again)
    rows = GOOD | {f"1.jpg#member-{2 if number else 3}": Reason.IO_TWICE}
    if not number:
        rows["5.jpg"] = None
    return Made(b"%d.tar" % number, _around(seed, *between), rows=rows)


@kind(
    "tar cut short",
    "within a member or a header, or without its end",
    Reason.IO_TRUNCATED,
    4,
    source=TARS,
)
def _(number: int, seed: int) -> Made:
    content = _around(seed, form=tarfile.USTAR_FORMAT)
    second = content.index(b"9.jpg\0")
    at = (300, second + 100, second + 512 + 700, len(content.rstrip(b"\0")) // 512 * 512 + 512)[
        number
    ]
    rows: dict[str, str | None] = {"": Reason.IO_TRUNCATED}
    rows |= {name: None for name, least in (("1.jpg", 1), ("9.jpg", 3)) if number >= least}
    return Made(b"%d.tar" % number, content[:at], rows=rows)


@kind(
    "tar that is damaged",
    "a header of rubbish, a size below nothing, a page, nothing",
    Reason.IO_TRUNCATED,
    5,
    source=TARS,
)
def _(number: int, seed: int) -> Made:
    content = _around(seed, form=tarfile.USTAR_FORMAT)
    second = content.index(b"9.jpg\0")
    made = (
        content[:second] + b"\xff" * 512 + content[second + 512 :],
        content[: second + 124] + b"\xff" * 12 + content[second + 136 :],
        b"<html>not found</html>" * 100,
        b"",
        content + content,
    )[number]
    rows: dict[str, str | None] = {"": Reason.IO_TRUNCATED}
    rows |= {"1.jpg": None} if number in (0, 1, 4) else {}
    rows |= {"9.jpg": None} if number == 4 else {}
    return Made(b"%d.tar" % number, made, rows=rows)


@kind("tar of pickles and programs", "members that nobody opens", "no row", 1, source=TARS)
def _(number: int, seed: int) -> Made:
    bad = [
        _member(f"5.{ending}", b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
        for ending in ("pkl", "pyd", "pth", "npy", "cls", "so")
    ]
    return Made(b"0.tar", _around(seed, *bad), rows=dict(GOOD))


@kind("bad pictures in a tar", "empty, cut short, a page, a bomb", "as in a folder", 1, source=TARS)
def _(number: int, seed: int) -> Made:
    from tests.bad_inputs.drawn import png_of

    members = {
        "2.jpg": (b"", Reason.IO_EMPTY),
        "3.jpg": (jpeg(seed)[:900], Reason.IO_TRUNCATED),
        "4.jpg": (b"<html>gone</html>", Reason.FMT_UNKNOWN),
        "5.png": (png_of(30_000, 30_000, bytes(9)), Reason.FMT_BOMB),
    }
    content = _around(seed, *(_member(name, one) for name, (one, _) in members.items()))
    return Made(b"0.tar", content, rows=GOOD | {name: code for name, (_, code) in members.items()})


@kind("packed tar", "by gzip: read as it is unpacked", KEPT, 2, source=TARS)
def _(number: int, seed: int) -> Made:
    content = gzip.compress(_around(seed), mtime=0)
    return Made((b"0.tar.gz", b"1.tgz")[number], content, rows=dict(GOOD))


@kind("packed tar cut short", "or damaged, or packed twice", Reason.IO_TRUNCATED, 4, source=TARS)
def _(number: int, seed: int) -> Made:
    content = gzip.compress(_around(seed), mtime=0)
    made = (
        content[: len(content) // 3],
        content[:-4],
        b"\x1f\x8b" + b"\0" * 300,
        gzip.compress(content, mtime=0),
    )[number]
    rows: dict[str, str | None] = {"": Reason.IO_TRUNCATED}
    return Made(b"%d.tar.gz" % number, made, rows=rows | (GOOD if number == 1 else {}))


@kind(
    "packed bomb", "tens of megabytes of zeros from some kilobytes", Reason.FMT_BOMB, 2, source=TARS
)
def _(number: int, seed: int) -> Made:
    head = _member(("9.jpg", "0/9.txt")[number])[0]
    head.size = (64, 90)[number] << 20
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as packed:
        packed.write(head.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(head.size >> 20):
            packed.write(bytes(1 << 20))
    return Made(b"%d.tgz" % number, made.getvalue(), rows={"": Reason.FMT_BOMB})


def _rows(
    source: str, name: str, how: str, becomes: str, rows: list[Listed], note: str = ""
) -> None:
    """A kind of rows of an index: in Parquet in one source, in a CSV in the other."""

    @kind(f"{name} ({source})", how, becomes, len(rows), source=source)
    def _(number: int, seed: int) -> Made:
        said, thing = rows[number]
        reason = None if becomes == KEPT else becomes
        content = _picture(seed) if thing is None else thing
        lies = said if content != b"" and said else ""
        row = said if said and reason not in (Reason.IO_UNSAFE, Reason.IO_TWICE) else "#"
        return Made(os.fsencode(lies), content, rows={row: reason}, row={"path": said})


for _source in (INDEX, SHEET):
    _rows(
        _source,
        "row of a file that is there",
        "with and without a folder",
        KEPT,
        [(f"{_source}-1.jpg", None), (f"deep/{_source}/2.jpg", None)],
    )
    _rows(
        _source,
        "row that names nothing",
        "null or empty",
        Reason.IO_MISSING,
        [(None, b""), ("", b"")],
    )
    _rows(
        _source,
        "row of a file that is not there",
        "as links rot",
        Reason.IO_MISSING,
        [("files/rotten.jpg", b""), ("gone/1.jpg", b""), (f"{_source}-1.jpg/1.jpg", b"")],
    )
    _rows(
        _source,
        "row that climbs",
        "upwards, absolute, or of the folder itself",
        Reason.IO_UNSAFE,
        [("../../params.yaml", b""), ("/etc/passwd", b""), ("a/../../b.jpg", b""), (".", b"")],
    )
    _rows(
        _source,
        "row that names a file again",
        "of an earlier row",
        Reason.IO_TWICE,
        [(f"{_source}-1.jpg", b""), (f"./{_source}-1.jpg", b"")],
    )
    _rows(
        _source,
        "row of a link out",
        "to a file, to a folder",
        Reason.IO_SYMLINK_ESCAPE,
        [
            ("out.jpg", lambda path: path.symlink_to("/etc/passwd")),
            ("up.jpg", lambda path: path.symlink_to("../..")),
        ],
    )
    _rows(
        _source,
        "row of what is no file",
        "a folder, a pipe",
        Reason.IO_UNREADABLE,
        [("folder.jpg", Path.mkdir), ("pipe.mp4", os.mkfifo)],
    )
