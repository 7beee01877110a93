"""One target as training reads it: what the frozen parts say of it and of its references.

It is one safetensors file (and one JSON of words beside it) in a shard, so that it can be read
alone, in the order of the shard, from a disk or over a network.
"""

from dataclasses import dataclass, fields

from safetensors.torch import load, save
from torch import Tensor

MAX_REFERENCES = 2
"""References that one draw of training shows at most; a text is kept for each number."""

TENSORS, WORDS = "safetensors", "json"
"""Endings of the two files of a sample in its shard."""


@dataclass(frozen=True, kw_only=True)
class TrainingSample:
    """T latent frames of C channels and h x w cells, K references; all on the CPU.

    `mean`, `logvar [T,C,h,w]` of the VAE's posterior (unscaled), `mask [T,h,w]` face cells as
    booleans, `landmarks [5,2]` and `box [4]` of frame 0 in training pixels; `text [V,L,D]` and
    `text_mask [V,L]` for 1 to V references (V is at most MAX_REFERENCES); `x_id [K,2,D]`,
    `clip_tokens [K,P,C]`, `embeddings [K,E]`.
    """

    mean: Tensor
    logvar: Tensor
    mask: Tensor
    landmarks: Tensor
    box: Tensor
    text: Tensor
    text_mask: Tensor
    x_id: Tensor
    clip_tokens: Tensor
    embeddings: Tensor

    @property
    def references(self) -> int:
        """How many references it has."""
        return len(self.x_id)

    def to_bytes(self) -> bytes:
        """The content of its safetensors file."""
        return save({f.name: getattr(self, f.name).contiguous() for f in fields(self)})

    @classmethod
    def of_bytes(cls, content: bytes) -> "TrainingSample":
        """The sample that `to_bytes` wrote; its dtypes are kept.

        Raises:
            ValueError: the bytes hold something else.
        """
        try:
            return cls(**load(content))
        except Exception as error:  # safetensors has a class of its own, which no module exports
            raise ValueError(f"no precomputed sample: {error}") from None


def words_of(references: int) -> range:
    """The numbers of references for which a sample with so many keeps a text: 1, or 1 and 2."""
    return range(1, min(references, MAX_REFERENCES) + 1)
