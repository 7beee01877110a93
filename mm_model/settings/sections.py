"""The shape and the laws of the configuration: one typed tree, values in `profiles/*.yaml`.

`params.yaml` at the root names the profile and the inputs; a profile holds every value. A field
the paper states has no default here. An unknown key is an error.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mm_model.errors import UserError
from mm_model.store import digests
from mm_model.store.consents import ID, Basis
from mm_model.store.walk import why

Share = Annotated[float, Field(ge=0, le=1)]
FaceGuidance = Literal["null", "keep", "base", "split"]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of a profile: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class RunSettings(Section):
    """What holds for every stage. `threads` bounds torch, OpenCV and ONNX Runtime alike; `dtype` is
    what the frozen backbone computes in, what is trained is float32 always.
    """

    seed: int
    threads: Count
    device: Literal["cpu", "cuda", "auto"]
    dtype: Literal["float32", "bfloat16"]


class SourcesSettings(Section):
    """What is said of the raw folder as a whole.

    `consent` is the id of the statement that covers every file, never its words, since a profile's
    values are tracked; a `consent.yaml` inside the folder wins.
    """

    consent: str | None

    @field_validator("consent")
    @classmethod
    def _names_a_statement(cls, value: str | None) -> str | None:
        if value is not None and not ID.fullmatch(value):
            raise ValueError(
                "words may not stand here, where they would be tracked: give <basis>:<evidence> "
                f"(basis one of {', '.join(Basis)}), or let make run SOURCES=... CONSENT='...' "
                "keep the words and name them here"
            )
        return value


class IngestSettings(Section):
    """Which raw files are usable: pixels, frames; null switches a rule off.

    `max_aspect` is the longer side over the shorter one.
    """

    caption_template: str
    min_side: Count
    max_pixels: Count
    max_aspect: Annotated[float, Field(ge=1)] | None
    min_frames: Count
    max_frames: Count
    decode_seconds: float = Field(gt=0)
    decode_memory_mb: Count
    static_below: float | None
    cut_above: float | None
    text_area_above: Share | None
    row_floor: Count


class FacesSettings(Section):
    """Which samples show exactly one usable face, and who is who.

    Detection sizes are in pixels of the detector's square input. Faces whose side is under
    `bystander_below` of the largest one's are not counted. A held-out person known from one file is
    called doubtful below `doubtful_score` (of two views) and below `doubtful_norm` of the usual
    length of an embedding; nobody is rejected for it. `identity` says whether people
    are told apart by clustering embeddings or by the folder a file lies in.
    """

    detection_size: Count
    detection_above: Share
    padded_detection_above: Share
    pads: tuple[Share, ...]
    frames_examined: Count | None
    found_share_min: Share
    min_face: float = Field(ge=0)
    min_sharpness: float = Field(ge=0)
    max_faces: Count
    bystander_below: Share
    doubtful_score: Share
    doubtful_norm: Share
    identity: Literal["clusters", "folders"]
    cluster_above: float = Field(ge=-1, le=1)
    held_out_share: Share
    row_floor: Count


class PairsSettings(Section):
    """Which reference stands for which target. The paper keeps pairs with cosine above 0.65."""

    cosine_above: float = Field(ge=-1, le=1)
    cosine_warn_above: float = Field(ge=-1, le=1)
    per_target: Count
    kinds: tuple[Literal["self_reference", "cross", "synthetic"], ...]
    synthesizer: Literal["world", "augment", "none"]
    synthetic_per_identity: int = Field(ge=0)
    row_floor: Count


class ModelSettings(Section):
    """Sizes of the adapter and of the training samples (pixels, frames).

    `crop_margin` and `reference_margin` are the sides of the training window and of the reference
    portrait in face heights; a null `reference_margin` shows the encoder the whole picture. It is
    written into a new adapter and read from there by all who use one.
    `face_perceiver` says what the face perceiver begins with: random weights, or a copy of the
    identity perceiver's resampler, whose sizes it must have then.
    """

    preset: Literal["paper", "paper_wide", "mid", "lite", "tiny"]
    attention: Literal["joint", "gated_joint", "asymmetric"]
    ca_out_proj: Literal["shared", "own"]
    face_perceiver: Literal["random", "id_perceiver"]
    height: Count
    width: Count
    num_frames: Count
    fps: Count
    crop_margin: float = Field(ge=1)
    reference_margin: Annotated[float, Field(ge=1, le=16)] | None

    @model_validator(mode="after")
    def _legal_frames(self) -> "ModelSettings":
        if self.num_frames != 1 and self.num_frames % 8 != 1:
            raise ValueError(f"num_frames must be 1 or 8k+1, not {self.num_frames}")
        return self


class TrainSettings(Section):
    """One training stage (paper, section 4: 30K x 64 images, then 5K x 8 clips, lr from 1e-5).

    Steps count optimiser updates; `batch_size` is global. Probabilities are per sample. At most
    `identity_loss_samples` of a batch are decoded for the identity loss. `noisy_share` of the
    samples draw their timestep from the noisier half, where the image has yet to decide who it
    shows; the rest, and at 0 all as CogVideoX does, draw uniformly. The `sample_` fields say
    when and how held-out people are looked at; they change nothing that is learned. `milestones`
    are shares of the steps after which the adapter is kept and evaluated too. `row_floor` is the
    least number of targets to learn from.
    """

    steps: Count
    batch_size: Count
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    final_lr_share: Share
    weight_decay: float = Field(ge=0)
    betas: tuple[float, float]
    gradient_clip: float = Field(gt=0)
    gradient_checkpointing: bool
    noisy_share: Share
    face_loss_probability: Share
    drop_text: Share
    drop_face: Share
    drop_both: Share
    identity_loss_weight: float = Field(ge=0)
    identity_loss_from_step: int = Field(ge=0)
    identity_loss_samples: Count
    log_every: Count
    sample_every: Count
    sample_frames: Count
    sample_steps: Count
    sample_guidance: float = Field(ge=1)
    sample_face_guidance: FaceGuidance
    checkpoint_every: Count
    milestones: tuple[Share, ...]
    row_floor: Count

    @property
    def milestone_steps(self) -> tuple[int, ...]:
        """Steps after which the adapter is kept for the evaluation's curve."""
        return tuple(sorted({max(1, round(share * self.steps)) for share in self.milestones}))


