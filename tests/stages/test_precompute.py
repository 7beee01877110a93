"""What training is given: computed once, kept by content, the same after a kill or from nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mm_model.errors import UserError
from mm_model.precompute.encode import Encoder
from mm_model.precompute.shards import words_in
from mm_model.store import digests, tables
from mm_model.store.layout import Layout
from mm_model.train.shards import ShardSet
from tests.precomputed import read
from tests.stages.conftest import edit_profile, run_stage

LEADING = ("sources", "ingest", "faces", "pairs")


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A root whose pairs are made: three drawn people to learn from, pictures and clips."""
    from tests.stages.conftest import small_root

    place = small_root.__wrapped__(tmp_path_factory.mktemp("paired"), root)
    edit_profile(place, **{"run.threads": 1, "precompute.shard_mb": 1})
    for stage in LEADING:
        run_stage(place, stage)
    return place


@pytest.fixture
def place(paired: Path, tmp_path: Path) -> Path:
    """A copy of the root, for changing."""
    return Path(shutil.copytree(paired, tmp_path / "copy"))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Ids of the targets that were encoded, as often as they were."""
    found: list[str] = []
    whole = Encoder.samples

    def counting(self: Encoder, targets: list) -> list:
        found.extend(one.sample_id for one in targets)
        assert self.backbone.vae.use_tiling == self.rules.vae_tiling
        return whole(self, targets)

    monkeypatch.setattr(Encoder, "samples", counting)
    yield found


def made(place: Path) -> str:
    """Run the stage; the digest of its output."""
    run_stage(place, "precompute")
    return digests.of_folder(out(place))


def out(place: Path) -> Path:
    return Layout(place, "tiny").output("precompute")


def ids(place: Path, name: str) -> list[str]:
    return [row["sample_id"] for row in tables.records(out(place) / f"{name}.parquet")]


PROBES = 2
"""The first target of each set is encoded once more, to know how large samples are."""


def test_every_target_is_encoded_once_a_set(place: Path, encoded: list[str]) -> None:
    made(place)
    pairs = tables.records(out(place).parent / "pairs" / "pairs.parquet")
    kept = [row for row in pairs if row["status"] == "kept" and row["split"] == "train"]
    clips = {row["target"] for row in kept if row["media"] == "clip"}
    assert ids(place, "pictures") == sorted({row["target"] for row in kept})
    assert ids(place, "clips") == sorted(clips) and clips
    assert len(encoded) == len(ids(place, "pictures")) + len(clips) + PROBES
    shards = [path for name in ("pictures", "clips") for path in (out(place) / name).iterdir()]
    assert len(shards) > 2 and all(path.stat().st_size < 1.2 * 2**20 for path in shards)


def test_a_second_run_encodes_nothing_and_writes_the_same(place: Path, encoded: list[str]) -> None:
    first = made(place)
    encoded.clear()
    assert made(place) == first
    shutil.rmtree(place / "work" / "tiny" / "precompute")  # no shard of the work folder is left
    assert made(place) == first
    assert len(encoded) == 2 * PROBES


def test_a_run_from_nothing_writes_the_same_as_one_that_knew_a_part(
    place: Path, encoded: list[str]
) -> None:
    """Another caption: one target is encoded anew, in both sets as it is a clip. Alone in its batch
    it may differ by rounding.
    """
    made(place)
    encoded.clear()
    path = place / "data" / "tiny" / "ingest" / "samples.parquet"
    rows = tables.read(path)
    clip = ids(place, "clips")[0]
    rows.loc[rows["sample_id"] == clip, "caption"] = "a man does something else altogether"
    rows.to_parquet(path)
    _seal(place, "ingest")
    made(place)
    assert sorted(set(encoded)) == sorted({clip, ids(place, "pictures")[0], ids(place, "clips")[0]})
    known = {name: read(ShardSet(out(place), name), 1.0) for name in ("pictures", "clips")}
    shutil.rmtree(place / "work")
    made(place)
    for name, before in known.items():
        after = read(ShardSet(out(place), name), 1.0)
        assert [vars(row)["key"] for row in before.targets] == [row.key for row in after.targets]
        for one, other in zip(before.samples, after.samples, strict=True):
            for field, value in vars(one).items():
                assert torch.allclose(value, getattr(other, field), atol=1e-4), field


@pytest.mark.parametrize(
    "setting",
    [
        {"precompute.dtype": "bfloat16"},
        {"precompute.vae_tiling": True},
        {"model.crop_margin": 1.9},
        {"model.reference_margin": 1.2},
        {"run.dtype": "bfloat16"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_setting_that_changes_samples_takes_up_none(
    place: Path, encoded: list[str], setting: dict
) -> None:
    made(place)
    number = len(encoded)
    edit_profile(place, **setting)
    encoded.clear()
    made(place)
    assert len(encoded) == number


def test_another_size_of_shards_encodes_nothing(place: Path, encoded: list[str]) -> None:
    made(place)
    encoded.clear()
    edit_profile(place, **{"precompute.shard_mb": 2, "precompute.text_batch": 2})
    made(place)
    assert len(encoded) == PROBES


class _Killed(BaseException):
    pass


def test_a_run_that_was_killed_goes_on_with_whole_shards(
    place: Path,
    encoded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    other = Path(shutil.copytree(place, place.parent / "other"))
    straight = made(other)
    encoded.clear()
    whole, left = Encoder.samples, [3]

    def dying(self: Encoder, targets: list) -> list:
        left[0] -= 1
        if left[0] < 0:
            raise _Killed
        return whole(self, targets)

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "samples", dying)
        with pytest.raises(_Killed):
            made(place)
    folders = (place / "work" / "tiny" / "precompute").glob("*/checkpoints/pictures/*.tar")
    *left_whole, damaged = sorted(folders)
    whole_shards = [row["sample_id"] for path in left_whole for row in words_in(path)]
    damaged.write_bytes(damaged.read_bytes()[:-1000])
    encoded.clear()
    capsys.readouterr()
    assert made(place) == straight
    said = capsys.readouterr().out
    assert f"{damaged.name} of the work folder" in said and said.count("is made again") == 1
    pictures = encoded[1 : encoded.index(ids(place, "clips")[0], 1)]
    assert whole_shards and not set(pictures) & set(whole_shards)


def test_damaged_samples_of_the_run_before_are_made_again(place: Path, encoded: list[str]) -> None:
    first = made(place)
    kept = Layout(place, "tiny").precomputed
    shutil.rmtree(place / "work" / "tiny" / "precompute")
    damaged = sorted((kept / "pictures").iterdir())[0]
    content = damaged.read_bytes()
    damaged.unlink()  # a second name of the output's own file: that one stays
    damaged.write_bytes(bytes(byte ^ 255 for byte in content))
    (kept / "clips.parquet").write_bytes(b"no table")
    encoded.clear()
    assert made(place) == first
    assert len(encoded) > PROBES


def test_photographs_alone_make_a_set_without_clips(place: Path) -> None:
    path = place / "data" / "tiny" / "pairs" / "pairs.parquet"
    rows = tables.read(path)
    rows[rows["media"] == "image"].to_parquet(path)
    _seal(place, "pairs")
    made(place)
    assert ids(place, "pictures") and not ids(place, "clips")
    with pytest.raises(UserError, match=r"no kept training pair for the set 'clips'"):
        _finetune(place)


def test_nobody_to_learn_from_is_said(place: Path) -> None:
    path = place / "data" / "tiny" / "pairs" / "pairs.parquet"
    tables.read(path).iloc[:0].to_parquet(path)
    _seal(place, "pairs")
    with pytest.raises(UserError, match=r"no kept training pair of image or clip"):
        made(place)


def _seal(place: Path, stage: str) -> None:
    """Give a changed output a manifest that fits it."""
    from mm_model.store import manifest

    folder = place / "data" / "tiny" / stage
    manifest.seal(folder, manifest.read(folder))


def _finetune(place: Path) -> None:
    from types import SimpleNamespace

    from mm_model.settings import load_profile
    from mm_model.train.shards import ShardSet
    from mm_model.train.stage import _refuse_few

    job = SimpleNamespace(stage=SimpleNamespace(name="finetune"))
    _refuse_few(job, load_profile(place, "tiny").finetune, ShardSet(out(place), "clips"))


def test_the_bytes_of_the_work_do_not_stand_twice(place: Path) -> None:
    """Work, output and what is kept are names of one file, as far as the file system has that."""
    made(place)
    kept = Layout(place, "tiny").precomputed
    for path in (out(place) / "pictures").iterdir():
        assert path.samefile(kept / "pictures" / path.name)
