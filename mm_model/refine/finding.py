"""Who finds the faces of a clip that is refined: a pack, by a profile's or a release's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mm_model.facepack.detect import DetectionRules, chosen_faces
from mm_model.facepack.port import open_pack
from mm_model.refine.port import FindFaces


class FinderRules(DetectionRules, Protocol):
    """Rules, and the side of the detector's input in pixels."""

    @property
    def detection_size(self) -> int: ...


def finder(facepack: Path, rules: FinderRules, threads: int) -> FindFaces:
    """The faces of a picture by the pack of a folder.

    Raises:
        UserError: the folder holds no pack.
    """
    pack = open_pack(facepack, rules.detection_size, threads)
    return lambda picture: chosen_faces(pack, picture, rules).faces
