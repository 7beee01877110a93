"""On what terms the weights may be used that made a dataset, and what was trained on it.

A verdict has a reason: a line in the weights' own folder, their manifest, their licence's text, or
the names their makers give them. What none of these tells is unknown, and is said as unknown.
"""

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mm_model.card.outputs import DataOutput
from mm_model.errors import UserError
from mm_model.settings import Params
from mm_model.store import digests, documents
from mm_model.store.layout import Layout


class Use(StrEnum):
    """What terms allow; the strictest comes first."""

    RESEARCH = "research-only"
    UNKNOWN = "unknown"
    COMMERCIAL = "commercial-ok"


@dataclass(frozen=True)
class WeightTerms:
    """A verdict, and because of what."""

    use: Use
    because: str


@dataclass(frozen=True)
class Weights:
    """A folder of weights: what it is for, where it lies, and its terms.

    shapes: whether the dataset or an adapter comes from it; a judge only measures.
    """

    part: str
    where: str
    shapes: bool
    terms: WeightTerms


FREE_PATH = (
    "A path without research-only weights: the shipped backbone, and as face pack the shipped one, "
    "OpenCV's (YuNet, MIT, with SFace, Apache-2.0) or dlib's (CC0)."
)

_INSIGHTFACE = WeightTerms(
    Use.RESEARCH,
    "named as InsightFace names its own models, which are for non-commercial research (its code is "
    "MIT)",
)
_BY_NAME: tuple[tuple[tuple[str, ...], WeightTerms], ...] = (
    (
        ("face_detection_yunet*.onnx",),
        WeightTerms(Use.COMMERCIAL, "OpenCV's YuNet: MIT, by its name"),
    ),
    (
        ("face_recognition_sface*.onnx",),
        WeightTerms(Use.COMMERCIAL, "OpenCV's SFace: Apache-2.0, by its name"),
    ),
    (
        ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat"),
        WeightTerms(Use.COMMERCIAL, "dlib's models: CC0, by their names"),
    ),
    (
        (
            *("det_10g.onnx", "det_2.5g.onnx", "det_500m.onnx", "scrfd_*.onnx", "w600k_*.onnx"),
            *("glintr100.onnx", "1k3d68.onnx", "2d106det.onnx", "genderage.onnx"),
        ),
        _INSIGHTFACE,
    ),
    (
        ("photomaker-v2.*",),
        WeightTerms(
            Use.RESEARCH,
            "PhotoMaker-V2, which was trained with InsightFace's models and names their terms",
        ),
    ),
)
_TEXTS = (
    ("non-commercial", Use.RESEARCH, "a licence that excludes commercial use"),
    ("noncommercial", Use.RESEARCH, "a licence that excludes commercial use"),
    ("apache license", Use.COMMERCIAL, "Apache-2.0"),
    ("mit license", Use.COMMERCIAL, "MIT"),
    ("cc0 1.0", Use.COMMERCIAL, "CC0"),
    ("bsd 3-clause", Use.COMMERCIAL, "BSD"),
)
_LINE = re.compile(r"^(?:terms\s*:)?\s*(research-only|commercial-ok)\b[\s:,;-]*(.*)$", re.I | re.M)
_WEIGHTS = (".onnx", ".dat", ".safetensors", ".bin", ".pt", ".pth")
_LARGEST = 1 << 16
_COGVIDEOX = {
    42: WeightTerms(
        Use.RESEARCH,
        "of CogVideoX-5B's shape: free for research, for trade its makers ask for a registration",
    ),
    30: WeightTerms(Use.COMMERCIAL, "of CogVideoX-2B's shape, which is Apache-2.0"),
}


def of_run(layout: Layout, params: Params, outputs: Mapping[str, DataOutput]) -> list[Weights]:
    """All weights that a run of `params` works with, and the adapters trained from them."""
    found = [_facepack(layout, params, outputs)]
    found.append(_weights(layout, "backbone", params.backbone, shapes=True))
    if (outputs["pairs"].folder / "made.parquet").is_file():  # references were painted
        found.append(_weights(layout, "synthesiser", params.synthesizer, shapes=True))
    found.append(_weights(layout, "judge", params.judge, shapes=False))
    for folder in _shelf(layout.root / params.judges):
        found.append(_weights(layout, f"judge {folder.name}", str(folder), shapes=False))
    lineage = strictest(found)
    because = "; ".join(f"{one.part}: {one.terms.use}" for one in found if one.shapes)
    trained = "trained by 'pretrain' and 'finetune' from these and the dataset"
    return [*found, Weights("adapters", trained, True, WeightTerms(lineage, because))]


