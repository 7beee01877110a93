"""Puts outsiders on the shelf: dlib's weights from their package, or a pack that somebody has.

Only the files that judge are copied, with their digests beside them. Nothing is downloaded here;
`make judges` installs the package.
"""

import importlib.util
import shutil
from pathlib import Path

from mm_model.errors import UserError
from mm_model.facepack import dlib
from mm_model.facepack.port import FacePack, open_judge
from mm_model.judges.shelf import DETECTION_SIZE, MANIFEST
from mm_model.store import atomic

DLIB, REAL = "dlib", "real"
"""Names on the shelf."""

_PACKAGE = "face_recognition_models"


def put_dlib(shelf: Path) -> Path:
    """Copy dlib's recogniser and landmarks out of the installed package; return their folder.

    Raises:
        UserError: package or weights are absent.
    """
    spec = importlib.util.find_spec(_PACKAGE)  # never imported: it would ask for pkg_resources
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise UserError(
            "dlib's weights are not installed: 'make judges' installs and copies them "
            "(pyproject.toml: extra dlib)."
        )
    return _put(shelf / DLIB, Path(places[0]) / "models", dlib.FILES)


def put_pack(shelf: Path, facepack: Path, name: str = REAL) -> Path:
    """Copy the detector and the recogniser of a face pack as the judge `name`; return its folder.

    Raises:
        UserError: it is no pack, or damaged.
    """
    places = [facepack, facepack.parent / "models" / facepack.name]
    place = next((one for one in places if any(one.glob("*.onnx"))), facepack)
    pack = open_judge(place, DETECTION_SIZE)
    return _put(shelf / name, place, _files(pack))


def _files(pack: FacePack) -> tuple[str, ...]:
    return tuple(pack.describe()["files"])


def _put(target: Path, source: Path, files: tuple[str, ...]) -> Path:
    """Copy aside, open once, then take the place of what stood there."""
    missing = [name for name in files if not (source / name).is_file()]
    if missing:
        raise UserError(f"{source / missing[0]} is missing: install the pack's files again.")
    aside = target.with_name(f".{target.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        for name in files:
            shutil.copyfile(source / name, aside / name)
        pack = open_judge(aside, DETECTION_SIZE)
        atomic.write_json(aside / MANIFEST, {"files": pack.describe()["files"]})
        atomic.publish_folder(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target
