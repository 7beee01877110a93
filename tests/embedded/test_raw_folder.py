"""The raw source folder: complete, reproducible, honest about every fault."""

import io
import json

import av
import cv2
import numpy as np
import pytest

from mm_model.embedded.people import faults
from mm_model.embedded.people.caption import CAPTION_WORDS
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import ShotSetup
from mm_model.embedded.people.sources import MARK, subject_name, write_sources
from mm_model.errors import UserError

ARGUMENTS = {
    "people": range(10_000, 10_004),
    "photos_per_person": 2,
    "clips_per_person": 1,
    "size": 64,
    "num_frames": 9,
    "fps": 8,
    "fault_rate": 0.1,
    "seed": 5,
}


def _decode(data):
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        return [f.to_ndarray(format="rgb24") for f in container.decode(stream)]


def _files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "sources"
    seen = []
    mark = write_sources(folder, **ARGUMENTS, progress=lambda done, all_: seen.append((done, all_)))
    assert seen == [(i, 4) for i in range(1, 5)]
    return folder, mark


def test_the_mark_names_every_file_and_every_file_has_a_caption(sources):
    folder, mark = sources
    assert json.loads((folder / MARK).read_text()) == mark
    assert mark["generator"] == "mm_model.world"
    assert mark["people"] == [10_000, 10_003]
    files = set(_files(folder)) - {MARK}
    media = {f for f in files if not f.endswith(".txt")}
    assert media == set(mark["files"])
    assert files - media == {f.rsplit(".", 1)[0] + ".txt" for f in media}
    for name, truth in mark["files"].items():
        words = (folder / name).with_suffix(".txt").read_text().split()
        assert set(words) <= set(CAPTION_WORDS)
        assert truth["subject"] == name.split("/")[0] == subject_name(truth["person"])
        assert truth["category"] == person(truth["person"]).category


def test_good_files_are_as_many_as_asked_and_every_fault_occurs(sources):
    _, mark = sources
    truths = list(mark["files"].values())
    good = [t for t in truths if t["expected"] == "kept"]
    assert sum(t["media"] == "photo" for t in good) == 8
    assert sum(t["media"] == "clip" for t in good) == 4
    for media, known in (("photo", faults.PHOTO_FAULTS), ("clip", faults.CLIP_FAULTS)):
        found = {t["expected"] for t in truths if t["media"] == media} - {"kept"}
        assert found == set(known)
    assert set(faults.PHOTO_FAULTS) | set(faults.CLIP_FAULTS) == set(faults.FAULTS)


def test_media_decode_unless_truncated_and_copies_are_exact(sources):
    folder, mark = sources
    for name, truth in mark["files"].items():
        data = (folder / name).read_bytes()
        if truth["expected"] == "truncated":
            if truth["media"] == "clip":
                with pytest.raises(av.error.FFmpegError):
                    _decode(data)
            continue
        if truth["media"] == "clip":
            frames = _decode(data)
            assert len(frames) == 9
            assert frames[0].shape == (64, 64, 3)
        else:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert image.shape == (64, 64, 3)
        if truth["expected"] == "duplicate":
            assert data == (folder / truth["copy_of"]).read_bytes()


def test_same_arguments_same_bytes_and_another_seed_other_bytes(sources, tmp_path):
    folder, _ = sources
    write_sources(tmp_path / "again", **ARGUMENTS)
    assert _files(tmp_path / "again") == _files(folder)
    write_sources(tmp_path / "other", **{**ARGUMENTS, "seed": 6})
    assert _files(tmp_path / "other") != _files(folder)


def test_without_a_fault_rate_everything_is_good(tmp_path):
    mark = write_sources(tmp_path / "clean", **{**ARGUMENTS, "fault_rate": 0.0})
    assert {t["expected"] for t in mark["files"].values()} == {"kept"}


def test_a_failure_leaves_nothing_behind(tmp_path):
    def stop(done, subjects):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sources(tmp_path / "half", **ARGUMENTS, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"people": [10_000]}, "people"),
        ({"people": [10_000, 10_000]}, "people"),
        ({"size": 63}, "size"),
        ({"fault_rate": 1.5}, "fault_rate"),
        ({"photos_per_person": 0, "clips_per_person": 0}, "photos_per_person"),
        ({"num_frames": 1}, "num_frames"),
    ],
)
def test_impossible_arguments_are_refused_by_name(tmp_path, change, named):
    with pytest.raises(UserError, match=named):
        write_sources(tmp_path / "s", **{**ARGUMENTS, **change})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="already holds"):
        write_sources(tmp_path, **ARGUMENTS)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_faults_do_what_their_names_say():
    rng, place = np.random.default_rng(0), ShotSetup()
    still = faults.fault_static(np.full((64, 64, 3), 120, np.uint8), 5, rng)
    assert 0 < np.abs(np.diff(still.astype(int), axis=0)).mean() < 2
    sharp = faults.fault_tiny_face(person(0), place, 64, 2, rng)
    blurred = faults.fault_blur(sharp, rng)
    assert (
        cv2.Laplacian(blurred[0], cv2.CV_64F).var()
        < 0.2 * cv2.Laplacian(sharp[0], cv2.CV_64F).var()
    )
    black, white = np.zeros((8, 64, 64, 3), np.uint8), np.full((8, 64, 64, 3), 255, np.uint8)
    jumps = np.abs(np.diff(faults.fault_cut(black, white, rng).astype(int), axis=0)).max((1, 2, 3))
    assert sorted(jumps) == [0] * 6 + [255]
    worded = faults.fault_text(black, rng)
    assert (worded[0] == worded[-1]).all()
    assert (worded[0] > 120).mean() > 0.02
    assert faults.fault_duplicate(b"abc") == b"abc"
    assert 30 <= len(faults.fault_truncated(bytes(100), rng)) <= 60
