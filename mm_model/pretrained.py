"""Models of the library transformers, as `save_pretrained` leaves them, in folders of a shelf.

Nothing is fetched, no code that comes with a model is run, no pickle is opened. What is wrong
with a folder is one sentence that ends in the way out.
"""

import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.errors import UserError, first_line

_OPENING = {"local_files_only": True, "trust_remote_code": False}


def folder_on(shelf: Path, entry: str, name: str, field: str, way_out: str) -> Path:
    """The folder `name` of the shelf that `entry` of params.yaml names; `field` asks for it.

    Raises:
        UserError: no such folder stands there, or it is a link.
    """
    folder = shelf / name
    if not folder.is_dir():
        there = sorted(path.name for path in shelf.glob("*") if path.is_dir())
        said = f"it holds {', '.join(there)}" if there else "it holds none"
        raise UserError(
            f"{field} is {name}, and no folder of that name stands on the shelf {shelf} ({said}): "
            f"put the model's folder there, or {way_out}."
        )
    if folder.is_symlink():
        raise UserError(
            f"{folder} is a link, and nobody would see a change of what it leads to: put the "
            f"folder itself on the shelf, or let {entry} in params.yaml name where it lies."
        )
    return folder


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there is too little memory, of the host or of a device."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and (
        "not enough memory" in said or "can't allocate" in said
    )


@dataclass(frozen=True)
class PretrainedFolder:
    """A model's folder. part: what it is called in a refusal; way_out: how one ends."""

    folder: Path
    part: str
    way_out: str

    def kind(self, known: Container[str], said: str) -> str:
        """The model's kind by its configuration, one of `known`; `said` is what those are called.

        Raises:
            UserError: the folder says none, or another; or it holds no weights in safetensors.
        """
        try:
            found = json.loads((self.folder / "config.json").read_text("utf-8"))["model_type"]
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                f"{self.folder} holds no config.json that says model_type: {self.way_out}."
            ) from None
        if not isinstance(found, str) or found not in known:
            raise UserError(
                f"{self.folder} is of the kind {str(found)[:60]!r}, which is no {said} that the "
                "library transformers knows by itself (code of a model's own is never run): "
                f"{self.way_out}."
            )
        if not any(self.folder.glob("*.safetensors")):
            raise UserError(f"{self.folder} holds no weights in safetensors: {self.way_out}.")
        return found

    def configuration(self, auto: Any) -> Any:
        """What `auto`, a class of the library, reads of config.json.

        Raises:
            UserError: it cannot be read.
        """
        try:
            return auto.from_pretrained(self.folder, **_OPENING)
        except Exception as error:
            # There are as many kinds of error as there are configurations.
            raise UserError(
                f"{self.folder}: its config.json cannot be read ({first_line(error)}): "
                f"{self.way_out}."
            ) from error

    def processor(self, auto: Any, do_without: str, **options: object) -> Any:
        """What `auto`, a class of the library, opens there; `do_without` names models for which
        the installed libraries do.

        Raises:
            UserError: it cannot be opened, or needs a library that is not installed.
        """
        try:
            return auto.from_pretrained(self.folder, **_OPENING, **options)
        except ImportError as error:
            said = " ".join(str(error).split()).partition(". ")[0][:200]
            raise UserError(
                f"{self.folder}: its processor needs a library that is not installed ({said}): "
                "install that one beside this project, or put a model there whose processor does "
                f"without ({do_without} do)."
            ) from error
        except Exception as error:
            # There are as many kinds of error as there are processors.
            said = " ".join(str(error).split())[:200]
            raise UserError(
                f"{self.folder}: its processor cannot be opened ({said}): {self.way_out}."
            ) from error

    def model(self, auto: Any, dtype: Any, *, exact: bool = False) -> Any:
        """The network that `auto` makes of the weights, each of which is there; it never learns.

        exact: neither may there be weights that the network has no place for.

        Raises:
            UserError: the weights cannot be read, or are not those of the network.
            MemoryError, RuntimeError: as `lacks_memory` tells.
        """
        try:
            model, told = auto.from_pretrained(
                self.folder,
                dtype=dtype,
                use_safetensors=True,
                output_loading_info=True,
                **_OPENING,
            )
        except Exception as error:
            if lacks_memory(error):
                raise
            # Damaged weights raise what the readers of many formats raise.
            raise UserError(
                f"{self.folder}: the {self.part}'s weights cannot be read ({first_line(error)}): "
                f"{self.way_out}."
            ) from error
        lacking = sorted([*told["missing_keys"], *map(str, told["mismatched_keys"])])
        if lacking:
            raise UserError(
                f"{self.folder}: {len(lacking)} tensors of the {self.part} are missing or of "
                f"another shape, e.g. {lacking[0]}: {self.way_out}."
            )
        if exact and (foreign := sorted(told["unexpected_keys"])):
            raise UserError(
                f"{self.folder}: {len(foreign)} tensors belong to no part of the {self.part}, "
                f"e.g. {foreign[0]}: {self.way_out}."
            )
        return model.eval().requires_grad_(False)
