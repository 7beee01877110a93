"""`IdentityEncoder`: what looks at references, frozen (CLIP, tau_id, conditioning recogniser).

It turns reference pictures and raw recogniser vectors into features; the trained rest is the
adapter's. Loads from an `identity_encoder/` folder or a PhotoMaker-V2 file, safetensors only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mm_model.errors import UserError
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.nn.identity.recognizer import FaceEmbedder, OnnxRecognizer, recognizer_digest
from mm_model.nn.identity.resampler import IdPerceiver
from mm_model.nn.injection.condition import IdentityCondition, IdentityFeatures
from mm_model.nn.injection.files import (
    load_json,
    load_tensors,
    save_json,
    save_tensors,
    sha256_file,
)
from mm_model.nn.magic_mirror.config import IDENTITY_DESCRIPTION, IDENTITY_FOLDER
from mm_model.nn.offload import execution_device, is_offloaded, present
from mm_model.nn.parts import Keywords

FOLDER = IDENTITY_FOLDER
CONFIG_NAME = IDENTITY_DESCRIPTION


class IdentityEncoder(nn.Module):
    """CLIP vision model + tau_id + recogniser, all frozen and in eval mode.

    `vision_model` is a `transformers.CLIPVisionModel`; `recognizer` anything that satisfies
    `FaceEmbedder` (or None where embeddings are always given). `perceiver_config` are the arguments
    of `id_perceiver`, kept for saving.
    """

    def __init__(
        self,
        vision_model: nn.Module,
        id_perceiver: IdPerceiver,
        perceiver_config: dict[str, int],
        recognizer: FaceEmbedder | None = None,
    ) -> None:
        super().__init__()
        self.vision_model = vision_model
        self.id_perceiver = id_perceiver
        self.perceiver_config = dict(perceiver_config)
        self.recognizer = recognizer
        self._recognizer_sha256 = recognizer_digest(recognizer) if recognizer else None
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> IdentityEncoder:
        """Stays in eval mode: every part is frozen."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> IdentityEncoder:
        """`.to(dtype)` and its like change CLIP and tau_id; the recogniser only moves."""

        def moved(tensor: Tensor) -> Tensor:
            changed = fn(tensor)
            return changed if changed.dtype == tensor.dtype else tensor.to(changed.device)

        for name, part in self.named_children():
            part._apply(moved if name == "recognizer" else fn, recurse)
        return self

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the perceiver's weights."""
        return self.id_perceiver.token_norm.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where it computes: the device of its weights, or what offloading hooks name."""
        return execution_device(self)

    def cast(self, dtype: torch.dtype | None) -> IdentityEncoder:
        """CLIP and tau_id to `dtype`; the recogniser keeps full precision. None changes nothing."""
        if dtype is not None:
            self.vision_model.to(dtype)
            self.id_perceiver.to(dtype)
        return self

    @property
    def image_size(self) -> int:
        """Side of the CLIP input in pixels."""
        return self.vision_model.config.image_size

    @property
    def clip_dim(self) -> int:
        """Width of the CLIP tokens."""
        return self.vision_model.config.hidden_size

    @property
    def id_dim(self) -> int:
        """Width of the identity tokens."""
        return self.id_perceiver.dim

    @property
    def recognizer_sha256(self) -> str | None:
        """Digest of the conditioning recogniser's weights, taken before any change of dtype."""
        return self._recognizer_sha256

    @torch.no_grad()
    def embed(self, aligned: Tensor) -> Tensor:
        """Raw recogniser vectors `[..., E]` of aligned faces `[..., 3,112,112]` in [-1,1]."""
        if self.recognizer is None:
            raise UserError("This identity encoder has no recogniser; pass raw embeddings instead.")
        lead = aligned.shape[:-3]
        with present(self):
            flat = self.recognizer.embed(aligned.flatten(0, -4).to(self._embedding_device()))
        return flat.reshape(*lead, -1).to(self.device)

    def _embedding_device(self) -> torch.device:
        """Where the recogniser computes: it may be elsewhere than the parts that only wait."""
        if isinstance(self.recognizer, nn.Module) and not is_offloaded(self):
            return next((p.device for p in self.recognizer.parameters()), self.device)
        return self.device

    @torch.no_grad()
    def features(
        self, pixels: Tensor, embedding: Tensor, mask: Tensor | None = None
    ) -> IdentityFeatures:
        """`pixels [B,R,3,S,S]` (CLIP-normalised), raw `embedding [B,R,E]`, `mask [B,R]` True if
        real.

        The last hidden state feeds tau_id, the penultimate one is kept for tau_face.
        """
        batch, refs = pixels.shape[:2]
        width = self.perceiver_config["embedding_dim"]
        if embedding.shape[-1] != width:
            raise UserError(
                f"The raw vectors of the faces have {embedding.shape[-1]} values, but this "
                f"identity encoder takes {width}; give those of its own recogniser."
            )
        if mask is None:
            mask = torch.ones(batch, refs, dtype=torch.bool, device=self.device)
        mask = mask.to(self.device, torch.bool)
        flat = pixels.flatten(0, 1).to(self.device, self.dtype)
        raw = embedding.to(self.device, self.dtype)
        with present(self):
            # Two taps of one pass: PhotoMaker-V2's tau_id was trained on the last hidden state,
            # before the final norm. tau_face gets the penultimate layer (paper v1, A.5), its class
            # token too.
            out = self.vision_model(pixel_values=flat, output_hidden_states=True)
            x_id = self.id_perceiver(raw.flatten(0, 1), out.last_hidden_state)
        x_id = x_id.reshape(batch, refs, *x_id.shape[1:])
        tokens = out.hidden_states[-2]
        tokens = tokens.reshape(batch, refs, *tokens.shape[1:])
        return IdentityFeatures(x_id.masked_fill(~mask[:, :, None, None], 0.0), tokens, mask, raw)

    def encode_identity(
        self, adapter: nn.Module, pixels: Tensor, embedding: Tensor, mask: Tensor | None = None
    ) -> IdentityCondition:
        """Features, then the adapter's trained part: everything one generation needs."""
        return adapter.encode_identity(self.features(pixels, embedding, mask))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write vision model, perceiver and recogniser with digests; the description comes last."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        vision = folder / "vision_model"
        self.vision_model.save_pretrained(vision, safe_serialization=True)
        files = {
            "perceiver": save_tensors(
                folder / "perceiver.safetensors", self.id_perceiver.state_dict()
            )
        }
        files["vision_model"] = sha256_file(vision / "model.safetensors")
        description: Keywords = {"version": 1, "perceiver": self.perceiver_config}
        if isinstance(self.recognizer, FaceRecognizer):
            self.recognizer.save_pretrained(folder / "recognizer")
            files["recognizer"] = recognizer_digest(self.recognizer)
            description["recognizer"] = {"kind": "torch"}
        elif isinstance(self.recognizer, OnnxRecognizer):
            target = folder / "recognizer.onnx"
            target.write_bytes(self.recognizer.path.read_bytes())
            files["recognizer"] = self.recognizer.sha256
            description["recognizer"] = {"kind": "onnx"}
        save_json(folder / CONFIG_NAME, {**description, "sha256": files})
        return folder

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, torch_dtype: torch.dtype | None = None
    ) -> IdentityEncoder:
        """Read an `identity_encoder/` folder; digests are checked before anything is loaded."""
        from transformers import CLIPVisionModel

        folder = Path(folder)
        data = load_json(folder / CONFIG_NAME)
        digests = data.get("sha256", {})
        vision_file = folder / "vision_model" / "model.safetensors"
        if not vision_file.is_file() or sha256_file(vision_file) != digests.get("vision_model"):
            raise UserError(
                f"{vision_file} is missing or has another SHA-256 than recorded; fetch it again."
            )
        vision = CLIPVisionModel.from_pretrained(
            str(folder / "vision_model"), use_safetensors=True, local_files_only=True
        )
        perceiver = IdPerceiver(**data["perceiver"])
        state = load_tensors(folder / "perceiver.safetensors", digests.get("perceiver"))
        perceiver.load_state_dict(state)
        recognizer = _load_recognizer(folder, data.get("recognizer"), digests.get("recognizer"))
        encoder = cls(vision, perceiver, data["perceiver"], recognizer)
        return encoder.cast(torch_dtype or encoder.dtype)


def _load_recognizer(
    folder: Path, config: Keywords | None, digest: str | None
) -> FaceEmbedder | None:
    if config is None:
        return None
    if config["kind"] == "onnx":
        recognizer = OnnxRecognizer(folder / "recognizer.onnx")
        if recognizer.sha256 != digest:
            raise UserError(
                f"{folder / 'recognizer.onnx'} has another SHA-256 than recorded; fetch it again."
            )
        return recognizer
    model = FaceRecognizer.from_pretrained(folder / "recognizer")
    if recognizer_digest(model) != digest:
        raise UserError(f"{folder / 'recognizer'} is not what {CONFIG_NAME} records; restore both.")
    return model
