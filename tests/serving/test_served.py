"""The champion over a real socket, by the stock `mlflow models serve`."""

from __future__ import annotations

import base64
import io
import json
import threading
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mm_model.errors import UserError
from mm_model.register.served import checked_folder
from mm_model.serving import example
from mm_model.store import digests
from tests.serving.conftest import Server
from tests.serving.house import House

pytestmark = pytest.mark.capability("mlflow models serve", scale="T")


@pytest.fixture(scope="module")
def good(served_house: House) -> dict[str, Any]:
    """The example request's record, with few steps."""
    path = example.write(served_house.root / "example.json", served_house.layout)
    record = json.loads(path.read_text())["dataframe_records"][0]
    return {**record, "num_inference_steps": 3}


def frames_in(video: bytes) -> int:
    with av.open(io.BytesIO(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_the_example_request_is_served(
    server: Server, served_house: House, good: dict, tmp_path: Any
) -> None:
    written = (served_house.root / "example.json").read_bytes()
    status, body = server.post(None, raw=written)
    assert status == 200, body[:500]
    rest = example.save_reply(body, tmp_path / "reply.mp4")
    wanted = json.loads(written)["dataframe_records"][0]
    assert frames_in((tmp_path / "reply.mp4").read_bytes()) == wanted["num_frames"]
    assert rest["seed"] == wanted["seed"]
    assert (
        rest["adapter_digest"]
        == json.loads((served_house.layout.output("register") / "release.json").read_text())[
            "adapter_digest"
        ]
    )


@pytest.mark.parametrize("count", [1, 9])
def test_frames_as_asked_and_same_seed_same_bytes(server: Server, good: dict, count: int) -> None:
    videos = []
    for seed in (11, 11, 12):
        status, body = server.ask({**good, "num_frames": count, "seed": seed})
        assert status == 200, body[:500]
        videos.append(base64.b64decode(json.loads(body)["predictions"][0]["video_mp4"]))
    assert [frames_in(video) for video in videos] == [count] * 3
    assert videos[0] == videos[1]
    assert videos[0] != videos[2]


def test_requests_side_by_side_give_what_they_give_alone(server: Server, good: dict) -> None:
    alone = [server.ask({**good, "seed": seed})[1] for seed in (1, 2, 3)]
    beside: dict[int, str] = {}

    def ask(seed: int) -> None:
        beside[seed] = server.ask({**good, "seed": seed})[1]

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [beside[seed] for seed in (1, 2, 3)] == alone


def two_faces(good: dict) -> str:
    picture = Image.open(io.BytesIO(base64.b64decode(good["reference_images"][0])))
    both = Image.new("RGB", (picture.width * 2, picture.height))
    both.paste(picture, (0, 0))
    both.paste(picture, (picture.width, 0))
    buffer = io.BytesIO()
    both.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def plain_grey() -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.full((96, 96, 3), 127, np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def bad_records(good: dict) -> dict[str, dict[str, Any]]:
    sent = good["reference_images"][0]
    changes = {
        "unknown_field": {"face": sent},
        "no_consent": {"consent": ""},
        "consent_form": {"consent": "she agreed"},
        "prompt_nudity": {"prompt": "a man without clothes smiles"},
        "prompt_child": {
            "prompt": "a girl smiles",
            "consent": {"basis": "self", "evidence": "mine"},
        },
        "prompt_empty": {"prompt": "  "},
        "prompt_too_long": {"prompt": "a man " + sent[:600]},
        "prompt_subject": {"prompt": "mountains at dawn"},
        "reference_count": {"reference_images": [sent] * 5},
        "not_base64": {"reference_images": ["%" + sent]},
        "not_a_picture": {"reference_images": [base64.b64encode(b"no picture").decode()]},
        "no_face": {"reference_images": [plain_grey()]},
        "many_faces": {"reference_images": [two_faces(good)]},
        "frame_count": {"num_frames": 10},
        "steps": {"num_inference_steps": 1000},
        "guidance": {"guidance_scale": float("nan")},
        "size": {"height": 512, "width": 512},
        "seed": {"seed": -1},
        "wrong_type": {"num_frames": "nine"},
    }
    return {code: {**good, **change} for code, change in changes.items()}


def test_bad_requests_get_one_clean_sentence(server: Server, good: dict, tmp_path: Any) -> None:
    sent = "".join(good["reference_images"])
    runs = {sent[at : at + 20] for at in range(len(sent) - 19)}
    for code, record in bad_records(good).items():
        status, body = server.ask(record)
        reply = json.loads(body)
        assert (status, reply["refusal"]) == (400, code), body[:300]
        assert set(reply) == {"error_code", "message", "refusal"}
        sentence = reply["message"]
        assert sentence.endswith(".") and "\n" not in sentence and "Traceback" not in sentence
        assert "/" not in sentence.replace("8k+1", "")
        assert not any(sentence[at : at + 20] in runs for at in range(len(sentence)))
    with pytest.raises(UserError, match="refused"):
        example.save_reply(body, tmp_path / "never.mp4")
    assert not (tmp_path / "never.mp4").exists()


def test_the_log_holds_nothing_of_prompt_or_picture(server: Server, good: dict) -> None:
    server.ask({**good, "prompt": "a man with a remarkable kumquat smiles"})
    server.ask({**good, "prompt": "kumquat without anybody"})
    log = server.log.read_text()
    assert "kumquat" not in log
    assert good["reference_images"][0][:40] not in log


def as_form(form: str, record: dict[str, Any]) -> dict[str, Any]:
    if form == "dataframe_split":
        return {form: {"columns": list(record), "data": [list(record.values())]}}
    return {form: [record]}


@pytest.mark.parametrize("form", ["dataframe_records", "inputs", "instances", "dataframe_split"])
def test_a_consent_arrives_in_every_form_and_its_words_stay_apart(
    server: Server, served_house: House, good: dict, form: str
) -> None:
    given = {"basis": "synthetic", "evidence": f"drawn:{form}", "text": "told by Ada Quixby"}
    record = {**good, "num_frames": 1, "consent": given}
    status, reply = server.post(as_form(form, record))
    assert status == 200, reply[:500]
    kept = served_house.root / "work" / "likeness" / "consents.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line["text"] for line in lines if line["id"] == f"synthetic:drawn:{form}"] == [
        "told by Ada Quixby"
    ]
    assert kept.stat().st_mode & 0o777 == 0o600
    status, words = server.post(as_form(form, record | {"consent": given["text"]}))
    assert (status, json.loads(words)["refusal"]) == (400, "consent_form")
    log = server.log.read_text()
    assert "Quixby" not in reply + words + log
    database = served_house.root / "mlflow.db"
    assert b"Quixby" not in database.read_bytes()


def test_the_registered_folder_holds_no_path_and_no_pickle(served_house: House) -> None:
    mlruns = served_house.root / "mlruns"
    files = [mlruns / name for name in digests.files_below(mlruns)]
    assert any(path.name == "MLmodel" for path in files)
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".bin")]
    for path in files:
        if path.name in ("MLmodel", "model.py", "conda.yaml", "requirements.txt"):
            assert str(served_house.root) not in path.read_text()


def test_serving_leaves_the_release_as_it_was_registered(
    server: Server, served_house: House, good: dict
) -> None:
    """MLflow notes whose the folder is; Python's byte code would make the next check fail."""
    assert server.ask(good)[0] == 200
    folder = checked_folder(served_house.layout, "magic-mirror")
    assert not list(folder.rglob("__pycache__"))
