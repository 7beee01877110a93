"""CLIP and DINO of the library transformers, from a folder, as embedders of pictures and words.

Nothing is downloaded, no pickle is opened. A network that a folder does not hold whole is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mm_model.errors import UserError, first_line
from mm_model.metrics.subject import SubjectNetworks
from mm_model.pretrained import PretrainedFolder, lacks_memory
from mm_model.settings.device import device_named
from mm_model.store import digests

_CLIP = ("clip",)
_DINO = ("vit", "dinov2")
_TOGETHER = 8
_WAY_OUT = "name a folder as save_pretrained leaves it, with safetensors"
_SHOWN = ("preprocessor_config.json", "processor_config.json")


class Embedder:
    """A network that embeds pictures; `auto` makes it of what is stored."""

    def __init__(self, stored: PretrainedFolder, auto: Any, device: str) -> None:
        import torch
        from transformers import AutoImageProcessor

        self._stored, self._device = stored, device_named(device)
        if not any((stored.folder / name).is_file() for name in _SHOWN):
            raise UserError(
                f"{stored.folder} holds no preprocessor_config.json, which says how pictures are "
                f"shown to it: {stored.way_out}."
            )
        # the same pixels whether or not torchvision is there
        self._processor = stored.processor(
            AutoImageProcessor, "CLIP, ViT and DINOv2", backend="pil"
        )
        self._model = stored.model(auto, torch.float32).to(self._device)

    @property
    def digest(self) -> str:
        """Over every file of the folder."""
        return digests.of_path(self._stored.folder.resolve())

    def pictures(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors float32 `[N,E]` of RGB uint8 pictures `[H,W,3]`.

        Raises:
            UserError: memory does not suffice, or the answers are no numbers.
        """
        from PIL import Image

        found = []
        for first in range(0, len(pictures), _TOGETHER):
            some = [Image.fromarray(one) for one in pictures[first : first + _TOGETHER]]
            values = self._processor(images=some, return_tensors="pt")["pixel_values"]
            found.append(self._asked(partial(self._seen, values.to(self._device))))
        return np.concatenate(found)

    def _seen(self, pixels: Any) -> Any:
        """Features `[N,E]` of pixels as the processor gives them."""
        return self._model(pixel_values=pixels).last_hidden_state[:, 0]

    def _asked(self, ask: Any) -> np.ndarray:
        """What the network says, at length one."""
        import torch

        name, way_out = self._stored.folder, self._stored.way_out
        try:
            with torch.inference_mode():
                told = np.asarray(ask().float().cpu())
        except (MemoryError, RuntimeError, ValueError) as error:
            if lacks_memory(error):
                raise UserError(
                    f"{name} needs more memory than there is: set run.device to cpu, or {way_out}."
                ) from error
            raise UserError(f"{name} cannot be asked ({first_line(error)}): {way_out}.") from error
        lengths = np.linalg.norm(told, axis=-1, keepdims=True)
        if not np.isfinite(told).all() or not (lengths > 0).all():
            raise UserError(f"{name} gives no finite vector: {way_out}.")
        return np.asarray(told / lengths, np.float32)


class ClipEmbedder(Embedder):
    """CLIP: pictures and words in one space."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        from transformers import AutoTokenizer, CLIPModel

        stored = PretrainedFolder(folder, "CLIP", _WAY_OUT)
        stored.kind(_CLIP, "CLIP")
        super().__init__(stored, CLIPModel, device)
        self._tokenizer = stored.processor(AutoTokenizer, "CLIP")

    def _seen(self, pixels: Any) -> Any:
        return self._model.visual_projection(self._model.vision_model(pixels).pooler_output)

    def words(self, text: str) -> np.ndarray:
        """The unit vector float32 `[E]` of a sentence; beyond 77 tokens it is cut."""
        longest = self._model.config.text_config.max_position_embeddings
        told = self._tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
        given = {k: told[k].to(self._device) for k in ("input_ids", "attention_mask")}

        def ask() -> Any:
            return self._model.text_projection(self._model.text_model(**given).pooler_output)

        return self._asked(ask)[0]


def dino(folder: Path, device: str = "cpu") -> Embedder:
    """DINO (a ViT) or DINOv2: its CLS token after the last norm, as DreamBooth takes it.

    Raises:
        UserError: the folder holds neither, or not whole.
    """
    from transformers import Dinov2Model, ViTModel

    stored = PretrainedFolder(folder, "DINO", _WAY_OUT)
    kind = stored.kind(_DINO, "DINO or DINOv2")
    # the published ViT of DINO has no pooler, and what a pooler says is not asked
    bare = SimpleNamespace(
        from_pretrained=partial(ViTModel.from_pretrained, add_pooling_layer=False)
    )
    return Embedder(stored, bare if kind == "vit" else Dinov2Model, device)


def open_networks(
    clip: Path | None, dino_folder: Path | None, device: str = "cpu"
) -> SubjectNetworks:
    """The networks of two folders, each of which may be None.

    Raises:
        UserError: a folder holds no such network, or not whole.
    """
    sees = ClipEmbedder(clip, device) if clip else None
    looks = dino(dino_folder, device) if dino_folder else None
    given = {"clip": sees, "dino": looks}
    return SubjectNetworks(
        clip=sees.pictures if sees else None,
        clip_words=sees.words if sees else None,
        dino=looks.pictures if looks else None,
        weights={name: one.digest for name, one in given.items() if one is not None},
    )
