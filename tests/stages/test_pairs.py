"""Stage `pairs` on drawn people: who is joined with whom, at what cosine, what is synthesised."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_ingest import Sample, people, write_ingest

from mm_model.errors import UserError
from mm_model.facepack.port import face_of
from mm_model.pairs import library, synthesis
from mm_model.pairs import stage as pairs
from mm_model.pairs.report import picture_path
from mm_model.records import PAIRS_COLUMNS, REFERENCES_COLUMNS
from mm_model.run.stage import Report
from mm_model.store import digests, tables

pytestmark = pytest.mark.capability("synthetic pairs", scale="T")

TRAIN, HELD_OUT = [10_001, 10_002, 10_003], [50_005, 50_006]

Run = Callable[[Path, str], Report]


@pytest.fixture(scope="module")
def drawn() -> list[Sample]:
    return people(TRAIN + HELD_OUT, photos=3, clips=1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test leaves the outputs of `ingest` and `faces` for the others."""
    return tmp_path_factory.mktemp("finished") / "data"


@pytest.fixture
def ready(
    small_root: Path, run_stage: Run, edit_profile: Callable, drawn: list[Sample], finished: Path
) -> Path:
    """A root with `ingest` and `faces` done; identities come from folders."""
    edit_profile(
        small_root,
        **{
            "faces.identity": "folders",
            "pairs.cosine_above": 0.2,
            "pairs.synthetic_per_identity": 4,
        },
    )
    if finished.is_dir():
        shutil.copytree(finished, small_root / "data")
        return small_root
    write_ingest(small_root / "data" / "tiny" / "ingest", drawn)
    run_stage(small_root, "faces")
    shutil.copytree(small_root / "data", finished)
    return small_root


def _read(place: Path, name: str) -> list[dict]:
    return tables.records(place / "data" / "tiny" / "pairs" / f"{name}.parquet")


def _faces(place: Path) -> dict[str, dict]:
    rows = tables.records(place / "data" / "tiny" / "faces" / "samples.parquet")
    return {row["sample_id"]: row for row in rows if row["status"] == "kept"}


def test_pairs_join_one_identity_and_say_what_they_are(ready: Path, run_stage: Run) -> None:
    report = run_stage(ready, "pairs")
    rows, samples = _read(ready, "pairs"), _faces(ready)
    references = {row["reference"]: row for row in _read(ready, "references")}
    assert list(rows[0]) == list(PAIRS_COLUMNS)
    assert {row["kind"] for row in rows} == {"self_reference", "cross", "synthetic"}
    assert len({row["pair_id"] for row in rows}) == len(rows) == report.counts.total
    for row in rows:
        target = samples[row["target"]]
        assert (row["identity"], row["split"]) == (target["identity"], target["split"])
        assert row["status"] == ("kept" if row["reason"] is None else "rejected")
        source = row["reference"].partition("#")[0]
        if row["kind"] == "self_reference":
            assert source == row["target"]
        elif row["kind"] == "cross":
            assert source != row["target"]
            assert samples[source]["identity"] == row["identity"]
        if row["status"] == "kept":
            assert row["cosine"] > 0.2
            assert references[row["reference"]]["identity"] == row["identity"]
            assert references[row["reference"]]["split"] == row["split"]
    for name in samples:
        kept = [row for row in rows if row["target"] == name and row["status"] == "kept"]
        assert len(kept) <= 3


def test_held_out_people_get_real_references_only(ready: Path, run_stage: Run) -> None:
    run_stage(ready, "pairs")
    kinds = {row["kind"] for row in _read(ready, "pairs") if row["split"] == "held_out"}
    assert kinds == {"self_reference", "cross"}
    made = [row for row in _read(ready, "references") if row["reference"].startswith("made-")]
    assert made
    assert {row["split"] for row in made} == {"train"}


def test_references_lead_to_a_picture_with_the_face_where_it_says(
    ready: Path, run_stage: Run
) -> None:
    """Training needs no detector: file, frame and landmarks are all there."""
    from mm_model.media.decode import read_frames
    from mm_model.media.images import load_image

    run_stage(ready, "pairs")
    data = ready / "data" / "tiny"
    rows = _read(ready, "references")
    assert list(rows[0]) == list(REFERENCES_COLUMNS)
    forms = set()
    for row in rows:
        path, frame = picture_path(
            row["reference_file"], {"ingest": data / "ingest"}, data / "pairs"
        )
        forms.add((row["reference_file"].split(":")[0], path.suffix))
        assert frame == row["frame"]
        image = load_image(path) if frame is None else read_frames(path, [frame])[0]
        assert image.shape == (row["height"], row["width"], 3)
        found = face_of(row)
        assert (found.landmarks > 0).all()
        assert (found.landmarks < 128).all()
        assert found.landmarks[0, 0] < found.landmarks[1, 0]
    assert forms == {("ingest", ".jpg"), ("ingest", ".mp4"), ("pairs", ".jpg")}


