"""What must hold of each stage's tables: row floor, then not-null, then ranges.

They look at the written file, with the thresholds of the profile: a filter's defect is caught.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from mm_model.decisions.table import DECISIONS, reasons
from mm_model.records import (
    FACES_COLUMNS,
    HELD_OUT,
    INGEST_COLUMNS,
    JUDGED_COLUMNS,
    PAIRS_COLUMNS,
    SOURCES_COLUMNS,
    TARGETS_COLUMNS,
    TESTED_COLUMNS,
    TRAIN,
    Bound,
    CaptionProblem,
    Role,
    Status,
)
from mm_model.settings import IngestSettings, Profile, TrainSettings
from mm_model.store.consents import ID


@dataclass(frozen=True)
class Check:
    """One expectation on one table. `meaning` is the rule as a clause for people."""

    table: str
    expectation: str
    _: KW_ONLY
    meaning: str
    column: str | None = None
    keywords: Mapping[str, object] = field(default_factory=dict)
    severity: str = "critical"

    @property
    def snake_name(self) -> str:
        """The expectation's public name, `expect_...`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.expectation).lower()

    def arguments(self) -> dict[str, object]:
        """Keyword arguments for Great Expectations."""
        column = {"column": self.column} if self.column else {}
        return {**column, **self.keywords, "severity": self.severity}


def _kept_only() -> dict[str, object]:
    """Row condition: kept rows alone."""
    return {"row_condition": f'status=="{Status.KEPT}"', "condition_parser": "pandas"}


def _floor(table: str, rows: int) -> Check:
    return Check(
        table,
        "ExpectTableRowCountToBeBetween",
        meaning=f"at least {rows} rows",
        column=None,
        keywords={"min_value": rows},
    )


def _columns(table: str, columns: tuple[str, ...]) -> Check:
    return Check(
        table,
        "ExpectTableColumnsToMatchSet",
        meaning="exactly the agreed columns",
        column=None,
        keywords={"column_set": list(columns), "exact_match": True},
    )


def _present(table: str, column: str, kept: bool = False) -> Check:
    return Check(
        table,
        "ExpectColumnValuesToNotBeNull",
        meaning="never null",
        column=column,
        keywords=_kept_only() if kept else {},
    )


def _unique(table: str, column: str) -> Check:
    return Check(table, "ExpectColumnValuesToBeUnique", meaning="never twice", column=column)


def _unique_together(table: str, columns: tuple[str, ...]) -> Check:
    return Check(
        table,
        "ExpectCompoundColumnsToBeUnique",
        meaning=f"{' and '.join(columns)} never twice together",
        column=None,
        keywords={"column_list": list(columns)},
    )


def _one_of(table: str, column: str, values: list[str]) -> Check:
    return Check(
        table,
        "ExpectColumnValuesToBeInSet",
        meaning=f"one of {', '.join(values)}",
        column=column,
        keywords={"value_set": values},
    )


def _no_words(table: str) -> Check:
    return Check(
        table,
        "ExpectColumnValuesToMatchRegex",
        meaning="the id of a statement, never its words",
        column="consent",
        keywords={"regex": f"^(?:{ID.pattern})$"},
    )


def _range(
    table: str,
    column: str,
    low: float | None,
    high: float | None,
    *,
    kept: bool = False,
    strict_low: bool = False,
    severity: str = "critical",
) -> Check:
    start = f"above {low}" if strict_low else f"at least {low}"
    ends = [start] * (low is not None) + [f"at most {high}"] * (high is not None)
    bounds = ", ".join(ends)
    keywords = {"min_value": low, "max_value": high, "strict_min": strict_low}
    return Check(
        table,
        "ExpectColumnValuesToBeBetween",
        meaning=bounds,
        column=column,
        keywords={**keywords, **(_kept_only() if kept else {})},
        severity=severity,
    )


def _decisions(table: str, kept_floor: int) -> list[Check]:
    """What holds of every table of decisions; the floor counts kept rows."""
    return [
        Check(
            table,
            "ExpectTableRowCountToBeBetween",
            meaning=f"at least {kept_floor} kept rows",
            column=None,
            keywords={"min_value": kept_floor, **_kept_only()},
        ),
        _present(table, "status"),
        _one_of(table, "status", [str(status) for status in Status]),
        _one_of(table, "reason", reasons()),
    ]


def _sources(profile: Profile) -> list[Check]:
    table = "inventory.parquet"
    return [
        *_decisions(table, profile.ingest.row_floor),
        _columns(table, SOURCES_COLUMNS),
        *(_present(table, column) for column in ("source_id", "name", "path", "synthetic")),
        _unique(table, "source_id"),
        _range(table, "bytes", 0, None),
        _no_words(table),
    ]


