"""On what terms weights may be used, as their folder tells.

A verdict has a reason: a line in the weights' own folder, their manifest, their licence's text, or
the names their makers give them. What none of these tells is unknown, and is said as unknown.
"""

import fnmatch
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mm_model.store import digests, documents


class Use(StrEnum):
    """What terms allow; the strictest comes first."""

    RESEARCH = "research-only"
    UNKNOWN = "unknown"
    COMMERCIAL = "commercial-ok"


@dataclass(frozen=True)
class UseTerms:
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
    terms: UseTerms


FREE_PATH = (
    "A path without research-only weights: the shipped backbone, and as face pack the shipped one, "
    "OpenCV's (YuNet, MIT, with SFace, Apache-2.0) or dlib's (CC0)."
)

_INSIGHTFACE = UseTerms(
    Use.RESEARCH,
    "named as InsightFace names its own models, which are for non-commercial research (its code is "
    "MIT)",
)
_BY_NAME: tuple[tuple[tuple[str, ...], UseTerms], ...] = (
    (
        ("face_detection_yunet*.onnx",),
        UseTerms(Use.COMMERCIAL, "OpenCV's YuNet: MIT, by its name"),
    ),
    (
        ("face_recognition_sface*.onnx",),
        UseTerms(Use.COMMERCIAL, "OpenCV's SFace: Apache-2.0, by its name"),
    ),
    (
        ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat"),
        UseTerms(Use.COMMERCIAL, "dlib's models: CC0, by their names"),
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
        UseTerms(
            Use.RESEARCH,
            "PhotoMaker-V2, which was trained with InsightFace's models and names their terms",
        ),
    ),
)
_NOT_FOR_TRADE = re.compile(
    r"non[- ]?commercial|\bby-nc\b|(research|academic|personal|educational)( and \w+)?"
    r"( use| purposes?)? only|only for (\w+ )?(research|academic|personal|educational)"
)
_TEXTS = (
    ("apache license", Use.COMMERCIAL, "Apache-2.0"),
    ("mit license", Use.COMMERCIAL, "MIT"),
    ("cc0 1.0", Use.COMMERCIAL, "CC0"),
    ("bsd 3-clause", Use.COMMERCIAL, "BSD"),
)
_LINE = re.compile(r"^(?:terms\s*:)?\s*(research-only|commercial-ok)\b[\s:,;-]*(.*)$", re.I | re.M)
_LICENCE_FILE = re.compile(r"(license|licence|copying)([-._ ]|$)", re.I)
_WEIGHTS = (".onnx", ".dat", ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".npz", ".h5")
_LARGEST = 1 << 16
_HEAD = 400
"""Characters in which a licence names itself; further down it names others."""
_COGVIDEOX = {
    42: UseTerms(
        Use.RESEARCH,
        "of CogVideoX-5B's shape: free for research, for trade its makers ask for a registration",
    ),
    30: UseTerms(Use.COMMERCIAL, "of CogVideoX-2B's shape, which is Apache-2.0"),
}


def strictest(uses: Iterable[Use]) -> Use:
    """What may be done with what comes from all of them; unknown where it comes from nothing."""
    found = set(uses)
    return next((use for use in Use if use in found), Use.UNKNOWN)


def of_folder(folder: Path) -> UseTerms:
    """The terms of the weights in a folder."""
    try:
        if not folder.is_dir():
            return UseTerms(Use.UNKNOWN, "the folder is not there")
        names = [name for name in digests.files_below(folder) if name.lower().endswith(_WEIGHTS)]
        said = _said(folder, names)
        if said is not None:
            return said
        if _made_here(folder, names):
            return UseTerms(Use.COMMERCIAL, "trained here on drawn people: ours, Apache-2.0")
        return _by_shape(folder) or by_names(names)
    except OSError as error:
        return UseTerms(Use.UNKNOWN, f"the folder cannot be read ({error.strerror})")


def _said(folder: Path, names: Iterable[str]) -> UseTerms | None:
    """What the folder says of the weights `names`; None where it holds no such file.

    Files `terms` decide, and where there is none the licences; of several the strictest. No licence
    frees weights that are known by their names to be for research: it may be that of the code.
    """
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    own = [path for path in files if path.name.lower().split(".")[0] == "terms"]
    if own:
        return _strictest([_of_text(path) for path in own])
    texts = [path for path in files if _LICENCE_FILE.match(path.name)]
    if not texts:
        return None
    by_name = by_names(names)
    known = [by_name] if by_name.use is Use.RESEARCH else []
    return _strictest([*known, *map(_of_text, texts)])


def _strictest(found: Sequence[UseTerms]) -> UseTerms:
    use = strictest(one.use for one in found)
    return next(one for one in found if one.use is use)


def _of_text(path: Path) -> UseTerms:
    with path.open("rb") as handle:
        text = handle.read(_LARGEST).decode("utf-8", "replace")
    lines = [(Use(line[1].lower()), line[2].strip()[:120]) for line in _LINE.finditer(text)]
    if lines:
        use = strictest(said for said, _ in lines)
        why = next(reason for said, reason in lines if said is use)
        return UseTerms(use, f"{path.name} in its folder says so{f': {why}' if why else ''}")
    plain = " ".join(text.lower().split())
    if _NOT_FOR_TRADE.search(plain):
        said = "a licence that excludes commercial use"
        return UseTerms(Use.RESEARCH, f"{path.name} in its folder: {said}")
    head = plain[:_HEAD]
    for words, use, title in _TEXTS:
        if words in head and "gnu " not in head:
            return UseTerms(use, f"{path.name} in its folder: {title}")
    return UseTerms(Use.UNKNOWN, f"{path.name} in its folder is no licence that is known here")


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


def _by_shape(folder: Path) -> UseTerms | None:
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
        return UseTerms(Use.UNKNOWN, "no shape of published weights, and nobody says whose it is")
    if found.use is Use.COMMERCIAL and (folder / "identity_encoder").is_dir():
        return UseTerms(Use.UNKNOWN, f"{found.because}; of its identity encoder nothing is said")
    return found


def by_names(names: Iterable[str]) -> UseTerms:
    found = []
    for name in names:
        plain = name.rpartition("/")[2].lower()
        known = [terms for patterns, terms in _BY_NAME if _any(plain, patterns)]
        nobody = UseTerms(Use.UNKNOWN, f"nothing says on what terms {plain} may be used")
        found.append(known[0] if known else nobody)
    for use in Use:
        if because := list(dict.fromkeys(one.because for one in found if one.use is use)):
            return UseTerms(use, "; ".join(because))
    return UseTerms(Use.UNKNOWN, "no weights lie there")


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
