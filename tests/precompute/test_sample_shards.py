"""Shards of samples: planned by size, equal bytes, readable by anybody, damage never passes."""

import json
import tarfile
from pathlib import Path

import pytest
import torch
import webdataset

from mm_model.errors import UserError
from mm_model.precompute import shards
from mm_model.precompute.sample import TrainingSample
from mm_model.store import sealed
from tests.precomputed import Made, written


def sample(number: int, references: int = 2, dtype: torch.dtype = torch.float32) -> TrainingSample:
    g = torch.Generator().manual_seed(number)
    return TrainingSample(
        mean=torch.randn(1, 4, 6, 6, generator=g).to(dtype),
        logvar=torch.randn(1, 4, 6, 6, generator=g).to(dtype),
        mask=torch.rand(1, 6, 6, generator=g) > 0.5,
        landmarks=torch.rand(5, 2, generator=g),
        box=torch.rand(4, generator=g),
        text=torch.randn(min(references, 2), 8, 16, generator=g).to(dtype),
        text_mask=torch.rand(min(references, 2), 8, generator=g) > 0.5,
        x_id=torch.randn(references, 2, 8, generator=g).to(dtype),
        clip_tokens=torch.randn(references, 3, 8, generator=g).to(dtype),
        embeddings=torch.randn(references, 16, generator=g),
    )


def entries(count: int) -> list[shards.Entry]:
    return [(f"{i:04x}", {"caption": f"é {i}"}, sample(i).to_bytes()) for i in range(count)]


@pytest.mark.parametrize(
    ("sizes", "most", "found"),
    [
        ([3, 3, 3, 3], 6, [(0, 2), (2, 4)]),
        ([3, 3, 3, 3], 8, [(0, 2), (2, 4)]),
        ([9, 1, 1, 9], 4, [(0, 1), (1, 3), (3, 4)]),
        ([1], 4, [(0, 1)]),
        ([], 4, []),
    ],
)
def test_a_shard_takes_what_fits_and_one_sample_at_least(
    sizes: list[int], most: int, found: list[tuple[int, int]]
) -> None:
    assert [(part.start, part.stop) for part in shards.plan(sizes, most)] == found


def test_the_sizes_of_a_sample_are_those_of_its_tensors() -> None:
    sizes = shards.Sizes.of(sample(1, references=1))
    for references, texts in ((1, 1), (2, 2), (5, 2)):
        header = len(sample(2, references).to_bytes()) - sizes.of_sample(texts, references)
        assert 0 < header < 2000


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sample_comes_back_as_it_was_written(tmp_path: Path, dtype: torch.dtype) -> None:
    ours = sample(3, dtype=dtype)
    shards.write(tmp_path / "s.tar", [("a", {}, ours.to_bytes())], "work")
    (row,) = shards.words_in(tmp_path / "s.tar")
    content = shards.SamplePlace.of(row).read(tmp_path)
    assert content is not None
    theirs = TrainingSample.of_bytes(content)
    assert theirs.mean.dtype == theirs.text.dtype == dtype and theirs.mask.dtype == torch.bool
    for name, value in vars(ours).items():
        assert torch.equal(value, getattr(theirs, name)), name


def test_equal_samples_give_equal_bytes_and_hold_no_time_and_no_owner(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        shards.write(tmp_path / name, entries(5), "work")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = tar.getmembers()
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
        assert {m.name.partition(".")[2] for m in members} == {"json", "safetensors"}


def test_webdataset_s_own_reader_reads_it(tmp_path: Path) -> None:
    shards.write(tmp_path / "s.tar", entries(4), "work")
    found = list(webdataset.WebDataset(str(tmp_path / "s.tar"), shardshuffle=False))
    assert [one["__key__"] for one in found] == [f"{i:04x}" for i in range(4)]
    assert json.loads(found[3]["json"])["caption"] == "é 3"
    assert torch.equal(TrainingSample.of_bytes(found[2]["safetensors"]).mean, sample(2).mean)


def test_a_shard_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken():
        yield from entries(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.write(tmp_path / "s.tar", broken(), "work")
    assert not (tmp_path / "s.tar").exists()
    shards.write(tmp_path / "s.tar", entries(2), "work")
    assert sealed.flaw(tmp_path / "s.tar", "work") is None
    assert sealed.flaw(tmp_path / "s.tar", "other") is not None


def test_damage_is_found_by_the_place_and_by_the_words(tmp_path: Path) -> None:
    shards.write(tmp_path / "s.tar", entries(3), "work")
    rows = list(shards.words_in(tmp_path / "s.tar"))
    content = bytearray((tmp_path / "s.tar").read_bytes())
    content[rows[1]["offset"] + rows[1]["bytes"] - 1] ^= 1
    (tmp_path / "s.tar").write_bytes(content)
    whole = [shards.SamplePlace.of(row).read(tmp_path) is not None for row in rows]
    assert whole == [True, False, True]
    (tmp_path / "s.tar").write_bytes(content[:700])
    with pytest.raises(UserError, match=r"s\.tar is no shard of samples .*run precompute again"):
        list(shards.words_in(tmp_path / "s.tar"))
    (tmp_path / "s.tar").unlink()
    assert shards.SamplePlace.of(rows[0]).read(tmp_path) is None


def test_what_is_no_sample_is_refused() -> None:
    for content in (b"", b"no safetensors", sample(1).to_bytes()[:-5]):
        with pytest.raises(ValueError, match="no precomputed sample"):
            TrainingSample.of_bytes(content)


def test_a_set_tells_people_counts_and_shape(tmp_path: Path) -> None:
    made = [Made(f"s{i}", sample(i), identity=f"id-{i % 3}") for i in range(7)]
    data = written(tmp_path, made, torch.zeros(8, 16), per_shard=3)
    assert (len(data), data.people, data.counts) == (7, 3, [3, 3, 1])
    assert data.latent_shape == (1, 4, 6, 6)
    assert torch.equal(data.empty_text, torch.zeros(8, 16))
