"""What became of one file: which stage kept or rejected it and why, whom it shows, what it trained.

Reads what the stages published, in their order, and the registry; computes nothing.
"""

from pathlib import Path, PurePosixPath

from mm_model.errors import UserError
from mm_model.explain.biography import Biography
from mm_model.register import trained, versions
from mm_model.register.trained import DIGITS
from mm_model.rows import Row
from mm_model.store import digests, tables
from mm_model.store.layout import Layout

_NAMED = 5
_TRAININGS = ("pretrain", "finetune")


def of_sample(layout: Layout, asked: str) -> Biography | None:
    """The biography of the file `asked` (a sample's id, a source's id, a name or a path, also of a
    copy elsewhere); None where the last run of `sources` did not see it and it trained no release.

    Raises:
        UserError: no stage ran yet, several files answer to the name, or a table is damaged.
    """
    inventory = layout.output("sources") / "inventory.parquet"
    if not inventory.is_file():
        raise UserError(
            f"There is no release '{asked}' here, and profile '{layout.profile}' has no samples "
            "yet: start with 'make run'."
        )
    ingested = layout.output("ingest") / "samples.parquet"
    sources = {str(row["source_id"]) for row in _rows(ingested, sample_id=asked)}
    found = [
        row
        for row in tables.rows(inventory)
        if str(row["source_id"]) in sources or (not sources and _answers(row, asked))
    ]
    if not found and Path(asked).is_file():
        return of_sample(layout, digests.of_file(Path(asked)))
    if not found:
        return _withdrawn(layout, asked[:DIGITS])
    if len(found) > 1:
        ids = ", ".join(str(row["sha256"])[:DIGITS] for row in found[:_NAMED])
        raise UserError(f"{len(found)} files answer to '{asked}': name one by its id ({ids}).")
    (row,) = found
    known = _rows(ingested, source_id=str(row["source_id"]))
    # a copy of another file has an id of its own
    sample = str(known[0]["sample_id"] if known else row["sha256"] or "")[:DIGITS]
    life = Biography(f"Sample {sample or 'without content'}, file {row['path'] or row['name']}")
    _of_source(life, row)
    if row["status"] == "kept":
        for tell in (_of_ingest, _of_faces, _of_pairs, _of_trainings, _of_evaluation):
            tell(life, layout, sample)
        _of_releases(life, layout, sample)
    return life


def _answers(row: Row, asked: str) -> bool:
    names = (row["source_id"], row["name"], row["path"])
    sha = str(row["sha256"] or "")
    exact = asked in [str(name) for name in names if name]
    return exact or (len(asked) >= DIGITS and sha.startswith(asked))


def _decided(row: Row) -> str:
    """How a stage decided, in words."""
    if row["status"] == "kept":
        return "kept"
    value, bound = row.get("reason_value"), row.get("reason_threshold")
    measured = f" ({value:g}, bound {bound:g})" if value is not None and bound is not None else ""
    said = f": {row['message']}" if row.get("message") else ""
    return f"{row['status']}, {row['reason']}{measured}{said}"


def _of_source(life: Biography, row: Row) -> None:
    drawn = "drawn by this project" if row["synthetic"] else "given"
    licence = f", licence {row['licence']}" if row["licence"] else ""
    life.tell(
        "sources",
        _decided(row),
        f"{drawn}, {row['bytes']} bytes{licence}",
        f"consent: {row['consent']}" if row["consent"] else "",
        status=row["status"],
        reason=row["reason"],
        consent=row["consent"],
        licence=row["licence"],
        sha256=row["sha256"],
    )


def _rows(path: Path, **where: str) -> list[Row]:
    return list(tables.rows(path, where=where)) if path.is_file() else []