def test_a_threshold_nobody_meets_rejects_with_the_cosine(
    ready: Path, run_stage: Run, edit_profile: Callable
) -> None:
    edit_profile(ready, **{"pairs.cosine_above": 1.0, "pairs.kinds": ["cross"]})
    report = run_stage(ready, "pairs")
    assert report.counts.kept == 0
    for row in _read(ready, "pairs"):
        assert row["reason"] == "PAIR_LOW_COSINE"
        assert row["reason_value"] == row["cosine"] <= row["reason_threshold"] == 1.0
    assert report.metrics["targets_without_pair"] == report.metrics["targets"]
    assert any("no pair" in note for note in report.notes)
    assert _read(ready, "references") == []


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    ready: Path, tmp_path: Path, run_stage: Run, edit_profile: Callable
) -> None:
    again = tmp_path / "again"
    shutil.copytree(ready, again)
    for place in (ready, again):
        run_stage(place, "pairs")
    folders = [place / "data" / "tiny" / "pairs" for place in (ready, again)]
    assert digests.of_folder(folders[0]) == digests.of_folder(folders[1])
    before = _read(again, "pairs")
    edit_profile(again, **{"run.seed": 99})
    run_stage(again, "faces")
    run_stage(again, "pairs")
    assert _read(again, "pairs") != before


def test_another_pack_than_that_of_faces_is_refused(ready: Path, make_job: Callable) -> None:
    path = ready / "data" / "tiny" / "faces" / "pack.json"
    job = make_job(ready, "pairs")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "0" * 64}))
    job.out.mkdir(parents=True)
    with pytest.raises(UserError, match="not the face pack that stage faces used"):
        pairs.run(job)


def test_the_world_serves_nobody_real_and_augment_says_where_from(
    small_root: Path, run_stage: Run, edit_profile: Callable, drawn: list[Sample]
) -> None:
    real = [Sample(s.name, s.frames, s.subject, s.split, synthetic=False) for s in drawn]
    edit_profile(
        small_root,
        **{"faces.identity": "folders", "pairs.cosine_above": 0.2, "pairs.kinds": ["synthetic"]},
    )
    write_ingest(small_root / "data" / "tiny" / "ingest", real)
    run_stage(small_root, "faces")
    report = run_stage(small_root, "pairs")
    assert report.counts.total == 0
    assert any("could not serve 3 identities" in note for note in report.notes)
    edit_profile(small_root, **{"pairs.synthesizer": "augment"})
    report = run_stage(small_root, "pairs")
    assert report.counts.kept > 0
    samples = _faces(small_root)
    for row in _read(small_root, "references"):
        assert samples[row["origin"]]["identity"] == row["identity"]


