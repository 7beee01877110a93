"""What is whole at the small size and a part at a large one: the window of the identity loss.

Grids up to 16 cells are decoded whole, and there a window's left and top are both zero.
"""

from typing import Any

import numpy as np
import pytest
import torch

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.port import FacePack
from mm_model.generation.frames import encode_frames, to_tensor
from mm_model.nn.identity.align import align_faces
from mm_model.train.identity_loss import identity_loss

pytestmark = pytest.mark.slow

HEIGHT, WIDTH, SIDE = 256, 384, 128


def somebody(number: int, pack: FacePack) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photograph, and where box and landmarks lie in it."""
    image = photograph(person(50_000 + number), np.random.default_rng(number), SIDE).image
    face = pack.detect(image)[0]
    return image, face.box, face.landmarks


@pytest.mark.parametrize("left", [0, WIDTH - SIDE])
@pytest.mark.parametrize("top", [0, HEIGHT - SIDE])
def test_the_identity_loss_sees_the_face_wherever_it_stands(
    backbone: Any, pack: FacePack, left: int, top: int
) -> None:
    recognizer = backbone.identity_encoder.recognizer
    corner, references, clips, boxes, landmarks = np.array([left, top]), [], [], [], []
    for number in (1, 4):
        image, box, marks = somebody(number, pack)
        canvas = np.full((HEIGHT, WIDTH, 3), 127, np.uint8)
        canvas[top : top + SIDE, left : left + SIDE] = image
        clips.append(to_tensor(canvas[None]))
        boxes.append(torch.from_numpy(box + np.tile(corner, 2)))
        landmarks.append(torch.from_numpy(marks + corner))
        own = align_faces(to_tensor(image[None]).permute(1, 0, 2, 3), torch.from_numpy(marks)[None])
        with torch.no_grad():
            references.append(recognizer.embed(own)[0])

    def cosine(of: list[torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return identity_loss(
                latents,
                torch.ones(2),
                landmarks=torch.stack(landmarks).float(),
                boxes=torch.stack(boxes).float(),
                valid=torch.tensor([True, True]),
                reference=torch.stack(of),
                vae=backbone.vae,
                recognizer=recognizer,
            ).cosine

    latents = encode_frames(backbone, torch.stack(clips))
    own, others = cosine(references), cosine(references[::-1])
    assert own.min() > 0.5
    assert (own > others + 0.2).all()
