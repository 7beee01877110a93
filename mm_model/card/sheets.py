"""The sheets of a card: for each filter the samples nearest its bound, each with its picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mm_model.card.album import Album, Place, Places, Shown
from mm_model.card.filters import FilterView, Near
from mm_model.card.outputs import DataOutput
from mm_model.rows import Row

_UNKNOWN = Shown(None, "not opened: no consent covers it, or it could not be read before")


@dataclass(frozen=True)
class SheetCell:
    """A sample on a sheet: its name, its pictures (target and reference of a pair), the value."""

    name: str
    pictures: tuple[Shown, ...]
    value: float | None


@dataclass(frozen=True)
class Sheet:
    """The samples nearest a filter's bound, on either side."""

    kept: tuple[SheetCell, ...]
    rejected: tuple[SheetCell, ...]


def sheets(
    views: Sequence[FilterView], outputs: Mapping[str, DataOutput], album: Album, named: bool
) -> list[Sheet]:
    """A sheet for each view; without `named` samples go by their ids, not by files' names."""
    rows = _rows(views, outputs)
    ids = {row["target"] if stage == "pairs" else row["sample_id"] for (stage, _), row in rows}
    ids |= {str(row["reference"]).partition("#")[0] for (stage, _), row in rows if stage == "pairs"}
    made = {row["reference_file"] or "" for (stage, _), row in rows if stage == "pairs"}
    places = Places(outputs, ids, made)
    where = {key: _places(key[0], row, places) for key, row in rows}
    pictures = album.shown(place for found in where.values() for place in found if place)
    named_rows = dict(rows)

    def cell(stage: str, near: Near) -> SheetCell:
        key = stage, near.place
        found = tuple(pictures[place] if place else _UNKNOWN for place in where[key])
        return SheetCell(_name(stage, named_rows[key], named), found, near.value)

    return [
        Sheet(
            tuple(cell(view.stage, near) for near in view.kept_near),
            tuple(cell(view.stage, near) for near in view.rejected_near),
        )
        for view in views
    ]


def _rows(
    views: Sequence[FilterView], outputs: Mapping[str, DataOutput]
) -> list[tuple[tuple[str, int], Row]]:
    """The rows of all samples that are shown, by stage and place."""
    found = []
    for stage in dict.fromkeys(view.stage for view in views):
        of_stage = [view for view in views if view.stage == stage]
        near = [one for view in of_stage for one in (*view.kept_near, *view.rejected_near)]
        places = sorted({one.place for one in near})
        names = (
            "sample_id",
            "name",
            "target",
            "reference",
            "reference_file",
            "kind",
            "reference_faces",
        )
        rows = outputs[stage].rows(places, *names) if places else []
        found += [((stage, place), row) for place, row in zip(places, rows, strict=True)]
    return found


def _places(stage: str, row: Row, places: Places) -> list[Place | None]:
    if stage != "pairs":
        return [places.of_sample(row["sample_id"])]
    reference = places.of_reference(row["reference_file"] or "", row["reference_faces"])
    return [places.of_sample(row["target"]), reference]


def _name(stage: str, row: Row, named: bool) -> str:
    if stage == "pairs":
        return f"{row['kind']} of {row['target'][:8]}"
    return str(row["name"]) if named else str(row["sample_id"])
