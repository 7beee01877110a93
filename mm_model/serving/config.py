"""What a registered model needs to know besides its weights: limits, sizes, digests.

Written into the model's `MLmodel` file at registration and read back when it is served; it holds
no path except that of a backbone too large to be copied.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from mm_model.settings import (
    Count,
    FaceGuidance,
    Profile,
    Section,
    ServeSettings,
    Share,
)


class Detection(Section):
    """How faces are looked for: the pipeline pack's rules at registration (pixels, scores)."""

    detection_size: Count
    detection_above: Share
    padded_detection_above: Share
    pads: tuple[Share, ...]
    bystander_below: Share


class ServingConfig(Section):
    """All of it. `digests` names the folders adapter, backbone and facepack; `fps` frames a second.

    `backbone_path` is set when the backbone is referred to instead of copied: absolute, or from the
    root of the tree that registered it.
    """

    serve: ServeSettings
    detection: Detection
    max_aspect: float | None
    num_frames: Count
    fps: Count
    face_guidance: FaceGuidance
    device: Literal["cpu", "cuda", "auto"]
    dtype: Literal["float32", "bfloat16"]
    threads: Count
    digests: dict[str, str] = Field(min_length=3)
    backbone_path: str | None = None


def of_profile(
    profile: Profile, digests: dict[str, str], backbone_path: str | None = None
) -> ServingConfig:
    """The serving configuration of a profile and the digests of its weights."""
    rules = profile.faces.model_dump(include=set(Detection.model_fields))
    return ServingConfig(
        serve=profile.serve,
        detection=Detection(**rules),
        max_aspect=profile.ingest.max_aspect,
        num_frames=profile.model.num_frames,
        fps=profile.model.fps,
        face_guidance=profile.evaluate.face_guidance,
        device=profile.run.device,
        dtype=profile.run.dtype,
        threads=profile.run.threads,
        digests=digests,
        backbone_path=backbone_path,
    )


def backbone_folder(adapter: Path, path: str) -> Path:
    """A backbone that is referred to by `path`; one that counts from the root of a tree is looked
    for above the model's own files, of which `adapter` is one."""
    above = [Path.cwd(), *adapter.resolve().parents]
    found = (place / path for place in above if (place / path).is_dir())
    return next(found, Path(path))
