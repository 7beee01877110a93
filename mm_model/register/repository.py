"""An adapter's folder as a model hub takes it: tensors, configuration, card, means, terms.

Base weights, photographs and consents are never in it. Nothing is sent: who exported it pushes it.
"""

import json
import shutil
import tempfile
from pathlib import Path

from safetensors import safe_open

from mm_model.errors import UserError
from mm_model.nn.injection import files
from mm_model.register import model_card
from mm_model.register.model_card import AdapterFacts
from mm_model.store import atomic

CARD, EVALUATION, TERMS = "README.md", "evaluation.json", "LICENSE.md"


def check(target: Path) -> None:
    """Raises `UserError` where no folder can be put at `target`: it holds something already."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} holds something already: name a new or an empty folder.")


def numbers_in(adapter: Path) -> int:
    """How many numbers the tensors of an adapter's folder hold, read off the header.

    Raises:
        UserError: the tensors are not those that the configuration records.
    """
    _, recorded = files.read_description(adapter)
    path = adapter / files.WEIGHTS_NAME
    if not path.is_file() or files.sha256_file(path) != recorded:
        raise UserError(f"{path} is not the file that {files.CONFIG_NAME} records: restore it.")
    total = 0
    with safe_open(adapter / files.WEIGHTS_NAME, "pt") as held:
        for name in held.keys():  # noqa: SIM118, it is no mapping
            size = 1
            for side in held.get_slice(name).get_shape():
                size *= side
            total += size
    return total


def write(adapter: Path, facts: AdapterFacts, target: Path) -> None:
    """Put the folder at `target`, whole or not at all.

    Raises:
        UserError: the place is taken.
    """
    check(target)
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as aside:
        made = Path(aside) / "made"
        made.mkdir()
        for name in (files.CONFIG_NAME, files.WEIGHTS_NAME):
            shutil.copyfile(adapter / name, made / name)
        (made / CARD).write_text(model_card.card(facts), "utf-8")
        (made / TERMS).write_text(_terms(facts), "utf-8")
        if (said := model_card.summary(facts)) is not None:
            text = json.dumps(said, indent=1, sort_keys=True, allow_nan=False)
            (made / EVALUATION).write_text(text + "\n", "utf-8")
        atomic.publish_folder(made, target)


def _terms(facts: AdapterFacts) -> str:
    licence, terms = facts.licence, facts.terms
    return (
        f"# Licence: {licence.own or licence.name}\n\n"
        f"The terms of what this adapter comes from: {terms.use}, because of {terms.because}.\n\n"
        "The backbone and the face pack that it runs with are not part of this folder and have "
        "licences of their own. Clips of real people need their consent, whatever a licence says.\n"
    )