def _hashes(table: str, within: int | None) -> list[Check]:
    """A hash has its form, and where copies are rejected no two kept files have the same."""
    form = {"regex": "^[0-9a-f]{16}(?:[0-9a-f]{16})?$"}
    said = "16 hex digits of a photograph, 32 of a clip"
    told = [
        Check(table, "ExpectColumnValuesToMatchRegex", meaning=said, column="phash", keywords=form)
    ]
    if within is not None:
        once = "ExpectColumnValuesToBeUnique"
        said = "never twice among kept files"
        told.append(Check(table, once, meaning=said, column="phash", keywords=_kept_only()))
    return told


def _ingest(profile: Profile) -> list[Check]:
    table, rules = "samples.parquet", profile.ingest
    return [
        *_decisions(table, rules.row_floor),
        _columns(table, INGEST_COLUMNS),
        _present(table, "source_id"),
        _unique(table, "source_id"),
        *(
            _present(table, c, kept=True)
            for c in (
                "sample_id",
                "file",
                "caption",
                "pixel_id",
                "media",
                "width",
                "height",
                "num_frames",
                "shorter_side",
                "aspect",
                "pixels",
            )
        ),
        _no_words(table),
        *_hashes(table, rules.alike_within),
        _one_of(table, "caption_problem", [str(problem) for problem in CaptionProblem]),
        _range(table, "shorter_side", rules.min_side, 65535, kept=True),
        _range(table, "aspect", 1, rules.max_aspect, kept=True),
        _range(table, "pixels", 1, rules.max_pixels, kept=True),
        _range(table, "motion", rules.static_below or 0, None, kept=True),
        _range(table, "cut", 0, rules.cut_above, kept=True),
        _range(table, "lettering", 0, _most_lettering(rules), kept=True),
        _range(table, "width", rules.min_side, 65535, kept=True),
        _range(table, "height", rules.min_side, 65535, kept=True),
        _range(table, "num_frames", 1, rules.max_frames, kept=True),
    ]


def _turns(table: str, max_yaw: float | None) -> list[Check]:
    """Degrees are possible ones, and where a bound is set kept heads are turned by no more."""
    widest = 90 if max_yaw is None else max_yaw
    held = [_range(table, "yaw", -widest, widest, kept=True), _range(table, "roll", -180, 180)]
    return held if max_yaw is None else [_present(table, "yaw", kept=True), *held]


def _most_lettering(rules: IngestSettings) -> float | None:
    """What the cheap rule may say of a kept file: OCR may have decided otherwise in its band."""
    if rules.text_area_above is None or rules.text_second_look is None:
        return rules.text_area_above
    return max(rules.text_area_above, rules.text_second_look[1])


def _faces(profile: Profile) -> list[Check]:
    table, rules, tracks = "samples.parquet", profile.faces, "tracks.parquet"
    threshold = min(rules.detection_above, rules.padded_detection_above)
    return [
        *_decisions(table, rules.row_floor),
        _columns(table, FACES_COLUMNS),
        _present(table, "sample_id"),
        _unique(table, "sample_id"),
        *(
            _present(table, c, kept=True)
            for c in (
                "identity",
                "split",
                "detection_score",
                "face_size",
                "sharpness",
                "found_share",
                "many_share",
                "embedding_norm",
                "embedding_row",
            )
        ),
        _range(table, "detection_score", threshold, 1, kept=True),
        _range(table, "face_size", rules.min_face, None, kept=True),
        _range(table, "sharpness", rules.min_sharpness, None, kept=True),
        _range(table, "found_share", rules.found_share_min, 1, kept=True),
        *_turns(table, rules.max_yaw),
        _range(table, "embedding_norm", 0, None, kept=True, strict_low=True),
        _floor(tracks, rules.row_floor),
        *(_present(tracks, c) for c in ("sample_id", "x1", "y1", "x2", "y2", "score")),
        _range(tracks, "score", threshold, 1),
        Check(
            tracks,
            "ExpectColumnPairValuesAToBeGreaterThanB",
            meaning="x2 is right of x1",
            column=None,
            keywords={"column_A": "x2", "column_B": "x1"},
        ),
    ]


def _of_filters(stage: str, profile: Profile, checks: list[Check]) -> list[Check]:
    """What a filter keeps lies on its side of its bound, where no check above says so already."""
    bounded = {check.column for check in checks if "min_value" in check.keywords}
    found = []
    for one in DECISIONS.get(stage, ()):
        (column, *_), (bound, *_) = (*one.measures, None), one.thresholds
        if one.keeps is None or column is None or column.name in bounded:
            continue
        value = getattr(profile.section(bound.section), bound.field)
        if value is not None:
            low, high = (value, None) if one.keeps == "from" else (None, value)
            found.append(_range(checks[0].table, column.name, low, high, kept=True))
    return found