def _of_ingest(life: Biography, layout: Layout, sample: str) -> None:
    for row in _rows(layout.output("ingest") / "samples.parquet", sample_id=sample):
        frames = f", {row['num_frames']} frames" if row["media"] == "clip" else ""
        life.tell(
            "ingest",
            _decided(row),
            f"{row['media']} of {row['width']} x {row['height']} pixels{frames}",
            f"caption: {row['caption']} (from {row['caption_origin']})" if row["caption"] else "",
            status=row["status"],
            reason=row["reason"],
            caption=row["caption"],
        )


def _of_faces(life: Biography, layout: Layout, sample: str) -> None:
    for row in _rows(layout.output("faces") / "samples.parquet", sample_id=sample):
        whom = f"it shows {row['identity']}, of the people in {row['split']}" * bool(
            row["identity"]
        )
        seen = f"a face in {row['frames_found']} of {row['frames_examined']} frames"
        life.tell(
            "faces",
            _decided(row),
            whom if row["identity"] else "",
            seen,
            status=row["status"],
            reason=row["reason"],
            identity=row["identity"],
            split=row["split"],
        )


def _of_pairs(life: Biography, layout: Layout, sample: str) -> None:
    folder = layout.output("pairs")
    target = [
        row for row in _rows(folder / "pairs.parquet", target=sample) if row["status"] == "kept"
    ]
    pictures = {
        str(row["reference"])
        for name in ("sample_id", "origin")
        for row in _rows(folder / "references.parquet", **{name: sample})
    }
    shown: set[str] = set()
    if pictures:
        where = {"reference": sorted(pictures)}
        table = tables.rows(folder / "pairs.parquet", ("target", "status"), where)
        shown = {str(row["target"]) for row in table if row["status"] == "kept"}
    life.tell(
        "pairs",
        f"target of {len(target)} pairs" + (f" ({_kinds(target)})" if target else ""),
        f"{len(pictures)} references come from it, shown to {len(shown)} targets",
        target_of=len(target),
        references=sorted(pictures),
        shown_to=sorted(shown),
    )


def _kinds(pairs: list[Row]) -> str:
    kinds = [str(row["kind"]) for row in pairs]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))


def _of_trainings(life: Biography, layout: Layout, sample: str) -> None:
    for stage in _TRAININGS:
        path = layout.output(stage) / "targets.parquet"
        if not path.is_file():
            continue
        here = bool(_rows(path, sample_id=sample))
        said = "it was learned from" if here else "it was no target"
        life.tell(stage, said, target=here)


def _of_evaluation(life: Biography, layout: Layout, sample: str) -> None:
    rows = [
        row
        for row in _rows(layout.output("evaluate") / "people.parquet")
        if PurePosixPath(str(row["picture"])).stem == sample
    ]
    if rows:
        roles = sorted({str(row["role"]) for row in rows})
        life.tell("evaluate", f"tested with, as {', '.join(roles)}", roles=roles)


def _withdrawn(layout: Layout, sample: str) -> Biography | None:
    """Of a sample that is gone what the releases know of it; None where none was trained on it."""
    life = Biography(f"Sample {sample}, which the last run of sources did not find")
    return life if _of_releases(life, layout, sample) else None


def _of_releases(life: Biography, layout: Layout, sample: str) -> bool:
    """Tell which releases it trained; whether there is one."""
    from mm_model.settings import load_profile
    from mm_model.tracking import store

    if not store.is_shared(layout) and not layout.database.exists():
        return False
    name = load_profile(layout.root, layout.profile).register_.model_name
    with versions.registry(layout, reading=True) as client:
        known = versions.numbered(client, name)
        used = {int(one.version): trained.of_version(layout, one.tags) for one in known}
    holds = [number for number, samples in used.items() if samples and sample in samples]
    unknown = [number for number, samples in used.items() if samples is None]
    told = f"it trained version {', '.join(map(str, holds))}" if holds else "it trained none"
    more = f"of version {', '.join(map(str, unknown))} that was not recorded" if unknown else ""
    life.tell("releases", told, more, trained=holds, unknown=unknown)
    return bool(holds)
