"""The last value within a limit and the first beyond it; what a refusal leaves free; who waits."""

from __future__ import annotations

import base64
import errno
import io
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from mm_model.errors import UserError
from mm_model.serving import gate, mirror, model, request
from mm_model.serving.config import of_profile
from mm_model.serving.refusal import Code, Refusal
from mm_model.store import digests
from tests.serving.conftest import FakeEngine, one_face
from tests.serving.test_request import GOOD, LIMITS, PROFILE, SENT, make_mirror, refused

PARTS = {"adapter": "a", "backbone": "b", "facepack": "c"}


@pytest.mark.parametrize(
    ("field", "within", "beyond", "code"),
    [
        ("seed", 2**32 - 1, 2**32, Code.SEED),
        ("seed", 0, -1, Code.SEED),
        ("num_inference_steps", 100, 101, Code.STEPS),
        ("num_inference_steps", 1, 0, Code.STEPS),
        ("guidance_scale", 20, 20.001, Code.GUIDANCE),
        ("guidance_scale", 1, 0.999, Code.GUIDANCE),
        ("num_frames", 17, 25, Code.FRAME_COUNT),
        ("num_frames", 1, 0, Code.FRAME_COUNT),
        ("prompt", "a man " + "w" * 494, "a man " + "w" * 495, Code.PROMPT_TOO_LONG),
        ("reference_images", [SENT] * 4, [SENT] * 5, Code.REFERENCE_COUNT),
        (
            "consent",
            {"basis": "self", "evidence": "e" * 64},
            {"basis": "self", "evidence": "e" * 65},
            Code.CONSENT_FORM,
        ),
        (
            "consent",
            {"basis": "self", "evidence": "e", "text": "t" * 2000},
            {"basis": "self", "evidence": "e", "text": "t" * 2001},
            Code.CONSENT_FORM,
        ),
    ],
)
def test_the_last_value_within_a_limit_is_taken_and_the_next_refused(
    field: str, within: Any, beyond: Any, code: Code
) -> None:
    request.read(GOOD | {field: within}, LIMITS, 9)
    with pytest.raises(Refusal) as refusal:
        request.read(GOOD | {field: beyond}, LIMITS, 9)
    assert refusal.value.code == code


@pytest.mark.parametrize("most", [99, 100, 101])
def test_a_picture_s_bytes_are_counted_to_the_last(most: int) -> None:
    """Base64 comes in threes: its length alone would let up to two bytes more pass."""
    limits = LIMITS.model_copy(update={"max_reference_bytes": most})
    for size, taken in ((most, True), (most + 1, False)):
        record = GOOD | {"reference_images": [base64.b64encode(b"p" * size).decode()]}
        if taken:
            assert len(request.read(record, limits, 9).references[0]) == most
        else:
            with pytest.raises(Refusal) as refusal:
                request.read(record, limits, 9)
            assert refusal.value.code == Code.PICTURE_TOO_LARGE


@pytest.mark.parametrize(("side", "taken"), [(16, True), (15, False)])
def test_the_smallest_picture(side: int, taken: bool) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, side), (120, 90, 60)).save(buffer, "PNG")
    if taken:
        assert gate.admit((buffer.getvalue(),), one_face, 10**6, 4)[0].pixels.shape[:2] == (
            side,
            40,
        )
    else:
        with pytest.raises(Refusal, match="smaller than 16 pixels"):
            gate.admit((buffer.getvalue(),), one_face, 10**6, 4)


def test_a_model_makes_no_longer_clips_than_it_was_built_for() -> None:
    """Whatever the profile allows: the engine here was built for 17 frames."""
    limits = LIMITS.model_copy(update={"max_frames": 49})
    config = of_profile(PROFILE.model_copy(update={"serve": limits}), PARTS)
    refusal = refused(GOOD | {"num_frames": 25}, mirror.Mirror(config, one_face, FakeEngine))
    assert refusal.code == Code.FRAME_COUNT and "at most 17" in refusal.sentence


def test_nothing_is_made_before_its_consent_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    served = mirror.Mirror(of_profile(PROFILE, PARTS), one_face, lambda: engine)
    given = GOOD | {"consent": {"basis": "self", "evidence": "never-recorded"}}

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        assert refused(given, served).code == Code.CONSENT_UNRECORDED
    assert engine.calls == []


def test_a_refused_request_leaves_its_place() -> None:
    """Where no door stands in front: more refusals than places, then a good request."""
    served = make_mirror()
    for _ in range(mirror.places(LIMITS) + 1):
        assert refused(GOOD | {"reference_images": ["aGk="]}, served).code == Code.NOT_A_PICTURE
    assert served.answer(GOOD)["video_mp4"]


class Paced(FakeEngine):
    """Waits for the test in each clip, and counts how many are made at once."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Semaphore(0), threading.Event()
        self.at_once: list[int] = []
        self._now = 0

    def generate(self, *given: Any) -> np.ndarray:
        self._now += 1
        self.at_once.append(self._now)
        self.begun.release()
        self.go.wait(20)
        self._now -= 1
        return super().generate(*given)


def asked(act: Any, many: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=act, daemon=True) for _ in range(many)]
    for thread in threads:
        thread.start()
    return threads


def test_clips_are_made_one_after_another() -> None:
    """MLflow's own server calls from many threads, and an engine is not for two at once."""
    engine = Paced()
    served = mirror.Mirror(of_profile(PROFILE, PARTS), one_face, lambda: engine)
    threads = asked(lambda: served.answer(GOOD), 3)
    assert engine.begun.acquire(timeout=20)
    assert not engine.begun.acquire(timeout=0.3), "a second clip was begun"
    engine.go.set()
    for thread in threads:
        thread.join(20)
    assert engine.at_once == [1, 1, 1]


def test_without_a_door_a_full_house_and_params_are_said_as_well() -> None:
    engine = Paced()
    limits = LIMITS.model_copy(update={"waiting": 0})
    config = of_profile(PROFILE.model_copy(update={"serve": limits}), PARTS)
    served = model.MagicMirrorServed()
    served.mirror = mirror.Mirror(config, one_face, lambda: engine)
    (busy,) = asked(lambda: served.predict(None, [GOOD]), 1)
    assert engine.begun.acquire(timeout=20)
    for given, status, code in (({}, 429, "busy"), ({"seed": 3}, 400, "unknown_field")):
        with pytest.raises(MlflowException) as refusal:
            served.predict(None, [GOOD], given)
        assert refusal.value.get_http_status_code() == status
        assert f'"refusal": "{code}"' in refusal.value.serialize_as_json()
    engine.go.set()
    busy.join(20)


@pytest.mark.parametrize("part", PARTS)
def test_weights_other_than_the_registered_ones_are_not_loaded(part: str, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in PARTS}
    for folder in folders.values():
        folder.mkdir()
        (folder / "weights").write_text("registered")
    known = {name: digests.of_folder(folder) for name, folder in folders.items()}
    settings = of_profile(PROFILE, known).model_dump(mode="json")
    (folders[part] / "weights").write_text("another")
    with pytest.raises(UserError, match=f"The {part} of this model is missing or is not the one"):
        mirror.load({name: str(folder) for name, folder in folders.items()}, settings)
