"""Reference pictures of the pairs stage, as the identity encoder's frozen features.

A reference key names a picture or a clip's frame in the folders of `ingest` or `pairs`; faces come
from `references.parquet`, so no detector runs here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mm_model.errors import UserError
from mm_model.facepack.port import face_of
from mm_model.generation.backbone import Backbone
from mm_model.generation.references import inputs_of
from mm_model.nn.identity.portrait import Photograph
from mm_model.rows import Row
from mm_model.store.lookup import Lookup

_BATCH = 32
_POINTS = tuple(f"{axis}{point}" for point in range(5) for axis in ("kx", "ky"))
_COLUMNS = ("reference_file", "x1", "y1", "x2", "y2", "score", *_POINTS)


def read_reference(inputs: dict[str, Path], file: str) -> np.ndarray:
    """RGB pixels `[H,W,3]` of a reference file such as `ingest:files/<id>.mp4#frame=3`.

    Raises:
        UserError: the name has another form, or its stage is not an input.
    """
    stage, _, rest = file.partition(":")
    name, _, frame = rest.partition("#frame=")
    if stage not in inputs or not name:
        raise UserError(f"Reference '{file}' is not of the form stage:path: run pairs again.")
    path = inputs[stage] / name
    if frame:
        from mm_model.media.decode import read_frames

        return read_frames(path, [int(frame)])[0]
    from mm_model.media.images import load_image

    return load_image(path)


@dataclass(frozen=True)
class ReferenceBook:
    """References by key."""

    inputs: dict[str, Path]
    backbone: Backbone
    table: Lookup

    @classmethod
    def open(cls, inputs: dict[str, Path], backbone: Backbone) -> "ReferenceBook":
        """Read `references.parquet` of the pairs stage."""
        path = inputs["pairs"] / "references.parquet"
        return cls(inputs, backbone, Lookup(path, "reference", _COLUMNS))

    def row(self, key: str) -> Row:
        """What the table says of one reference: its file and its face.

        Raises:
            UserError: the table does not hold it.
        """
        if key not in self.table:
            raise UserError(f"Reference '{key}' is not in references.parquet: run pairs again.")
        return self.table.row(key)

    def seen(self, key: str) -> Photograph:
        """The picture of one reference with its face."""
        row = self.row(key)
        return Photograph.of(read_reference(self.inputs, row["reference_file"]), face_of(row))

    def features(self, keys: Sequence[str], margin: float | None) -> dict[str, Tensor]:
        """`x_id [M,2,D]`, `clip_tokens [M,P,C]`, `embeddings [M,E]` of the M `keys`, float32.

        `margin` is the adapter's. One picture is held at a time.
        """
        encoder = self.backbone.identity_encoder
        found: dict[str, list[Tensor]] = {"x_id": [], "clip_tokens": [], "embeddings": []}
        for start in range(0, len(keys), _BATCH):
            given = [
                inputs_of([self.seen(key)], margin, encoder.image_size)
                for key in keys[start : start + _BATCH]
            ]
            embedding = encoder.embed(torch.stack([one.aligned for one in given]))
            said = encoder.features(torch.stack([one.pixels for one in given]), embedding)
            found["x_id"].append(said.x_id[:, 0].float().cpu())
            found["clip_tokens"].append(said.clip_tokens[:, 0].float().cpu())
            found["embeddings"].append(embedding[:, 0].float().cpu())
        return {name: torch.cat(parts) for name, parts in found.items()}
