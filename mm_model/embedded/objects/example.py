"""Drawn photographs of one subject and its true masks: something to learn when one has none.

`photos/` and `masks/` hold PNG files of equal names. Same arguments, same bytes.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_model.embedded.objects.things import FORMS, SMALLEST, Pictured, before, photograph, thing
from mm_model.embedded.people.action import draw_still
from mm_model.embedded.people.encode import encode_picture
from mm_model.embedded.people.people import CATEGORIES, person
from mm_model.embedded.people.render import render
from mm_model.embedded.people.shot import ShotSetup, shot
from mm_model.embedded.people.split import HELD_OUT_PEOPLE
from mm_model.errors import UserError
from mm_model.store.atomic import publish_folder

PERSON = "person"
SUBJECTS = (*FORMS, PERSON)
"""What is drawn: a cup, a toy animal, or an adult whom no shipped weight saw."""

PHOTOS, MASKS, CONSENT = "photos", "masks", "consent.yaml"
BASIS = "synthetic:procedural"
NUMBER, SIZE, LARGEST = 8, 256, 2048
_MOST = 64
_ADULTS = CATEGORIES[:4]
_STREAM, _PLACE = 0xE5, 0x9A
_ALIKE = 0.5


@dataclass(frozen=True)
class DrawnSubject:
    """One subject of `SUBJECTS`; the seed says which cup, toy or held-out person."""

    kind: str
    seed: int = 0

    @property
    def word(self) -> str:
        """Its class word: cup, toy, or the person's category."""
        return person(self.person).category if self.kind == PERSON else self.kind

    @property
    def person(self) -> int:
        """The person's seed in the procedural world: that of a held-out adult.

        Raises:
            UserError: there are not so many.
        """
        adults = [one for one in HELD_OUT_PEOPLE if one % len(CATEGORIES) < len(_ADULTS)]
        if self.seed >= len(adults):
            raise UserError(f"There is no person {self.seed}: give a seed up to {len(adults) - 1}.")
        return adults[self.seed]

    @property
    def _place(self) -> list[int]:
        """Decides where the photographs of one place are taken."""
        people = [_STREAM, self.seed, _PLACE]
        return people if self.kind == PERSON else [*people, SUBJECTS.index(self.kind)]

    def photographs(
        self, number: int = NUMBER, size: int = SIZE, *, one_place: bool = False
    ) -> list[Pictured]:
        """`number` photographs of `size` pixels a side, each in a place and light of its own.

        one_place: all stand before one background, as when they were taken on one day.
        """
        rng = np.random.default_rng([_STREAM, SUBJECTS.index(self.kind), self.seed])
        place = shot(np.random.default_rng(self._place)) if one_place else None
        if self.kind != PERSON:
            what = thing(self.kind, self.seed)
            return [photograph(what, rng, size, place) for _ in range(number)]
        found: list[Pictured] = []
        while len(found) < number:
            if (drawn := _portrait(self.person, rng, size, place)) is not None:
                found.append(drawn)
        return found


def _portrait(
    seed: int, rng: np.random.Generator, size: int, place: ShotSetup | None = None
) -> Pictured | None:
    """A photograph whose face can be seen. What is not seen through is the person.

    place: whose background it has; its own where it is None.
    """
    setup, pose, who = shot(rng), draw_still(rng), person(seed)
    if place is not None:
        setup = before(setup, place)
    drawn = render(who, setup, pose, size)
    if not drawn.visible:
        return None
    grounds = [np.full((8, 8, 3), grey, np.uint8) for grey in (40, 200)]
    dark, light = (render(who, setup, pose, size, behind=ground).image for ground in grounds)
    through = (light.astype(float) - dark).mean(axis=2) / (200 - 40)
    return Pictured(drawn.image, through < _ALIKE)


def write(subject: DrawnSubject, folder: Path, number: int = NUMBER, size: int = SIZE) -> None:
    """Write the photographs and masks of a subject below `folder`, whole or not at all.

    A person's photographs come with their consent: nobody real is shown.

    Raises:
        UserError: the folder is there, or it would be too many photographs or too small ones.
    """
    if folder.exists():
        raise UserError(f"{folder} exists and stays as it is: name another folder.")
    if not 1 <= number <= _MOST:
        raise UserError(f"{number} photographs were asked for: give 1 to {_MOST}.")
    if not SMALLEST <= size <= LARGEST:
        raise UserError(f"{size} pixels a side were asked for: give {SMALLEST} to {LARGEST}.")
    if subject.seed < 0:
        raise UserError(f"There is no {subject.kind} {subject.seed}: give a seed from 0 on.")
    drawn = subject.photographs(number, size)
    aside = folder.parent / f".{folder.name}.writing-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        for part in (PHOTOS, MASKS):
            (aside / part).mkdir(parents=True)
        for place, one in enumerate(drawn):
            name = f"{place:02d}.png"
            shade = np.repeat(one.mask[..., None] * np.uint8(255), 3, axis=2)
            (aside / PHOTOS / name).write_bytes(encode_picture(one.image, ".png"))
            (aside / MASKS / name).write_bytes(encode_picture(shade, ".png"))
        if subject.kind == PERSON:
            said = f"basis: {BASIS}\nadults: true\n"
            (aside / PHOTOS / CONSENT).write_text(said, encoding="utf-8")
        publish_folder(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
