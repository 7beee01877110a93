"""Packed tars: read like plain ones, within bounds of ratio and size, one sample at a time."""

import gzip
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from mm_model.media.failure import MediaError
from mm_model.sources import packed
from mm_model.sources.members import members
from mm_model.sources.packed import Unpacked
from tests.stages.tarred import member, picture, sample, tar
from tests.stages.test_tars import _COUNT, DAMAGES, reasons

pytestmark = pytest.mark.capability("shapes of data sets", scale="T")

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar.gz": lambda content: gzip.compress(content, mtime=0),
    ".tgz": lambda content: gzip.compress(content, mtime=0),
    ".tar.zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


def pack(path: Path, ending: str) -> Path:
    """Put a packed tar in the place of a plain one."""
    made = path.with_name(path.name.removesuffix(".tar") + ending)
    made.write_bytes(PACKERS[ending](path.read_bytes()))
    path.unlink()
    return made


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_tar_gives_the_rows_of_the_plain_one(
    shards: Path,
    read: Callable,
    ending: str,
) -> None:
    samples = [m for k in range(5) for m in sample(f"{k}", 40 * k, f"a man waves {k}")]
    # Its caption stands before its picture, and a member of no use between them.
    odd = [member("9.txt", b"a woman nods"), member("9.cls", b"3"), member("9.png", picture(9))]
    plain = tar(shards / "0.tar", [*samples, *odd])
    before, said_before, _ = read()
    pack(plain, ending)
    rows, said, report = read()
    name = f"0{ending}"
    assert [n.removeprefix(name) for n in rows] == [n.removeprefix("0.tar") for n in before]
    assert [row["sha256"] for row in rows.values()] == [r["sha256"] for r in before.values()]
    assert list(said.values()) == list(said_before.values())
    assert report.counts.kept == 6


@pytest.mark.parametrize("ending", PACKERS)
def test_what_a_cut_leaves_is_kept(
    shards: Path,
    read: Callable,
    ending: str,
) -> None:
    import numpy as np

    noise = np.random.default_rng(1).integers(0, 256, 2 << 20, np.uint8).tobytes()
    path = pack(tar(shards / "0.tar", [*sample("1", 10), member("2.png", noise)]), ending)
    path.write_bytes(path.read_bytes()[:-70_000])
    tar(shards / "1.tar", sample("9", 90))
    rows, _, _ = read()
    assert reasons(rows) == {
        f"0{ending}/1.png": None,
        f"0{ending}": "IO_TRUNCATED",
        "1.tar/9.png": None,
    }
    assert "packed tar is cut short" in rows[f"0{ending}"]["message"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_within_is_the_plain_tar_s(
    shards: Path,
    read: Callable,
    damage: str,
) -> None:
    whole = tar(
        shards / "0.tar", [m for k in range(4) for m in sample(f"{k}", k)], tarfile.USTAR_FORMAT
    )
    whole.write_bytes(DAMAGES[damage](whole.read_bytes()))
    before, _, _ = read()
    pack(whole, ".tgz")
    rows, _, _ = read()
    assert list(reasons(rows).values()) == list(reasons(before).values())


@pytest.mark.parametrize("ending", PACKERS)
def test_a_bomb_is_refused_before_it_is_unpacked(
    shards: Path,
    read: Callable,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    most = []
    go_on = Unpacked._go_on
    monkeypatch.setattr(Unpacked, "_go_on", lambda self: (go_on(self), most.append(self._end))[0])
    content = member("2.png", bytes(80 << 20))
    pack(tar(shards / "0.tar", [*sample("1", 10), content]), ending)
    rows, _, _ = read()
    assert reasons(rows) == {f"0{ending}/1.png": None, f"0{ending}": "FMT_BOMB"}
    refused = rows[f"0{ending}"]
    assert refused["reason_value"] > refused["reason_threshold"] == packed.MOST_TIMES
    assert max(most) <= packed.UNASKED + (1 << 20)


def test_an_archive_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    path = pack(tar(tmp_path / "0.tar", [member("1.png", bytes(3 << 20))]), ".tgz")
    with path.open("rb") as raw, pytest.raises(MediaError, match="more than 1048576 bytes") as told:
        list(members(Unpacked(raw, ".tgz", path.stat().st_size, most=1 << 20)))
    assert told.value.reason == "FMT_BOMB"


def test_a_sample_beyond_all_measure_is_refused_and_what_came_before_is_kept(
    shards: Path, read: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    monkeypatch.setattr(packed, "MOST_HELD", 5 << 20)
    noise = np.random.default_rng(4).integers(0, 256, 2 << 20, np.uint8).tobytes()
    few = [member(f"{number}.png", noise + bytes([number])) for number in range(4)]
    one = [member(f"9.{ending}.png", noise) for ending in "abc"]
    pack(tar(shards / "0.tar", [*few, *one]), ".tgz")
    rows, _, _ = read()
    found = reasons(rows)
    assert found.pop("0.tgz") == "FMT_BOMB"
    assert found.keys() >= {f"0.tgz/{number}.png" for number in range(4)}


def test_memory_does_not_grow_with_the_members(shards: Path) -> None:
    """4,000 samples of 16 KiB that cannot be packed: 64 MiB in all."""
    import numpy as np

    rng, number = np.random.default_rng(2), 4000
    samples = (
        member(f"{k:09d}.jpg", rng.integers(0, 256, 1 << 14, np.uint8).tobytes())
        for k in range(number)
    )
    pack(tar(shards / "0.tar", samples, tarfile.USTAR_FORMAT), ".tgz")
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, str(shards)], capture_output=True, text=True, check=True
    )
    total, read_, size, grown = map(int, done.stdout.split())
    assert (total, read_, size) == (number, number, number << 14)
    assert grown < 8 * 1024, f"{grown} KiB"


def test_what_was_let_go_is_not_asked_for_again(tmp_path: Path) -> None:
    import numpy as np

    noise = np.random.default_rng(3).integers(0, 256, 5 << 20, np.uint8).tobytes()
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(noise, 1))
    with path.open("rb") as raw:
        unpacked = Unpacked(raw, ".tgz", len(noise))
        unpacked.seek(3 << 20)
        assert unpacked.read(4) == noise[3 << 20 :][:4]
        unpacked.let_go(2 << 20)
        unpacked.seek(2 << 20)
        assert unpacked.read(9 << 20) == noise[2 << 20 :]
        with pytest.raises(ValueError, match="let go"):
            unpacked.seek(100)


def test_a_packed_tar_may_stand_alone(
    small_root: Path,
    use_sources: Callable,
    edit_profile: Callable,
    read: Callable,
) -> None:
    pack(tar(small_root / "one.tar", sample("1", 10, "a man waves")), ".tar.gz")
    use_sources(small_root, "one.tar.gz")
    edit_profile(small_root, **{"sources.consent": "licence:test-pictures"})
    rows, said, _ = read()
    assert list(rows) == ["one.tar.gz/1.png"]
    assert said["one.tar.gz/1.png"] == {"text": "a man waves"}
