"""Which model answers: a release by its alias or version, or an adapter's folder.

A release brings its own configuration, weights and face pack, checked against the registry before
anything of it is read; a folder is used with the backbone, face pack and values of the profile.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.serving.config import Detection, ServingConfig, of_profile
from mm_model.settings import Params, Profile, load_params, load_profile
from mm_model.store import digests
from mm_model.store.layout import Layout

CHAMPION = "champion"
FACEPACK_RULES = "real-small"
"""The profile whose rules find faces with a face pack of one's own: those for real photographs."""

_CONFIG = "magic_mirror_config.json"


@dataclass(frozen=True)
class Choice:
    """A model that is chosen but not loaded: its configuration and the folders it is made of.

    release, code: the version and the digest of its own code, where it is a release's.
    """

    config: ServingConfig
    folders: dict[str, Path]
    release: str | None = None
    code: str | None = None

    def memory_said(self) -> str:
        """What little memory means on the device of the model."""
        from mm_model.generation import memory
        from mm_model.settings.device import device_named

        return memory.said_of(device_named(self.config.device))

    def load(self, low_memory: bool = False, before: Callable[[Any], object] | None = None) -> Any:
        """The model, as it is served (`serving.mirror.Mirror`); the digests are checked first.

        before: called with what admits references (`serving.mirror.Admit`), before the networks
        are loaded that make clips.
        """
        from mm_model.environment import bound_threads

        bound_threads(self.config.threads)
        from transformers.utils.logging import disable_progress_bar

        from mm_model.serving import mirror

        disable_progress_bar()

        artifacts = {name: str(folder) for name, folder in self.folders.items()}
        return mirror.load(artifacts, self.config.model_dump(mode="json"), low_memory, before)


def chosen(layout: Layout, adapter: str, facepack: Path | None = None) -> Choice:
    """The model named `adapter`: an alias or version of the profile's model, or a folder.

    `facepack` is another pack to find the faces with.

    Raises:
        UserError: there is none of that name, or a part of it is missing.
    """
    profile = load_profile(layout.root, layout.profile)
    named = adapter.isidentifier() or adapter.isdecimal()
    if adapter == CHAMPION or (named and not Path(adapter).is_dir()):
        choice = _of_release(layout, profile, adapter)
    elif Path(adapter).is_dir():
        choice = _of_folder(layout, profile, load_params(layout.root), Path(adapter))
    else:
        raise UserError(
            f"{adapter} is no folder and no name of a release: give --adapter {CHAMPION}, a "
            "version's number or the folder of an adapter."
        )
    return choice if facepack is None else _with_pack(choice, facepack, layout)


def _of_folder(layout: Layout, profile: Profile, params: Params, given: Path) -> Choice:
    adapter = given if (given / _CONFIG).is_file() else given / "adapter"
    if not (adapter / _CONFIG).is_file():
        raise UserError(
            f"{given} is no adapter's folder (it holds no {_CONFIG}): name one, such as "
            f"{layout.relative(layout.output('finetune'))}."
        )
    folders = {
        "adapter": adapter,
        "backbone": layout.root / params.backbone,
        "facepack": layout.root / params.facepack,
    }
    return Choice(of_profile(profile, _digests(folders)), folders)


def _of_release(layout: Layout, profile: Profile, name: str) -> Choice:
    import yaml
    from pydantic import ValidationError

    from mm_model.register import card
    from mm_model.register.served import checked_folder

    model = profile.register_.model_name
    version = _version(layout, model, name)
    folder = checked_folder(layout, model, version)
    said = yaml.safe_load((folder / "MLmodel").read_text("utf-8"))["flavors"]["python_function"]
    try:
        config = ServingConfig.model_validate(said["config"])
    except ValidationError:
        raise UserError(
            f"The release '{name}' was made by other code than this, which cannot read its "
            "configuration: make a new one ('make run'), or give --adapter an adapter's folder."
        ) from None
    folders = {part: folder / entry["path"] for part, entry in said["artifacts"].items()}
    return Choice(config, folders, version, card.read(folder).parts["code"])


def _version(layout: Layout, model: str, name: str) -> str:
    """The version behind an alias now; `name` where there is none, for the registry to say so."""
    from mm_model.register import pins, versions
    from mm_model.tracking import store

    if name.isdecimal() or not (store.is_shared(layout) or layout.database.exists()):
        return name
    with versions.registry(layout, reading=True) as client:
        found = pins.alias_version(client, model, name)
    return name if found is None else str(found.version)


def _with_pack(choice: Choice, facepack: Path, layout: Layout) -> Choice:
    rules = load_profile(layout.root, FACEPACK_RULES).faces
    detection = Detection(**rules.model_dump(include=set(Detection.model_fields)))
    folders = choice.folders | {"facepack": facepack}
    if not facepack.is_dir():
        raise UserError(f"{facepack} is no folder: give --facepack an InsightFace pack's folder.")
    found = choice.config.digests | {"facepack": digests.of_folder(facepack)}
    config = choice.config.model_copy(update={"detection": detection, "digests": found})
    return replace(choice, config=config, folders=folders)


def _digests(folders: dict[str, Path]) -> dict[str, str]:
    for name, folder in folders.items():
        if not folder.is_dir():
            raise UserError(f"{folder} is missing: the {name} is needed (params.yaml names it).")
    return {name: digests.of_folder(folder) for name, folder in folders.items()}
