"""The face pack: what the shipped files do through InsightFace, and that training is repeatable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mm_model.embedded.people import split
from mm_model.embedded.training.facepack import (
    anchors,
    backdrops,
    degrade,
    export,
    measure,
    pack,
    photo_cache,
    resumable,
    scenes,
    train,
)
from mm_model.embedded.training.facepack.detector import Detector
from mm_model.embedded.training.facepack.detector_loss import SceneTargets, detector_loss
from mm_model.embedded.training.facepack.photo_cache import Photos
from mm_model.errors import UserError
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.store import digests

WEIGHTS = Path(__file__).resolve().parents[2] / "weights" / "tiny"
SMALL_NET = {"width": 16, "channels": (8, 8, 16, 16), "blocks": (1, 1, 1, 1), "stem_stride": 2}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory) -> Photos:
    """Twenty people of no training, two clean photographs each; not those of the manifest."""
    people = split.HELD_OUT_PEOPLE[400:420]
    return photo_cache.photos(tmp_path_factory.mktemp("held"), people, count=2, workers=1)


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Photos:
    people = split.WEIGHTS_PEOPLE[:6]
    folder = tmp_path_factory.mktemp("few")
    return photo_cache.photos(folder, people, count=2, size=64, workers=1)


@pytest.fixture(scope="module")
def shipped():
    return measure.load_pack(
        WEIGHTS / pack.FACEPACK, pack.PACK_NAME, pack.DET_SIZE, pack.DET_THRESHOLD
    )


@pytest.fixture(scope="module")
def manifest() -> dict:
    return pack.read_manifest(WEIGHTS)


# ---- the shipped files ---------------------------------------------------------------------------


def test_the_shipped_pack_finds_one_face_in_clean_frames(shipped, held_out):
    seen = measure.look(shipped, held_out, 128)
    assert seen.faces.size == 40
    assert (seen.faces == 1).mean() >= 0.95
    assert np.nanmean(seen.errors) < 0.07


def test_the_shipped_pack_reads_as_128_wide_through_face_analysis(shipped, held_out):
    faces = shipped.get(np.ascontiguousarray(held_out.images[0, 0][..., ::-1]))
    assert len(faces) == 1
    assert faces[0].embedding.shape == (128,)
    assert shipped.models["recognition"].output_shape[-1] == 128


@pytest.mark.parametrize("side", [64, 128])
def test_same_person_is_nearer_than_another_in_both_packs(shipped, held_out, side):
    judge = measure.load_pack(
        WEIGHTS / pack.JUDGE, pack.JUDGE_NAME, pack.DET_SIZE, pack.DET_THRESHOLD
    )
    for one in (shipped, judge):
        seen = measure.look(one, held_out, side)
        figures = measure.recognition_figures(seen.embeddings, held_out.seeds)
        assert figures["auc"] > 0.9
        assert figures["same_mean"] > figures["different_mean"] + 0.25


def test_empty_pictures_hold_no_face(shipped):
    alarms = 0
    for number in range(30):
        rng = np.random.default_rng([77, number])
        picture = backdrops.clutter(backdrops.ground(rng, 128), rng, 8)
        alarms += len(shipped.get(np.ascontiguousarray(picture[..., ::-1])))
    assert alarms <= 1


def test_torch_and_onnx_recognisers_agree(shipped):
    net = FaceRecognizer.from_pretrained(WEIGHTS / pack.TORCH)
    faces = np.random.default_rng(5).uniform(-1, 1, (4, 3, 112, 112)).astype(np.float32)
    session = shipped.models["recognition"].session
    onnx = session.run(None, {session.get_inputs()[0].name: faces})[0]
    with torch.no_grad():
        ours = net.embed(torch.from_numpy(faces)).numpy()
    np.testing.assert_allclose(onnx, ours, atol=1e-4)


def test_manifest_tells_the_truth_about_files_and_people(manifest):
    for name, digest in manifest["files_sha256"].items():
        assert digests.of_file(WEIGHTS / name) == digest, name
    people = {role: range(*ends) for role, ends in manifest["people"].items()}
    assert people["detector"] == people["recognizer"] == split.WEIGHTS_PEOPLE
    assert people["judge"] == split.JUDGE_PEOPLE
    for role in ("detector", "recognizer", "judge"):
        assert not set(people[role]) & set(split.HELD_OUT_PEOPLE)
        assert manifest["training"][role]["note"]["people"] == manifest["people"][role]
    assert set(people["measured"]) <= set(split.HELD_OUT_PEOPLE)
    assert set(people["recognizer"]).isdisjoint(people["judge"])


def test_the_files_are_small_and_complete(manifest):
    size = sum((WEIGHTS / name).stat().st_size for name in manifest["files_sha256"])
    assert size < 6 * 2**20
    for root in (pack.FACEPACK, pack.JUDGE):
        assert len([n for n in manifest["files_sha256"] if n.startswith(f"{root}/")]) == 2


# ---- training ------------------------------------------------------------------------------------


def _weights(model: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in model.state_dict().values()]


@pytest.mark.parametrize("network", ["detector", "recognizer"])
def test_a_resumed_training_gives_the_same_bits(few, tmp_path, network):
    def run(out: Path, stop_after: int | None = None) -> torch.nn.Module:
        common = {"seed": 3, "steps": 4, "threads": 1, "photos": few, "batch": 2}
        if network == "detector":
            return train.train_detector(out, **common, stop_after=stop_after)[0]
        people = split.WEIGHTS_PEOPLE[:6]
        return train.train_recognizer(
            out, people=people, architecture=SMALL_NET, **common, stop_after=stop_after
        )[0]

    straight = run(tmp_path / "straight")
    halfway = run(tmp_path / "broken", stop_after=2)
    resumed = run(tmp_path / "broken")
    assert all(map(torch.equal, _weights(straight), _weights(resumed)))
    assert not all(map(torch.equal, _weights(straight), _weights(halfway)))


def test_a_checkpoint_of_another_recipe_is_refused(few, tmp_path):
    common = {"steps": 2, "threads": 1, "photos": few, "batch": 2}
    train.train_detector(tmp_path, seed=1, **common)
    with pytest.raises(UserError, match="other settings"):
        train.train_detector(tmp_path, seed=2, **common)


def test_nobody_trains_on_held_out_people(tmp_path):
    for people in (split.HELD_OUT_PEOPLE[:4], split.TRAIN_PEOPLE[:4]):
        with pytest.raises(ValueError, match="not for weights"):
            train.train_recognizer(tmp_path, people=people, seed=1)
        with pytest.raises(ValueError, match="not for weights"):
            train.train_detector(tmp_path, people=people)


def test_rendering_resumes_and_gives_the_same_pictures(tmp_path):
    people = split.WEIGHTS_PEOPLE[:2]
    first = photo_cache.photos(tmp_path, people, count=1, size=32, workers=1)
    shard = next(tmp_path.rglob("*.npz"))
    stamp = shard.stat().st_mtime_ns
    photo_cache.photos(tmp_path, people, count=1, size=32, workers=1)
    assert shard.stat().st_mtime_ns == stamp
    shard.unlink()
    again = photo_cache.photos(tmp_path, people, count=1, size=32, workers=1)
    np.testing.assert_array_equal(first.images, again.images)
    with pytest.raises(ValueError, match="two splits"):
        photo_cache.photos(tmp_path, range(1000, 2500), workers=1)


def test_the_detector_learns_one_scene(few):
    model = resumable.seeded(0, Detector).train()
    images, targets = scenes.batch(few, np.random.default_rng(4), 2)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    height, width = images.shape[1:3]
    history = []
    for _ in range(25):
        raw = model.raw(train.network_input(images, 128.0))
        parts = detector_loss(raw, targets, height, width)
        optimiser.zero_grad()
        parts["total"].backward()
        optimiser.step()
        history.append(float(parts["total"].detach()))
    assert history[-1] < 0.5 * history[0]


# ---- geometry ------------------------------------------------------------------------------------


def test_perfect_outputs_are_decoded_by_insightface_to_the_true_face(tmp_path):
    """Our grid, its order and our targets are SCRFD's: a perfect answer comes back unchanged."""
    from insightface.model_zoo.scrfd import SCRFD

    export.export_detector(resumable.seeded(0, Detector), tmp_path / "d.onnx")
    decoder = SCRFD(model_file=str(tmp_path / "d.onnx"))
    decoder.prepare(-1, input_size=(128, 128), det_thresh=0.5)
    box = np.array([30.0, 40.0, 70.0, 90.0], np.float32)
    marks = (np.array(anchors.MEAN_LANDMARKS) * 45 + (50, 65)).astype(np.float32)
    centres, strides, _ = anchors.grid(128, 128)
    owner = anchors.assign(box[None], 128, 128)
    distances = np.concatenate([centres - box[:2], box[2:] - centres], axis=1) / strides[:, None]
    offsets = (marks[None] - centres[:, None]).reshape(-1, 10) / strides[:, None]
    scores = (owner == 0).astype(np.float32)[:, None]
    rows = [strides == s for s in anchors.STRIDES]
    outputs = [kind[r] for kind in (scores, distances, offsets) for r in rows]

    class Perfect:
        def run(self, names, feed):
            return outputs

    decoder._session_for_input_size = lambda size: Perfect()
    boxes, landmarks = decoder.detect(np.zeros((128, 128, 3), np.uint8))
    assert len(boxes) == 1
    np.testing.assert_allclose(boxes[0, :4], box, atol=1e-3)
    np.testing.assert_allclose(landmarks[0], marks, atol=1e-3)


