"""What a run would be refused for later, told before the stages that lead up to it do any work.

Settings and the backbone's description are read; judges are opened where there are outsiders.
"""

import json
from importlib.util import find_spec
from pathlib import Path

from mm_model.errors import UserError
from mm_model.nn.identity import shelf
from mm_model.nn.magic_mirror.config import IDENTITY_DESCRIPTION, IDENTITY_FOLDER
from mm_model.settings import Profile

TRAININGS = ("pretrain", "finetune")
LEADING = ("sources", "ingest", "faces", "pairs", "precompute", *TRAININGS)
"""Stages that a training still follows."""

PAINTING = ("sources", "ingest", "faces", "pairs")
"""Stages up to that which paints references."""

COSTLY = ("sources", *TRAININGS)
"""Stages before which the judges are tried: the first one, and those that take the time."""


def refuse_blind_recognizer(profile: Profile, backbone: Path) -> None:
    """An identity loss needs a recogniser that can be differentiated; an ONNX file cannot.

    Raises:
        UserError: a training of the profile asks for such a loss and `backbone` has none for it.
    """
    asking = [
        name
        for name in TRAININGS
        for rules in [profile.trainings[name]]
        if rules.identity_loss_weight > 0 and rules.identity_loss_from_step < rules.steps
    ]
    if not asking:
        return
    path = backbone / IDENTITY_FOLDER / IDENTITY_DESCRIPTION
    try:
        recognizer = json.loads(path.read_text("utf-8")).get("recognizer")
    except (OSError, ValueError, AttributeError):
        return  # loading the backbone says what is wrong with it
    if recognizer is not None and recognizer.get("kind") != "onnx":
        return
    what = "an ONNX file, which gives no gradient" if recognizer else "missing"
    fields = " and ".join(f"{name}.identity_loss_weight" for name in asking)
    raise UserError(
        f"{path}: the recogniser is {what}, so the identity loss would teach nothing: set "
        f"{fields} to 0, or name a backbone whose recogniser is a torch one."
    )


NO_EIGHT_BIT = (
    "optimizer adamw8bit of the training needs the package torchao, which is not installed: run "
    "make eight-bit, or set optimizer to adamw."
)


def refuse_missing_optimizer(profile: Profile) -> None:
    """Days of pairs and latents would precede a training that cannot begin.

    Raises:
        UserError: a training of the profile keeps its moments in 8 bits, and the package is absent.
    """
    asked = {rules.optimizer for rules in profile.trainings.values()}
    if "adamw8bit" in asked and find_spec("torchao") is None:
        raise UserError(NO_EIGHT_BIT)


def refuse_missing_synthesizer(profile: Profile, folder: Path) -> None:
    """Weights that paint references would be missed once all faces are found.

    Raises:
        UserError: the profile paints, and `folder` lacks SDXL or PhotoMaker-V2.
    """
    if profile.pairs.paints:
        shelf.photomaker_in(folder)
        shelf.checkpoint_in(folder)


def refuse_damaged_judges(shelf: Path) -> None:
    """An outsider that cannot be opened would stop the evaluation, after all trainings.

    Raises:
        UserError: something on the shelf is no judge or is damaged; the sentence names it.
    """
    from mm_model.judges.shelf import on_shelf, opened

    for folder in on_shelf(shelf):
        opened(folder)
