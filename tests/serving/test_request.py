"""The request record: limits, types, and that no refusal quotes what was sent."""

import base64
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mm_model.facepack.detect import Sighting
from mm_model.facepack.port import Face
from mm_model.serving import gate, mirror, page, request
from mm_model.serving.config import of_profile
from mm_model.serving.refusal import Code, Refusal
from mm_model.settings import ServeSettings, load_profile
from tests.serving.conftest import FakeEngine, one_face
from tests.serving.house import ROOT

LIMITS = ServeSettings(
    max_references=4,
    max_reference_bytes=8_388_608,
    max_reference_pixels=25_000_000,
    max_prompt_characters=500,
    max_frames=17,
    max_steps=100,
    max_guidance=20,
    sizes=((64, 64),),
    default_steps=20,
    default_guidance=3.0,
    waiting=16,
    body_seconds=30,
)
PROFILE = load_profile(ROOT, "tiny").model_copy(update={"serve": LIMITS})


def picture(kind: str = "PNG", size: int = 48, seed: int = 0) -> str:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


SENT = picture()
CONSENT = {"basis": "written", "evidence": "form-17"}
GOOD = {"prompt": "a man smiles", "reference_images": [SENT], "consent": CONSENT}


def make_mirror(look=one_face) -> mirror.Mirror:
    digests = {"adapter": "a", "backbone": "b", "facepack": "c"}
    return mirror.Mirror(of_profile(PROFILE, digests), look, FakeEngine)


def refused(record: object, served: mirror.Mirror | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        (served or make_mirror()).answer(record)
    sentence = caught.value.sentence
    assert sentence.endswith(".") and "\n" not in sentence
    assert not quotes(sentence, SENT)
    return caught.value


def quotes(text: str, sent: str, run: int = 20) -> bool:
    return any(sent[at : at + run] in text for at in range(len(sent) - run + 1))


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"extra": 1}, Code.UNKNOWN_FIELD, "extra"),
        ({SENT[:400]: 1}, Code.UNKNOWN_FIELD, "only prompt"),
        ({3: 1}, Code.UNKNOWN_FIELD, "only prompt"),
        ({"consent": None}, Code.NO_CONSENT, "self, written, licence, synthetic"),
        ({"consent": "  "}, Code.NO_CONSENT, "evidence"),
        ({"consent": {}}, Code.NO_CONSENT, "basis"),
        ({"consent": True}, Code.CONSENT_FORM, "object"),
        ({"consent": float("nan")}, Code.CONSENT_FORM, "object"),
        ({"prompt": None}, Code.MISSING_FIELD, "prompt"),
        ({"prompt": ""}, Code.PROMPT_EMPTY, "prompt"),
        ({"prompt": " \u3000"}, Code.PROMPT_EMPTY, "prompt"),
        ({"prompt": float("nan")}, Code.WRONG_TYPE, "prompt"),
        ({"prompt": 7}, Code.WRONG_TYPE, "prompt"),
        ({"prompt": "a man " + "x" * 500}, Code.PROMPT_TOO_LONG, "500"),
        ({"prompt": "a man\x00 smiles"}, Code.PROMPT_CHARACTERS, "control"),
        ({"prompt": "a man \ud800"}, Code.PROMPT_CHARACTERS, "Unicode"),
        ({"reference_images": []}, Code.REFERENCE_COUNT, "1 to 4"),
        ({"reference_images": [SENT] * 5}, Code.REFERENCE_COUNT, "not 5"),
        ({"reference_images": SENT}, Code.WRONG_TYPE, "list"),
        ({"reference_images": [[SENT]]}, Code.WRONG_TYPE, "list"),
        ({"reference_images": [None]}, Code.WRONG_TYPE, "list"),
        ({"reference_images": [SENT, "!" + SENT]}, Code.NOT_BASE64, "picture 2"),
        ({"reference_images": ["data:image/png;base64," + SENT]}, Code.NOT_BASE64, "prefix"),
        ({"reference_images": ["AAAA" * 3_000_000]}, Code.PICTURE_TOO_LARGE, "larger"),
        ({"reference_images": [""]}, Code.NOT_A_PICTURE, "empty"),
        ({"reference_images": ["aGVsbG8="]}, Code.NOT_A_PICTURE, "JPEG, PNG or WebP"),
        ({"reference_images": [SENT[:400]]}, Code.NOT_A_PICTURE, "cut short"),
        ({"reference_images": [picture("GIF")]}, Code.NOT_A_PICTURE, "readable"),
        ({"reference_images": [picture(size=8)]}, Code.NOT_A_PICTURE, "smaller"),
        ({"num_frames": 10}, Code.FRAME_COUNT, "8k+1"),
        ({"num_frames": 0}, Code.FRAME_COUNT, "8k+1"),
        ({"num_frames": 25}, Code.FRAME_COUNT, "at most 17"),
        ({"num_frames": "9"}, Code.WRONG_TYPE, "num_frames"),
        ({"num_frames": 9.0}, Code.WRONG_TYPE, "num_frames"),
        ({"num_frames": True}, Code.WRONG_TYPE, "num_frames"),
        ({"num_inference_steps": 0}, Code.STEPS, "between 1 and 100"),
        ({"num_inference_steps": 101}, Code.STEPS, "between 1 and 100"),
        ({"guidance_scale": 0.5}, Code.GUIDANCE, "between 1 and 20"),
        ({"guidance_scale": float("nan")}, Code.GUIDANCE, "between"),
        ({"guidance_scale": float("inf")}, Code.GUIDANCE, "between"),
        ({"guidance_scale": 10**400}, Code.GUIDANCE, "between"),
        ({"guidance_scale": "3"}, Code.WRONG_TYPE, "guidance_scale"),
        ({"height": 65}, Code.SIZE, "64x64"),
        ({"width": 4096}, Code.SIZE, "64x64"),
        ({"seed": -1}, Code.SEED, "4294967295"),
        ({"seed": 2**70}, Code.SEED, "4294967295"),
    ],
)
def test_each_broken_rule_has_its_code_and_sentence(change: dict, code: Code, word: str) -> None:
    refusal = refused({**GOOD, **change})
    assert refusal.code == code
    assert word in refusal.sentence