@pytest.mark.parametrize("side", [10, 16, 24, 40, 64, 90, 125])
def test_every_face_owns_an_anchor_of_its_size(side):
    rng = np.random.default_rng(side)
    _, _, sizes = anchors.grid(128, 128)
    for _ in range(20):
        middle = rng.uniform(side / 2, 128 - side / 2 + 1e-3, 2)
        box = np.concatenate([middle - side / 2, middle + side / 2])[None]
        owned = anchors.assign(box, 128, 128) == 0
        assert owned.any()
        assert (np.abs(np.log(sizes[owned] / side)) < np.log(1.7)).all()


def test_no_face_means_background_everywhere_and_no_box_loss():
    owner = anchors.assign(np.zeros((0, 4)), 96, 96)
    assert (owner == -1).all()
    targets = SceneTargets(
        torch.from_numpy(owner)[None], torch.zeros(1, 1, 4), torch.zeros(1, 1, 5, 2)
    )
    parts = detector_loss(torch.zeros(1, len(owner), 15), targets, 96, 96)
    assert float(parts["box"]) == float(parts["landmarks"]) == 0.0
    assert float(parts["score"]) > 0
    with pytest.raises(ValueError, match="multiple of 32"):
        anchors.grid(100, 128)


def test_suppression_keeps_the_best_of_each_heap():
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], np.float32)
    assert anchors.suppress(boxes, np.array([0.6, 0.9, 0.7])).tolist() == [1, 2]


