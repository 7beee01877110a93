"""Which captioner a name in the profile means: one that is built in, or a folder on the shelf."""

from collections.abc import Callable
from pathlib import Path

from mm_model.captioners.given import NoWords, OwnWords
from mm_model.captioners.port import Asking, Captioner
from mm_model.pretrained import folder_on

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
    folder = folder_on(shelf, "captioners", name, field, "set it to sidecar")
    from mm_model.captioners.vision_language import VisionLanguage

    return VisionLanguage(folder, wanted)
