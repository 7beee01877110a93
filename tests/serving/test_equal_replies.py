"""One request, asked again and again, gets one reply: alone and among requests of other sizes."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from mm_model.serving import example
from mm_model.settings import load_profile
from tests.serving.conftest import Server
from tests.serving.house import House, metrics

pytestmark = pytest.mark.capability("served as evaluated", scale="T")

SIZES = [[64, 64], [96, 64], [80, 80], [128, 96]]
NEIGHBOURS = 3


@pytest.fixture(scope="module")
def roomy_house(tmp_path_factory: Any, pack_and_size: Any) -> House:
    """A champion that serves several sizes."""
    house = House(tmp_path_factory.mktemp("roomy") / "root", *pack_and_size)
    path = house.root / "profiles" / "tiny.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["serve"]["sizes"] = SIZES
    path.write_text(yaml.safe_dump(profile))
    house.real_weights()
    house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
    house.register()
    return house


@pytest.fixture(scope="module")
def roomy_server(roomy_house: House) -> Iterator[Server]:
    running = Server(roomy_house.root)
    try:
        running.wait()
        yield running
    finally:
        running.stop()


def _record(house: House) -> dict[str, Any]:
    record = example.record(load_profile(house.root, "tiny"))
    return {**record, "num_inference_steps": 2, "height": 64, "width": 64}


def _enlarged(picture: str, side: int) -> str:
    opened = Image.open(io.BytesIO(base64.b64decode(picture)))
    buffer = io.BytesIO()
    opened.resize((side, side)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def others(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Requests that differ in size, frames, steps, guidance and references."""
    first = record["reference_images"][0]
    changes = [
        {"height": high, "width": wide, "num_frames": count, "num_inference_steps": steps}
        for (high, wide), count, steps in itertools.product(SIZES, (1, 9), (1, 3))
    ]
    changes += [
        {"reference_images": [first], "guidance_scale": 1.0},
        {"reference_images": [first] * 4, "seed": 8},
        {"reference_images": [_enlarged(first, side) for side in (97, 200)]},
    ]
    return [{**record, **change} for change in changes]


def frames_of(video: bytes) -> str:
    """A digest of the decoded frames."""
    with av.open(io.BytesIO(video)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return hashlib.sha256(np.stack(shown).tobytes()).hexdigest()[:16]


def ask(server: Server, record: dict[str, Any], times: int) -> set[tuple[str, str]]:
    """The replies that came: digest of the whole body and of the frames."""
    found = set()
    for _ in range(times):
        status, body = server.ask(record)
        assert status == 200, body[:500]
        video = base64.b64decode(json.loads(body)["predictions"][0]["video_mp4"])
        found.add((hashlib.sha256(body.encode()).hexdigest()[:16], frames_of(video)))
    return found


def ask_among(
    server: Server, record: dict[str, Any], times: int, neighbours: list[dict[str, Any]]
) -> set[tuple[str, str]]:
    """The same, while other threads keep asking for something else."""
    ended, refused = threading.Event(), []

    def keep_asking(start: int) -> None:
        for other in itertools.islice(itertools.cycle(neighbours), start, None):
            if ended.is_set():
                return
            status, body = server.ask(other)
            if status != 200:
                refused.append(body[:300])
                return

    spread = len(neighbours) // NEIGHBOURS
    threads = [threading.Thread(target=keep_asking, args=(i * spread,)) for i in range(NEIGHBOURS)]
    for thread in threads:
        thread.start()
    try:
        return ask(server, record, times)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        assert not refused, refused


def test_the_same_request_gets_the_same_reply(server: Server, served_house: House) -> None:
    record = _record(served_house)
    alone = ask(server, record, 8)
    neighbours = [other for other in others(record) if other["height"] == other["width"] == 64]
    assert len(alone | ask_among(server, record, 8, neighbours)) == 1


@pytest.mark.slow
@pytest.mark.endurance
def test_two_hundred_times_alone_and_among_other_sizes(
    roomy_server: Server, roomy_house: House
) -> None:
    record = _record(roomy_house)
    for size in (SIZES[0], SIZES[1]):
        asked = {**record, "height": size[0], "width": size[1]}
        alone = ask(roomy_server, asked, 200)
        among = ask_among(roomy_server, asked, 200, others(record))
        assert len(alone | among) == 1, (size, len(alone), len(among))
