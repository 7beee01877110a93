"""A picture classifier of the library transformers, asked about one of its labels.

Whatever `AutoModelForImageClassification` and `AutoImageProcessor` open: ViT, Swin, ConvNeXt and
many more. What it says of a picture is what the library's own pipeline "image-classification"
says, by the rule of Hugging Face's `ImageClassificationPipeline.postprocess`.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.errors import UserError, first_line
from mm_model.pretrained import PretrainedFolder, folder_on, lacks_memory
from mm_model.rows import Row
from mm_model.settings.device import device_named
from mm_model.store import digests

SHELF = "classifiers"
"""The entry of `params.yaml` that names the shelf."""

_DO_WITHOUT = "ViT, Swin and ConvNeXt"
_NAMED = 12
"""Labels that a refusal tells at most."""
_TOGETHER = {"cpu": 1, "cuda": 8}
"""Pictures at a time. On a processor singly, so that a picture's value hangs on no other."""


class PictureClassifier:
    """The model in `folder`, asked about `label`; its weights are loaded when it is first asked.

    way_out: the end of a refusal. batch: pictures at a time, None for what suits the device (cpu,
    cuda or auto); a batch that is not full is filled up, so that all have one shape.

    Raises:
        UserError: the folder holds no picture classifier of the library, no weights in
            safetensors, no processor that can be opened, or no such label; the device is absent.
    """

    def __init__(
        self, folder: Path, label: str, device: str, *, way_out: str, batch: int | None = None
    ) -> None:
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KINDS,
        )

        self.name, self.label = folder.name, label
        self._stored = PretrainedFolder(folder, "classifier", way_out)
        self._kind = self._stored.kind(KINDS, "picture classifier")
        self._place = self._place_of(label)
        self._processor = self._opened_processor()
        self._device = device_named(device)
        self._batch = batch or _TOGETHER[self._device.type]
        self._model: Any = None

    def describe(self) -> Row:
        """JSON-able record of who is asked what; the digest is of every file of the folder."""
        return {
            "adapter": "transformers",
            "name": self.name,
            "kind": self._kind,
            "digest": self._digest,
            "label": self.label,
        }

    @cached_property
    def _digest(self) -> str:
        return digests.of_path(self._stored.folder.resolve())

    def scores(self, pictures: Sequence[np.ndarray]) -> list[float]:
        """How probably each picture (uint8 [H, W, 3] RGB) is what the label says, 0 to 1.

        Raises:
            UserError: the weights do not fit the model or the memory, or the model cannot be
                asked.
        """
        found = dict[int, float]()
        try:
            for places, batch in self._batches(pictures):
                found |= zip(places, self._answers(batch), strict=False)
        except (MemoryError, RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            if lacks_memory(error):
                self._model = None
                raise UserError(
                    f"the classifier {self.name} needs more memory than there is: name a smaller "
                    f"model, or set run.device to cpu, or {self._stored.way_out}."
                ) from error
            raise UserError(
                f"the classifier {self.name} cannot be asked ({first_line(error)}): "
                f"{self._stored.way_out}."
            ) from error
        return [found[place] for place in range(len(pictures))]

    def _batches(self, pictures: Sequence[np.ndarray]) -> Iterator[tuple[list[int], Any]]:
        """Places of pictures and what the network is given for them, of one shape: [batch, ...]."""
        import torch
        from PIL import Image

        waiting: dict[tuple[int, ...], list[tuple[int, Any]]] = {}

        def batch_of(part: list[tuple[int, Any]]) -> tuple[list[int], Any]:
            values = [value for _, value in part]
            values += values[-1:] * (self._batch - len(values))
            return [place for place, _ in part], torch.stack(values)

        for place, pixels in enumerate(pictures):
            made = self._processor(images=Image.fromarray(pixels), return_tensors="pt")
            value = made["pixel_values"][0]
            alike = waiting.setdefault(tuple(value.shape), [])
            alike.append((place, value))
            if len(alike) == self._batch:
                yield batch_of(alike)
                alike.clear()
        yield from (batch_of(alike) for alike in waiting.values() if alike)

    def _answers(self, batch: Any) -> list[float]:
        import torch
        from transformers import AutoModelForImageClassification

        if self._model is None:
            model = self._stored.model(AutoModelForImageClassification, torch.float32, exact=True)
            self._model = model.to(self._device)
        with torch.inference_mode():
            logits = self._model(pixel_values=batch.to(self._device)).logits.float()
            told = logits.sigmoid() if self._each_label_alone() else logits.softmax(-1)
        answers: list[float] = told[:, self._place].cpu().tolist()
        if not np.isfinite(answers).all():
            raise ValueError("its answer is no number")
        return answers

    def _each_label_alone(self) -> bool:
        config = self._model.config
        return config.problem_type == "multi_label_classification" or config.num_labels == 1

    def _place_of(self, label: str) -> int:
        from transformers import AutoConfig

        stored = self._stored
        config = stored.configuration(AutoConfig)
        if config.problem_type == "regression":
            raise UserError(
                f"{stored.folder} was trained to give numbers and no probabilities (problem_type "
                f"is regression): {stored.way_out}."
            )
        named = {str(said): place for place, said in reversed(config.id2label.items())}
        if label not in named:
            labels = [str(said) for said in config.id2label.values()]
            more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
            raise UserError(
                f"{stored.folder} has no label {label!r}: its labels are "
                f"{', '.join(map(repr, labels[:_NAMED]))}{more}; name one of them, or "
                f"{stored.way_out}."
            )
        return int(named[label])

    def _opened_processor(self) -> Any:
        from transformers import AutoImageProcessor

        names = ("preprocessor_config.json", "processor_config.json")
        if not any((self._stored.folder / name).is_file() for name in names):
            raise UserError(
                f"{self._stored.folder} holds no preprocessor_config.json, which says how pictures "
                f"are shown to it: {self._stored.way_out}."
            )
        # The same pixels whether or not torchvision is there.
        return self._stored.processor(AutoImageProcessor, _DO_WITHOUT, backend="pil")


def open_classifier(
    shelf: Path, name: str, label: str, device: str, *, field: str, way_out: str
) -> PictureClassifier:
    """The classifier called `name` on the shelf; `field` is the value of the profile that names it.

    Raises:
        UserError: no such folder stands on the shelf, it is a link, or as `PictureClassifier`.
    """
    folder = folder_on(shelf, SHELF, name, field, way_out)
    return PictureClassifier(folder, label, device, way_out=way_out)
