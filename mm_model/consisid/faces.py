"""What ConsisID is told of a face, behind a port; the published encoders are one adapter of it.

The published ones come from packages that the project does not install by itself (`make consisid`),
with weights in the checkpoint's folder `face_encoder`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mm_model.errors import UserError, first_line

FOLDER = "face_encoder"
PACKAGES = ("facexlib", "consisid_eva_clip", "torchvision")
"""What diffusers' own helpers import, beside those that are installed."""

FILES = (
    "detection_Resnet50_Final.pth",
    "parsing_bisenet.pth",
    "EVA02_CLIP_L_336_psz14_s6B.pt",
    "models/antelopev2/glintr100.onnx",
    "models/antelopev2/scrfd_10g_bnkps.onnx",
)
"""Of the published folder; the packages would fetch what is missing, and we fetch nothing."""


@dataclass(frozen=True, eq=False)
class ConsisFace:
    """One face. cond `[1,1280]`: recogniser's and EVA-CLIP's vectors. hidden: five layers of the
    latter, `[1,577,1024]` each. picture: the aligned face, points `[5,2]` in it.
    """

    cond: Tensor
    hidden: Sequence[Tensor]
    picture: Image.Image
    points: np.ndarray


class ConsisFaceReader(Protocol):
    """Frozen encoders of faces. versions: of the packages that compute it."""

    @property
    def versions(self) -> dict[str, str]: ...

    def read(self, pixels: np.ndarray) -> ConsisFace:
        """The face of a photograph, RGB uint8 `[H,W,3]`.

        Raises:
            UserError: no face is found.
        """
        ...


class PublishedFaces:
    """The published encoders by diffusers' own helpers."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        """Raises `UserError` where a package or a file is missing."""
        refuse_absent(folder)
        from diffusers.pipelines.consisid import consisid_utils

        self._helpers = consisid_utils
        self._place = (str(device), dtype)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # they print
                self._models: Any = consisid_utils.prepare_face_models(
                    str(folder), device=str(device), dtype=dtype
                )
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{folder / FOLDER} could not be loaded ({first_line(error)}): fetch it again."
            ) from error

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages of faces alone."""
        return {name: metadata.version(name) for name in PACKAGES}

    def read(self, pixels: np.ndarray) -> ConsisFace:
        """As the published example does it: the aligned face stands for the photograph."""
        detector, recognizer, clip, app, mean, deviation = self._models
        try:
            cond, hidden, picture, points = self._helpers.process_face_embeddings_infer(
                detector, clip, recognizer, mean, deviation, app, *self._place, pixels
            )
        except (RuntimeError, IndexError) as error:
            raise UserError(
                f"ConsisID's detectors found no face in the photograph ({first_line(error)}): give "
                "one that shows it larger and from the front."
            ) from error
        return ConsisFace(cond, hidden, picture, np.asarray(points))


def refuse_absent(folder: Path) -> None:
    """Raises `UserError` where a package or a file of the published encoders is missing."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        raise UserError(
            f"ConsisID needs packages that are not installed ({', '.join(absent)}): install them "
            "with 'make consisid' (without make: pip install --no-deps with the extra consisid of "
            "pyproject.toml)."
        )
    for name in FILES:
        if not (folder / FOLDER / name).is_file():
            raise UserError(
                f"{folder / FOLDER / name} is missing: fetch the whole published folder; nothing "
                "is fetched here."
            )
