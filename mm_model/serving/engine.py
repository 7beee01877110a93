"""The engine port: a checked request and its references in, frames out.

`PipelineEngine` is the real one. Anything with the same members may stand in for it.
"""

import copy
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mm_model.progress import OnStep
from mm_model.serving.config import ServingConfig
from mm_model.serving.gate import AdmittedReference
from mm_model.serving.refusal import Code, Refusal
from mm_model.serving.request import Request

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline
    from mm_model.methods.magic_mirror import EnrolledPerson
    from mm_model.nn.identity.subject import PlacedIdentity
    from mm_model.nn.injection.condition import IdentityCondition

_SPARE_MARK = re.compile(r"<extra_id_\d+>")
"""T5's spare marks; a small tokenizer may lack them, and a prompt is judged alike everywhere."""


class Cancelled(Exception):
    """Raised by an `OnStep`: nobody wants the clip any more, and its work ends there."""


class Engine(Protocol):
    """What serving asks of a model."""

    @property
    def max_frames(self) -> int:
        """The longest clip the model was built for."""
        ...

    def check(self, request: Request) -> None:
        """Return if the prompt can be used with this model; quick, and from any thread.

        Raises:
            Refusal: it cannot.
        """
        ...

    def unread(self, request: Request) -> tuple[str, ...]:
        """The words of the prompt that lie beyond what the text encoder reads, in their order."""
        ...

    def unknown(self, request: Request) -> tuple[str, ...]:
        """The words of the prompt that the text encoder reads letter by letter, in their order."""
        ...

    @property
    def known_words(self) -> tuple[str, ...]:
        """All words that the text encoder knows, where they are few; none where they are many."""
        ...

    def shots(
        self,
        requests: Sequence[Request],
        references: Sequence[AdmittedReference],
        on_step: OnStep | None = None,
    ) -> Iterator[np.ndarray]:
        """Frames, uint8 [T, H, W, 3], of each request; equal requests give equal frames, alone and
        among others. The references are looked at once.

        `on_step` is called after each step, the last time of a shot before its frames are decoded;
        it counts the steps of all. What it raises ends the work and leaves the engine ready for
        the next request.

        Raises:
            Refusal: the prompt cannot be used with this model.
        """
        ...

    def identity(
        self, references: Sequence[AdmittedReference]
    ) -> "tuple[MagicMirrorPipeline, IdentityCondition]":
        """The pipeline and the identity of the references in it, for who runs its steps in the
        thread that makes the clips.
        """
        ...


