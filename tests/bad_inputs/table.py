"""All kinds, in the order of the page."""

from tests.bad_inputs import (  # noqa: F401
    archives,
    captions,
    clips,
    odd_clips,
    odd_pictures,
    pictures,
    places,
)
from tests.bad_inputs.port import KINDS, Kind

_ORDER = (
    "pictures",
    "odd_pictures",
    "clips",
    "odd_clips",
    "places",
    "captions",
    "archives",
)


def kinds() -> list[Kind]:
    """Every kind: pictures, clips, names and links, captions, tars and tables."""
    return sorted(KINDS, key=lambda one: _ORDER.index(one.make.__module__.rpartition(".")[2]))
