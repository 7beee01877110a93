"""The shape and the laws of the configuration: one typed tree, values in `profiles/*.yaml`.

`params.yaml` at the root names the profile and the inputs; a profile, with what it builds on, holds
every value. No field has a default here: what the paper states stands in `profiles/paper.yaml`, and
a new field needs one line in `profiles/common.yaml`. An unknown key is an error, and so is a number
without sense: the bounds below are wide, and only keep out what nobody can mean.
"""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from mm_model.decisions.table import extended
from mm_model.settings import bounds
from mm_model.settings.automation import AutomationSettings as AutomationSettings
from mm_model.settings.bounds import Count, Few, Share, each_once
from mm_model.settings.faces import FacesSettings as FacesSettings
from mm_model.settings.section import Section
from mm_model.settings.subject import SubjectSettings as SubjectSettings
from mm_model.settings.training import FaceGuidance as FaceGuidance
from mm_model.settings.training import TrainSettings as TrainSettings
from mm_model.store import digests
from mm_model.store.consents import ID, Basis

PairKind = Literal["self_reference", "cross", "synthetic"]


class RunSettings(Section):
    """What holds for every stage. `threads` bounds torch, OpenCV and ONNX Runtime alike; `dtype` is
    what the frozen backbone computes in, what is trained is float32 always.
    """

    seed: bounds.Seed
    threads: bounds.Threads
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


@extended("ingest")
class IngestSettings(Section):
    """Which raw files are usable: pixels, frames; null switches a rule off.

    `max_aspect` is the longer side over the shorter one. Files whose perceptual hashes differ in at
    most `alike_within` of 64 bits are taken for copies. `text_second_look`: from which to which
    value of `lettering` OCR decides instead (lowest, highest). Captions: `captioner` and
    `clip_captioner` are `template`, `sidecar` or a model on the shelf, whose words count where a
    file has none, with `caption_anew` everywhere. It is shown `caption_frames` of a clip.
    The last five of its fields are what the lint does, and what it holds a caption to. Watermarks:
    `watermark_model` names a classifier on the shelf, `watermark_label` which of its labels is held
    to `watermark_above`.
    """

    caption_template: bounds.Text
    captioner: bounds.Name
    clip_captioner: bounds.Name
    caption_prompt: bounds.Text
    clip_caption_prompt: bounds.Text
    caption_frames: bounds.Keyframes
    caption_batch: Few
    caption_tokens: Few
    caption_dtype: Literal["float32", "bfloat16"]
    caption_anew: bool
    caption_lint: Literal["report", "replace", "reject"]
    caption_min_words: Few | None
    caption_max_words: Few | None
    caption_latin_share: Share | None
    caption_repeats: Share | None
    min_side: bounds.Side
    max_pixels: bounds.Pixels
    max_aspect: bounds.Ratio | None
    min_frames: bounds.Frames
    max_frames: bounds.Frames
    decode_seconds: bounds.Seconds
    decode_memory_mb: bounds.Megabytes
    static_below: bounds.Grey | None
    cut_above: Share | None
    text_area_above: Share | None
    alike_within: bounds.HashBits | None
    text_second_look: tuple[Share, Share] | None
    nsfw_above: Share | None
    watermark_model: bounds.Name | None
    watermark_label: bounds.Text | None
    watermark_above: Share | None
    quality_above: bounds.Score | None
    row_floor: Count

    @model_validator(mode="after")
    def _something_fits(self) -> "IngestSettings":
        if self.max_frames < self.min_frames:
            raise ValueError(
                f"no clip has at least {self.min_frames} frames (min_frames) and at most "
                f"{self.max_frames} (max_frames)"
            )
        if (self.caption_min_words or 1) > (self.caption_max_words or 1000):
            raise ValueError(
                f"no caption has at least {self.caption_min_words} words (caption_min_words) and "
                f"at most {self.caption_max_words} (caption_max_words)"
            )
        if self.text_second_look and self.text_second_look[0] > self.text_second_look[1]:
            raise ValueError("text_second_look goes from the lowest value to the highest")
        if self.text_second_look and self.text_area_above is None:
            raise ValueError(
                "text_second_look is held to text_area_above, which is null: give both or none"
            )
        self._watermarks_are_told_whole()
        if self.max_pixels < self.min_side**2:
            raise ValueError(
                f"no picture has sides of {self.min_side} (min_side) and at most "
                f"{self.max_pixels} pixels (max_pixels)"
            )
        return self

    def _watermarks_are_told_whole(self) -> None:
        fields = ("watermark_model", "watermark_label", "watermark_above")
        lacking = [field for field in fields if getattr(self, field) is None]
        if 0 < len(lacking) < len(fields):
            raise ValueError(
                f"{' and '.join(lacking)} {'are' if len(lacking) > 1 else 'is'} null: a classifier "
                "of watermarks takes a model of the shelf, one of its labels and a bound; give all "
                "three or none"
            )


