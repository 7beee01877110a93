"""On what terms weights may be used, as their folder tells.

A verdict has a reason: a line in the weights' own folder, their manifest, their licence's text, or
the names their makers give them. What none of these tells is unknown, and is said as unknown.
"""

import fnmatch
import itertools
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
    r"non[- ]?commercial|\bby[- ]nc\b|(research|academic|personal|educational)( and \w+)?"
    r"( use| purposes?)? only"
    r"|(only|solely|exclusively) for (\w+ )?(research|academic|personal|educational)"
    r"|\b(not|no|never|without|prohibits?|forbids?|excludes?) ([\w-]+ ){0,4}commercial(ly)?\b"
    r"|commercial (use|purposes?|usage)( \w+)? (is|are) (\w+ )?(not|prohibited|forbidden|excluded)"
)
_TEXTS = (
    (re.compile(r"apache license\b"), "Apache-2.0"),
    (re.compile(r"(the )?mit license\b"), "MIT"),
    (re.compile(r"(creative commons (legal code )?)?cc0 1\.0"), "CC0"),
    (re.compile(r"(the )?bsd 3-clause\b"), "BSD"),
)
"""How the texts of licences begin."""
_BEFORE = re.compile(r"\W*|copyright\b.*|\(c\) .*|all rights reserved\W*", re.I)
"""A line that may stand above the name of a licence in its own text."""
_OWN_WORDS = re.compile(r"other commercial damages|including without limitation commercial")
"""Where the texts of free licences speak of trade themselves."""
_MORE = re.compile(
    r"commercial|research|academic|\bpersonal\b|educational|evaluation|commons clause"
    r"|weights|checkpoint"
)
"""What no text of a free licence speaks of: somebody has said more there."""
_GNU = re.compile(r"gnu (\w+ ){0,2}(general public|documentation) license")
_LINE = re.compile(r"^(?:terms\s*:)?\s*(research-only|commercial-ok)\b[\s:,;-]*(.*)$", re.I | re.M)
_LICENCE_FILE = re.compile(r"(.*[-._ ])?(license|licence|copying)s?([-._ ]|$)", re.I)
_CARD = re.compile(r"^licen[sc]e(?:_name)?\s*:\s*(.+)$", re.I | re.M)
"""The line of a model's card."""
_WEIGHTS = tuple(
    ".onnx .ort .dat .safetensors .bin .pt .pth .pt2 .ckpt .pkl .pickle .joblib .npz .npy .h5"
    " .hdf5 .keras .pb .tflite .gguf .ggml .msgpack .params .pdparams .caffemodel .weights"
    " .mlmodel .engine .trt .torchscript .jit .bz2 .gz .xz .zip .tar .7z".split()
)
_LARGEST = 1 << 16
_HYPHENS = re.compile("[\u2010-\u2015\u2212]")
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
        files = list(digests.files_below(folder))
        names = [name for name in files if name.lower().endswith(_WEIGHTS)]
        said = _said(folder, names, files)
        if said is not None:
            return said
        if _made_here(folder, names):
            return UseTerms(Use.COMMERCIAL, "trained here on drawn people: ours, Apache-2.0")
        return _by_shape(folder) or by_names(names)
    except OSError as error:
        return UseTerms(Use.UNKNOWN, f"the folder cannot be read ({error.strerror})")


def _said(folder: Path, names: Sequence[str], files: Iterable[str]) -> UseTerms | None:
    """What the folder says of the weights `names`; None where it holds no such file.

    A line of a file `terms` decides, and where there is none the licences; of several the
    strictest. No licence frees weights that are known by their names to be for research, or that
    another licence, further below or named by a model's card, keeps for it: it may be of the code.
    """
    above = [folder / name for name in files if "/" not in name]
    own = [path for path in above if path.name.lower().split(".")[0] == "terms"]
    if lines := [found for path in own if (found := _of_line(path, _text(path))) is not None]:
        return _strictest(lines)
    licences = [folder / name for name in files if _LICENCE_FILE.match(name.rpartition("/")[2])]
    texts = [_of_text(path) for path in own + [path for path in licences if path in above]]
    kept = [by_names(names), *map(_of_text, licences), *filter(None, map(_of_card, above))]
    known = [one for one in kept if one.use is Use.RESEARCH]
    return _strictest([*known, *texts]) if texts or known else None


def _strictest(found: Sequence[UseTerms]) -> UseTerms:
    use = strictest(one.use for one in found)
    return next(one for one in found if one.use is use)


def _text(path: Path) -> str:
    with path.open("rb") as handle:
        return handle.read(_LARGEST).decode("utf-8", "replace")


def _of_line(path: Path, text: str) -> UseTerms | None:
    """What lines of ours say in it; None where there is none."""
    lines = [(Use(line[1].lower()), line[2].strip()[:120]) for line in _LINE.finditer(text)]
    if not lines:
        return None
    use = strictest(said for said, _ in lines)
    why = next(reason for said, reason in lines if said is use)
    return UseTerms(use, f"{path.name} in its folder says so{f': {why}' if why else ''}")


def _of_text(path: Path) -> UseTerms:
    """What a licence's text says: it must begin as one that is known, and say no more than that."""
    text = _text(path)
    if (said := _of_line(path, text)) is not None:
        return said
    plain = _OWN_WORDS.sub("", _plain(text))
    lines = itertools.dropwhile(_BEFORE.fullmatch, map(str.strip, text.splitlines()))
    begins = _plain(" ".join(lines)).lstrip("#*= ")
    if _GNU.match(begins):  # it speaks of copies that are handed on noncommercially
        return UseTerms(Use.UNKNOWN, f"{path.name} in its folder: a licence of GNU")
    if _NOT_FOR_TRADE.search(plain):
        because = "a licence that excludes commercial use"
        return UseTerms(Use.RESEARCH, f"{path.name} in its folder: {because}")
    for start, title in _TEXTS:
        if start.match(begins):
            if _MORE.search(plain) or path.stat().st_size > _LARGEST:
                because = f"{title}, and more that is not known here"
                return UseTerms(Use.UNKNOWN, f"{path.name} in its folder: {because}")
            return UseTerms(Use.COMMERCIAL, f"{path.name} in its folder: {title}")
    return UseTerms(Use.UNKNOWN, f"{path.name} in its folder is no licence that is known here")


def _of_card(path: Path) -> UseTerms | None:
    """What a model's card beside the weights says, where that keeps them for research."""
    if path.name.lower() != "readme.md":
        return None
    for line in _CARD.finditer(_text(path)):
        if _NOT_FOR_TRADE.search(_plain(line[1])) or "-nc" in line[1].lower():
            return UseTerms(Use.RESEARCH, f"{path.name} in its folder: {line[1].strip()[:60]}")
    return None


def _plain(text: str) -> str:
    """In small letters, on one line, with one kind of hyphen."""
    return " ".join(_HYPHENS.sub("-", text.lower()).split())


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
