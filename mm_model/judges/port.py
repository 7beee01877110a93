"""The port of a judge: a recogniser that says who a clip shows, and what kind of witness it is.

A judge embeds faces at the boxes and landmarks that the pipeline found. Cosines of different judges
mean nothing beside each other; people named right can be compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mm_model.facepack.port import FacePack
from mm_model.store.atomic import Document

HOUSE_NAME = "tiny"
"""The judge that `judge` in `params.yaml` names."""

COLOUR_NAME = "colour"
"""The control that knows colours alone."""

PREFERRED = ("real", "dlib")
"""Outsiders by name, the best first; others follow in the order of their names."""


class Lineage(StrEnum):
    """What stands behind a judge: trained here, trained elsewhere, or no recogniser at all."""

    HOUSE = "house"
    OUTSIDER = "outsider"
    CONTROL = "control"


@dataclass(frozen=True, eq=False, kw_only=True)
class Judge:
    """A recogniser under a name. An outsider's own detector also says where it finds a face."""

    name: str
    kind: Lineage
    title: str
    pack: FacePack

    @property
    def detects(self) -> bool:
        """Whether its own detector is asked too."""
        return self.kind is Lineage.OUTSIDER

    def told(self) -> Document:
        """What `metrics.json` says of it."""
        return {"kind": str(self.kind), "title": self.title, "pack": self.pack.describe() or {}}


def in_order(names: Iterable[str]) -> list[str]:
    """Outsiders by how well their word counts, the best first."""
    places = {name: place for place, name in enumerate(PREFERRED)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


def headline_of(judges: Iterable[Judge]) -> Judge:
    """Whose figures are the headlines: the best outsider, else the house's. Never the control.

    Raises:
        ValueError: there is neither.
    """
    known = list(judges)
    outsiders = {one.name: one for one in known if one.kind is Lineage.OUTSIDER}
    for name in in_order(outsiders):
        return outsiders[name]
    for one in known:
        if one.kind is Lineage.HOUSE:
            return one
    raise ValueError("no judge can give the headlines: neither an outsider nor the house's own")
