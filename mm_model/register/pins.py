"""Who moved the alias `champion`: the promotion rule, or a person, whose choice stays until lifted.

Registration writes down, on the registered model, where it set the alias last. An alias that points
elsewhere was moved by a person: with a command of this project, which also writes a pin, or with
MLflow itself, which is noticed here. Both hold until `unpin`.
"""

import getpass
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mm_model.errors import UserError
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
_PIN = "magic_mirror.pin"
_SET = "magic_mirror.champion"
_KEPT = 20
_LONGEST = 500
_BY_HAND = "MLflow"


@dataclass(frozen=True)
class Pin:
    """A person's choice. `version` is None when the alias was taken away; `at` is UTC, and for a
    move that was only noticed, when it was noticed."""

    version: int | None
    by: str
    at: str
    reason: str = ""

    @property
    def noticed(self) -> bool:
        """Whether it was made with MLflow itself, so that neither name nor time are known."""
        return self.by == _BY_HAND

    def sentence(self) -> str:
        """What it means, for people."""
        what = "No version is" if self.version is None else f"Version {self.version} is"
        who = (
            f"pinned as champion: the alias was moved with MLflow itself, as noticed on {self.at}"
            if self.noticed
            else f"pinned as champion, by {self.by} on {self.at}"
        )
        why = f" ({self.reason})" if self.reason else ""
        return f"{what} {who}{why}; it stays until 'python -m mm_model unpin'."


@dataclass(frozen=True)
class Standing:
    """Where the alias points now, what registration set, and the pin if a person chose.

    `earlier` are the versions that were champion before the present one, oldest first, without
    those that a person went back from.
    """

    champion: "ModelVersion | None"
    pin: Pin | None
    earlier: tuple[int, ...]

    @property
    def number(self) -> int | None:
        """The champion's version."""
        return None if self.champion is None else int(self.champion.version)


def standing(client: "MlflowClient", name: str) -> Standing:
    """Who is champion and by whose choice; writes nothing."""
    tags = client.get_registered_model(name).tags
    champion = alias_version(client, name, CHAMPION)
    number = None if champion is None else int(champion.version)
    said = _object(tags.get(_SET))
    earlier = tuple(said.get("earlier", []))
    pin = _pin(tags.get(_PIN))
    ours = [said[key] for key in ("version", "moving") if key in said]
    meant = ours[:1] if pin is None else [pin.version]
    if number is None and meant and not _exists(client, name, meant[0]):
        pin = None  # the alias went with its version, no choice is left to be kept
    elif pin is not None and pin.version != number:  # moved again since, with MLflow itself
        earlier, pin = _after(earlier, pin.version, number), _noticed(number)
    elif pin is None and ours and number not in ours:
        earlier, pin = _after(earlier, ours[0], number), _noticed(number)
    return Standing(champion, pin, tuple(one for one in earlier if one != number))


def settle(client: "MlflowClient", name: str) -> Standing:
    """As `standing`, and write down a pin that was noticed and what is found at first sight."""
    found = standing(client, name)
    tags = client.get_registered_model(name).tags
    if found.pin is not None and _pin(tags.get(_PIN)) != found.pin:
        _write(client, name, _object(tags.get(_SET)).get("version"), found.earlier)
        client.set_registered_model_tag(name, _PIN, json.dumps(asdict(found.pin)))
    elif found.pin is None:
        _drop_pin(client, name, tags)
        if _object(tags.get(_SET)).get("version", -1) != found.number:
            _write(client, name, found.number, found.earlier)
    return found


def move(client: "MlflowClient", name: str, version: int, before: Standing) -> bool:
    """Let registration make `version` the champion; False when a person was quicker.

    What is about to happen is written first: a kill in between is not taken for a person's move.
    """
    now = standing(client, name)
    if now.pin is not None or now.number != before.number:
        return False
    earlier = _with(before)
    _write(client, name, version, earlier, {"moving": before.number})
    client.set_registered_model_alias(name, CHAMPION, str(version))
    _write(client, name, version, earlier)
    return True


def pin(client: "MlflowClient", name: str, version: int, reason: str) -> Pin:
    """Let a person make `version` the champion, until it is lifted.

    The alias is moved first: after a kill in between it is still seen to be a person's. Who pins
    again what is pinned, and says no reason, leaves the one that was said.
    """
    before = standing(client, name)
    said = " ".join(reason.split())[:_LONGEST]
    if not said and before.pin is not None and before.pin.version == version:
        said = before.pin.reason
    made = Pin(version, _person(), _now(), said)
    client.set_registered_model_alias(name, CHAMPION, str(version))
    if before.number != version:
        ours = _object(client.get_registered_model(name).tags.get(_SET))
        earlier = _after(before.earlier, before.number, version)
        _write(client, name, ours.get("version"), earlier)
    client.set_registered_model_tag(name, _PIN, json.dumps(asdict(made)))
    return made


def unpin(client: "MlflowClient", name: str) -> Pin:
    """Lift the pin: the alias stays where it is, and the rule decides from there.

    Raises:
        UserError: there is none.
    """
    found = standing(client, name)
    if found.pin is None:
        raise UserError(f"The champion of {name} is not pinned: nothing was to be lifted.")
    _write(client, name, found.number, found.earlier)
    _drop_pin(client, name, client.get_registered_model(name).tags)
    return found.pin


def alias_version(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    """The version an alias points to, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def _with(before: Standing) -> tuple[int, ...]:
    return before.earlier if before.number is None else (*before.earlier, before.number)


def _after(earlier: tuple[int, ...], old: int | None, new: int | None) -> tuple[int, ...]:
    """The champions before `new`, to which a person moved the alias from `old`.

    Whoever goes back leaves what came since behind: it is no measure any more. Whoever takes the
    alias away leaves `old` behind.
    """
    if new is None:
        return tuple(one for one in earlier if one != old)
    path = tuple(dict.fromkeys((*earlier, old))) if old is not None else earlier
    if new in path:
        return path[: path.index(new)]
    return tuple(one for one in path if one < new)


def _write(
    client: "MlflowClient",
    name: str,
    version: int | None,
    earlier: tuple[int, ...],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    if len(earlier) > _KEPT:  # the oldest stays: against it small losses are seen to add up
        earlier = (earlier[0], *earlier[1 - _KEPT :])
    said = {"version": version, "earlier": earlier, **more}
    client.set_registered_model_tag(name, _SET, json.dumps(said))


def _drop_pin(client: "MlflowClient", name: str, tags: Mapping[str, str]) -> None:
    if _PIN in tags:
        client.delete_registered_model_tag(name, _PIN)


def _exists(client: "MlflowClient", name: str, version: int | None) -> bool:
    known = client.search_model_versions(f"name = '{name}'")
    return version is None or version in {int(one.version) for one in known}


def _noticed(version: int | None) -> Pin:
    return Pin(version, _BY_HAND, _now())


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return "somebody"


def _object(text: str | None) -> Document:
    try:
        said = json.loads(text or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _pin(text: str | None) -> Pin | None:
    """The pin that a tag holds; a damaged one still pins."""
    if text is None:
        return None
    try:
        return Pin(**_object(text))
    except TypeError:
        return _noticed(None)