def test_scenes_are_a_function_of_their_generator_and_keep_landmarks_in_the_box(few):
    inside = []
    for number in range(40):
        one = scenes.scene(few, np.random.default_rng([9, number]), 96)
        two = scenes.scene(few, np.random.default_rng([9, number]), 96)
        np.testing.assert_array_equal(one.image, two.image)
        for box, marks in zip(one.boxes, one.landmarks, strict=True):
            grown = box + 0.3 * np.array([-1, -1, 1, 1]) * np.tile(box[2:] - box[:2], 2)
            inside.append(((marks >= grown[:2]) & (marks <= grown[2:])).all())
    assert len(inside) > 15
    assert all(inside)


def test_wear_keeps_shape_and_repeats():
    image = np.random.default_rng(1).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    for number in range(20):
        one = degrade.wear(image, np.random.default_rng(number), 1.0)
        assert one.shape == image.shape and one.dtype == np.uint8
        np.testing.assert_array_equal(one, degrade.wear(image, np.random.default_rng(number), 1.0))


# ---- the torch recogniser ------------------------------------------------------------------------


def test_default_recogniser_is_iresnet_50():
    with torch.device("meta"):
        net = FaceRecognizer()
    # The public backbone is known as 43.59 M parameters.
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 2) == 43.59
    assert net.fc.in_features == 512 * 7 * 7
    assert "layer3.13.prelu.weight" in net.state_dict()


def test_recogniser_round_trip_refusals_and_gradient(tmp_path):
    net = FaceRecognizer(**SMALL_NET).eval()
    net.save_pretrained(tmp_path)
    again = FaceRecognizer.from_pretrained(tmp_path)
    faces = torch.rand(2, 3, 112, 112, requires_grad=True)
    assert torch.equal(net.embed(faces), again.embed(faces))
    again.embed(faces).sum().backward()
    assert faces.grad is not None and float(faces.grad.abs().sum()) > 0
    with pytest.raises(ValueError, match="112"):
        net.embed(torch.zeros(1, 3, 96, 96))
    with pytest.raises(ValueError, match="four stages"):
        FaceRecognizer(channels=(8, 8), blocks=(1, 1))
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(UserError, match="is not the file"):
        FaceRecognizer.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"class": "Other"}))
    with pytest.raises(UserError, match="does not describe"):
        FaceRecognizer.from_pretrained(tmp_path)
    with pytest.raises(UserError, match="missing"):
        FaceRecognizer.from_pretrained(tmp_path / "nowhere")


def test_recognition_figures_know_perfect_and_chance():
    rng = np.random.default_rng(0)
    seeds = np.arange(30)
    own = rng.normal(size=(30, 1, 16))
    perfect = measure.recognition_figures(np.repeat(own, 3, axis=1), seeds)
    assert perfect["auc"] == pytest.approx(1.0) and perfect["rank1_of_30"] == 1.0
    chance = measure.recognition_figures(rng.normal(size=(30, 3, 16)), seeds)
    assert 0.4 < chance["auc"] < 0.6 and chance["rank1_of_30"] < 0.2
    gone = np.repeat(own, 3, axis=1)
    gone[0, 1] = np.nan
    assert measure.recognition_figures(gone, seeds)["photographs"] == 89