class EvaluateSettings(Section):
    """The test set and the sampler (50 steps, guidance 6 in the paper's setting)."""

    people: Count
    clips_per_person: Count
    references_per_person: Annotated[int, Field(ge=1, le=4)]
    inference_steps: Count
    guidance_scale: float = Field(ge=1)
    face_guidance: FaceGuidance
    bootstrap_draws: Count
    row_floor: Count


class RegisterSettings(Section):
    """The promotion rule: identity must rise by more than its interval, the rest may not fall."""

    model_name: str
    max_relative_drop: Share
    confidence: Share


class ServeSettings(Section):
    """Limits a request must keep (pixels, frames, steps) and the values used when it is silent.

    max_reference_pixels: width times height of one picture, told by its header. waiting: how many
    requests may wait beside the one at work. body_seconds: how long a body may take to arrive.
    """

    max_references: Annotated[int, Field(ge=1, le=4)]
    max_reference_bytes: Count
    max_reference_pixels: Count
    max_prompt_characters: Count
    max_frames: Count
    max_steps: Count
    max_guidance: float = Field(ge=1)
    sizes: tuple[tuple[int, int], ...]
    default_steps: Count
    default_guidance: float = Field(ge=1)
    waiting: Count
    body_seconds: float = Field(gt=0)


class Profile(Section):
    """A complete set of values."""

    title: str
    run: RunSettings
    sources: SourcesSettings
    ingest: IngestSettings
    faces: FacesSettings
    pairs: PairsSettings
    model: ModelSettings
    pretrain: TrainSettings
    finetune: TrainSettings
    evaluate: EvaluateSettings
    register_: RegisterSettings = Field(alias="register")
    serve: ServeSettings

    def section(self, name: str) -> Section:
        """The section called `name` in the file."""
        return getattr(self, "register_" if name == "register" else name)

    def part(self, *names: str) -> dict:
        """The named sections as plain JSON-able values."""
        return {name: self.section(name).model_dump(mode="json") for name in names}

    @property
    def digest(self) -> str:
        """Digest of all values."""
        return digests.of_value(self.model_dump(mode="json", by_alias=True))


class Params(Section):
    """`params.yaml`: the profile's name and the inputs, as paths from the root."""

    profile: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    sources: str
    facepack: str
    judge: str
    backbone: str


def _load(kind: type[Section], path: Path) -> Section:
    try:
        if not path.is_file():
            raise UserError(f"{path} does not exist: run from the repository root, or set MM_ROOT.")
        return kind.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({why(error)}): mend its permissions.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except (yaml.YAMLError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise UserError(f"{path} is not valid YAML{line}: mend it there.") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(
            f"{path}: {field}: {first['msg'].removeprefix('Value error, ')}: mend that value "
            f"(mm_model/settings/sections.py says what it means)."
        ) from None


def load_params(root: Path) -> Params:
    """Read `<root>/params.yaml`.

    Raises:
        UserError: absent, not YAML, or a key that does not belong.
    """
    return _load(Params, root / "params.yaml")


def load_profile(root: Path, name: str) -> Profile:
    """Read `<root>/profiles/<name>.yaml`.

    Raises:
        UserError: absent, not YAML, a missing value, or one against the laws above.
    """
    path = root / "profiles" / f"{name}.yaml"
    if not path.is_file():
        files = sorted((root / "profiles").glob("*.yaml"))
        known = ", ".join(file.stem for file in files if "\nmodel:" in file.read_text())
        raise UserError(f"There is no profile '{name}': params.yaml may name one of {known}.")
    return _load(Profile, path)