def asks_for_paint(synthesizer: str, kinds: Collection[str]) -> bool:
    """Whether these values of the section `pairs` ask a generative model for pictures."""
    return synthesizer == "photomaker" and "synthetic" in kinds


@extended("pairs")
class PairsSettings(Section):
    """Which reference stands for which target. The paper keeps pairs with cosine above 0.65.

    What follows `synthetic_per_identity` is read by `photomaker` alone. It paints
    `synthetic_per_still` pictures of each still and `synthetic_per_clip` of each clip, of which it
    is shown up to `synthetic_references` frames, with prompts of the file `prompts` beside the
    profile. `synthetic_size` is in pixels a side; up to step `synthetic_merge_after` (from 0) the
    sentence steers alone. `prompts_digest` is filled in: an edited file makes pairs anew.
    """

    cosine_above: bounds.Correlation
    cosine_warn_above: bounds.Correlation
    per_target: Few
    kinds: Annotated[tuple[PairKind, ...], Field(min_length=1), AfterValidator(each_once)]
    synthesizer: Literal["world", "augment", "photomaker", "none"]
    synthetic_per_identity: bounds.SomeOrNone
    synthetic_per_still: bounds.SomeOrNone
    synthetic_per_clip: bounds.SomeOrNone
    synthetic_references: bounds.References
    synthetic_size: bounds.Side
    synthetic_steps: bounds.SamplerSteps
    synthetic_guidance: bounds.Guidance
    synthetic_merge_after: bounds.Step
    synthetic_negative: Annotated[str, Field(max_length=1000)]
    prompts: bounds.Name
    prompts_digest: str | None
    row_floor: Count

    @property
    def paints(self) -> bool:
        """Whether a generative model makes pictures, from weights and prompts."""
        return asks_for_paint(self.synthesizer, self.kinds)

    @model_validator(mode="after")
    def _the_identity_is_seen(self) -> "PairsSettings":
        if self.synthetic_size % 8:
            raise ValueError(f"synthetic_size is {self.synthetic_size}: give a multiple of 8")
        if self.synthetic_merge_after + 1 >= self.synthetic_steps:
            raise ValueError(
                f"the identity would be merged after step {self.synthetic_merge_after} "
                f"(synthetic_merge_after) of {self.synthetic_steps} (synthetic_steps), which is "
                "never"
            )
        return self


class ModelSettings(Section):
    """Sizes of the adapter and of the training samples (pixels, frames).

    `crop_margin` and `reference_margin` are the sides of the training window and of the reference
    portrait in face heights; a null `reference_margin` shows the encoder the whole picture. It is
    written into a new adapter and read from there by all who use one.
    `face_perceiver` says what the face perceiver begins with: random weights, or a copy of the
    identity perceiver's resampler, whose sizes it must have then.
    """

    preset: Literal["paper", "paper_wide", "mid", "lite", "lean", "tiny"]
    attention: Literal["joint", "gated_joint", "asymmetric"]
    ca_out_proj: Literal["shared", "own"]
    face_perceiver: Literal["random", "id_perceiver"]
    height: bounds.Side
    width: bounds.Side
    num_frames: bounds.ModelFrames
    fps: bounds.Rate
    crop_margin: bounds.Margin
    reference_margin: bounds.Margin | None


