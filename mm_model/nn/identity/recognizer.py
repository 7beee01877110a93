"""Face recognisers behind one protocol: the torch `FaceRecognizer` or an ONNX file.

Inputs are faces already aligned to 112x112. Outputs are raw embeddings: tau_id takes them as they
are, cosines need `unit` first. Detection and alignment of photographs happen elsewhere.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol, runtime_checkable

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.identity.face_recognizer import INPUT_SIZE


@runtime_checkable
class FaceEmbedder(Protocol):
    """Anything that maps aligned faces to raw embeddings."""

    width: int

    def embed(self, aligned: Tensor) -> Tensor:
        """`aligned [N,3,112,112]` RGB in [-1,1] -> raw embedding `[N,width]`."""
        ...


def unit(embedding: Tensor) -> Tensor:
    """Rows divided by their norm, for cosines; never feed these to tau_id."""
    return F.normalize(embedding.float(), dim=-1)


def recognizer_digest(recognizer: FaceEmbedder) -> str:
    """SHA-256 that identifies a recogniser: of its file, or of its tensors as safetensors bytes.

    A torch recogniser hashes like the `model.safetensors` it saves, loaded or built in memory.
    """
    if isinstance(recognizer, OnnxRecognizer):
        return recognizer.sha256
    if not isinstance(recognizer, nn.Module):
        raise UserError(
            f"A {type(recognizer).__name__} has neither a file nor tensors to be known by: give an "
            "OnnxRecognizer or a torch module."
        )
    state = recognizer.state_dict()
    state = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    return hashlib.sha256(safetensors.torch.save(state)).hexdigest()


class OnnxRecognizer:
    """A recogniser from an ONNX file (for instance of an InsightFace pack); no gradients.

    Blob convention of the ArcFace family: RGB, (x - 127.5) / 127.5, that is [-1,1].
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        import onnxruntime

        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"{self.path} is missing; name the recogniser's ONNX file.")
        with self.path.open("rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            str(self.path), options, providers=["CPUExecutionProvider"]
        )
        self._input = self.session.get_inputs()[0].name
        probe = torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE)
        self.width = int(self.embed(probe).shape[-1])

    def embed(self, aligned: Tensor) -> Tensor:
        """`aligned [N,3,112,112]` in [-1,1] -> raw embedding `[N,width]` on the input's device."""
        blob = aligned.detach().float().cpu().numpy()
        rows = [self.session.run(None, {self._input: blob[i : i + 1]})[0] for i in range(len(blob))]
        return torch.cat([torch.from_numpy(row) for row in rows]).to(aligned.device)
