"""One served model: checks a request, opens its references, generates, encodes, replies.

Requests are generated one after another under a lock; the rest of the work runs beside it. It
writes neither prompts nor pictures to any log.
"""

import base64
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.media.encode import mp4_bytes
from mm_model.serving import consent, gate, request
from mm_model.serving.config import ServingConfig
from mm_model.serving.engine import Engine
from mm_model.serving.refusal import Code, Refusal
from mm_model.store import digests

_LOG = logging.getLogger(__name__)
_WAITING = 16
_NOTES = (
    "This video is synthetic; say so where you show it.",
    "No content filter and no watermark was applied to it.",
)


class Mirror:
    """A loaded model. `answer` may be called from many threads."""

    def __init__(self, config: ServingConfig, look: gate.Look, engine: Engine) -> None:
        self._config = config
        self._look = look
        self._engine = engine
        most = min(config.serve.max_frames, engine.max_frames)
        self._limits = config.serve.model_copy(update={"max_frames": most})
        self._default_frames = min(config.num_frames, most)
        self._generating = threading.Lock()
        self._looking = threading.Lock()
        self._places = threading.BoundedSemaphore(_WAITING)

    def answer(self, handed: Any) -> dict[str, Any]:
        """The reply to one record: `video_mp4` (base64), `seed`, `num_frames`, `fps`, ...

        Raises:
            Refusal: the request is not served; its sentence quotes nothing of it.
        """
        started = time.monotonic()
        wanted = request.read(handed, self._limits, self._default_frames)
        if not self._places.acquire(blocking=False):
            raise Refusal(Code.BUSY, "Too many requests are waiting: try again later.")
        try:
            with self._looking:
                references = gate.admit(
                    wanted.references, self._look, self._config.max_pixels, self._config.max_aspect
                )
            consent.record(wanted.consent)
            with self._generating:
                frames = self._engine.generate(wanted, references)
        finally:
            self._places.release()
        video = mp4_bytes(frames, self._config.fps)
        _LOG.info("served %d frames in %.1f s", len(frames), time.monotonic() - started)
        return {
            "video_mp4": base64.b64encode(video).decode("ascii"),
            "seed": wanted.seed,
            "num_frames": len(frames),
            "height": int(frames.shape[1]),
            "width": int(frames.shape[2]),
            "fps": self._config.fps,
            "adapter_digest": self._config.digests["adapter"],
            "notes": [*_NOTES, *_on_bystanders(references)],
        }


def _on_bystanders(references: tuple[gate.Reference, ...]) -> list[str]:
    return [
        f"Reference picture {number} shows further, far smaller faces; they were not counted."
        for number, reference in enumerate(references, start=1)
        if reference.bystanders
    ]


def load(artifacts: Mapping[str, str], settings: Mapping[str, Any]) -> Mirror:
    """Load a registered model from its artifact folders, digests first.

    Raises:
        UserError: a folder is missing, or does not have the digest it was registered with.
    """
    config = ServingConfig.model_validate(dict(settings))
    folders = {name: Path(path) for name, path in artifacts.items()}
    if config.backbone_path is not None:
        folders["backbone"] = _beside(folders["adapter"], config.backbone_path)
    for name, digest in config.digests.items():
        if not folders[name].is_dir() or digests.of_folder(folders[name]) != digest:
            raise UserError(
                f"The {name} of this model is missing or is not the one it was registered with "
                f"({folders[name]}): run 'python -m mm_model run register' to put it back."
            )
    from mm_model.eyes.detect import chosen_faces
    from mm_model.eyes.pack import open_pack
    from mm_model.serving.engine import PipelineEngine

    pack = open_pack(folders["facepack"], config.detection.detection_size, config.threads)
    engine = PipelineEngine(folders["backbone"], folders["adapter"], config)
    return Mirror(config, lambda pixels: chosen_faces(pack, pixels, config.detection), engine)


def _beside(artifact: Path, path: str) -> Path:
    """`path`; one that counts from the root of a tree is looked for above the model's own files."""
    above = [Path.cwd(), *artifact.resolve().parents]
    found = (place / path for place in above if (place / path).is_dir())
    return next(found, Path(path))
