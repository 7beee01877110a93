"""The section `faces` of a profile; see `sections` for the whole tree."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mm_model.decisions.table import extended
from mm_model.settings import bounds
from mm_model.settings.bounds import Count, Few, Share, each_once
from mm_model.settings.section import Section


@extended("faces")
class FacesSettings(Section):
    """Which samples show exactly one usable face, and who is who.

    Detection sizes are in pixels of the detector's square input. A head may be turned by `max_yaw`
    degrees; null switches that off. `max_occlusion` bounds a measure of covered faces; null asks
    nothing. `min_age` is in years, as a model of the pack estimates them; a pack without one cannot
    be held to it, null asks nothing. Faces whose side is under
    `bystander_below` of the largest one's are not counted. A held-out person known from one file is
    called doubtful below `doubtful_score` (of two views) and below `doubtful_norm` of the usual
    length of an embedding; nobody is rejected for it. `identity` says whether people are told apart
    by clustering embeddings or by the folder a file lies in. Identities whose mean embeddings are
    nearer than `redundant_above` are reported, or all but one of them rejected; null asks nothing.
    Two frames of a clip whose faces are less alike than `track_cosine_min` show two people; null
    asks nothing. With `embed_rejected` rejected faces are embedded too: another bound then needs no
    second look. Where `prescreen_size` is set the detector looks at that input size first, and only
    files that it gives `prescreen_above` there are looked at in full; null for both looks at every
    file.
    """

    detection_size: bounds.Side
    prescreen_size: bounds.Side | None
    prescreen_above: Share | None
    detection_above: Share
    padded_detection_above: Share
    pads: Annotated[tuple[Share, ...], Field(max_length=8), AfterValidator(each_once)]
    frames_examined: bounds.Frames | None
    found_share_min: Share
    min_face: bounds.Length
    min_sharpness: bounds.Sharpness
    max_yaw: bounds.Turn | None
    max_occlusion: Share | None
    min_age: bounds.Years | None
    track_cosine_min: bounds.Correlation | None
    max_faces: Few
    bystander_below: Share
    doubtful_score: Share
    doubtful_norm: Share
    identity: Literal["clusters", "folders"]
    cluster_above: bounds.Correlation
    redundant_above: bounds.Correlation | None
    redundant: Literal["report", "reject"]
    embed_rejected: bool
    held_out_share: Share
    row_floor: Count

    @model_validator(mode="after")
    def _a_first_look_is_cheap(self) -> "FacesSettings":
        if (self.prescreen_size is None) != (self.prescreen_above is None):
            raise ValueError(
                "prescreen_size and prescreen_above go together: give both, or null for both"
            )
        size = self.prescreen_size
        if size is not None and (size % 32 or size >= self.detection_size):
            raise ValueError(
                f"prescreen_size is {size}: give a multiple of 32 under detection_size, "
                f"{self.detection_size}"
            )
        return self