def _pairs(profile: Profile) -> list[Check]:
    table, rules = "pairs.parquet", profile.pairs
    return [
        *_decisions(table, rules.row_floor),
        _columns(table, PAIRS_COLUMNS),
        _present(table, "pair_id"),
        _unique(table, "pair_id"),
        *(
            _present(table, c, kept=True)
            for c in ("target", "reference", "identity", "split", "cosine")
        ),
        _range(table, "cosine", rules.cosine_above, 1.0001, kept=True, strict_low=True),
        # A picture resembles itself; only other pictures of a person should differ from it.
        Check(
            table,
            "ExpectColumnValuesToBeBetween",
            meaning=f"at most {rules.cosine_warn_above} between "
            "different pictures, or the pair teaches copying",
            column="cosine",
            keywords={
                "max_value": rules.cosine_warn_above,
                "condition_parser": "pandas",
                "row_condition": f'status=="{Status.KEPT}" and kind!="self_reference"',
            },
            severity="warning",
        ),
        _one_of(table, "kind", ["self_reference", "cross", "synthetic"]),
    ]


def _training(rules: TrainSettings) -> list[Check]:
    table, targets = "curve.parquet", "targets.parquet"
    return [
        _floor(targets, rules.row_floor),
        _columns(targets, TARGETS_COLUMNS),
        *(_present(targets, column) for column in TARGETS_COLUMNS),
        _unique(targets, "sample_id"),
        _one_of(targets, "split", [TRAIN]),
        _range(targets, "references", 1, None),
        _floor(table, max(1, rules.steps // rules.log_every)),
        *(_present(table, column) for column in ("step", "loss", "learning_rate")),
        _unique(table, "step"),
        _range(table, "step", 1, rules.steps),
        _range(table, "loss", 0, 100),
        _range(table, "learning_rate", 0, 1),
    ]


def _evaluate(profile: Profile, bounds: Sequence[Bound]) -> list[Check]:
    table, people, judged = "cells.parquet", "people.parquet", "judged.parquet"
    return [
        _floor(table, profile.evaluate.row_floor),
        *(_present(table, name) for name in ("cell_id", "variant", "identity", "prompt", "seed")),
        *(_present(table, bound.column) for bound in bounds if bound.always),
        _unique(table, "cell_id"),
        *(
            _range(table, bound.column, bound.least, bound.most)
            for bound in bounds
            if (bound.least, bound.most) != (None, None)
        ),
        _floor(judged, profile.evaluate.row_floor),
        _columns(judged, JUDGED_COLUMNS),
        *(_present(judged, column) for column in (*JUDGED_COLUMNS[:2], "rank1")),
        _unique_together(judged, JUDGED_COLUMNS[:2]),
        _range(judged, "identity_similarity_penalised", -1.0001, 1.0001),
        _range(judged, "rank1", 0, 1),
        _range(judged, "own_face_found_rate", 0, 1),
        _floor(people, 1),
        _columns(people, TESTED_COLUMNS),
        *(_present(people, column) for column in TESTED_COLUMNS),
        # A picture that was shown judges nobody: each stands here once, for one purpose.
        _unique(people, "picture"),
        _one_of(people, "split", [HELD_OUT]),
        _one_of(people, "role", [str(role) for role in Role]),
    ]


def _register(_: Profile) -> list[Check]:
    table = "release.parquet"
    return [
        _floor(table, 1),
        *(_present(table, c) for c in ("model_name", "version", "release_digest", "alias")),
        _present(table, "adapter_digest"),
        _one_of(table, "alias", ["champion", "challenger"]),
        _range(table, "version", 1, None),
    ]


def suite_of(stage: str, profile: Profile, bounds: Sequence[Bound] = ()) -> list[Check]:
    """The expectations of a stage under a profile, floors first.

    `bounds` are those of the columns that the stage measures (`run.stage.Stage.bounds`).
    """
    suites = {
        "sources": _sources,
        "ingest": _ingest,
        "faces": _faces,
        "pairs": _pairs,
        "pretrain": lambda p: _training(p.pretrain),
        "finetune": lambda p: _training(p.finetune),
        "evaluate": lambda p: _evaluate(p, bounds),
        "register": _register,
    }
    checks = suites[stage](profile)
    return [*checks, *_of_filters(stage, profile, checks)]
