"""Names, links and things that are no files; files that change, vanish or may not be read."""

import errno
import os
import socket
from pathlib import Path

from mm_model.records import Reason
from tests.bad_inputs.drawn import clip, jpeg, photograph, saved
from tests.bad_inputs.pictures import KEPT
from tests.bad_inputs.port import Made, kind

NAMES = (
    b"caf\xe9.jpg",
    b"two\nlines.jpg",
    b"\xff\xfe\x80.png",
    b"-rf.jpg",
    b"a'; drop table media; --.jpg",
    b"=cmd|' /C calc'!A0.jpg",
    b"%2e%2e%2fup.jpg",
    b"back\\..\\slash.jpg",
    b" leading and trailing .jpg ",
    b"file:name.jpg",
    "\u202egnp.jpg".encode(),
    "\U0001f642.jpg".encode(),
    b"\x1b[31mred\x07.jpg",
    b"n" * 240 + b".jpg",
    b"no ending",
    b"many.dots.in.it.JPG",
    b"{who}.jpg",
    b"<script>alert(1)</script>.jpg".replace(b"/", b"_"),
    "cafe\u0301.jpg".encode(),
    b"CON.jpg",
)


@kind("names that are no names", "no UTF-8, line breaks, SQL, HTML, escapes, 244 bytes", KEPT, 20)
def _(number: int, seed: int) -> Made:
    return Made(NAMES[number], saved(photograph(seed), "JPEG"))


@kind("names alike", "in two folders, in two cases, in two forms of Unicode", KEPT, 3)
def _(number: int, seed: int) -> list[Made]:
    names = (
        (b"a/1.jpg", b"b/1.jpg"),
        (b"x.jpg", b"X.jpg"),
        ("e\u0301.jpg".encode(), "\u00e9.jpg".encode()),
    )[number]
    return [Made(name, saved(photograph(seed + k), "JPEG")) for k, name in enumerate(names)]


@kind("folder that looks like a file", "its name ends in .jpg or .mp4", KEPT, 3)
def _(number: int, seed: int) -> Made:
    name = (b"folder.jpg/1.jpg", b"folder.mp4/1.jpg", b"folder.txt/1.jpg")[number]
    return Made(name, saved(photograph(seed), "JPEG"))


@kind("very deep folder", "40 and 200 folders within one another", KEPT, 2)
def _(number: int, seed: int) -> Made:
    name = b"/".join([b"deep"] * (40, 200)[number] + [b"1.jpg"])
    return Made(name, saved(photograph(seed), "JPEG"))


@kind("hidden file", "its name begins with a dot", "no row", 3)
def _(number: int, seed: int) -> Made:
    name = (b".hidden.jpg", b".trash/1.jpg", b"._1.jpg")[number]
    return Made(name, saved(photograph(seed), "JPEG"), rows={})


def _link(target: str) -> object:
    return lambda path: path.symlink_to(target)


@kind(
    "link out of the folder",
    "to a file, a folder, a device, of any length",
    Reason.IO_SYMLINK_ESCAPE,
    8,
)
def _(number: int, seed: int) -> Made:
    target = (
        "/etc/passwd",
        "/etc",
        "/dev/zero",
        "/dev/stdin",
        "../../../params.yaml",
        "../../../..",
        "/proc/self/environ",
        "/",
    )[number]
    name = (b"a.jpg", b"folder", b"zero.mp4", b"in.jpg", b"e.jpg", b"up", b"g.png", b"root")[number]
    return Made(name, _link(target), Reason.IO_SYMLINK_ESCAPE)


@kind(
    "link that leads nowhere",
    "to nothing, to itself, in a circle, through a file",
    Reason.IO_UNREADABLE,
    5,
)
def _(number: int, seed: int) -> Made:
    target = ("nobody.jpg", "1.jpg", "circle/..", "3.jpg/deeper.jpg", "x" * 255)[number]
    name = (b"0.jpg", b"1.jpg", b"circle", b"3.jpg", b"4.jpg")[number]
    return Made(name, _link(target), Reason.IO_UNREADABLE)


@kind("link within the folder", "the file it leads to is there by itself", Reason.DUP_BYTES, 3)
def _(number: int, seed: int) -> list[Made]:
    content = jpeg(seed)
    name = b"%d-a.jpg" % number
    target = (os.fsdecode(name), f"./{os.fsdecode(name)}", f"../{'link-within-the-folder'}/2-a.jpg")
    return [
        Made(name, content),
        Made(b"%d-b.jpg" % number, _link(target[number]), Reason.DUP_BYTES),
    ]


