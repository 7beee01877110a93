"""The shelf of judges: which outsiders stand on it, and all judges of a run, opened.

A shelf is a folder with one face pack a folder, as `make judges` puts it there. A pack that the run
uses itself is no outsider, whatever its name and however its file was saved: it is told by what it
says of made pictures. What is damaged is refused by name before anything is computed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_model.errors import UserError
from mm_model.facepack.port import Face, FacePack, open_judge, unit
from mm_model.facepack.template import ARCFACE_112
from mm_model.judges.colour import ColourJudge
from mm_model.judges.port import COLOUR_NAME, HOUSE_NAME, Judge, Lineage, headline_of, in_order
from mm_model.store import digests

README = "README.md"
MANIFEST = "manifest.json"
"""Beside a pack on the shelf: its files with their digests, as they were put there."""

DETECTION_SIZE = 640
"""Input side in pixels of an outsider's own detector (InsightFace's usual size)."""

_SAME = 0.9999
"""From which cosine on two recognisers say the same of every made picture."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_TITLES = {
    "insightface": "a recogniser in InsightFace's format",
    "opencv": "OpenCV's recogniser",
    "dlib": "dlib's recogniser",
}


@dataclass(frozen=True)
class Bench:
    """All judges of a run, the house's first; `notes` are sentences on who is not among them."""

    judges: tuple[Judge, ...]
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> Judge:
        """The judge that gives the headlines."""
        return headline_of(self.judges)


def on_shelf(shelf: Path) -> list[Path]:
    """The folders of outsiders, the best first; none where there is no shelf.

    Raises:
        UserError: something lies there that is no folder of a judge, or has a name of no use.
    """
    if not shelf.is_dir():
        return []
    found = {}
    for path in sorted(shelf.iterdir()):
        if path.name == README or path.name.startswith("."):
            continue
        taken = path.name in (HOUSE_NAME, COLOUR_NAME)
        if not path.is_dir() or not _NAME.fullmatch(path.name) or taken:
            raise UserError(
                f"{path} is no judge: the shelf holds a folder a judge, named in small letters and "
                f"digits, not {HOUSE_NAME} and not {COLOUR_NAME}; rename or remove it."
            )
        found[path.name] = path
    return [found[name] for name in in_order(found)]


def open_judges(shelf: Path, *, house: FacePack, used: Sequence[FacePack]) -> Bench:
    """The house's judge, who stands on `shelf`, and the control.

    `used` are the packs that the run itself works with: with `house`, they are no outsiders.

    Raises:
        UserError: a pack on the shelf is damaged; the sentence names it and the way out.
    """
    judges = [
        Judge(name=HOUSE_NAME, kind=Lineage.HOUSE, title="the house's own recogniser", pack=house)
    ]
    notes: list[str] = []
    known = [(_said(pack), "this run works with it itself") for pack in (house, *used)]
    for folder in on_shelf(shelf):
        pack = opened(folder)
        said = _said(pack)
        if why := [why for before, why in known if _alike(before, said)]:
            notes.append(f"{folder.name} is no judge here: {why[0]}.")
            continue
        known.append((said, f"it is the judge {folder.name} once more"))
        title = _TITLES.get(str(pack.describe().get("adapter")), "a recogniser")
        judges.append(Judge(name=folder.name, kind=Lineage.OUTSIDER, title=title, pack=pack))
    if len(judges) == 1:
        notes.append(
            "no outsider judged: the figures are by the house's own judge; 'make judges' puts one "
            "on the shelf"
        )
    return Bench((*judges, *_controls()), tuple(notes))


def opened(folder: Path) -> FacePack:
    """The pack of a judge, held to the digests it was put there with.

    Raises:
        UserError: it is damaged or no pack.
    """
    try:
        _as_put(folder)
        return open_judge(folder, DETECTION_SIZE)
    except UserError as error:
        said = str(error).strip().removesuffix(".")
        raise UserError(
            f"The judge {folder.name} cannot be opened ({said}): put it on the shelf again with "
            f"'make judges', or remove {folder}."
        ) from None


def _as_put(folder: Path) -> None:
    path = folder / MANIFEST
    if not path.is_file():
        return
    try:
        listed = json.loads(path.read_text("utf-8"))["files"]
        files = {str(name): str(digest) for name, digest in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path.name} names no files") from None
    for name, digest in files.items():
        if not (folder / name).is_file() or digests.of_file(folder / name) != digest:
            raise UserError(f"{name} is missing or damaged")


def _said(pack: FacePack) -> np.ndarray:
    """What a recogniser says of two made pictures, float32 [2, width], each at length one."""
    rng = np.random.default_rng(13)
    face = Face(np.array([0, 0, 112, 112], np.float32), 1.0, ARCFACE_112.astype(np.float32))
    small = rng.integers(0, 256, (2, 7, 7, 3), np.uint8)
    made = (np.kron(one, np.ones((16, 16, 1), np.uint8)) for one in small)
    return np.stack([unit(pack.embed(picture, face)) for picture in made])


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and bool(((first * second).sum(axis=1) > _SAME).all())


def _controls() -> list[Judge]:
    title = "colours of skin and hair alone"
    return [Judge(name=COLOUR_NAME, kind=Lineage.CONTROL, title=title, pack=ColourJudge())]
