"""Tars of samples as a source: what is read, what nobody may read, and in how much memory."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.tarred import TERMS, member, picture, sample, say, tar

USTAR = tarfile.USTAR_FORMAT

pytestmark = pytest.mark.capability("shapes of data sets", scale="T")


def reasons(rows: dict) -> dict:
    return {name: row["reason"] for name, row in rows.items()}


def test_a_sample_is_a_picture_with_its_caption_and_what_its_json_knows(
    shards: Path, read: Callable, small_root: Path
) -> None:
    tar(
        shards / "00000.tar",
        [
            *sample("000000001", 10, "a man waves", licence="CC0-1.0", url="https://a.example/1"),
            *sample("000000002", 20, caption=None),
            member("000000003.png", picture(30)),
            member("000000003.json", b'{"caption": "a woman nods", "license": "MIT"}'),
        ],
    )
    tar(shards / "part" / "00001.tar", sample("000000001", 40, "a boy smiles"))
    rows, said, report = read()
    assert list(rows) == [
        "00000.tar/000000001.png",
        "00000.tar/000000002.png",
        "00000.tar/000000003.png",
        "part/00001.tar/000000001.png",
    ]
    first, second, third, _ = rows.values()
    assert (small_root / first["path"]).read_bytes() == picture(10)
    assert (first["licence"], first["origin"]) == ("CC0-1.0", "https://a.example/1")
    assert first["consent"] == "licence:CC0-1.0", "a file's own licence is what it is used on"
    assert (second["licence"], second["consent"]) == ("CC-BY-4.0", "licence:CC-BY-4.0")
    assert (third["licence"], third["origin"]) == ("MIT", None)
    assert [c and c["text"] for c in said.values()] == [
        "a man waves",
        None,
        "a woman nods",
        "a boy smiles",
    ]
    assert all(row["subject"] is None for row in rows.values())
    assert report.metrics["without_licence"] == 0
    line = "source all: 4 files, 4 kept, licence CC-BY-4.0 (2), CC0-1.0 (1), MIT (1)"
    assert line in report.notes


def test_the_bytes_lie_once_in_the_output_and_nothing_beside_the_tars(
    shards: Path, read: Callable, small_root: Path
) -> None:
    tar(shards / "00000.tar", [*sample("1", 10, "a man waves"), *sample("2", 20)])
    before = sorted(shards.iterdir())
    read()
    files = small_root / "data" / "tiny" / "sources" / "files"
    assert sorted(f.read_bytes() for f in files.rglob("*")) == sorted([picture(10), picture(20)])
    assert sorted(shards.iterdir()) == before


BAD_MEMBERS = {
    "absolute": (member("/etc/passwd.png", picture(1)), "IO_UNSAFE"),
    "climbing": (member("../../out.png", picture(2)), "IO_UNSAFE"),
    "climbing inside": (member("a/../../out.png", picture(3)), "IO_UNSAFE"),
    "nameless": (member("./", b"", type=tarfile.REGTYPE), "IO_UNSAFE"),
    "folder": (member("2.png", type=tarfile.DIRTYPE), None),
    "link": (member("2.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "IO_UNSAFE"),
    "hard link": (member("2.png", type=tarfile.LNKTYPE, linkname="1.png"), "IO_UNSAFE"),
    "device": (member("2.png", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "IO_UNSAFE"),
    "pipe": (member("2.png", type=tarfile.FIFOTYPE), "IO_UNSAFE"),
    "holes": (member("2.png", picture(4), pax_headers={"GNU.sparse.major": "1"}), "IO_UNSAFE"),
    "strange": (member("2.png", type=b"V"), "IO_UNSAFE"),
}


@pytest.mark.parametrize("bad", BAD_MEMBERS)
def test_a_member_that_must_not_be_followed_is_a_row_and_the_next_is_read(
    shards: Path, read: Callable, small_root: Path, bad: str
) -> None:
    one, reason = BAD_MEMBERS[bad]
    tar(shards / "0.tar", [*sample("1", 10), one, *sample("3", 30)])
    rows, _, report = read()
    refused = {name: row for name, row in rows.items() if row["reason"]}
    assert {row["reason"] for row in refused.values()} == ({reason} if reason else set())
    assert all(row["sha256"] is None and row["message"] for row in refused.values())
    assert {"0.tar/1.png", "0.tar/3.png"} <= set(rows)
    assert report.counts.kept == 2
    assert not [p for p in small_root.parent.rglob("out*.png") if "raw" not in p.parts]


def test_a_key_that_stands_twice_is_used_once(shards: Path, read: Callable) -> None:
    tar(
        shards / "0.tar",
        [
            *sample("1", 10, "a man waves"),
            *sample("2", 20),
            *sample("1", 30, "a woman nods"),  # not adjacent: a reader would see two samples
            member("4.png", picture(40)),
            member("4.png", picture(50)),  # adjacent
        ],
    )
    rows, said, _ = read()
    assert reasons(rows) == {
        "0.tar/1.png": None,
        "0.tar/2.png": None,
        "0.tar/1.png#member-4": "IO_TWICE",
        "0.tar/4.png": None,
        "0.tar/4.png#member-7": "IO_TWICE",
    }
    assert said["0.tar/1.png"] == {"text": "a man waves"}


def test_what_is_no_picture_is_noted(shards: Path, read: Callable) -> None:
    tar(
        shards / "0.tar",
        [
            *sample("1", 10),
            member("1.cls", b"3"),
            member("2.txt", b"a man without a picture"),
            member(".hidden", b"x"),
            member("3.pkl", b"cos\nsystem\n"),
            member("4.png", picture(40)),
            member("4.json", b"[" * 100_000),
        ],
    )
    (shards / "00001.tar.bz2").write_bytes(b"BZh9")
    rows, _, report = read()
    assert reasons(rows) == {"0.tar/1.png": None, "0.tar/4.png": None}
    notes = "\n".join(report.notes)
    assert "captions without a picture or clip: 1, e.g. 0.tar/2.txt" in notes
    assert "members of no use here: 3, e.g. 0.tar/1.cls" in notes
    assert "JSON members that cannot be read: 1, e.g. 0.tar/4.json" in notes
    assert "files beside the tars that are none: 1, e.g. 00001.tar.bz2" in notes
    assert report.metrics["caption_files_unused"] == 1


def test_captions_that_cannot_be_read_cost_no_picture(shards: Path, read: Callable) -> None:
    tar(
        shards / "0.tar",
        [
            *sample("1", 10),
            member("1.txt", b"a\0b"),
            *sample("2", 20),
            member("2.txt", b" "),
            *sample("3", 30),
            member("3.txt", b"x" * ((1 << 20) + 1)),
        ],
    )
    rows, said, report = read()
    assert report.counts.kept == len(rows) == 3
    problems = [entry["problem"] for entry in said.values()]
    assert problems == ["CAPTION_NOT_TEXT", "CAPTION_EMPTY", "CAPTION_TOO_LARGE"]


def test_a_member_larger_than_the_folder_says_is_not_read(shards: Path, read: Callable) -> None:
    say(shards, **TERMS, largest_mb=1)
    large = member("1.png", b"\0" * ((1 << 20) + 1))
    tar(shards / "0.tar", [large, member("2.png", b"\0" * (1 << 20))])
    rows, _, _ = read()
    assert reasons(rows) == {"0.tar/1.png": "IO_TOO_LARGE", "0.tar/2.png": None}
    refused = rows["0.tar/1.png"]
    assert (refused["reason_value"], refused["reason_threshold"]) == ((1 << 20) + 1, 1 << 20)


DAMAGES = {
    "nothing": lambda c: b"",
    "half a header": lambda c: c[:300],
    "within the second picture": lambda c: c[: 512 * 5 + 100],
    "no end": lambda c: c[: 512 * 8],
    "no tar": lambda c: b"<html>not found</html>" * 100,
    "damaged header": lambda c: c[:1024] + b"\xff" * 512 + c[1536:],
    "negative size": lambda c: c[: 1024 + 124] + b"\xff" * 12 + c[1024 + 136 :],
    "two in one": lambda c: c + c,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_tar_is_a_row_and_the_next_tar_is_read(
    shards: Path, read: Callable, damage: str
) -> None:
    whole = tar(shards / "0.tar", [m for k in range(4) for m in sample(f"{k}", k)], USTAR)
    whole.write_bytes(DAMAGES[damage](whole.read_bytes()))
    tar(shards / "1.tar", sample("9", 90))
    rows, _, report = read()
    assert rows["0.tar"]["reason"] == "IO_TRUNCATED"
    assert "0.tar" in rows and "what follows is not known" in rows["0.tar"]["message"]
    assert rows["1.tar/9.png"]["reason"] is None
    assert report.counts.total == report.counts.kept + 1


def test_what_stood_before_the_damage_is_kept_with_its_caption(
    shards: Path, read: Callable
) -> None:
    path = tar(shards / "0.tar", [*sample("1", 10, "a man waves"), *sample("2", 20)], USTAR)
    path.write_bytes(path.read_bytes()[: 512 * 4 + 600])  # within the second picture
    rows, said, _ = read()
    assert reasons(rows) == {"0.tar/1.png": None, "0.tar": "IO_TRUNCATED"}
    assert said["0.tar/1.png"] == {"text": "a man waves"}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_are_read_in_every_dialect(
    shards: Path, read: Callable, form: int
) -> None:
    names = [f"{'d' * 60}/{'e' * 60}.png", "käse.png", "./dot.png"]
    if form != tarfile.USTAR_FORMAT:
        names.append("n" * 240 + ".png")
    tar(shards / "0.tar", [member(n, picture(k)) for k, n in enumerate(names)], form)
    rows, _, _ = read()
    assert list(rows) == [f"0.tar/{name.removeprefix('./')}" for name in names]
    assert set(reasons(rows).values()) == {None}


def test_a_header_that_asks_for_memory_gets_none(shards: Path, read: Callable) -> None:
    head = tarfile.TarInfo("././@LongLink")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    with (shards / "0.tar").open("wb") as file:
        file.write(head.tobuf(tarfile.GNU_FORMAT))
        file.truncate(1 << 33)  # holes: nothing is written
    rows, _, _ = read()
    assert rows["0.tar"]["reason"] == "IO_TRUNCATED"
    assert "more than 1 MiB" in rows["0.tar"]["message"]


def test_a_tar_may_stand_alone(
    small_root: Path, use_sources: Callable, edit_profile: Callable, read: Callable
) -> None:
    tar(small_root / "one.tar", sample("1", 10, "a man waves"))
    use_sources(small_root, "one.tar")
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures"})
    rows, said, _ = read()
    assert list(rows) == ["one.tar/1.png"] and said["one.tar/1.png"] == {"text": "a man waves"}
    assert rows["one.tar/1.png"]["consent"] == "licence:test-pictures"


def test_without_a_word_of_tars_a_folder_is_read_as_before(
    small_root: Path, use_sources: Callable, edit_profile: Callable, read: Callable
) -> None:
    tar(small_root / "raw" / "0.tar", sample("1", 10))
    use_sources(small_root, "raw")
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures"})
    rows, _, _ = read()
    assert list(rows) == ["0.tar"]


def test_the_same_tars_give_the_same_rows_in_the_same_order(shards: Path, read: Callable) -> None:
    for name in ("b", "a", "c"):
        tar(shards / f"{name}.tar", [m for k in (3, 1, 2) for m in sample(f"{k}", k)])
    first, again = read()[0], read()[0]
    assert list(first) == list(again) == [f"{n}.tar/{k}.png" for n in "abc" for k in (3, 1, 2)]
    assert first == again


_COUNT = """
import sys
from pathlib import Path
import psutil
from mm_model.media.consent import ConsentRecord
from mm_model.media.terms import terms_of
from mm_model.sources.tars import Tars
from mm_model.sources.told import Told
from mm_model.store.consents import Statement

folder = Path(sys.argv[1])
source = Tars(folder, Told(folder, terms_of(folder), ConsentRecord(Statement("licence:x")), folder))
total = len(source)
items = source.items()
first = next(items)
memory = psutil.Process().memory_info
before = most = memory().rss
number, size = 1, len(first.content)
for item in items:
    number, size = number + 1, size + len(item.content)
    if number % 500 == 0:
        most = max(most, memory().rss)
print(total, number, size, (most - before) >> 10)
"""


def test_memory_does_not_grow_with_the_members(shards: Path) -> None:
    """20,000 samples of 4 KiB, 80 MiB in all; a list of Python's headers alone would take 40."""
    number, content = 20_000, b"x" * 4096
    samples = (
        one
        for k in range(number)
        for one in (member(f"{k:09d}.jpg", content), member(f"{k:09d}.txt", b"a man waves"))
    )
    tar(shards / "0.tar", samples, USTAR)
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, str(shards)], capture_output=True, text=True, check=True
    )
    total, read, size, grown = map(int, done.stdout.split())
    assert (total, read, size) == (number, number, number * len(content))
    assert grown < 8 * 1024, f"{grown} KiB"
