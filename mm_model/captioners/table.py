"""Which captioner a name in the profile means: one that is built in, or a folder on the shelf."""

from collections.abc import Callable
from pathlib import Path

from mm_model.captioners.given import NoWords, OwnWords
from mm_model.captioners.port import Asking, Captioner
from mm_model.errors import UserError

CAPTIONERS: dict[str, Callable[[], Captioner]] = {"sidecar": OwnWords, "template": NoWords}
"""Those that need no weights."""


def is_model(name: str) -> bool:
    """Whether `name` is that of a folder on the shelf."""
    return name not in CAPTIONERS


def open_captioner(name: str, shelf: Path, wanted: Asking, field: str) -> Captioner:
    """The captioner called `name`; `field` is the value of the profile that names it.

    A model is looked at here as far as it can be without its weights, which are loaded when it is
    first asked.

    Raises:
        UserError: no such folder stands on the shelf, it is a link, or it holds no model that can
            be opened.
    """
    if not is_model(name):
        return CAPTIONERS[name]()
    if not (shelf / name).is_dir():
        there = sorted(path.name for path in shelf.glob("*") if path.is_dir())
        said = f"it holds {', '.join(there)}" if there else "it holds none"
        raise UserError(
            f"{field} is {name}, and no folder of that name stands on the shelf {shelf} ({said}): "
            "put the model's folder there, or set it to sidecar."
        )
    if (shelf / name).is_symlink():
        raise UserError(
            f"{shelf / name} is a link, and nobody would see a change of what it leads to: put the "
            "folder itself on the shelf, or let captioners in params.yaml name where it lies."
        )
    from mm_model.captioners.vision_language import VisionLanguage

    return VisionLanguage(shelf / name, wanted)