def strictest(weights: Iterable[Weights]) -> Use:
    """The terms of what comes from all of `weights` that shape it."""
    uses = {one.terms.use for one in weights if one.shapes}
    return next((use for use in Use if use in uses), Use.UNKNOWN)


def of_folder(folder: Path) -> WeightTerms:
    """The terms of the weights in a folder."""
    try:
        if not folder.is_dir():
            return WeightTerms(Use.UNKNOWN, "the folder is not there")
        names = [name for name in digests.files_below(folder) if name.endswith(_WEIGHTS)]
        said = _said(folder)
        if said is not None:
            return said
        if _made_here(folder, names):
            return WeightTerms(Use.COMMERCIAL, "trained here on drawn people: ours, Apache-2.0")
        return _by_shape(folder) or _by_names(names)
    except OSError as error:
        return WeightTerms(Use.UNKNOWN, f"the folder cannot be read ({error.strerror})")


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
    return Weights("face pack", "another than params.yaml names now", True, _by_names(files))


def _shelf(shelf: Path) -> list[Path]:
    from mm_model.judges.shelf import on_shelf

    try:
        return on_shelf(shelf)
    except (UserError, OSError):
        return []


def _said(folder: Path) -> WeightTerms | None:
    """What a file `terms` or a licence in the folder says; None where there is neither."""
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    for name, path in files.items():
        if name.split(".")[0] not in ("terms", "license", "licence", "copying"):
            continue
        with path.open("rb") as handle:
            text = handle.read(_LARGEST).decode("utf-8", "replace")
        if line := _LINE.search(text):
            why = f": {line[2].strip()[:120]}" if line[2].strip() else ""
            return WeightTerms(Use(line[1].lower()), f"{path.name} in its folder says so{why}")
        plain = " ".join(text.lower().split())
        for words, use, title in _TEXTS:
            if words in plain:
                return WeightTerms(use, f"{path.name} in its folder: {title}")
        return WeightTerms(
            Use.UNKNOWN, f"{path.name} in its folder is no licence that is known here"
        )
    return None


def _made_here(folder: Path, names: list[str]) -> bool:
    """Whether a manifest of our trainings, in the folder or above it, lists all its weights."""
    for above in (folder, *folder.parents[:3]):
        for path in (above / "manifest.json", above / "facepack" / "manifest.json"):
            if not path.is_file():
                continue
            known = documents.read_or_empty(path)
            listed = known.get("files_sha256") or known.get("files")
            if not isinstance(listed, dict) or "people" not in known:
                continue
            held = set(map(str, listed.values()))
            if names and all(digests.of_file(folder / name) in held for name in names):
                return True
    return False


def _by_shape(folder: Path) -> WeightTerms | None:
    """Of a CogVideoX pipeline's folder, told by its transformer and the encoder beside it."""
    path = folder / "transformer" / "config.json"
    if not path.is_file():
        return None
    try:
        layers = json.loads(path.read_bytes()).get("num_layers")
    except (ValueError, AttributeError):
        layers = None
    found = _COGVIDEOX.get(layers)
    if found is None:
        return WeightTerms(
            Use.UNKNOWN, "no shape of published weights, and nobody says whose it is"
        )
    if found.use is Use.COMMERCIAL and (folder / "identity_encoder").is_dir():
        return WeightTerms(Use.UNKNOWN, f"{found.because}; of its identity encoder nothing is said")
    return found


def _by_names(names: Iterable[str]) -> WeightTerms:
    found = []
    for name in names:
        plain = name.rpartition("/")[2].lower()
        known = [terms for patterns, terms in _BY_NAME if _any(plain, patterns)]
        nobody = WeightTerms(Use.UNKNOWN, f"nothing says on what terms {plain} may be used")
        found.append(known[0] if known else nobody)
    for use in Use:
        if because := list(dict.fromkeys(one.because for one in found if one.use is use)):
            return WeightTerms(use, "; ".join(because))
    return WeightTerms(Use.UNKNOWN, "no weights lie there")


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
