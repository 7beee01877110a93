"""Stage `faces` on drawn people: decisions, identities, the split, and a kill in the middle."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_ingest import Sample, faults, people, recompressed, write_ingest

from mm_model.faces import detection
from mm_model.media.sheet import jpeg_bytes
from mm_model.records import FACES_COLUMNS, TRACKS_COLUMNS
from mm_model.store import digests, tables
from tests.stages.conftest import make_job

TRAIN, HELD_OUT = [10_001, 10_002, 10_003], [50_005, 50_006]

Run = Callable[[Path, str], object]


@pytest.fixture(scope="module")
def drawn() -> list[Sample]:
    return people(TRAIN + HELD_OUT)


def _rows(place: Path) -> list[dict]:
    return tables.records(place / "data" / "tiny" / "faces" / "samples.parquet")


def _ingest(place: Path) -> Path:
    return place / "data" / "tiny" / "ingest"


def _by_folder(place: Path, edit_profile: Callable) -> None:
    """Identities from folders: what is tested then does not hang on the recogniser."""
    edit_profile(place, **{"faces.identity": "folders"})


def test_tables_tracks_and_embeddings_fit_together(
    small_root: Path, run_stage: Run, drawn: list[Sample]
) -> None:
    from safetensors.numpy import load_file

    known = write_ingest(_ingest(small_root), drawn)
    report = run_stage(small_root, "faces")
    out, rows = small_root / "data" / "tiny" / "faces", _rows(small_root)
    assert list(rows[0]) == list(FACES_COLUMNS)
    assert [row["sample_id"] for row in rows] == sorted(known)
    assert report.counts.kept >= 0.9 * len(known)
    kept = [row for row in rows if row["status"] == "kept"]
    tensors = load_file(out / "embeddings.safetensors")
    pack = json.loads((out / "pack.json").read_text())
    assert tensors["embedding"].shape == (len(kept), pack["width"])
    np.testing.assert_allclose(np.linalg.norm(tensors["embedding"], axis=1), 1, rtol=1e-5)
    assert [row["embedding_row"] for row in kept] == list(range(len(kept)))
    for place, row in enumerate(kept):
        own = tensors["frame_embedding"][tensors["frame_row"][:, 0] == place]
        assert len(own) == (5 if row["media"] == "clip" else 1)
        mean = own.mean(0) / np.linalg.norm(own.mean(0))
        np.testing.assert_allclose(tensors["embedding"][place], mean, atol=1e-5)
    tracks = tables.records(out / "tracks.parquet")
    assert list(tracks[0]) == list(TRACKS_COLUMNS)
    clips = {row["sample_id"]: row for row in kept if row["media"] == "clip"}
    for name, row in clips.items():
        frames = [track["frame"] for track in tracks if track["sample_id"] == name]
        assert len(frames) == row["frames_found"]
        assert row["frames_examined"] == 5
    eye = [(t["kx0"], t["ky0"]) for t in tracks]
    assert all(0 < x < 128 and 0 < y < 128 for x, y in eye)
    assert (out / "sheet.jpg").stat().st_size > 2000


@pytest.mark.capability("face filters", scale="T")
def test_each_fault_is_rejected_with_its_reason(small_root: Path, run_stage: Run) -> None:
    """A face blurred past recognition may as well not be found at all."""
    known = write_ingest(_ingest(small_root), people(TRAIN[:2], photos=2, clips=0) + faults())
    report = run_stage(small_root, "faces")
    for row in _rows(small_root):
        expected = known[row["sample_id"]].expected
        allowed = {
            "kept": {None},
            "FACE_BLUR": {"FACE_BLUR", "FACE_NONE"},
            "FACE_SMALL": {"FACE_SMALL", "FACE_NONE"},
        }.get(expected, {expected})
        assert row["reason"] in allowed, (row["name"], row["message"])
        if row["reason"]:
            assert row["embedding_row"] is None
            assert row["message"]
    assert report.counts.total == len(known) == 8


def test_people_are_told_apart_by_folder(
    small_root: Path, run_stage: Run, edit_profile: Callable, drawn: list[Sample]
) -> None:
    _by_folder(small_root, edit_profile)
    known = write_ingest(_ingest(small_root), drawn)
    metrics = run_stage(small_root, "faces").metrics
    assert metrics["identity_purity"] == metrics["identity_completeness"] == 1
    assert (metrics["identities_train"], metrics["identities_held_out"]) == (3, 2)
    for row in _rows(small_root):
        if row["status"] == "kept":
            assert row["split"] == known[row["sample_id"]].split


def test_a_copy_of_a_held_out_person_among_the_train_files_is_a_leak(
    small_root: Path, run_stage: Run, edit_profile: Callable
) -> None:
    held_out = people(HELD_OUT[:1], photos=3, clips=0)
    copy = recompressed(held_out[0].frames[0], 80)[None]
    leak = Sample("stolen.jpg", copy, "person_10077", "train", "LEAK_TEST_IDENTITY")
    write_ingest(_ingest(small_root), [*held_out, *people(TRAIN[:2], photos=3, clips=0), leak])
    edit_profile(small_root, **{"faces.identity": "clusters", "faces.cluster_above": 0.3})
    report = run_stage(small_root, "faces")
    rows = {row["name"]: row for row in _rows(small_root)}
    stolen = rows["stolen.jpg"]
    assert (stolen["status"], stolen["reason"]) == ("rejected", "LEAK_TEST_IDENTITY")
    assert stolen["identity"] == rows["person_50005/0.jpg"]["identity"]
    assert stolen["embedding_row"] is None
    assert any("other side" in note for note in report.notes)
    sides: dict[str, set] = {}
    for row in rows.values():
        if row["status"] == "kept":
            sides.setdefault(row["identity"], set()).add(row["split"])
    assert all(len(split) == 1 for split in sides.values())


def test_each_kept_sample_s_embedding_is_its_own_where_one_before_it_is_a_leak(
    small_root: Path, run_stage: Run, edit_profile: Callable
) -> None:
    """Held against a second look at every kept file; rows go by the digest of the file."""
    from safetensors.numpy import load_file

    from mm_model.faces.row import embeddings_of, look
    from mm_model.faces.workers import opened

    held_out = people(HELD_OUT[:1], photos=3, clips=0)
    copies = [recompressed(held_out[0].frames[0], quality)[None] for quality in range(75, 90)]
    first = min(copies, key=lambda copy: digests.of_bytes(jpeg_bytes(copy[0], 92)))
    leak = Sample("stolen.jpg", first, "person_10077", "train")
    write_ingest(_ingest(small_root), [*held_out, *people(TRAIN[:2], photos=3, clips=0), leak])
    edit_profile(small_root, **{"faces.identity": "clusters", "faces.cluster_above": 0.3})
    run_stage(small_root, "faces")
    rows = _rows(small_root)
    (place,) = [n for n, row in enumerate(rows) if row["reason"] == "LEAK_TEST_IDENTITY"]
    later = [row for row in rows[place:] if row["status"] == "kept"]
    assert len(later) >= 2, "the leak must lie before samples that are kept"
    job = make_job(small_root, "faces")
    samples = {s["sample_id"]: s for s in tables.records(_ingest(small_root) / "samples.parquet")}
    tensors = load_file(small_root / "data" / "tiny" / "faces" / "embeddings.safetensors")
    kept = [row for row in rows if row["status"] == "kept"]
    assert len(tensors["embedding"]) == len(tensors["frame_embedding"]) == len(kept)
    with opened(job.model("facepack"), job.profile.faces.detection_size, 1) as workers:
        tasks = [detection.task_of(job, samples[row["sample_id"]]) for row in kept]
        for row, seen in zip(kept, workers.run(look, tasks), strict=True):
            (own,), number = embeddings_of(seen), int(row["embedding_row"])
            np.testing.assert_allclose(tensors["embedding"][number], own, atol=1e-5)
            (frame,) = tensors["frame_embedding"][tensors["frame_row"][:, 0] == number]
            np.testing.assert_allclose(frame, own, atol=1e-5)


def test_without_a_prescribed_split_somebody_is_held_out(
    small_root: Path, run_stage: Run, edit_profile: Callable
) -> None:
    _by_folder(small_root, edit_profile)
    free = [Sample(s.name, s.frames, s.subject, None) for s in people(TRAIN, photos=2, clips=0)]
    loose = Sample("loose.jpg", people([10_009], photos=1, clips=0)[0].frames, None, None)
    write_ingest(_ingest(small_root), [*free, loose])
    report = run_stage(small_root, "faces")
    assert report.metrics["identities"] == 4
    assert report.metrics["identities_held_out"] >= 1
    assert report.metrics["identities_train"] >= 1
    assert any("no person's folder" in note for note in report.notes)


@pytest.mark.parametrize("mode", ["clusters", "folders"])
def test_who_comes_later_leaves_the_others_their_names_and_sides(
    small_root: Path, run_stage: Run, edit_profile: Callable, mode: str
) -> None:
    """Of a folder that grows: a name carries the person's noise and place in an evaluation."""
    rules = {"identity": mode, "cluster_above": 0.5, "held_out_share": 0.5}
    edit_profile(small_root, **{f"faces.{name}": value for name, value in rules.items()})
    everybody = _as_real(people(list(range(10_000, 10_012)), photos=2, clips=0), split=None)
    known = [one for one in everybody if int(str(one.subject)[-2:]) % 2]

    def told(samples: list[Sample]) -> dict[str, tuple[str, str]]:
        write_ingest(_ingest(small_root), samples)
        run_stage(small_root, "faces")
        kept = [row for row in _rows(small_root) if row["status"] == "kept"]
        return {row["name"]: (row["identity"], row["split"]) for row in kept}

    before, after = told(known), told(everybody)
    assert len(before) == len(known) and len(set(before.values())) == 6
    assert len(set(after.values())) == 12
    assert {name: after[name] for name in before} == before


