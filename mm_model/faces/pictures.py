"""The pictures of one verified sample, read a few at a time: a still is a clip of one frame.

Memory is bounded: a long clip is decoded in portions. Reads files that `ingest` has verified;
nothing untrusted is opened here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_PORTION_BYTES = 256 << 20


@dataclass
class Pictures:
    """Pictures of the sample at `path`; `media` is `image` or `clip`, sizes in pixels."""

    path: Path
    media: str
    num_frames: int
    width: int
    height: int
    _held: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def at(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """(index, RGB uint8 [H, W, 3]) of the frames at ascending `indices`, oriented upright.

        Raises:
            mm_model.media.failure.MediaError: the file can no longer be decoded.
        """
        portion = max(1, _PORTION_BYTES // max(1, self.width * self.height * 3))
        for start in range(0, len(indices), portion):
            wanted = list(indices[start : start + portion])
            if any(index not in self._held for index in wanted):
                self._held = {}  # let go before more is read
                self._held = dict(zip(wanted, self._read(wanted), strict=True))
            for index in wanted:
                yield index, self._held[index]

    def _read(self, indices: list[int]) -> Sequence[np.ndarray]:
        if self.media == "image":
            from mm_model.media.images import MAX_PIXELS, load_image

            most = max(MAX_PIXELS, self.width * self.height)
            image = load_image(self.path, most, known_whole=True)
            return [image] * len(indices)
        from mm_model.media.decode import read_frames

        return list(read_frames(self.path, indices))
