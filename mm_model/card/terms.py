"""On what terms the weights and files of a dataset may be used, and what is trained on it."""

from collections.abc import Mapping
from pathlib import Path

from mm_model.card.outputs import DataOutput
from mm_model.errors import UserError
from mm_model.settings import Params
from mm_model.store import digests, documents
from mm_model.store.layout import Layout
from mm_model.terms import model
from mm_model.terms.weights import UseTerms, Weights, by_names, of_folder, strictest


def of_run(layout: Layout, params: Params, outputs: Mapping[str, DataOutput]) -> list[Weights]:
    """All weights and files that a run of `params` works with, and the adapters from them."""
    found = [_facepack(layout, params, outputs)]
    found.append(_weights(layout, "backbone", params.backbone, shapes=True))
    for name, folder in model.of_words_and_pictures(layout, params):
        found.append(_weights(layout, name, str(folder), shapes=True))
    found.append(_weights(layout, "judge", params.judge, shapes=False))
    for folder in _shelf(layout.root / params.judges):
        found.append(_weights(layout, f"judge {folder.name}", str(folder), shapes=False))
    if outputs["sources"].there:
        files = model.of_inventory(outputs["sources"].table)
        found.append(Weights("files", "the dataset's own, by licence", True, files))
    lineage = strictest(one.terms.use for one in found if one.shapes)
    because = "; ".join(f"{one.part}: {one.terms.use}" for one in found if one.shapes)
    trained = "trained by 'pretrain' and 'finetune' from these"
    return [*found, Weights("adapters", trained, True, UseTerms(lineage, because))]


def _weights(layout: Layout, part: str, path: str, *, shapes: bool) -> Weights:
    folder = layout.root / path
    inside = folder.is_relative_to(layout.root)  # where else somebody keeps things is not told
    where = folder.relative_to(layout.root).as_posix() if inside else folder.name
    return Weights(part, where, shapes, of_folder(folder))


def _facepack(layout: Layout, params: Params, outputs: Mapping[str, DataOutput]) -> Weights:
    """The pack that found the faces, where it is the one that is named now."""
    found = _weights(layout, "face pack", params.facepack, shapes=True)
    files = documents.read_or_empty(outputs["faces"].folder / "pack.json").get("files")
    if not outputs["faces"].there or not isinstance(files, dict):
        return found
    folder = layout.root / params.facepack
    try:
        same = all(digests.of_file(folder / name) == digest for name, digest in files.items())
    except OSError:
        same = False
    if same:
        return found
    return Weights("face pack", "another than params.yaml names now", True, by_names(files))


def _shelf(shelf: Path) -> list[Path]:
    from mm_model.judges.shelf import on_shelf

    try:
        return on_shelf(shelf)
    except (UserError, OSError):
        return []