@pytest.mark.parametrize("missing", ["prompt", "reference_images", "consent"])
def test_required_fields(missing: str) -> None:
    refusal = refused({name: value for name, value in GOOD.items() if name != missing})
    assert missing in refusal.sentence


@pytest.mark.parametrize(
    "handed", [[], [GOOD, GOOD], None, 3, "text", [[1, 2], [3]], pd.DataFrame()]
)
def test_anything_but_one_record_is_refused(handed: object) -> None:
    assert refused(handed).code == Code.NOT_ONE_RECORD


def test_every_form_mlflow_hands_over_is_read() -> None:
    wanted = request.read(GOOD | {"seed": 5}, LIMITS, 9)
    record = GOOD | {"seed": 5}
    columns = {name: np.array([value]) for name, value in record.items()}
    scalars = {name: np.array(value) for name, value in record.items()}
    for handed in ([record], pd.DataFrame([record]), np.array([record]), columns, scalars):
        assert request.read(handed, LIMITS, 9) == wanted


def test_no_face_and_several_faces_are_refused() -> None:
    face = one_face(np.zeros((64, 64, 3), np.uint8)).faces[0]
    assert refused(GOOD, make_mirror(lambda _: Sighting(()))).code == Code.NO_FACE
    several = refused(GOOD, make_mirror(lambda _: Sighting((face, face))))
    assert several.code == Code.MANY_FACES
    assert "2 faces" in several.sentence


def test_a_far_smaller_face_beside_the_person_is_no_second_person() -> None:
    """The detector's answer goes through the rules of the profile that was registered."""
    from mm_model.facepack.detect import chosen_faces

    def seen(*sides: float) -> mirror.Mirror:
        pack = SimpleNamespace(
            detect=lambda image, above: [
                Face(
                    np.array([300 * n, 0, 300 * n + side, side], np.float32),
                    0.9,
                    np.full((5, 2), side / 2, np.float32),
                )
                for n, side in enumerate(sides)
            ]
        )
        rules = of_profile(PROFILE, {"adapter": "a", "backbone": "b", "facepack": "c"}).detection
        return make_mirror(lambda pixels: chosen_faces(pack, pixels, rules))

    assert "far smaller faces" in seen(263, 35).answer(GOOD)["notes"][-1]
    assert "far smaller faces" in seen(35, 20, 263).answer(GOOD)["notes"][-1]
    assert not any("smaller" in note for note in seen(200).answer(GOOD)["notes"])
    assert refused(GOOD, seen(200, 50)).code == Code.MANY_FACES


@pytest.mark.parametrize("size", [(64, 300), (2_000, 400), (16, 70)])
def test_a_strip_is_refused_with_the_way_out(size: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    refusal = refused(GOOD | {"reference_images": [text]})
    assert refusal.code == Code.NOT_A_PICTURE
    assert "strip" in refusal.sentence and "crop" in refusal.sentence


def test_a_very_large_reference_is_held_reduced_with_its_face() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (6_000, 1_600), (120, 90, 60)).save(buffer, "JPEG")
    (reference,) = gate.admit((buffer.getvalue(),), one_face, 10**8, 4)
    assert max(reference.pixels.shape) == 4_096
    assert reference.face.box.max() <= 4_096


