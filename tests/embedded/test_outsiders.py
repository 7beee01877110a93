"""The procedural people before a real detector and a real recogniser, which never saw one."""

import cv2
import numpy as np
import pytest

from mm_model.embedded.people import faults
from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import shot
from mm_model.embedded.people.split import HELD_OUT_PEOPLE

SIDE, BORDER = 256, 32


@pytest.fixture(scope="module")
def pack(real_facepack):
    insightface = pytest.importorskip("insightface.app")
    root = real_facepack.parent.parent
    app = insightface.FaceAnalysis(
        name=real_facepack.name, root=str(root), providers=["CPUExecutionProvider"]
    )
    app.prepare(ctx_id=-1, det_size=(320, 320), det_thresh=0.5)
    return app


def _faces(pack, image):
    """Faces in a picture enlarged to SIDE pixels with a border, as the padded retry shows it."""
    big = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    big = cv2.copyMakeBorder(big, *[BORDER] * 4, cv2.BORDER_CONSTANT)
    return pack.get(np.ascontiguousarray(big[..., ::-1]))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("size", [64, 96])
def test_clean_pictures_hold_one_face_where_we_say_and_of_the_person_we_say(pack, size):
    found, errors, prints = 0, [], []
    for i in range(40):
        seed = HELD_OUT_PEOPLE[i // 2]
        frame = photograph(person(seed), np.random.default_rng([seed, i]), size)
        faces = _faces(pack, frame.image)
        found += len(faces) == 1
        if len(faces) == 1:
            points = (faces[0].kps - BORDER) * size / SIDE
            width = frame.box[2] - frame.box[0]
            errors.append(np.linalg.norm(points - frame.landmarks, axis=1).mean() / width)
            prints.append((seed, faces[0].normed_embedding))
    assert found >= 38
    assert np.mean(errors) < 0.06
    same, other = [], []
    for i, (who, a) in enumerate(prints):
        for whom, b in prints[:i]:
            (same if who == whom else other).append(float(a @ b))
    wins = np.mean([s > o for s in same for o in other])  # the area under the ROC curve
    assert wins > 0.95


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_empty_places_hold_no_face_and_two_people_hold_two(pack):
    empty = pairs = 0
    for i in range(8):
        rng = np.random.default_rng(i)
        empty += not _faces(pack, faults.fault_no_face(shot(rng), 128, 1, rng)[0])
        both = faults.fault_two_faces(
            person(50_000 + i), person(50_020 + i), shot(rng), size=128, num_frames=1, rng=rng
        )
        pairs += len(_faces(pack, both[0])) == 2
    assert empty == 8
    assert pairs >= 7
