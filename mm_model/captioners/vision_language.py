"""A vision-language model of the library transformers, from a folder of the shelf.

Whatever `AutoModelForImageTextToText` and `AutoProcessor` open: LLaVA, Idefics, PaliGemma and many
more. Nothing is fetched, no code that comes with a model is run, no pickle is opened. Answers are
greedy, so that equal files get equal captions. A clip is shown as some of its frames.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mm_model.captioners.port import MODEL, Asking, Uncaptioned
from mm_model.errors import UserError, first_line
from mm_model.media.captions import CaptionError, caption_of
from mm_model.media.decode import read_frames
from mm_model.media.failure import MediaError
from mm_model.media.images import load_image
from mm_model.pretrained import PretrainedFolder, lacks_memory
from mm_model.records import CaptionProblem
from mm_model.rows import Row
from mm_model.settings.device import device_named
from mm_model.store import digests

_ELSE = "put a whole model there, or set ingest.captioner and ingest.clip_captioner to sidecar"
_DO_WITHOUT = "LLaVA, Idefics3 and PaliGemma"


class VisionLanguage:
    """The model in `folder`, asked as `wanted` says; its weights are loaded when it is first asked.

    Raises:
        UserError: the folder holds no vision-language model of the library, no weights in
            safetensors, or a processor that cannot be opened.
    """

    def __init__(self, folder: Path, wanted: Asking) -> None:
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KINDS,
        )

        self._folder, self._wanted = folder, wanted
        self._stored = PretrainedFolder(folder, "captioner", _ELSE)
        self._kind = self._stored.kind(KINDS, "vision-language model")
        self._processor = _processor(self._stored)
        self._model: Any = None

    def captions(self, asked: Sequence[Uncaptioned]) -> list[Row | None]:
        """What the model says of each file, or why it says nothing that can be read.

        Raises:
            UserError: the weights do not fit the model or the memory, or the model cannot be asked
                about as many pictures.
        """
        said: dict[int, Row] = {}
        for media in ("image", "clip"):
            places = [place for place, one in enumerate(asked) if one.media == media]
            for start in range(0, len(places), self._wanted.batch):
                part = places[start : start + self._wanted.batch]
                said |= self._of_batch(media, {place: asked[place] for place in part})
        return [said[place] for place in range(len(asked))]

    def describe(self) -> Row:
        """The record that is kept beside captions; the digest is of every file of the folder."""
        wanted = self._wanted
        return {
            "adapter": "transformers",
            "name": self._folder.name,
            "kind": self._kind,
            "digest": digests.of_path(self._folder.resolve()),
            "prompt": wanted.prompt,
            "clip_prompt": wanted.clip_prompt,
            "frames": wanted.frames,
            "tokens": wanted.tokens,
            "dtype": wanted.dtype,
        }

    def _of_batch(self, media: str, files: dict[int, Uncaptioned]) -> dict[int, Row]:
        said: dict[int, Row] = {}
        shown: dict[int, list[np.ndarray]] = {}
        for place, file in files.items():
            try:
                shown[place] = self._pictures(file)
            except MediaError as error:
                said[place] = _none(CaptionProblem.UNREADABLE, f"no picture of it: {error.message}")
        if shown:
            prompt = self._wanted.clip_prompt if media == "clip" else self._wanted.prompt
            answers = self._answers(prompt, list(shown.values()))
            said |= {
                place: _row(text, self._folder.name)
                for place, text in zip(shown, answers, strict=True)
            }
        return said

    def _pictures(self, file: Uncaptioned) -> list[np.ndarray]:
        if file.media == "image":
            return [load_image(file.path)]
        total = file.num_frames
        number = min(self._wanted.frames, total)
        places = [(2 * i + 1) * total // (2 * number) for i in range(number)]
        return list(read_frames(file.path, places))

    def _answers(self, prompt: str, shown: list[list[np.ndarray]]) -> list[str]:
        import torch

        name, number = self._folder.name, max(map(len, shown))
        try:
            self._load()
            with torch.inference_mode():
                inputs = self._inputs(prompt, shown).to(self._model.device)
                made = self._model.generate(
                    **_floats_as(inputs, self._model.dtype),
                    do_sample=False,
                    num_beams=1,
                    max_new_tokens=self._wanted.tokens,
                )
        except (MemoryError, RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            if lacks_memory(error):
                raise self._out_of_memory() from error
            raise UserError(
                f"the captioner {name} cannot be asked about {number} "
                f"{'pictures' if number > 1 else 'picture'} at once ({first_line(error)}): lower "
                "ingest.caption_frames, or name another model."
            ) from error
        # Most hand the question back in front of the answer; those with an encoder do not.
        asked = inputs["input_ids"]
        length = asked.shape[1]
        if made.shape[1] >= length and torch.equal(made[:, :length], asked):
            made = made[:, length:]
        return self._processor.batch_decode(made, skip_special_tokens=True)

    def _inputs(self, prompt: str, shown: list[list[np.ndarray]]) -> Any:
        from PIL import Image

        pictures = [[Image.fromarray(pixels) for pixels in one] for one in shown]
        if getattr(self._processor, "chat_template", None) is None:
            made = self._processor(
                images=pictures, text=[prompt] * len(shown), padding=True, return_tensors="pt"
            )
            made.pop("labels", None)
            return made
        question = {"type": "text", "text": prompt}
        talks = [
            [
                {
                    "role": "user",
                    "content": [*({"type": "image", "image": image} for image in one), question],
                }
            ]
            for one in pictures
        ]
        return self._processor.apply_chat_template(
            talks,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def _load(self) -> None:
        if self._model is not None:
            return
        import torch
        from transformers import AutoModelForImageTextToText

        dtype = getattr(torch, self._wanted.dtype)
        model = self._stored.model(AutoModelForImageTextToText, dtype)
        self._model = model.to(device_named(self._wanted.device))

    def _out_of_memory(self) -> UserError:
        self._model = None
        return UserError(
            f"the captioner {self._folder.name} needs more memory than there is: lower "
            "ingest.caption_batch or ingest.caption_frames, set ingest.caption_dtype to bfloat16, "
            "or name a smaller model; what it has captioned is kept."
        )


def _processor(stored: PretrainedFolder) -> Any:
    from transformers import AutoProcessor

    found = stored.processor(AutoProcessor, _DO_WITHOUT)
    if getattr(found, "image_processor", None) is None or not hasattr(found, "tokenizer"):
        raise UserError(f"{stored.folder} holds no processor for pictures and words: {_ELSE}.")
    # The answers of a batch begin side by side.
    found.tokenizer.padding_side = "left"
    if found.tokenizer.pad_token is None:
        found.tokenizer.pad_token = found.tokenizer.eos_token
    return found


def _floats_as(inputs: Any, dtype: Any) -> dict[str, Any]:
    """The inputs, pictures in the model's own dtype."""
    floats = {name: value for name, value in inputs.items() if value.is_floating_point()}
    return {**inputs, **{name: value.to(dtype) for name, value in floats.items()}}


def _row(text: str, name: str) -> Row:
    try:
        return {"text": caption_of(text, f"the answer of {name}"), "origin": MODEL}
    except CaptionError as error:
        return _none(error.problem, str(error))


def _none(problem: CaptionProblem, message: str) -> Row:
    return {"problem": problem, "message": message}
