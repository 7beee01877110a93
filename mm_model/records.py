"""What flows between stages: statuses, reason codes, and the columns of each table.

Tables are Parquet. `in = kept + rejected + failed` holds for every stage; a rejected row carries
one reason of the closed list below, with the value measured and the threshold it was held to.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum

from mm_model.decisions import faces, ingest, pairs
from mm_model.decisions.port import names
from mm_model.decisions.reasons import Reason as Reason
from mm_model.rows import Row as Row


class Status(StrEnum):
    """What became of one sample in one stage."""

    KEPT = "kept"
    REJECTED = "rejected"
    FAILED = "failed"


class CaptionProblem(StrEnum):
    """Why a caption was not used, or what the lint says of it; mostly the file is kept."""

    UNREADABLE = "CAPTION_UNREADABLE"
    TOO_LARGE = "CAPTION_TOO_LARGE"
    NOT_TEXT = "CAPTION_NOT_TEXT"
    EMPTY = "CAPTION_EMPTY"
    TRIGGER = "CAPTION_TRIGGER"
    NO_SUBJECT = "CAPTION_NO_SUBJECT"
    LATE_SUBJECT = "CAPTION_LATE_SUBJECT"
    NO_PIECE = "CAPTION_NO_PIECE"
    MARK = "CAPTION_MARK"
    ABSENT = "CAPTION_ABSENT"
    REFUSAL = "CAPTION_REFUSAL"
    LANGUAGE = "CAPTION_LANGUAGE"
    LOOP = "CAPTION_LOOP"
    SHORT = "CAPTION_SHORT"
    LONG = "CAPTION_LONG"


@dataclass(frozen=True)
class Bound:
    """What the audit asks of a measured column: never null where `always`, and a range."""

    column: str
    _: KW_ONLY
    always: bool = False
    least: float | None = None
    most: float | None = None


class Role(StrEnum):
    """What a picture of a tested person is for."""

    SHOWN = "shown"
    WITHHELD = "withheld"
    BOTH = "shown and judging"


@dataclass(frozen=True)
class Counts:
    """The account of one stage. `rejected` and `failed` map reasons to numbers.

    Raises:
        ValueError: the account does not add up.
    """

    total: int
    kept: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        accounted = self.kept + sum(self.rejected.values()) + sum(self.failed.values())
        if accounted != self.total:
            raise ValueError(f"{self.total} samples in, {accounted} accounted for")

    @classmethod
    def of_rows(cls, statuses: list[str], reasons: list[str | None]) -> "Counts":
        """Count rows by their status and reason columns."""
        return cls.of_tally(Counter(zip(statuses, reasons, strict=True)))

    @classmethod
    def of_tally(cls, outcomes: Mapping[tuple[str, str | None], int]) -> "Counts":
        """Counted rows, by status and reason."""
        tally: dict[str, dict[str, int]] = {Status.REJECTED: {}, Status.FAILED: {}}
        kept = 0
        for (status, reason), number in outcomes.items():
            if status == Status.KEPT:
                kept += number
            else:
                tally[status][str(reason)] = tally[status].get(str(reason), 0) + number
        return cls(
            total=sum(outcomes.values()),
            kept=kept,
            rejected=dict(sorted(tally[Status.REJECTED].items())),
            failed=dict(sorted(tally[Status.FAILED].items())),
        )

    def line(self) -> str:
        """One line that always adds up: `70 in = 61 kept + 9 rejected (...) + 0 failed`."""

        def named(tally: Mapping[str, int]) -> str:
            detail = ", ".join(f"{reason} {number}" for reason, number in tally.items())
            return f" ({detail})" if detail else ""

        return (
            f"{self.total} in = {self.kept} kept"
            f" + {sum(self.rejected.values())} rejected{named(self.rejected)}"
            f" + {sum(self.failed.values())} failed{named(self.failed)}"
        )


DECISION_COLUMNS = ("status", "reason", "reason_value", "reason_threshold", "message")

SOURCES_COLUMNS = (
    "source_id",
    "name",
    "path",
    "bytes",
    "sha256",
    "subject",
    "split",
    "synthetic",
    "consent",
    "consent_digest",
    "source",
    "licence",
    "origin",
    "framing",
    *DECISION_COLUMNS,
)

INGEST_MEASURES = names(ingest.MEASURES)
"""What the rules of stage `ingest` hold against a threshold, beside `num_frames` and `fps`."""

INGEST_COLUMNS = (
    "sample_id",
    "source_id",
    "name",
    "subject",
    "split",
    "synthetic",
    "consent",
    "consent_digest",
    "framing",
    "media",
    "file",
    "width",
    "height",
    "num_frames",
    "fps",
    "codec",
    *INGEST_MEASURES,
    "caption",
    "caption_origin",
    "caption_problem",
    "caption_message",
    "caption_lint",
    "pixel_id",
    "phash",
    *DECISION_COLUMNS,
)

FACES_COLUMNS = (
    "sample_id",
    "name",
    "media",
    "identity",
    "split",
    "num_frames",
    "frames_examined",
    "frames_found",
    *names(faces.MEASURES),
    *names(faces.SECOND_LOOK),
    "embedding_row",
    *DECISION_COLUMNS,
)

TRACKS_COLUMNS = (
    "sample_id",
    "frame",
    "x1",
    "y1",
    "x2",
    "y2",
    "score",
    "pad",
    *(f"{axis}{point}" for point in range(5) for axis in ("kx", "ky")),
)

PAIRS_COLUMNS = (
    "pair_id",
    "target",
    "reference",
    "reference_file",
    "kind",
    "identity",
    "split",
    "media",
    *names(pairs.MEASURES),
    "seed",
    *DECISION_COLUMNS,
)

MADE_COLUMNS = (
    "picture",
    "picture_file",
    "identity",
    "origin",
    "media",
    "prompt",
    "seed",
    "steps",
    "guidance",
    "merge_after",
    "size",
    "generator",
    "cosine",
    *DECISION_COLUMNS,
)
"""A painted reference, kept or not: what it was made from and with. `media` is its origin's."""

