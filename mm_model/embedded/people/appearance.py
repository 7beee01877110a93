"""From identity numbers to proportions and colours.

Lengths are in head units: 1 is about half the width of an adult's face; x runs to the image's
right, y down with the eyes at 0, z towards the viewer. Holds no drawing and no pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mm_model.embedded.people.people import Person

Colour = tuple[float, float, float]

# width, chin, jaw, cheeks, crown, eye, brow, nose, lips, neck, shoulders, ear, lash: adult man = 1
_BUILD = {
    "man": (1.00, 1.46, 0.84, 0.97, -1.42, 0.98, 1.25, 1.08, 0.90, 0.66, 2.25, 1.00, 0.0),
    "woman": (0.93, 1.34, 0.71, 0.97, -1.40, 1.16, 0.72, 0.86, 1.12, 0.47, 1.80, 0.85, 1.0),
    "elderly man": (1.00, 1.46, 0.86, 0.96, -1.40, 0.88, 1.20, 1.18, 0.72, 0.62, 2.10, 1.20, 0.0),
    "elderly woman": (0.95, 1.34, 0.78, 0.98, -1.38, 0.98, 0.62, 1.00, 0.85, 0.49, 1.80, 1.0, 0.5),
    "boy": (1.00, 1.18, 0.76, 1.01, -1.52, 1.26, 0.85, 0.76, 0.88, 0.43, 1.60, 1.05, 0.1),
    "girl": (0.98, 1.16, 0.72, 1.02, -1.50, 1.36, 0.62, 0.70, 0.95, 0.39, 1.50, 0.88, 0.8),
    "baby": (1.00, 1.09, 0.84, 1.07, -1.60, 1.42, 0.42, 0.62, 0.92, 0.40, 1.42, 0.85, 0.1),
}
_BUILD_NAMES = (
    *("width", "chin", "jaw", "cheeks", "crown", "eye", "brow"),
    *("nose", "lips", "neck", "shoulders", "ear", "lash"),
)
_SKIN = np.array(
    [
        (255, 224, 204),
        (243, 200, 168),
        (226, 174, 134),
        (196, 140, 99),
        (150, 99, 66),
        (99, 64, 46),
    ],
    dtype=float,
)
_HAIR = np.array(
    [
        (28, 24, 26),
        (62, 40, 30),
        (112, 70, 42),
        (150, 66, 32),
        (196, 106, 46),
        (214, 168, 92),
        (240, 220, 168),
    ],
    dtype=float,
)
_GREY = np.array([(92, 90, 92), (140, 140, 144), (186, 186, 190), (232, 230, 228)], dtype=float)
_IRIS = np.array(
    [(52, 32, 22), (98, 60, 32), (120, 108, 56), (66, 112, 72), (74, 122, 168), (134, 150, 162)],
    dtype=float,
)


@dataclass(frozen=True)
class Appearance:
    """Everything ``head.py`` and the painters need about one person, in head units and RGB."""

    category: str
    age: float  # 0 smooth .. 1 deeply lined
    width: float
    chin: float
    crown: float
    jaw: float  # share of the width at the mouth
    chin_width: float
    cheeks: float
    temples: float
    hairline: float  # y of the hairline at the centre
    neck: float
    shoulders: float
    ear: float
    eye_x: float
    eye_w: float  # half width of the opening
    eye_h: float  # half height of the opening
    eye_tilt: float
    lash: float
    brow_y: float
    brow_h: float
    brow_slope: float
    brow_arch: float
    nose_y: float
    nose_w: float
    nose_out: float
    mouth_y: float
    mouth_w: float
    upper_lip: float
    lower_lip: float
    hair_length: float
    hair_volume: float
    parting: float  # -1 .. 1
    skin: Colour
    lip: Colour
    hair: Colour
    iris: Colour
    brow: Colour
    beard: Colour


def _along(colours: np.ndarray, t: float) -> np.ndarray:
    """Colour at ``t`` in [0, 1] on a path of colours."""
    at = t * (len(colours) - 1)
    i = min(int(at), len(colours) - 2)
    return colours[i] + (colours[i + 1] - colours[i]) * (at - i)


def _span(t: float, low: float, high: float) -> float:
    return low + (high - low) * t


def _rgb(colour: np.ndarray) -> Colour:
    r, g, b = (float(v) for v in np.clip(colour, 0, 255))
    return (r, g, b)


def _colours(p: Person) -> dict[str, Colour]:
    t = p.trait
    young = p.category in ("boy", "girl", "baby")
    skin = _along(_SKIN, t("skin_tone") * (0.9 if young else 1.0))
    skin = skin + np.array([4, -4, -13]) * (t("skin_warmth") * 2 - 1)
    elderly = p.category.startswith("elderly")
    hair = _along(_GREY if elderly else _HAIR, t("hair_colour"))
    red = _span(t("lip_colour"), 0.1, 0.75)
    if p.category == "woman":
        red = _span(t("lip_colour"), 0.25, 1.0)
    elif p.category != "elderly woman":
        red *= 0.35 if young else 0.55
    paint = np.array([176, 44, 62]) if t("lip_colour") > 0.5 else np.array([188, 88, 82])
    lip = skin * np.array([0.88, 0.68, 0.68]) * (1 - red) + paint * red
    brow = hair * 0.75 if not elderly else hair * 0.85
    if p.category == "baby" or hair.mean() > 170:
        brow = brow * 0.55 + skin * 0.3
    return {
        "skin": _rgb(skin),
        "lip": _rgb(lip),
        "hair": _rgb(hair),
        "iris": _rgb(_along(_IRIS, t("eye_colour"))),
        "brow": _rgb(brow),
        "beard": _rgb(hair * _span(t("beard_darkness"), 0.6, 1.0)),
    }


def _age(p: Person) -> float:
    if p.category.startswith("elderly"):
        return _span(p.trait("maturity"), 0.65, 1.0)
    if p.category in ("man", "woman"):
        return _span(p.trait("maturity"), 0.0, 0.4)
    return 0.0


@lru_cache(maxsize=4096)
def appearance(p: Person) -> Appearance:
    """Proportions and colours of ``p`` (ranges: design choice, tuned on the real recogniser)."""
    t = p.trait
    b = dict(zip(_BUILD_NAMES, _BUILD[p.category], strict=True))
    young = 0.6 if p.category == "baby" else 1.0
    spread = 0.09 if p.category == "baby" else 0.13
    width = b["width"] * _span(t("face_width"), 1 - spread, 1 + spread)
    chin = b["chin"] * _span(t("face_length"), 0.90, 1.11)
    eye_w = 0.205 * b["eye"] * _span(t("eye_size"), 0.80, 1.20)
    eye_x = width * _span(t("eye_spacing"), 0.37, 0.52)
    eye_w = min(eye_w, eye_x - 0.12, width * 0.86 - eye_x)
    brow_y = -0.21 - 0.07 * b["eye"] - 0.15 * t("brow_height")
    return Appearance(
        category=p.category,
        age=_age(p),
        width=width,
        chin=chin,
        crown=b["crown"],
        jaw=b["jaw"] * _span(t("jaw"), 0.86, 1.14),
        chin_width=_span(t("chin"), 0.24, 0.52) * (1.25 if p.category == "man" else 1.0),
        cheeks=b["cheeks"] * _span(t("cheeks"), 0.93, 1.07),
        temples=_span(t("temples"), 0.90, 1.03),
        hairline=-0.62 - 0.42 * t("forehead"),
        neck=b["neck"],
        shoulders=b["shoulders"],
        ear=b["ear"] * _span(t("ear_size"), 0.75, 1.3),
        eye_x=eye_x,
        eye_w=eye_w,
        eye_h=eye_w * _span(t("eye_roundness"), 0.34, 0.62) * (1.15 if b["eye"] > 1.2 else 1.0),
        eye_tilt=_span(t("eye_tilt"), 0.22, -0.30),
        lash=b["lash"],
        brow_y=brow_y,
        brow_h=0.062 * b["brow"] * _span(t("brow_thickness"), 0.45, 1.75),
        brow_slope=_span(t("brow_slope"), -0.09, 0.18) * young,
        brow_arch=_span(t("brow_arch"), 0.0, 0.13),
        nose_y=chin * _span(t("nose_length"), 0.30, 0.46) * (0.92 if p.category == "baby" else 1.0),
        nose_w=0.235 * b["nose"] * _span(t("nose_width"), 0.72, 1.38),
        nose_out=0.34 * b["nose"] * _span(t("nose_bridge"), 0.65, 1.35),
        mouth_y=chin * _span(t("mouth_height"), 0.61, 0.70),
        mouth_w=0.40
        * width
        * _span(t("mouth_width"), 0.72, 1.28)
        * (0.8 if b["chin"] < 1.1 else 1.0),
        upper_lip=0.085 * b["lips"] * _span(t("upper_lip"), 0.4, 1.6),
        lower_lip=0.11 * b["lips"] * _span(t("lower_lip"), 0.5, 1.55),
        hair_length=t("hair_length"),
        hair_volume=t("hair_volume"),
        parting=t("hair_parting") * 2 - 1,
        **_colours(p),
    )