class PipelineEngine:
    """A method on one device: Magic Mirror. Not for two threads at once.

    low_memory: one network at a time is on a GPU, and the VAE works in tiles.
    """

    def __init__(
        self, backbone: Path, adapter: Path, config: ServingConfig, low_memory: bool = False
    ) -> None:
        import torch

        from mm_model.generation import memory
        from mm_model.generation.pipeline import MagicMirrorPipeline
        from mm_model.methods.magic_mirror import MagicMirror

        torch.set_num_threads(config.threads)
        device = config.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[config.dtype]
        self._config = config
        self._pipe = MagicMirrorPipeline.from_pretrained(backbone, adapter, torch_dtype=dtype)
        if low_memory:
            memory.spare(self._pipe, torch.device(device))
        else:
            self._pipe.to(device)
        self._pipe.set_progress_bar_config(disable=True)
        self._method = MagicMirror(self._pipe)
        # A tokenizer must not be used by two threads at once, and prompts are checked meanwhile.
        self._checking = copy.deepcopy(self._pipe.tokenizer)
        self._check_turn = threading.Lock()

    @property
    def max_frames(self) -> int:
        """The backbone's own limit."""
        return int(self._pipe.transformer.config.sample_frames)

    def shots(
        self,
        requests: Sequence[Request],
        references: Sequence[AdmittedReference],
        on_step: OnStep | None = None,
    ) -> Iterator[np.ndarray]:
        """Frames, uint8 [T, H, W, 3], of each request, made one by one so that each is what it
        would be alone; the noise comes from a CPU generator with the request's seed.
        """
        import torch

        from mm_model.generation.clips import Sampling
        from mm_model.methods.port import Shot

        torch.set_num_threads(self._config.threads)  # a setting of the calling thread
        for request in requests:
            self._placed(request.prompt, len(references))
        subject = self._enrolled(references)
        done, total = 0, sum(request.steps for request in requests)
        for request in requests:
            shot = Shot(
                prompt=request.prompt,
                seed=request.seed,
                num_frames=request.num_frames,
                height=request.height,
                width=request.width,
            )
            sampling = Sampling(
                steps=request.steps,
                guidance=request.guidance,
                face_guidance=self._config.face_guidance,
                gamma=request.gamma,
            )
            told = _after(on_step, done, total)
            yield from self._method.generate([subject], [shot], sampling, told)
            done += request.steps

    def identity(
        self, references: Sequence[AdmittedReference]
    ) -> "tuple[MagicMirrorPipeline, IdentityCondition]":
        """Both in the state in which a call of the pipeline has them."""
        import torch

        torch.set_num_threads(self._config.threads)  # a setting of the calling thread
        return self._pipe, self._method.identity(self._enrolled(references))

    def _enrolled(self, references: Sequence[AdmittedReference]) -> "EnrolledPerson":
        from mm_model.nn.identity.portrait import Photograph

        return self._method.enroll([Photograph.of(one.pixels, one.face) for one in references])

    def check(self, request: Request) -> None:
        """Return if the prompt names a subject that this model can show."""
        self._placed(request.prompt, len(request.references))

    def unread(self, request: Request) -> tuple[str, ...]:
        """The words of the prompt that are cut off, wholly or in part."""
        return self._placed(request.prompt, len(request.references)).unread

    def unknown(self, request: Request) -> tuple[str, ...]:
        """The words of the prompt that fall into letters."""
        from mm_model.nn.identity.subject import unknown_words

        trigger = self._pipe.adapter.config.trigger
        with self._check_turn:
            return unknown_words(self._checking, request.prompt, trigger)

    @property
    def known_words(self) -> tuple[str, ...]:
        """Those of a small vocabulary."""
        from mm_model.nn.cogvideox.tokenizer import few_words

        with self._check_turn:
            return few_words(self._checking)

    def _placed(self, prompt: str, references: int) -> "PlacedIdentity":
        from mm_model.nn.identity.subject import (
            CLASS_WORDS,
            PromptError,
            place_identity,
            refuse_marks,
        )
        from mm_model.records import CaptionProblem

        trigger = self._pipe.adapter.config.trigger
        length = self._pipe.transformer.config.max_text_seq_length
        if _SPARE_MARK.search(prompt):
            raise _mark()
        try:
            with self._check_turn:
                refuse_marks(self._checking, prompt)
                return place_identity(
                    self._checking, prompt, references, max_length=length, trigger=trigger
                )
        except PromptError as error:
            # Its own message quotes the prompt, which no reply of ours does.
            if error.problem is CaptionProblem.MARK:
                raise _mark() from None
            raise Refusal(
                Code.PROMPT_SUBJECT,
                f"prompt must name its subject once and early: write {trigger} after the subject's "
                f"word, as in 'a man {trigger} walks', or use one of {', '.join(CLASS_WORDS)}.",
            ) from None


def _after(on_step: OnStep | None, done: int, total: int) -> OnStep | None:
    """`on_step` of one shot, counted over all of `total` steps, of which `done` came before."""
    if on_step is None:
        return None
    return lambda step, _: on_step(done + step, total)


def _mark() -> Refusal:
    return Refusal(
        Code.PROMPT_CHARACTERS,
        "prompt holds a mark of the text encoder, such as </s> or <pad>: leave it out.",
    )
