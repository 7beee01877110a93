"""Face VCD: the face of a clip drawn again at the model's own size, and pasted back.

A face of few pixels has few latent cells; enlarged, it has many. Source: Magic-Me (arXiv
2402.09368), section 4.3. Its workflow samples by Euler; ours by the model's own solver.
"""

from __future__ import annotations

import numpy as np

from mm_model.refine import boxes, paste
from mm_model.refine.port import FindFaces, Redrawer, drawn_again


def face_redrawn(
    frames: np.ndarray,
    redrawer: Redrawer,
    find: FindFaces,
    strength: float,
    crop: float = boxes.CROP,
) -> tuple[np.ndarray, str]:
    """`frames [F,H,W,3]` with the face redrawn, and a note; without a face, the frames themselves.

    crop: side of what is redrawn over the face's longer side.

    Raises:
        UserError: the model cannot redraw so many frames.
    """
    track = boxes.tracked(frames, find)
    if track is None:
        return frames, "over half of the frames show no face: the clip stays as it is"
    redrawer.check(len(frames))
    path = boxes.crop_of(track, (frames.shape[1], frames.shape[2]), redrawer.size, crop)
    large = paste.resized(path.cut(frames), *redrawer.size)
    made = drawn_again(redrawer, large, strength, lambda x, t: redrawer.predict(x, t, True))
    crops = paste.resized(made, path.height, path.width)
    said = f"a face of {track.side:.0f} pixels, found in {track.found} of {len(frames)} frames"
    return paste.pasted(frames, crops, path), f"{said}, was redrawn"
