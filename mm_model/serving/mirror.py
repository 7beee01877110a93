"""One served model: reads a request, looks at its references, generates, encodes, replies.

Clips are generated one after another in one thread, which loaded the engine too; the rest of the
work runs beside it. It writes neither prompts nor pictures to any log.
"""

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mm_model.errors import UserError
from mm_model.facepack.detect import Sighting
from mm_model.media.encode import mp4_bytes, png_bytes
from mm_model.progress import OnStep
from mm_model.serving import consent, gate, policy, request
from mm_model.serving.config import ServingConfig, backbone_folder
from mm_model.serving.engine import Cancelled, Engine
from mm_model.serving.refusal import Code, Refusal
from mm_model.settings import ServeSettings
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.waiting import outcome

T = TypeVar("T")

Admit = Callable[[tuple[bytes, ...]], tuple[gate.AdmittedReference, ...]]
"""Opens reference pictures and finds the one face in each."""

_LOG = logging.getLogger(__name__)
NOTES = (
    "This video is synthetic; say so where you show it.",
    "No content filter and no watermark was applied to it.",
)


class Mirror:
    """A loaded model. A request is read, its pictures are looked at, and it is shown: `answer` does
    all three. Every method may be called from many threads.

    load_engine: called in the one thread that afterwards makes every clip. Each thread that
    computes has OpenMP threads of its own, and where there are more of them than cores GNU's OpenMP
    puts all to sleep at each step of a sum: a second such thread makes a clip a quarter slower.
    """

    def __init__(
        self, config: ServingConfig, look: gate.FindFaces, load_engine: Callable[[], Engine]
    ) -> None:
        self._config = config
        self._look = look
        self._generating = ThreadPoolExecutor(1, "generating")
        self._engine = engine = outcome(self._generating.submit(load_engine))
        most = min(config.serve.max_frames, engine.max_frames)
        self._limits = config.serve.model_copy(update={"max_frames": most})
        self._default_frames = min(config.num_frames, most)
        self._places = threading.BoundedSemaphore(places(config.serve))

    @property
    def limits(self) -> ServeSettings:
        """What a request may hold: the profile's limits at registration and the model's own."""
        return self._limits

    def read(self, handed: Any) -> request.Request:
        """Check everything that needs no picture and no generation; quick.

        Raises:
            Refusal: the request is not served; its sentence quotes nothing of it.
        """
        wanted = request.read(handed, self._limits, self._default_frames)
        self._engine.check(wanted)
        return wanted

    def look(self, wanted: request.Request) -> tuple[gate.AdmittedReference, ...]:
        """Open the pictures and find the one face in each.

        Raises:
            Refusal: one is no picture, or shows no face or several.
        """
        return _admitted(self._config, self._look, wanted.references)

    def unread(self, wanted: request.Request) -> tuple[str, ...]:
        """The words of the prompt that lie beyond what the text encoder reads; for who wrote it."""
        return self._engine.unread(wanted)

    def unknown(self, wanted: request.Request) -> tuple[str, ...]:
        """The words of the prompt that the text encoder has no piece for; for who wrote it."""
        return self._engine.unknown(wanted)

    @property
    def known_words(self) -> tuple[str, ...]:
        """All words that the text encoder knows, where they are few; none where they are many."""
        return self._engine.known_words

    def show(
        self,
        wanted: request.Request,
        references: tuple[gate.AdmittedReference, ...],
        on_step: OnStep | None = None,
    ) -> Document:
        """The reply: `video_mp4` (base64), `seed`, `num_frames`, `fps`, ...; of one frame also
        `picture_png` (base64).

        The consent is on record before anything is made. What `on_step` raises ends the work; it is
        called after each denoising step. The work ends there too when whoever waits here is
        interrupted.

        Raises:
            Refusal: the consent cannot be recorded.
        """
        started = time.monotonic()
        (frames,) = self.takes([wanted], references, on_step)
        video = mp4_bytes(frames, self._config.fps)
        _LOG.info("served %d frames in %.1f s", len(frames), time.monotonic() - started)
        picture = {"picture_png": _base64(png_bytes(frames[0]))} if len(frames) == 1 else {}
        return {
            "video_mp4": _base64(video),
            **picture,
            "seed": wanted.seed,
            "num_frames": len(frames),
            "height": int(frames.shape[1]),
            "width": int(frames.shape[2]),
            "fps": self._config.fps,
            "adapter_digest": self._config.digests["adapter"],
            "notes": self.notes(wanted, references),
        }

    def takes(
        self,
        wanted: Sequence[request.Request],
        references: tuple[gate.AdmittedReference, ...],
        on_step: OnStep | None = None,
    ) -> list[np.ndarray]:
        """Frames uint8 `[T,H,W,3]` of each request: shots of the one person of `references`, who is
        looked at once. `on_step` counts the steps of all. Else as `show`.

        Raises:
            Refusal: a consent cannot be recorded.
        """
        for one in dict.fromkeys(each.consent for each in wanted):
            consent.record(one)
        errand = _Errand(on_step)
        work = self._generating.submit(self._generated, wanted, references, errand)
        try:
            return outcome(work)
        except BaseException:
            errand.give_up()
            raise

    def with_identity(
        self,
        wanted: request.Request,
        references: tuple[gate.AdmittedReference, ...],
        work: Callable[[Any, Any], T],
    ) -> T:
        """What `work` makes of the pipeline and the identity of `references` in it, in the thread
        that makes every clip. The consent of `wanted` is on record before.

        Raises:
            Refusal: the consent cannot be recorded.
        """
        consent.record(wanted.consent)
        return outcome(self._generating.submit(lambda: work(*self._engine.identity(references))))

    def notes(
        self, wanted: request.Request, references: tuple[gate.AdmittedReference, ...]
    ) -> list[str]:
        """What whoever shows the clip should know; it quotes nothing."""
        words = _on_words(self.unread(wanted), self.unknown(wanted))
        return [*NOTES, *_on_bystanders(references), *words]

    def _generated(
        self,
        wanted: Sequence[request.Request],
        references: tuple[gate.AdmittedReference, ...],
        errand: "_Errand",
    ) -> list[np.ndarray]:
        errand.go_on()
        return list(self._engine.shots(wanted, references, errand.on_step))

    def answer(self, handed: Any) -> Document:
        """The reply to one record, where no door stands in front.

        Raises:
            Refusal: the request is not served; its sentence quotes nothing of it.
        """
        wanted = self.read(handed)
        if not self._places.acquire(blocking=False):
            raise busy()
        try:
            return self.show(wanted, self.look(wanted))
        finally:
            self._places.release()