def test_a_picture_that_cannot_be_made_fails_alone(
    ready: Path, run_stage: Run, edit_profile: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's error ends up in the rows of the pairs that wanted that picture."""
    import cv2

    from mm_model.pairs.procedural import WorldSynthesizer

    drawn, made = WorldSynthesizer.make, []

    def sometimes(self: WorldSynthesizer, identity: object, seed: int) -> object:
        made.append(seed)
        if len(made) in (1, 6):
            cv2.resize(np.zeros((4, 4, 3), np.uint8), (0, 0))
        return drawn(self, identity, seed)

    monkeypatch.setattr(WorldSynthesizer, "make", sometimes)
    edit_profile(ready, **{"pairs.kinds": ["synthetic"], "pairs.per_target": 4})
    report = run_stage(ready, "pairs")
    rows = _read(ready, "pairs")
    failed = [row for row in rows if row["status"] == "failed"]
    assert len({row["reference"] for row in failed}) == 2 == report.metrics["made_failed"]
    assert report.metrics["made_pictures"] == 10
    assert report.counts.failed == {"SYS_WORKER_CRASH": len(failed)}
    assert all("resize" in row["message"] and row["reference_file"] is None for row in failed)
    assert any("2 synthesised pictures could not be made" in note for note in report.notes)
    assert not any("could not serve" in note for note in report.notes)
    assert report.counts.kept > 0


def test_measured_values_stand_in_kept_and_rejected_rows(
    ready: Path, run_stage: Run, edit_profile: Callable
) -> None:
    edit_profile(ready, **{"pairs.cosine_above": 0.8})
    report = run_stage(ready, "pairs")
    rows = _read(ready, "pairs")
    assert {row["status"] for row in rows} == {"kept", "rejected"}
    for row in rows:
        assert -1 <= row["cosine"] <= 1.0001
        assert 0.5 <= row["reference_score"] <= 1
        assert row["reference_faces"] == 1
    assert report.metrics["made_with_too_many_faces"] == report.metrics["made_without_face"] == 0


def test_a_portrait_counts_every_face_of_its_picture(ready: Path) -> None:
    """Bystanders too: a variation of the picture shows them as well, and is not thrown away."""
    data = ready / "data" / "tiny"
    table = pd.read_parquet(data / "faces" / "samples.parquet")
    place = table.index[(table["status"] == "kept") & (table["media"] == "image")][0]
    crowded = table.loc[place, "sample_id"]
    table.loc[place, ["most_faces", "bystanders"]] = [1, 2]
    table.to_parquet(data / "faces" / "samples.parquet")
    known = library.read(data / "ingest", data / "faces")
    for members in (known.portraits, known.references):
        faces = {(one.sample_id, one.faces) for group in members.values() for one in group}
        assert len(faces) == len(known.samples)
        assert {name for name, number in faces if number == 3} == {crowded}
        assert {number for name, number in faces if name != crowded} == {1}


def test_second_heads_are_counted_and_never_paired(
    small_root: Path,
    run_stage: Run,
    edit_profile: Callable,
    drawn: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A synthesiser that shows the person twice is found out by the detector."""
    from mm_model.pairs.procedural import WorldSynthesizer

    draw = WorldSynthesizer.make

    def twice(self: WorldSynthesizer, identity: object, seed: int) -> object:
        once = draw(self, identity, seed)
        return type(once)(np.concatenate([once.image, once.image], axis=1), None)

    monkeypatch.setattr(WorldSynthesizer, "make", twice)
    edit_profile(small_root, **{"pairs.kinds": ["synthetic"]})
    write_ingest(small_root / "data" / "tiny" / "ingest", drawn)
    run_stage(small_root, "faces")
    report = run_stage(small_root, "pairs")
    flawed = report.metrics["made_with_too_many_faces"]
    assert flawed >= 0.6 * report.metrics["made_pictures"]
    assert any("more faces than their origin" in note for note in report.notes)
    many = [row for row in _read(small_root, "pairs") if row["reason"] == "PAIR_MANY_FACES"]
    assert len({row["reference"] for row in many}) == flawed
    for row in many:
        assert (row["status"], row["reason_threshold"]) == ("rejected", 1)
        assert row["reason_value"] == row["reference_faces"] >= 2
        assert row["cosine"] is not None


KILLED = """
import os, signal, sys
from pathlib import Path
from mm_model.pairs import stage as pairs
from mm_model.pairs import stage as pairs
from mm_model.pairs import synthesis
from tests.stages.conftest import make_job

orders, make = [], synthesis.make
def dying(pack, order):
    orders.append(order)
    if len(orders) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return make(pack, order)
synthesis.make, synthesis.SHARD = dying, 2
job = make_job(Path(sys.argv[1]), "pairs")
job.out.mkdir(parents=True)
pairs.run(job)
"""


def test_a_killed_run_resumes_and_gives_the_same_bytes(
    ready: Path, tmp_path: Path, run_stage: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "SHARD", 2)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(ready, undisturbed)
    run_stage(undisturbed, "pairs")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(ready)],
        cwd=root,
        check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    asked, make = [], synthesis.make
    monkeypatch.setattr(
        synthesis, "make", lambda pack, order: asked.append(order) or make(pack, order)
    )
    run_stage(ready, "pairs")
    assert len(asked) == 12 - 4
    first, second = (
        digests.of_folder(place / "data" / "tiny" / "pairs") for place in (ready, undisturbed)
    )
    assert first == second


def test_figures_by_kind_are_counted_right(ready: Path, run_stage: Run) -> None:
    metrics = run_stage(ready, "pairs").metrics
    rows = _read(ready, "pairs")
    for kind in ("self_reference", "cross", "synthetic"):
        of_kind = [row for row in rows if row["kind"] == kind]
        kept = [row["cosine"] for row in of_kind if row["status"] == "kept"]
        assert metrics[f"pairs_{kind}"] == len(kept)
        np.testing.assert_allclose(metrics[f"pass_rate_{kind}"], len(kept) / len(of_kind))
        np.testing.assert_allclose(metrics[f"cosine_mean_{kind}"], np.mean(kept))
    assert metrics["identities_train"] == 3
    assert metrics["pairs_train"] + metrics["pairs_held_out"] == sum(
        row["status"] == "kept" for row in rows
    )
