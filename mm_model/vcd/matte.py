"""A light matte of persons: a TFLite file that says how surely each pixel belongs to one.

It was written for MediaPipe's selfie segmentation (npm: `@mediapipe/selfie_segmentation`,
Apache-2.0, 0.25 MB); the extra `matte` brings what runs it. Nothing is downloaded.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import cv2
import numpy as np

from mm_model.errors import UserError, first_line
from mm_model.store import digests
from mm_model.vcd.masks import NoMask

NAME = "matte"
ABOVE = 0.5
"""From which value on a pixel belongs to the person."""

_RUNTIME = "ai_edge_litert.interpreter"
_WAY_OUT = "name the selfie_segmentation.tflite of @mediapipe/selfie_segmentation"


class PersonMatte:
    """Everybody in a picture, by the network in `file`, on one core.

    Raises:
        UserError: the extra is not installed, or the file is no such network.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise UserError(f"{file} is no file: {_WAY_OUT}.")
        try:
            runtime = importlib.import_module(_RUNTIME)
        except ImportError:
            raise UserError(
                "A matte needs a package that is not installed: 'make matte' installs it."
            ) from None
        try:
            self._network = runtime.Interpreter(model_path=str(file), num_threads=1)
            self._network.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"{file} cannot be opened ({first_line(error)}): {_WAY_OUT}."
            ) from error
        taken, given = self._network.get_input_details(), self._network.get_output_details()
        shapes = [tuple(map(int, one["shape"])) for one in (*taken, *given)]
        if len(shapes) != 2 or [s[:1] + s[3:] for s in shapes] != [(1, 3), (1, 1)]:
            raise UserError(f"{file} takes or gives another thing than a picture: {_WAY_OUT}.")
        self._size = shapes[0][2], shapes[0][1]
        self._taken, self._given = taken[0]["index"], given[0]["index"]
        self.name = f"{NAME} ({digests.of_file(file)[:12]})"

    def mask(self, path: Path, pixels: np.ndarray) -> np.ndarray:
        """Whoever `pixels [H,W,3]` RGB uint8 show, booleans `[H,W]`; a picture of nobody has none.

        The picture is squeezed into the network's square, as MediaPipe does.
        """
        small = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        self._network.set_tensor(self._taken, small.astype(np.float32)[None] / 255)
        self._network.invoke()
        told = np.asarray(self._network.get_tensor(self._given), np.float32)[0, ..., 0]
        inside = cv2.resize(told, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR) > ABOVE
        if not inside.any():
            raise NoMask("no person is found in it")
        return np.asarray(inside)