class _Errand:
    """Whether anybody still waits for the clip that the other thread makes."""

    def __init__(self, on_step: OnStep | None) -> None:
        self._told = on_step
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """Nobody waits any more."""
        self._given_up.set()

    def go_on(self) -> None:
        """Return if the work is to go on.

        Raises:
            Cancelled: nobody waits any more.
        """
        if self._given_up.is_set():
            raise Cancelled

    def on_step(self, done: int, total: int) -> None:
        """Told after each denoising step, and tells whoever asked for it."""
        self.go_on()
        if self._told is not None:
            self._told(done, total)


def places(limits: ServeSettings) -> int:
    """How many requests may be inside at once: the one at work and those that wait."""
    return limits.waiting + 1


def busy() -> Refusal:
    """The refusal when every place is taken."""
    return Refusal(Code.BUSY, "Too many requests are waiting: try again later.")


def _admitted(
    config: ServingConfig, find: gate.FindFaces, pictures: tuple[bytes, ...]
) -> tuple[gate.AdmittedReference, ...]:
    return gate.admit(pictures, find, config.serve.max_reference_pixels, config.max_aspect)


def _on_bystanders(references: tuple[gate.AdmittedReference, ...]) -> list[str]:
    return [
        f"Reference picture {number} shows further, far smaller faces; they were not counted."
        for number, reference in enumerate(references, start=1)
        if reference.bystanders
    ]


def _on_words(unread: tuple[str, ...], unknown: tuple[str, ...]) -> list[str]:
    """Words are counted: a reply quotes nothing."""
    told = (
        ("Words of the prompt that were too many for the text encoder", unread),
        ("Words of the prompt that the text encoder does not know", unknown),
    )
    return [f"{what}: {len(words)}." for what, words in told if words]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def load(
    artifacts: Mapping[str, str],
    settings: Mapping[str, Any],
    low_memory: bool = False,
    before: Callable[[Admit], object] | None = None,
) -> Mirror:
    """Load a registered model from its artifact folders, digests first.

    before: called with what admits references, before the networks are loaded that make clips and
    take minutes. What it raises ends the loading.

    Raises:
        UserError: a folder is missing, or does not have the digest it was registered with.
    """
    config = ServingConfig.model_validate(dict(settings))
    folders = {name: Path(path) for name, path in artifacts.items()}
    if config.backbone_path is not None:
        folders["backbone"] = backbone_folder(folders["adapter"], config.backbone_path)
    for name, digest in config.digests.items():
        if not folders[name].is_dir() or digests.of_folder(folders[name]) != digest:
            raise UserError(
                f"The {name} of this model is missing or is not the one it was registered with "
                f"({folders[name]}): run 'python -m mm_model run register' to put it back."
            )
    from mm_model.facepack.detect import chosen_faces
    from mm_model.facepack.port import open_pack
    from mm_model.serving.engine import PipelineEngine

    policy.prepare()
    pack = open_pack(folders["facepack"], config.detection.detection_size, config.threads)

    def find(pixels: np.ndarray) -> Sighting:
        return chosen_faces(pack, pixels, config.detection)

    if before is not None:
        before(partial(_admitted, config, find))
    return Mirror(
        config,
        find,
        lambda: PipelineEngine(folders["backbone"], folders["adapter"], config, low_memory),
    )
