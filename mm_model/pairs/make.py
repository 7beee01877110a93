"""One synthesised reference: made, written as JPEG, read back, and looked at like any other.

What training will read is what was judged: detection and embedding see the decoded file, never
the picture in memory.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_model.decisions.pairs import MadePicture, flaw_of
from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import FacePack, unit
from mm_model.faces.row import packed
from mm_model.media.failure import MESSAGE_LIMIT
from mm_model.pairs.synthesizer import Identity, Name, open_synthesizer
from mm_model.records import Reason, Row
from mm_model.run.stage import Job
from mm_model.settings import FacesSettings
from mm_model.store import digests

JPEG_QUALITY = 95


@dataclass(frozen=True)
class Painted:
    """A picture that lies ready as JPEG at `path`, or the `problem` that there is none."""

    prompt: str
    path: Path | None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class Order:
    """One picture to be made; `key` names it, `folder` is where it is written as <key>.jpg.

    One that is `painted` already is only looked at.
    """

    key: str
    identity: Identity
    synthesizer: Name
    seed: int
    folder: Path
    rules: FacesSettings
    painted: Painted | None = None


def order_key(lasting_name: str, synthesizer: str, number: int, seed: int) -> tuple[str, int]:
    """Name and seed (63 bits) of the `number`-th picture of an identity.

    Both depend on the identity's lasting name, so other people do not change them.
    """
    text = digests.of_value([lasting_name, synthesizer, number, seed])
    return f"made-{text[:16]}", int(text[16:32], 16) >> 1


def order_of(job: Job, identity: Identity, lasting_name: str, number: int) -> Order:
    """The `number`-th picture of an identity, by the profile's synthesiser."""
    name = job.profile.pairs.synthesizer
    key, seed = order_key(lasting_name, name, number, job.profile.run.seed)
    return Order(
        key,
        identity=identity,
        synthesizer=name,
        seed=seed,
        folder=job.work / "pictures",
        rules=job.profile.faces,
    )


def make(pack: FacePack, order: Order) -> Row:
    """Make, write and judge one picture; a JSON-able row.

    `made` is false when the synthesiser cannot serve this identity; `flaw` is the reason when the
    picture shows no face, more faces than its origin or the profile allow, or could not be made.
    """
    try:
        return _made(pack, order)
    except Exception as error:
        # Whatever a library makes of this picture, the others must not suffer for it.
        return failed(order, f"{type(error).__name__}: {error}")


def failed(order: Order, message: str) -> Row:
    """The row of a picture that could not be made."""
    return _named(order, False) | {
        "flaw": str(Reason.SYS_WORKER_CRASH),
        "message": " ".join(message.split())[:MESSAGE_LIMIT],
    }


def _named(order: Order, made: bool) -> Row:
    return {"key": order.key, "identity": order.identity.name, "seed": order.seed, "made": made}


def _picture(order: Order) -> tuple[bytes, str | None, int] | None:
    """The picture as JPEG, the sample it was made from, and how many faces that shows."""
    from mm_model.media.sheet import jpeg_bytes

    if order.painted is not None and order.painted.path is not None:
        return order.painted.path.read_bytes(), order.identity.portraits[0].sample_id, 1
    synthesizer = open_synthesizer(order.synthesizer)
    made = synthesizer.make(order.identity, order.seed) if synthesizer else None
    if made is None:
        return None
    return jpeg_bytes(made.image, JPEG_QUALITY), made.origin, made.faces


def _made(pack: FacePack, order: Order) -> Row:
    from mm_model.media.images import load_image

    if order.painted is not None and order.painted.path is None:
        return failed(order, order.painted.problem or "it was not painted")
    found = _picture(order)
    row = _named(order, found is not None)
    if found is None:
        return row
    content, origin, faces = found
    # No need to wait for the disk: the stage compares digests and makes a torn picture anew.
    order.folder.mkdir(parents=True, exist_ok=True)
    (order.folder / f"{order.key}.jpg").write_bytes(content)
    image = load_image(content)
    row |= {
        "origin": origin,
        "sha256": digests.of_bytes(content),
        "flaw": None,
        "height": image.shape[0],
        "width": image.shape[1],
    }
    sighting = chosen_faces(pack, image, order.rules)
    row["faces"] = sighting.every_face
    shows = MadePicture(len(sighting.faces), sighting.every_face, max(faces, 1), sighting.missed)
    if flaw := flaw_of(shows, order.rules):
        row |= {
            "flaw": str(flaw.reason),
            "flaw_value": flaw.value,
            "flaw_threshold": flaw.threshold,
        }
    if not sighting.faces:
        return row | {"score": sighting.missed[0] if sighting.missed else None}
    face = max(sighting.faces, key=lambda found: found.area)
    embedding = unit(pack.embed(image, face))
    return row | {
        "box": face.box.astype(float).tolist(),
        "score": face.score,
        "landmarks": face.landmarks.astype(float).reshape(-1).tolist(),
        "embedding": packed(embedding, "<f4") if np.isfinite(embedding).all() else None,
    }