def test_a_picture_of_too_many_pixels_is_refused_by_its_header() -> None:
    with pytest.raises(Refusal, match="too many pixels"):
        gate.admit((base64.b64decode(picture(size=100)),), one_face, max_pixels=9_999, max_aspect=4)


def test_the_reply_holds_the_video_the_seed_and_the_model() -> None:
    import av

    reply = make_mirror().answer({**GOOD, "seed": 5, "num_frames": 17})
    json.dumps(reply, allow_nan=False)
    with av.open(io.BytesIO(base64.b64decode(reply["video_mp4"]))) as video:
        assert sum(1 for _ in video.decode(video=0)) == reply["num_frames"] == 17
    assert (reply["seed"], reply["fps"], reply["adapter_digest"]) == (5, 8, "a")
    again = make_mirror().answer({**GOOD, "seed": 5, "num_frames": 17})
    assert again == reply


def test_a_silent_seed_is_drawn_and_told() -> None:
    first, second = (make_mirror().answer(GOOD) for _ in range(2))
    assert first["seed"] != second["seed"]
    assert make_mirror().answer({**GOOD, "seed": first["seed"]})["video_mp4"] == first["video_mp4"]


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.just(SENT),
    st.just(SENT[:300]),
    st.binary(max_size=30),
)
VALUES = st.one_of(
    JUNK, st.lists(JUNK, max_size=5), st.dictionaries(st.text(max_size=5), JUNK, max_size=3)
)
NAMES = st.one_of(st.sampled_from(request.FIELDS), st.text(max_size=30), st.just(SENT[:200]))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.booleans())
def test_whatever_is_sent_is_served_or_refused_without_an_echo(change: dict, keep: bool) -> None:
    try:
        reply = make_mirror().answer({**GOOD, **change} if keep else change)
    except Refusal as refusal:
        assert refusal.code in Code
        assert refusal.sentence.endswith(".") and "\n" not in refusal.sentence
        assert not quotes(refusal.sentence, SENT)
    else:
        assert reply["video_mp4"]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SENT) - 1), st.integers(0, 200))
def test_damaged_pictures_are_served_or_refused(at: int, cut: int) -> None:
    damaged = bytearray(base64.b64decode(SENT))
    position = at * 3 // 4
    damaged[position % len(damaged)] ^= 0xFF
    text = base64.b64encode(bytes(damaged[: len(damaged) - cut])).decode()
    try:
        make_mirror().answer({**GOOD, "reference_images": [text]})
    except Refusal as refusal:
        assert refusal.code == Code.NOT_A_PICTURE


def test_the_example_in_the_repository_is_a_request_we_serve() -> None:
    (record,) = json.loads((ROOT / "mlflow" / "example-request.json").read_text())[
        "dataframe_records"
    ]
    limits = load_profile(ROOT, "tiny").serve
    wanted = request.read(record, limits, 9)
    assert len(gate.admit(wanted.references, one_face, 10**6, 4)) == 2


def test_the_readme_names_every_refusal_and_field() -> None:
    text = (ROOT / "mlflow" / "README.md").read_text()
    assert [code for code in Code if f"`{code}`" not in text] == []
    assert text == page.page(text), "python -m mm_model.serving.page mlflow/README.md"
    assert [name for name in request.FIELDS if f"`{name}`" not in text] == []


class WatchedEngine(FakeEngine):
    """Notes the threads in which it is loaded and used."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = {threading.get_ident()}

    def generate(self, *arguments: object) -> np.ndarray:
        self.threads.add(threading.get_ident())
        return super().generate(*arguments)


def test_one_thread_loads_the_model_and_makes_every_clip() -> None:
    """A second computing thread has OpenMP threads of its own, which slows both."""
    engines: list[WatchedEngine] = []

    def load() -> WatchedEngine:
        engines.append(WatchedEngine())
        return engines[0]

    digests = {"adapter": "a", "backbone": "b", "facepack": "c"}
    served = mirror.Mirror(of_profile(PROFILE, digests), one_face, load)
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(served.answer, [{**GOOD, "seed": seed} for seed in range(8)]))
    served.answer(GOOD)
    assert len(engines[0].calls) == 9
    assert len(engines[0].threads) == 1
    assert threading.get_ident() not in engines[0].threads
