"""A second look at people who are held out on the word of a single file.

A detector also fires on animals, statues and drawings, and one of those among few held-out people
spoils the evaluation. What can be told from one file: how sure the detector is, whether it still
sees the face, and the recogniser the same one, once the picture has a wider border, and how long
the embedding is beside the others. A good statue or rendering passes all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mm_model.facepack.detect import padded, reduced
from mm_model.facepack.port import Face, FacePack, unit
from mm_model.faces.pictures import Pictures
from mm_model.faces.row import SampleTask
from mm_model.faces.track import overlap
from mm_model.records import Row

_LOWEST = 0.05  # least score of the second look: a low one is what it is for


@dataclass(frozen=True)
class SecondLook:
    """One sample to be looked at again; picklable. `frame` and `pad` are those of its face."""

    task: SampleTask
    frame: int
    pad: float
    face: Face


def look_again(pack: FacePack, order: SecondLook) -> Row:
    """`bordered_score` and `bordered_cosine` of the face in a wider border; 0 when it is gone.

    The border is the widest of the profile's on top of the one that the face was found with. Both
    are None where the file cannot be looked at again.
    """
    task = order.task
    pictures = Pictures(task.path, task.media, task.num_frames, task.width, task.height)
    try:
        _, image = next(pictures.at([order.frame]))
        view, factor = reduced(image)
        wider, border = padded(view, order.pad + max(task.rules.pads, default=0.25))
        own = order.face.enlarged(1 / factor).moved(border, border)
        found = pack.detect(wider, _LOWEST)
        again = max(found, key=lambda face: overlap(face.box, own.box), default=None)
        if again is None or not overlap(again.box, own.box) > 0:
            return {"bordered_score": 0.0, "bordered_cosine": 0.0}
        first, second = unit(pack.embed(wider, own)), unit(pack.embed(wider, again))
        cosine = float(first @ second)
    except Exception:  # the first look's result stands
        return {"bordered_score": None, "bordered_cosine": None}
    return {"bordered_score": again.score, "bordered_cosine": cosine}


def doubt(row: Mapping[str, Any], rules: Any, usual_norm: float) -> str | None:
    """Why a file may show no real person, as a clause with its measure; None when nothing does.

    `row` holds the measured columns of faces; `usual_norm` is the median length of an embedding.
    """
    score, bordered = row["detection_score"], row.get("bordered_score")
    if score < rules.doubtful_score:
        return f"detection score {score:.2f}"
    if bordered is not None and bordered < rules.doubtful_score:
        return f"detection score {bordered:.2f} in a wider border"
    cosine = row.get("bordered_cosine")
    if cosine is not None and cosine < rules.cluster_above:
        return f"cosine {cosine:.2f} to itself in a wider border"
    norm = row["embedding_norm"]
    if norm is not None and np.isfinite(usual_norm) and norm < rules.doubtful_norm * usual_norm:
        return f"embedding {norm:.1f} long, usual is {usual_norm:.1f}"
    return None
