"""What must hold of each stage's tables: row floor, then not-null, then ranges.

They look at the written file, with the thresholds of the profile: a filter's defect is caught.
"""

from collections.abc import Sequence

from mm_model.decisions.table import DECISIONS, reasons
from mm_model.quality import subjects
from mm_model.quality.check import (
    Check,
    between,
    columns,
    floor,
    kept_only,
    no_words,
    one_of,
    present,
    unique,
    unique_together,
)
from mm_model.records import (
    FACES_COLUMNS,
    HELD_OUT,
    INGEST_COLUMNS,
    JUDGED_COLUMNS,
    MADE_COLUMNS,
    PAIRS_COLUMNS,
    PRECOMPUTED_COLUMNS,
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


def _decisions(table: str, kept_floor: int) -> list[Check]:
    """What holds of every table of decisions; the floor counts kept rows."""
    return [
        Check(
            table,
            "ExpectTableRowCountToBeBetween",
            meaning=f"at least {kept_floor} kept rows",
            column=None,
            keywords={"min_value": kept_floor, **kept_only()},
        ),
        present(table, "status"),
        one_of(table, "status", [str(status) for status in Status]),
        one_of(table, "reason", reasons()),
    ]


def _sources(profile: Profile) -> list[Check]:
    table = "inventory.parquet"
    return [
        *_decisions(table, profile.ingest.row_floor),
        columns(table, SOURCES_COLUMNS),
        *(present(table, column) for column in ("source_id", "name", "path", "synthetic")),
        unique(table, "source_id"),
        between(table, "bytes", 0, None),
        no_words(table),
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
        told.append(Check(table, once, meaning=said, column="phash", keywords=kept_only()))
    return told


def _ingest(profile: Profile) -> list[Check]:
    table, rules = "samples.parquet", profile.ingest
    return [
        *_decisions(table, rules.row_floor),
        columns(table, INGEST_COLUMNS),
        present(table, "source_id"),
        unique(table, "source_id"),
        *(
            present(table, c, kept=True)
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
        *_measured(table, rules),
        no_words(table),
        *_hashes(table, rules.alike_within),
        one_of(table, "caption_problem", [str(problem) for problem in CaptionProblem]),
        between(table, "shorter_side", rules.min_side, 65535, kept=True),
        between(table, "aspect", 1, rules.max_aspect, kept=True),
        between(table, "pixels", 1, rules.max_pixels, kept=True),
        between(table, "motion", rules.static_below or 0, None, kept=True),
        between(table, "cut", 0, rules.cut_above, kept=True),
        between(table, "lettering", 0, _most_lettering(rules), kept=True),
        between(table, "watermark", 0, _or_one(rules.watermark_above), kept=True),
        between(table, "width", rules.min_side, 65535, kept=True),
        between(table, "height", rules.min_side, 65535, kept=True),
        between(table, "num_frames", 1, rules.max_frames, kept=True),
    ]


def _measured(table: str, rules: IngestSettings) -> list[Check]:
    """A range says nothing of what is null: a filter that is on has measured what it let pass."""
    of_all = {
        "lettering": rules.text_area_above,
        "nsfw": rules.nsfw_above,
        "watermark": rules.watermark_above,
        "quality": rules.quality_above,
    }
    of_clips = {
        "motion": rules.static_below,
        "cut": rules.cut_above,
        "jitter": getattr(rules, "jitter_above", None),
    }
    return [
        *(present(table, name, kept=True) for name, bound in of_all.items() if bound is not None),
        *(present(table, name, clips=True) for name, on in of_clips.items() if on is not None),
    ]


def _turns(table: str, max_yaw: float | None) -> list[Check]:
    """Degrees are possible ones, and where a bound is set kept heads are turned by no more."""
    widest = 90 if max_yaw is None else max_yaw
    held = [between(table, "yaw", -widest, widest, kept=True), between(table, "roll", -180, 180)]
    return held if max_yaw is None else [present(table, "yaw", kept=True), *held]


def _or_one(bound: float | None) -> float:
    return 1 if bound is None else bound


def _ages(table: str, least: float | None) -> list[Check]:
    """Estimates are possible ones; where a bound is set every kept file has one from there on."""
    held = [between(table, "gender_p_female", 0, 1)]
    if least is not None:
        held += [present(table, "age_years", kept=True)]
        held += [between(table, "age_years", least, None, kept=True)]
    return held


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
        columns(table, FACES_COLUMNS),
        present(table, "sample_id"),
        unique(table, "sample_id"),
        *(
            present(table, c, kept=True)
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
        between(table, "detection_score", threshold, 1, kept=True),
        between(table, "face_size", rules.min_face, None, kept=True),
        between(table, "sharpness", rules.min_sharpness, None, kept=True),
        between(table, "found_share", rules.found_share_min, 1, kept=True),
        *_turns(table, rules.max_yaw),
        present(table, "occlusion", kept=True),
        between(table, "occlusion", 0, _or_one(rules.max_occlusion), kept=True),
        *_ages(table, rules.min_age),
        *([present(table, "prescreen", kept=True)] if rules.prescreen_above is not None else []),
        between(table, "embedding_norm", 0, None, kept=True, strict_low=True),
        floor(tracks, rules.row_floor),
        unique_together(tracks, ("sample_id", "frame")),
        *(present(tracks, c) for c in ("sample_id", "frame", "x1", "y1", "x2", "y2", "score")),
        between(tracks, "score", threshold, 1),
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
            found.append(between(checks[0].table, column.name, low, high, kept=True))
    return found


def _pairs(profile: Profile) -> list[Check]:
    table, rules = "pairs.parquet", profile.pairs
    return [
        *_decisions(table, rules.row_floor),
        columns(table, PAIRS_COLUMNS),
        present(table, "pair_id"),
        unique(table, "pair_id"),
        *(
            present(table, c, kept=True)
            for c in ("target", "reference", "identity", "split", "cosine")
        ),
        between(table, "cosine", rules.cosine_above, 1.0001, kept=True, strict_low=True),
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
        one_of(table, "kind", ["self_reference", "cross", "synthetic"]),
        *(_painted(rules.cosine_above) if rules.paints else []),
    ]


def _painted(above: float) -> list[Check]:
    """Of every painted picture it is known from what; one that is kept resembles it."""
    table = "made.parquet"
    known = ("picture", "identity", "origin", "prompt", "seed", "generator", "status")
    return [
        floor(table, 1),
        columns(table, MADE_COLUMNS),
        *(present(table, column) for column in known),
        unique(table, "picture"),
        one_of(table, "status", [str(status) for status in Status]),
        one_of(table, "reason", reasons()),
        present(table, "cosine", kept=True),
        between(table, "cosine", above, 1.0001, kept=True, strict_low=True),
    ]


def _precompute(profile: Profile) -> list[Check]:
    """Each set has its targets once, of the training split, with sound latents and a face."""
    found = [floor("pictures.parquet", max(1, profile.precompute.row_floor))]
    for table in ("pictures.parquet", "clips.parquet"):
        found += [
            columns(table, PRECOMPUTED_COLUMNS),
            *(present(table, column) for column in PRECOMPUTED_COLUMNS),
            unique(table, "sample_id"),
            one_of(table, "split", [TRAIN]),
            between(table, "references", 1, None),
            between(table, "bytes", 1, None),
            between(table, "latent_std", 0, 100, strict_low=True),
            between(table, "logvar_mean", -30, 20),
            between(table, "face_share", 0, 1, strict_low=True),
        ]
    return found


def _training(rules: TrainSettings) -> list[Check]:
    table, targets = "curve.parquet", "targets.parquet"
    return [
        floor(targets, rules.row_floor),
        columns(targets, TARGETS_COLUMNS),
        *(present(targets, column) for column in TARGETS_COLUMNS),
        unique(targets, "sample_id"),
        one_of(targets, "split", [TRAIN]),
        between(targets, "references", 1, None),
        floor(table, max(1, rules.steps // rules.log_every)),
        *(present(table, column) for column in ("step", "loss", "learning_rate")),
        unique(table, "step"),
        between(table, "step", 1, rules.steps),
        between(table, "loss", 0, 100),
        between(table, "learning_rate", 0, 1),
    ]


def _evaluate(profile: Profile, bounds: Sequence[Bound]) -> list[Check]:
    table, people, judged = "cells.parquet", "people.parquet", "judged.parquet"
    return [
        floor(table, profile.evaluate.row_floor),
        *(present(table, name) for name in ("cell_id", "variant", "identity", "prompt", "seed")),
        *(present(table, bound.column) for bound in bounds if bound.always),
        unique(table, "cell_id"),
        *(
            between(table, bound.column, bound.least, bound.most)
            for bound in bounds
            if (bound.least, bound.most) != (None, None)
        ),
        floor(judged, profile.evaluate.row_floor),
        columns(judged, JUDGED_COLUMNS),
        *(present(judged, column) for column in (*JUDGED_COLUMNS[:2], "rank1")),
        unique_together(judged, JUDGED_COLUMNS[:2]),
        between(judged, "identity_similarity_penalised", -1.0001, 1.0001),
        between(judged, "rank1", 0, 1),
        between(judged, "own_face_found_rate", 0, 1),
        floor(people, 1),
        columns(people, TESTED_COLUMNS),
        *(present(people, column) for column in TESTED_COLUMNS),
        # A picture that was shown judges nobody: each stands here once, for one purpose.
        unique(people, "picture"),
        one_of(people, "split", [HELD_OUT]),
        one_of(people, "role", [str(role) for role in Role]),
    ]


def _register(_: Profile) -> list[Check]:
    table = "release.parquet"
    return [
        floor(table, 1),
        *(present(table, c) for c in ("model_name", "version", "release_digest", "alias")),
        present(table, "adapter_digest"),
        # an experiment of DVC makes no version: 0
        one_of(table, "alias", ["champion", "challenger", "experiment"]),
        between(table, "version", 0, None),
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
        "precompute": _precompute,
        "pretrain": lambda p: _training(p.pretrain),
        "finetune": lambda p: _training(p.finetune),
        "evaluate": lambda p: _evaluate(p, bounds),
        "register": _register,
        "subject": subjects.checks,
    }
    checks = suites[stage.partition("@")[0]](profile)
    return [*checks, *_of_filters(stage, profile, checks)]
