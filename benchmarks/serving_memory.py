"""Memory of the door's process after 1,000 mixed requests over that after 50.

Mixed: one to four references of 64 to 3000 pixels in three formats, one and several frames, one to
three steps; one request in four is refused, some for a picture of megabytes. Two clients at a time.
"""

import argparse
import base64
import concurrent.futures
import io
import itertools
import random
from collections.abc import Iterator
from typing import Any

from benchmarks import doorstep
from benchmarks.result import Result

GOAL = 1.10
_EARLY = 50
_CLIENTS = 2
_SEED = 11


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    doorstep.add_folder(command)
    command.add_argument("--requests", type=int, default=1000, help="how many in all")


def run(options: argparse.Namespace) -> Result:
    """The ratio; both sides are taken from one process.

    Raises:
        UserError: there is no release to serve.
    """
    requests = _mixed(doorstep.record())
    statuses: dict[int, int] = {}

    def send(door: doorstep.Running, count: int) -> None:
        with concurrent.futures.ThreadPoolExecutor(_CLIENTS) as clients:
            for reply in clients.map(door.post, itertools.islice(requests, count)):
                statuses[reply.status] = statuses.get(reply.status, 0) + 1

    with doorstep.running(doorstep.release(options)) as door:
        send(door, _EARLY)
        early = door.megabytes
        for done in range(_EARLY, options.requests, 50):
            send(door, min(50, options.requests - done))
            doorstep.tell(f"after {done + 50} requests {door.megabytes:.0f} MB, {statuses}")
        late = door.megabytes
    doorstep.tell(f"after {_EARLY} requests {early:.0f} MB, after all {late:.0f} MB")
    return Result(late / early, GOAL, 1)


def _mixed(one: dict[str, Any]) -> Iterator[bytes]:
    from PIL import Image

    rng = random.Random(_SEED)
    face = Image.open(io.BytesIO(base64.b64decode(one["reference_images"][0]))).convert("RGB")
    pictures = []
    for side, kind in itertools.product((64, 128, 300, 700, 1500, 3000), ("JPEG", "PNG", "WEBP")):
        buffer = io.BytesIO()
        face.resize((side, side)).save(buffer, kind)
        pictures.append(base64.b64encode(buffer.getvalue()).decode())
    bad: list[dict[str, Any]] = [
        {"seed": -1},
        {"prompt": "mountains"},
        {"reference_images": ["AAAA"]},
        {"face": 1},
        {"reference_images": [base64.b64encode(rng.randbytes(6_000_000)).decode()] * 2},
        {"prompt": "x" * 100_000},
    ]
    while True:
        made = {
            **one,
            "reference_images": rng.choices(pictures, k=rng.randint(1, 4)),
            "num_frames": rng.choice((1, one["num_frames"])),
            "num_inference_steps": rng.randint(1, 3),
            "seed": rng.randrange(2**32),
        }
        yield doorstep.body({**made, **(rng.choice(bad) if rng.random() < 0.25 else {})})
