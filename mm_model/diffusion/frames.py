"""Frame counts that the CogVideoX VAE can carry, and how latent frames map to frames.

Legal counts are 1 and 8k+1 up to a stated maximum; others are refused, because the VAE would give
back another number of frames than it took.
"""

from __future__ import annotations

from mm_model.errors import UserError

TEMPORAL_FACTOR = 4
CHUNK = 8
DEFAULT_MAXIMUM = 49


def legal_frame_counts(maximum: int = DEFAULT_MAXIMUM) -> list[int]:
    """1, 9, 17, ... up to `maximum`."""
    return [1, *range(CHUNK + 1, maximum + 1, CHUNK)]


def check_frame_count(frames: int, maximum: int = DEFAULT_MAXIMUM) -> int:
    """Return `frames`; raises `UserError` when it is not 1 or 8k+1, or above `maximum`."""
    if isinstance(frames, bool) or not isinstance(frames, int) or frames < 1:
        raise UserError(f"The number of frames must be a whole number from 1 on, not {frames!r}.")
    if frames > maximum:
        raise UserError(
            f"{frames} frames are more than this model's maximum of {maximum}; "
            f"ask for {legal_frame_counts(maximum)[-1]} or fewer."
        )
    if frames != 1 and frames % CHUNK != 1:
        legal = legal_frame_counts(maximum)
        near = min(legal, key=lambda n: (abs(n - frames), n))
        raise UserError(
            f"{frames} frames are not possible: the count must be 1 or 8k+1 "
            f"({', '.join(map(str, legal))}); the nearest is {near}."
        )
    return frames


def latent_frame_count(frames: int) -> int:
    """Number of latent frames T of a clip: (frames - 1) / 4 + 1."""
    return (frames - 1) // TEMPORAL_FACTOR + 1


def frames_of_latent(index: int) -> range:
    """Pixel frames behind latent frame `index`: 0 <- frame 0, k <- frames 4k-3..4k."""
    if index == 0:
        return range(1)
    return range(TEMPORAL_FACTOR * index - 3, TEMPORAL_FACTOR * index + 1)