def test_nobody_usable_is_an_account_and_no_crash(small_root: Path, run_stage: Run) -> None:
    write_ingest(_ingest(small_root), faults()[:1])
    report = run_stage(small_root, "faces")
    assert report.counts.line() == "1 in = 0 kept + 1 rejected (FACE_NONE 1) + 0 failed"


def _as_real(samples: list[Sample], **change: object) -> list[Sample]:
    return [Sample(**(vars(sample) | {"synthetic": False} | change)) for sample in samples]


def test_held_out_people_known_from_one_file_are_looked_at_twice(
    small_root: Path, run_stage: Run, edit_profile: Callable
) -> None:
    """Whoever the detector loses in a wider border is named; nobody is rejected for it."""
    _by_folder(small_root, edit_profile)
    alone = people(HELD_OUT, photos=1, clips=0)
    write_ingest(_ingest(small_root), _as_real([*people(TRAIN, photos=2, clips=0), *alone]))
    report = run_stage(small_root, "faces")
    looked = [row for row in _rows(small_root) if row["bordered_score"] is not None]
    assert {row["name"] for row in looked} == {sample.name for sample in alone}
    assert all(row["status"] == "kept" for row in looked)
    assert all(row["bordered_cosine"] > 0.8 for row in looked if row["bordered_score"] > 0.5)
    assert any("known from one file each" in note for note in report.notes)
    edit_profile(small_root, **{"faces.doubtful_score": 1.0})
    report = run_stage(small_root, "faces")
    (note,) = [note for note in report.notes if "doubtful" in note]
    assert all(f"{sample.name} (detection score" in note for sample in alone)
    assert report.counts.kept == 8