class PrecomputeSettings(Section):
    """What is encoded for training, and how it is kept.

    `dtype` is that of the kept latents, texts and features. A shard has at most `shard_mb` MiB of
    tensors. `vae_tiling` encodes large frames tile by tile, in less memory and not to the last bit;
    `text_batch` captions pass T5 at once. `row_floor` is the least number of pictures.
    """

    dtype: Literal["float32", "bfloat16"]
    shard_mb: Count
    vae_tiling: bool
    text_batch: Few
    row_floor: Count


class EvaluateSettings(Section):
    """The test set and the sampler (50 steps, guidance 6 in the paper's setting)."""

    people: Count
    clips_per_person: Few
    references_per_person: bounds.References
    inference_steps: bounds.SamplerSteps
    guidance_scale: bounds.Guidance
    face_guidance: FaceGuidance
    row_floor: Count


class RegisterSettings(Section):
    """The promotion rule: identity must rise by more than its interval, the rest may not fall."""

    model_name: bounds.Name
    tolerated_change: Share
    confidence: bounds.InnerShare


class TrackingSettings(Section):
    """What is told to MLflow; none of it changes a result, so no stage runs again for it.

    samples: where pictures and clips of people go: `none`, `tree` (the tree's own store alone,
    never a server) or `all`. sample_clips: at most so many clips of one evaluation. system_seconds:
    between two readings of processor, memory, disk and GPU; null reads none.
    """

    samples: Literal["none", "tree", "all"]
    sample_clips: bounds.SomeOrNone
    system_seconds: bounds.Seconds | None


class ServeSettings(Section):
    """Limits a request must keep (pixels, frames, steps) and the values used when it is silent.

    max_reference_pixels: width times height of one picture, told by its header. waiting: how many
    requests may wait beside the one at work. body_seconds: how long a body may take to arrive.
    """

    max_references: bounds.References
    max_reference_bytes: bounds.Bytes
    max_reference_pixels: bounds.Pixels
    max_prompt_characters: bounds.Characters
    max_frames: bounds.Frames
    max_steps: bounds.SamplerSteps
    max_guidance: bounds.Guidance
    sizes: Annotated[
        tuple[tuple[bounds.Side, bounds.Side], ...],
        Field(min_length=1, max_length=100),
        AfterValidator(each_once),
    ]
    default_steps: bounds.SamplerSteps
    default_guidance: bounds.Guidance
    waiting: Few
    body_seconds: bounds.Seconds

    @model_validator(mode="after")
    def _defaults_are_allowed(self) -> "ServeSettings":
        if self.default_steps > self.max_steps:
            raise ValueError(f"default_steps may be at most max_steps, {self.max_steps}")
        if self.default_guidance > self.max_guidance:
            raise ValueError(f"default_guidance may be at most max_guidance, {self.max_guidance}")
        return self


class FollowSettings(Section):
    """How `make serve` follows its alias: seconds between two looks at the registry, and between
    two attempts at a release that cannot be served.

    start_seconds: how long the next release may take until it answers. prepare: the process of the
    next release waits with its libraries loaded.
    """

    look_seconds: bounds.Seconds
    retry_seconds: bounds.Seconds
    start_seconds: bounds.Seconds
    prepare: bool


class Profile(Section):
    """A complete set of values."""

    title: bounds.Text
    run: RunSettings
    sources: SourcesSettings
    ingest: IngestSettings
    faces: FacesSettings
    pairs: PairsSettings
    model: ModelSettings
    precompute: PrecomputeSettings
    pretrain: TrainSettings
    finetune: TrainSettings
    evaluate: EvaluateSettings
    subject: SubjectSettings
    register_: RegisterSettings = Field(alias="register")
    tracking: TrackingSettings
    serve: ServeSettings
    automation: AutomationSettings
    follow: FollowSettings

    @property
    def trainings(self) -> dict[str, TrainSettings]:
        """The sections of the trainings by name, in the order in which they run."""
        return {"pretrain": self.pretrain, "finetune": self.finetune}

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

    profile: Annotated[str, Field(pattern=bounds.PROFILE, max_length=100)]
    sources: bounds.Path
    facepack: bounds.Path
    judge: bounds.Path
    judges: bounds.Path
    captioners: bounds.Path
    classifiers: bounds.Path
    synthesizer: bounds.Path
    backbone: bounds.Path
