"""Age and gender as an InsightFace pack's own `genderage.onnx` estimates them.

The model sees a square of 96 pixels around a face's box, 1.5 times its longer side, and gives three
numbers: one for female, one for male, and the age in hundreds of years (`Attribute` of insightface,
whose rounded answers these are before rounding). They are estimates of that model, and no facts.
"""

from typing import Any

import numpy as np

from mm_model.facepack.port import Face
from mm_model.facepack.template import around_face

NAME = "genderage.onnx"
"""How the file is called in InsightFace's packs; any file of its layout is taken."""

_REACH = 1.5  # the square's side over the box's longer side


class GenderAge:
    """The model behind the port `Attributes`."""

    def __init__(self, model: Any, digest: str) -> None:
        """`model` is insightface's loaded `Attribute`, `digest` that of its file."""
        self._model, self._digest = model, digest

    @property
    def digest(self) -> str:
        """Digest of its file."""
        return self._digest

    @property
    def session(self) -> Any:
        """The ONNX session that answers."""
        return self._model.session

    def of(self, image: np.ndarray, face: Face) -> tuple[float, float]:
        """Age in years, and the probability that the face is a woman's or a girl's (softmax)."""
        import cv2

        model = self._model
        part, landmarks = around_face(image, face.landmarks)
        box = face.moved(*(landmarks - face.landmarks)[0]).box.astype(np.float64)
        side = model.input_size[0]
        scale = side / (max(box[2] - box[0], box[3] - box[1]) * _REACH)
        shift = side / 2 - (box[:2] + box[2:]) / 2 * scale
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        crop = cv2.warpAffine(part, matrix, (side, side), borderValue=0.0)
        blob = cv2.dnn.blobFromImage(
            crop, 1 / model.input_std, (side, side), (model.input_mean,) * 3
        )
        answer = model.session.run(model.output_names, {model.input_name: blob})[0][0]
        female, male, age = np.asarray(answer, np.float64)
        return 100 * float(age), float(1 / (1 + np.exp(np.clip(male - female, -500, 500))))