@kind("linked folder within the folder", "its files are listed where they lie", "no row", 2)
def _(number: int, seed: int) -> list[Made]:
    content = saved(photograph(seed), "JPEG")
    target = (".", "..")[number]
    return [
        Made(b"%d/1.jpg" % number, content),
        Made(b"%d/again" % number, _link(target), rows={}),
    ]


def _hard(path: Path) -> None:
    os.link(path.with_name(path.name.replace("b", "a")), path)


@kind("hard link", "two names of one file", Reason.DUP_BYTES, 2)
def _(number: int, seed: int) -> list[Made]:
    return [
        Made(b"%d-a.jpg" % number, jpeg(seed)),
        Made(b"%d-b.jpg" % number, _hard, Reason.DUP_BYTES),
    ]


def _talk(path: Path) -> None:
    """A socket; the system allows it a short path only."""
    place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{place}/{path.name}")
    finally:
        os.close(place)


@kind("no file at all", "a pipe, a socket, a link to a pipe", Reason.IO_UNREADABLE, 4)
def _(number: int, seed: int) -> list[Made]:
    pipe = Made(b"%d.mp4" % number, os.mkfifo, Reason.IO_UNREADABLE, "not a regular file")
    if number == 3:
        linked = Made(b"3-linked.jpg", _link("3.mp4"), Reason.IO_UNREADABLE, "not a regular file")
        return [pipe, linked]
    if number == 1:
        return [Made(b"1.jpg", _talk, Reason.IO_UNREADABLE, "not a regular file")]
    return [Made((b"0.mp4", b"", b"2.txt.jpg")[number], os.mkfifo, Reason.IO_UNREADABLE)]


def _of_holes(path: Path) -> None:
    """Two gigabytes of which the disk holds next to nothing."""
    with path.open("wb") as handle:
        handle.write(clip(1)[:64])
        handle.truncate(2 << 30)


@kind(
    "file of holes",
    "2 GiB long, on the disk a few bytes",
    Reason.FMT_BOMB,
    1,
    note="more than a worker may hold (`ingest.decode_memory_mb`)",
    dear=True,
)
def _(number: int, seed: int) -> Made:
    return Made(b"0.mp4", _of_holes, Reason.FMT_BOMB)


@kind(
    "file that may not be read",
    "no permission for it",
    Reason.IO_UNREADABLE,
    2,
    refused=("opening", errno.EACCES),
)
def _(number: int, seed: int) -> Made:
    return Made(b"denied-%d.jpg" % number, jpeg(seed), Reason.IO_UNREADABLE, "permission")


@kind(
    "file that may not be looked at",
    "no permission for its folder",
    Reason.IO_UNREADABLE,
    2,
    refused=("looking", errno.EACCES),
)
def _(number: int, seed: int) -> Made:
    return Made(b"unseen-%d.jpg" % number, jpeg(seed), Reason.IO_UNREADABLE, "permission")


@kind(
    "folder that may not be listed",
    "one row stands for what is in it",
    Reason.IO_UNREADABLE,
    2,
    refused=("listing", errno.EACCES),
)
def _(number: int, seed: int) -> Made:
    name = b"closed-%d" % number
    return Made(
        name + b"/1.jpg",
        jpeg(seed),
        rows={os.fsdecode(name): Reason.IO_UNREADABLE},
    )


@kind(
    "disk that fails",
    "reading ends with an error",
    Reason.SYS_IO,
    2,
    note="failed, not rejected: another try may succeed",
    refused=("opening", errno.EIO),
)
def _(number: int, seed: int) -> Made:
    return Made(b"broken-disk-%d.jpg" % number, jpeg(seed), Reason.SYS_IO)


def _replaced(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@kind(
    "file that changes",
    "between the listing and the check",
    Reason.SYS_IO,
    3,
    note="failed, not rejected: the next run takes it as it is then",
    between=_replaced,
)
def _(number: int, seed: int) -> Made:
    content = clip(seed) if number == 2 else jpeg(seed)
    return Made(b"%d.%s" % (number, (b"jpg", b"jpg", b"mp4")[number]), content, Reason.SYS_IO)


@kind(
    "file that vanishes", "between the listing and the check", Reason.SYS_IO, 2, between=Path.unlink
)
def _(number: int, seed: int) -> Made:
    return Made(b"%d.jpg" % number, jpeg(seed), Reason.SYS_IO)


def _becomes_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@kind(
    "file that becomes a pipe",
    "between the listing and the check",
    Reason.IO_UNREADABLE,
    1,
    between=_becomes_pipe,
)
def _(number: int, seed: int) -> Made:
    return Made(b"0.jpg", jpeg(seed), Reason.IO_UNREADABLE)
