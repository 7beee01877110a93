"""The folder of the synthesiser's weights: SDXL as diffusers lays it out, and PhotoMaker-V2's file.

Looks at names alone, so that a missing file is told before any stage has worked for it.
"""

from pathlib import Path

from mm_model.errors import UserError

CHECKPOINT = "sdxl"
PHOTOMAKER = ("photomaker-v2.safetensors", "photomaker-v2.bin")
"""The first that is there is read."""

PARTS = (
    "unet",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "scheduler",
)
_INSTEAD = "or set pairs.synthesizer to augment"


def checkpoint_in(folder: Path) -> Path:
    """The SDXL checkpoint of `folder`.

    Raises:
        UserError: it is absent, a link, or lacks a part.
    """
    place = folder / CHECKPOINT
    if place.is_symlink():
        raise UserError(
            f"{place} is a link, and its files would be digested by nobody: move the checkpoint "
            "there, or name a folder that holds it (params.yaml: synthesizer)."
        )
    missing = [name for name in PARTS if not (place / name).is_dir()]
    if not (place / "model_index.json").is_file():
        missing.insert(0, "model_index.json")
    if missing:
        raise UserError(
            f"{place} is no SDXL checkpoint in diffusers' layout, {missing[0]} is missing: put one "
            f"there (docs/real-media.md), {_INSTEAD}."
        )
    return place


def photomaker_in(folder: Path) -> Path:
    """PhotoMaker-V2's file in `folder`, converted or as published.

    Raises:
        UserError: there is none.
    """
    for name in PHOTOMAKER:
        if (folder / name).is_file():
            return folder / name
    raise UserError(
        f"{folder / PHOTOMAKER[0]} is missing, and so is {PHOTOMAKER[1]}: put PhotoMaker-V2's file "
        f"there (docs/real-media.md), {_INSTEAD}."
    )