PRECOMPUTED_COLUMNS = (
    "sample_id",
    "identity",
    "split",
    "media",
    "caption",
    "references",
    "key",
    "shard",
    "offset",
    "bytes",
    "digest",
    "latent_std",
    "logvar_mean",
    "face_share",
)
"""A row a sample of a set of `precompute`: what it shows, where its tensors lie, how they look."""

TARGETS_COLUMNS = ("sample_id", "identity", "split", "media", "caption", "references")
"""What a training learned from: a row a target, with the number of its references."""

TRAIN, HELD_OUT = "train", "held_out"
"""The two sides that a person can be on; who is held out is in no batch of any training."""

WATCHED_REFERENCES = "references.jpg"
"""Among the samples of a training stage: the reference shown, a person a row."""

TESTED_COLUMNS = ("picture", "identity", "split", "role")
"""Whom an evaluation tested with which picture of `ingest`, and whether the model was shown it."""

REFERENCES_COLUMNS = (
    "reference",
    "reference_file",
    "sample_id",
    "frame",
    "origin",
    "identity",
    "split",
    "width",
    "height",
    "cosine",
    "x1",
    "y1",
    "x2",
    "y2",
    "score",
    *(f"{axis}{point}" for point in range(5) for axis in ("kx", "ky")),
)

JUDGED_MEASURES = (
    "identity_similarity",
    "identity_similarity_penalised",
    "identity_shown_penalised",
    "copy_paste_gap",
    "rank1",
    "own_face_found_rate",
)
"""What every judge says of a clip; the last is of outsiders alone."""

JUDGED_COLUMNS = ("cell_id", "judge", *JUDGED_MEASURES)
"""A row a clip of `cells.parquet` and judge."""

SUBJECT_PHOTO_COLUMNS = ("name", "sha256", "status", "reason", "why", "mask_share")
"""A picture of a subject's folder; `why` it was left out in words, of a kept one the share of its
pixels that show the subject."""

SUBJECT_STEP_COLUMNS = ("step", "loss")

LEFT_OUT = "LEFT_OUT"
"""The reason of a subject's photograph that cannot be learned from."""
