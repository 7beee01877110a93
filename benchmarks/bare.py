"""A bare loop over files: decode, detect, embed, and nothing else. What a stage is compared with.

As many processes as the stage has, one thread each, the same decoders and the same face pack.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.run.pools.port import Pool
from mm_model.run.pools.table import open_pool


class Opened:
    """Opens a face pack in a worker; picklable."""

    def __init__(self, pack: Path, size: int) -> None:
        self.pack, self.size = pack, size

    def __call__(self) -> Any:
        import cv2

        from mm_model.facepack.port import open_pack

        cv2.setNumThreads(1)
        return open_pack(self.pack, self.size, threads=1)


def pool(pack: Path, size: int, processes: int) -> Pool:
    """Processes with the pack; close it."""
    return open_pool(Opened(pack, size), processes)


def look(pack: Any, path: Path) -> int:
    """Decode every frame, detect in each, embed five; the number of faces."""
    return _looked(pack, path, lambda frame: pack.detect(frame, 0.5))


@dataclass(frozen=True)
class LookAsRules:
    """As `look`, but with the second looks that the rules ask for: borders, where none or only a
    small face was found. Picklable."""

    rules: Any

    def __call__(self, pack: Any, path: Path) -> int:
        """The number of faces."""
        from mm_model.facepack.detect import chosen_faces

        return _looked(pack, path, lambda frame: chosen_faces(pack, frame, self.rules).faces)


def _looked(pack: Any, path: Path, detect: Callable[[Any], Sequence[Any]]) -> int:
    from mm_model.faces.track import spread

    found = []
    for frame in decoded(path, known_whole=True):
        faces = detect(frame)
        if faces:
            found.append((frame, faces[0]))
    for place in spread(len(found), 5):
        pack.embed(*found[place])
    return len(found)


def decode(_: Any, path: Path) -> int:
    """Decode every frame; how many there are."""
    return len(decoded(path))


def decoded(path: Path, known_whole: bool = False) -> Sequence[Any]:
    """Every frame of a photograph or clip, uint8 [H, W, 3] RGB; of `faces`, known to be whole."""
    if path.suffix == ".mp4":
        from mm_model.media.decode import read_frames

        number = 49
        return list(read_frames(path, list(range(number))))
    from mm_model.media.images import load_image

    return [load_image(path, known_whole=known_whole)]
