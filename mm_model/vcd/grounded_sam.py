"""A subject's mask by its class word: Grounding DINO finds the box, SAM the outline in it.

Both are networks of the library transformers in folders of their own; nothing is downloaded and no
pickle is opened. Source: Magic-Me (arXiv 2402.09368), section 4.2, which segments by a prompt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mm_model.errors import UserError, first_line
from mm_model.pretrained import PretrainedFolder, lacks_memory
from mm_model.settings.device import device_named
from mm_model.store import digests
from mm_model.vcd.masks import NoMask

NAME = "grounded-sam"
THRESHOLD = 0.25
"""Least score of a box, as the detector's authors and the library set it."""

_WAY_OUT = "name a folder as save_pretrained leaves it, with safetensors, or give masks (--masks)"
_SHOWN = 12
"""Letters of a digest that the record shows."""


class GroundedSam:
    """A detector of words and a segmenter of boxes; `word` is what photographs are asked for.

    Of several boxes the one of the highest score counts (choice: a photograph shows one subject).

    Raises:
        UserError: a folder holds no such network, or not whole; or the device is absent.
    """

    def __init__(self, detector: Path, sam: Path, word: str, device: str = "cpu") -> None:
        import torch
        import transformers

        self._word, self._device = word, device_named(device)
        finds = PretrainedFolder(detector, "detector", _WAY_OUT)
        finds.kind(("grounding-dino",), "Grounding DINO")
        outlines = PretrainedFolder(sam, "SAM", _WAY_OUT)
        outlines.kind(("sam",), "SAM")
        pictures = transformers.AutoImageProcessor
        # the same pixels whether or not torchvision is there
        self._asks = transformers.GroundingDinoProcessor(
            finds.processor(pictures, "those published", backend="pil"),
            finds.processor(transformers.AutoTokenizer, "those published"),
        )
        self._shows = transformers.SamProcessor(
            outlines.processor(pictures, "those published", backend="pil")
        )
        made = [
            (finds, transformers.GroundingDinoForObjectDetection),
            (outlines, transformers.SamModel),
        ]
        self._detector, self._sam = (
            stored.model(auto, torch.float32).to(self._device) for stored, auto in made
        )
        said = [digests.of_path(one.resolve())[:_SHOWN] for one in (detector, sam)]
        self.name = f"{NAME} (detector {said[0]}, sam {said[1]})"

    def mask(self, path: Path, pixels: np.ndarray) -> np.ndarray:
        """The mask of the class word; a photograph on which it is not found has none."""
        return self.predict(pixels, self._word)

    def predict(self, pixels: np.ndarray, text: str) -> np.ndarray:
        """Where `text` is, booleans `[H,W]`, in `pixels [H,W,3]` RGB uint8.

        Raises:
            NoMask: it is not found, or nothing is outlined in its box.
            UserError: a network cannot be asked, or memory does not suffice.
        """
        try:
            box = self._box(pixels, text)
            inside = None if box is None else self._outline(pixels, box)
        except (MemoryError, RuntimeError, ValueError, IndexError) as error:
            said = "need more memory than there is" if lacks_memory(error) else first_line(error)
            raise UserError(
                f"Detector and SAM cannot be asked ({said}): give masks (--masks), or set "
                "run.device to cpu."
            ) from error
        if inside is None:
            raise NoMask(f"no {text} is found in it")
        if not inside.any():
            raise NoMask(f"nothing is outlined where the {text} is found")
        return inside

    def _box(self, pixels: np.ndarray, text: str) -> list[float] | None:
        """Edges of the best box in pixels: left, top, right, bottom."""
        import torch
        from PIL import Image

        given = self._asks(
            images=Image.fromarray(pixels), text=f"{text.lower().strip(' .')}.", return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            told = self._detector(**given)
        found = self._asks.post_process_grounded_object_detection(
            told, given["input_ids"], threshold=THRESHOLD, target_sizes=[pixels.shape[:2]]
        )[0]
        if not len(found["scores"]):
            return None
        edges = found["boxes"][int(found["scores"].argmax())].float().cpu().tolist()
        limits = [pixels.shape[1], pixels.shape[0]] * 2
        return [min(max(edge, 0.0), limit) for edge, limit in zip(edges, limits, strict=True)]

    def _outline(self, pixels: np.ndarray, box: list[float]) -> np.ndarray:
        import torch
        from PIL import Image

        given: Any = self._shows(
            images=Image.fromarray(pixels), input_boxes=[[box]], return_tensors="pt"
        )
        sizes = given["original_sizes"], given["reshaped_input_sizes"]
        seen = {
            name: given[name].to(self._device, torch.float32)
            for name in ("pixel_values", "input_boxes")
        }
        with torch.inference_mode():
            told = self._sam(**seen, multimask_output=False)
        masks = self._shows.post_process_masks(told.pred_masks.cpu(), *sizes)
        return np.asarray(masks[0][0, 0], bool)
