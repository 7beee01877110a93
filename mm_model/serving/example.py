"""An example request from a held-out procedural person, and how to keep the video of a reply.

The person is drawn here, belongs to no training set and needs no one's consent. Nothing is sent.
"""

import base64
import binascii
import json
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.settings import Profile, load_profile
from mm_model.store import atomic
from mm_model.store.atomic import Document
from mm_model.store.consents import Basis
from mm_model.store.layout import Layout

_SIZE = 128
_REFERENCES = 2
_SEED = 7
_ADULTS = ("man", "woman")


def default_path(layout: Layout) -> Path:
    """Where the command puts the example."""
    return layout.root / "work" / layout.profile / "example-request.json"


def write(path: Path, layout: Layout) -> Path:
    """Write the body of one POST to /invocations to `path`; equal profiles give equal bytes."""
    body = {"dataframe_records": [record(load_profile(layout.root, layout.profile))]}
    atomic.write_json(path, body)
    return path


def record(profile: Profile, action: str = "smiles") -> Document:
    """A record that shows the first held-out adult and asks for `action`."""
    from mm_model.embedded.people.caption import caption
    from mm_model.embedded.people.people import person
    from mm_model.embedded.people.split import HELD_OUT_PEOPLE

    people = ((seed, person(seed)) for seed in HELD_OUT_PEOPLE)
    seed, somebody = next(found for found in people if found[1].category in _ADULTS)
    height, width = profile.serve.sizes[0]
    return {
        "prompt": caption(somebody, action),
        "reference_images": [
            base64.b64encode(picture).decode("ascii") for picture in _pictures(somebody)
        ],
        "consent": {"basis": Basis.SYNTHETIC.value, "evidence": f"drawn:person-{seed}"},
        "num_frames": min(profile.model.num_frames, profile.serve.max_frames),
        "num_inference_steps": profile.serve.default_steps,
        "guidance_scale": profile.serve.default_guidance,
        "height": height,
        "width": width,
        "seed": _SEED,
    }


def _pictures(somebody: Any) -> list[bytes]:
    """Two photographs as PNG files, with the face in full view."""
    import numpy as np

    from mm_model.embedded.people.clips import photograph
    from mm_model.media.encode import png_bytes

    rng = np.random.default_rng(_SEED)
    found: list[bytes] = []
    while len(found) < _REFERENCES:
        frame = photograph(somebody, rng, _SIZE)
        if frame.visible and abs(frame.pose.yaw) < 20:
            found.append(png_bytes(frame.image))
    return found


def save_reply(reply: str | bytes, path: Path) -> Document:
    """Write the video of a reply (the body as received) to `path`, or where that ends in .png the
    picture of one frame; return the rest of the reply.

    Raises:
        UserError: the reply is a refusal, or no reply of this model.
    """
    try:
        said = json.loads(reply)
    except (ValueError, RecursionError):
        raise UserError("The reply is not JSON: was the request sent to /invocations?") from None
    if isinstance(said, dict) and "message" in said:
        raise UserError(f"The request was refused: {said['message']}")
    rows = said["predictions"] if isinstance(said, dict) and "predictions" in said else said
    try:
        rest = dict(rows[0])
        video = base64.b64decode(rest.pop("video_mp4"), validate=True)
        picture = base64.b64decode(rest.pop("picture_png", ""), validate=True)
    except (TypeError, KeyError, IndexError, ValueError, binascii.Error):
        raise UserError("The reply holds no video_mp4: it is not from this model.") from None
    if path.suffix == ".png" and not picture:
        raise UserError(
            f"{path} is the name of a picture, and the reply is a clip: name one that ends in .mp4."
        )
    atomic.write_bytes(path, picture if path.suffix == ".png" else video)
    return rest