def test_what_a_second_look_finds_is_kept_with_the_file_it_looked_at(
    small_root: Path, run_stage: Run, edit_profile: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mm_model.faces import doubt

    def found(name: str) -> dict[str, float]:
        return {
            "bordered_score": int(name[:8], 16) / 2**32,
            "bordered_cosine": int(name[8:16], 16) / 2**32,
        }

    monkeypatch.setattr(doubt, "look_again", lambda _, order: found(order.task.sample_id))
    _by_folder(small_root, edit_profile)
    alone = people([*HELD_OUT, 50_007], photos=1, clips=0)
    known = write_ingest(
        _ingest(small_root), _as_real([*people(TRAIN[:1], photos=2, clips=0), *alone])
    )
    run_stage(small_root, "faces")
    names = [sample.name for sample in alone]
    for row in _rows(small_root):
        own = found(row["sample_id"])
        for column, value in own.items():
            expected = value if known[row["sample_id"]].name in names else None
            assert row[column] == expected, (row["name"], column)


def test_procedural_people_need_no_second_look(
    small_root: Path, run_stage: Run, edit_profile: Callable
) -> None:
    _by_folder(small_root, edit_profile)
    edit_profile(small_root, **{"faces.doubtful_score": 1.0})
    write_ingest(_ingest(small_root), people(TRAIN + HELD_OUT, photos=1, clips=0))
    report = run_stage(small_root, "faces")
    assert all(row["bordered_score"] is None for row in _rows(small_root))
    assert not any("doubtful" in note or "one file" in note for note in report.notes)


@pytest.mark.parametrize("mode", ["clusters", "folders"])
def test_albums_are_no_people(
    small_root: Path, run_stage: Run, edit_profile: Callable, mode: str
) -> None:
    """Folders that hold a file of everybody say nothing on purity, and are no identities."""
    edit_profile(small_root, **{"faces.identity": mode})
    albums = [
        Sample(
            f"album{number % 4}/{sample.name.replace('/', '-')}",
            sample.frames,
            f"album{number % 4}",
            None,
            synthetic=False,
        )
        for number, sample in enumerate(people([*TRAIN, 10_004], photos=4, clips=0))
    ]
    write_ingest(_ingest(small_root), albums)
    report = run_stage(small_root, "faces")
    assert report.metrics["folder_likeness"] < 0.5
    assert report.metrics["folders_are_people"] is False
    assert report.metrics["identity_purity"] is None
    assert not any("mix people" in note for note in report.notes)
    (note,) = [note for note in report.notes if "albums" in note]
    assert ("set faces.identity to clusters" in note) == (mode == "folders")


def test_folders_of_one_person_each_do_say_that_identities_mix_people(
    small_root: Path, run_stage: Run, edit_profile: Callable
) -> None:
    edit_profile(small_root, **{"faces.identity": "clusters", "faces.cluster_above": -0.5})
    write_ingest(_ingest(small_root), _as_real(people(TRAIN, photos=4, clips=0), split=None))
    report = run_stage(small_root, "faces")
    assert report.metrics["folder_likeness"] == 1
    assert report.metrics["identity_purity"] < 0.5
    assert any("mix people" in note and "folder" in note for note in report.notes)


def test_a_file_that_no_library_can_take_is_a_failed_row(
    small_root: Path, run_stage: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    from mm_model.facepack.insightface import InsightFacePack

    known = write_ingest(_ingest(small_root), people(TRAIN[:1], photos=3, clips=0))
    detect, calls = InsightFacePack.detect, []

    def sometimes(self: InsightFacePack, image: np.ndarray, above: float = 0.5) -> list:
        calls.append(above)
        if len(calls) == 2:
            cv2.resize(image, (0, 0))
        return detect(self, image, above)

    monkeypatch.setattr(InsightFacePack, "detect", sometimes)
    report = run_stage(small_root, "faces")
    assert report.counts.failed == {"SYS_WORKER_CRASH": 1}
    assert report.counts.total == len(known)
    assert any("could not be looked at" in note and "resize" in note for note in report.notes)


KILLED = """
import os, signal, sys
from pathlib import Path
from mm_model.faces import detection
from mm_model.faces import row as record
from mm_model.faces import stage as faces
from tests.stages.conftest import make_job

looks, measure = [], record.measure
def dying(pack, task):
    looks.append(task)
    if len(looks) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(pack, task)
record.measure, detection.SHARD = dying, 3
job = make_job(Path(sys.argv[1]), "faces")
job.out.mkdir(parents=True)
faces.run(job)
"""


def test_a_killed_run_resumes_and_gives_the_same_bytes(
    small_root: Path, tmp_path: Path, run_stage: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mm_model.faces import row as record

    write_ingest(_ingest(small_root), people(TRAIN, photos=3, clips=1))
    monkeypatch.setattr(detection, "SHARD", 3)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(small_root, undisturbed)
    run_stage(undisturbed, "faces")

    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(small_root)],
        cwd=root,
        check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    looked, measure = [], record.measure
    monkeypatch.setattr(
        record, "measure", lambda pack, task: looked.append(task) or measure(pack, task)
    )
    run_stage(small_root, "faces")
    assert len(looked) == 12 - 6
    for place in (small_root, undisturbed):
        assert (place / "data" / "tiny" / "faces" / "manifest.json").is_file()
    first, second = (
        digests.of_folder(place / "data" / "tiny" / "faces") for place in (small_root, undisturbed)
    )
    assert first == second
