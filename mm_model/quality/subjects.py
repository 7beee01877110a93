"""What must hold of the tables of a learned subject."""

from mm_model.quality.check import (
    Check,
    between,
    columns,
    floor,
    kept_only,
    one_of,
    present,
    unique,
)
from mm_model.records import LEFT_OUT, SUBJECT_PHOTO_COLUMNS, SUBJECT_STEP_COLUMNS, Status
from mm_model.settings import Profile


def checks(profile: Profile) -> list[Check]:
    """At least one photograph was learned from, each with a mask that shows something, and every
    step has a loss that is a number."""
    photos, steps = "photographs.parquet", "steps.parquet"
    return [
        Check(
            photos,
            "ExpectTableRowCountToBeBetween",
            meaning="at least 1 kept rows",
            column=None,
            keywords={"min_value": 1, **kept_only()},
        ),
        columns(photos, SUBJECT_PHOTO_COLUMNS),
        present(photos, "name"),
        unique(photos, "name"),
        one_of(photos, "status", [Status.KEPT, Status.REJECTED]),
        one_of(photos, "reason", [LEFT_OUT]),
        present(photos, "sha256", kept=True),
        present(photos, "mask_share", kept=True),
        between(photos, "mask_share", 0, 1, kept=True, strict_low=True),
        floor(steps, profile.subject.steps),
        columns(steps, SUBJECT_STEP_COLUMNS),
        *(present(steps, column) for column in SUBJECT_STEP_COLUMNS),
        unique(steps, "step"),
        between(steps, "step", 1, profile.subject.steps),
        between(steps, "loss", 0, 100),
    ]
