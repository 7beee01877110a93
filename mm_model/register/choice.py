"""What a person does with releases: list them, choose a champion, give the choice back.

A choice is a pin: registration respects it until it is lifted.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.register import pins, served, shelf, versions
from mm_model.settings import RegisterSettings
from mm_model.store.layout import Layout
from mm_model.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_Chooser = Callable[[pins.Standing, "dict[int, ModelVersion]"], int]
_COLUMNS = ("version", "release", "aliases", "identity", "tree", "registered")


def listing(layout: Layout, model_name: str) -> str:
    """A table of all versions, the newest first, and who chose the champion. Writes nothing.

    Raises:
        UserError: nothing was registered yet, or the registry cannot be used.
    """
    _refuse_empty(layout, model_name)
    with versions.registry(layout, reading=True) as client:
        known = _known(client, model_name)
        pointed = client.get_registered_model(model_name).aliases
        found = pins.standing(client, model_name)
    rows = [_COLUMNS]
    for one in reversed(known):
        names = sorted(alias for alias, v in pointed.items() if int(v) == int(one.version))
        if found.pin is not None and found.number == int(one.version):
            names = [f"{name} (pinned)" if name == pins.CHAMPION else name for name in names]
        rows.append(
            (
                str(one.version),
                one.tags.get(served.DIGEST_TAG, "none")[:12],
                ", ".join(names) or "-",
                _figure(one.tags.get("evaluation_identity")),
                one.tags.get("tree", "-"),
                time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(one.creation_timestamp / 1000)),
            )
        )
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *([found.pin.sentence()] if found.pin else [])])


def roll_back(layout: Layout, model_name: str, to: int | None, reason: str) -> str:
    """Make an earlier version the champion and pin it; `to` None: the champion before this one.

    Returns a sentence that says what was done.

    Raises:
        UserError: there is no such version, it cannot be served, or the registry cannot be used.
    """
    return _chosen(layout, model_name, reason, _earlier if to is None else lambda *_: to)


def promote(layout: Layout, model_name: str, version: int, reason: str) -> str:
    """Make `version` the champion, whatever the promotion rule says, and pin it.

    Returns a sentence that says what was done.

    Raises:
        UserError: as `roll_back`.
    """
    return _chosen(layout, model_name, reason, lambda *_: version)


def keep(layout: Layout, model_name: str, reason: str) -> str:
    """Pin the present champion as it stands; a pin that holds already gets the new reason.

    Returns a sentence that says what was done.

    Raises:
        UserError: no version is champion, it cannot be served, or the registry cannot be used.
    """
    return _chosen(layout, model_name, reason, _present)


def _chosen(layout: Layout, model_name: str, reason: str, number_of: _Chooser) -> str:
    _refuse_empty(layout, model_name)
    with versions.registry(layout) as client, versions.deciding(layout):
        known = {int(one.version): one for one in _known(client, model_name)}
        number = number_of(pins.standing(client, model_name), known)
        if number not in known:
            raise UserError(
                f"There is no version {number} of {model_name}: 'python -m mm_model releases' "
                "lists them."
            )
        served.digest_of(known[number])
        if (why := shelf.flaw(client, layout, known[number])) is not None:
            raise UserError(
                f"Version {number} of {model_name} is not what was registered ({why}): choose "
                "another; the champion stays as it is."
            )
        pin = pins.pin(client, model_name, number, reason)
        versions.no_challenger(client, model_name, number)
    return pin.sentence()


def lift(layout: Layout, rule: RegisterSettings) -> tuple[str, ...]:
    """Lift the pin and let the promotion rule decide about the newest version at once.

    Returns sentences that say what was lifted and what came of it.

    Raises:
        UserError: nothing is pinned, or the registry cannot be used.
    """
    name = rule.model_name
    _refuse_empty(layout, name)
    with versions.registry(layout) as client, versions.deciding(layout):
        known = _known(client, name)
        pins.unpin(client, name)
        after = pins.settle(client, name)
        now = "no version" if after.number is None else f"version {after.number}"
        lifted = f"The pin is lifted; {now} was the champion under it."
        whole = (one for one in reversed(known) if shelf.flaw(client, layout, one) is None)
        if (newest := next(whole, None)) is None:
            return (lifted,)
        card, metrics = versions.kept(client, layout, newest)
        if card is None or metrics is None:
            return (lifted,)
        _, sentences = versions.by_rule(
            client, layout, newest, ours=card, metrics=metrics, rule=rule, found=after
        )
    return (lifted, f"The newest is version {newest.version}.", *sentences)


def _refuse_empty(layout: Layout, model_name: str) -> None:
    if not store.is_shared(layout) and not layout.database.exists():
        raise served.nothing_yet(model_name)


def _known(client: "MlflowClient", model_name: str) -> "list[ModelVersion]":
    known = versions.numbered(client, model_name)
    if not known:
        raise served.nothing_yet(model_name)
    return known


def _present(before: pins.Standing, known: "dict[int, ModelVersion]") -> int:
    """The champion that stands."""
    if before.number is None:
        raise UserError(
            "No version is champion, so none can be pinned: name one with 'python -m mm_model "
            f"promote {max(known)}'."
        )
    return before.number


def _earlier(before: pins.Standing, known: "dict[int, ModelVersion]") -> int:
    """The last champion before the present one; a second rollback goes further back."""
    limit = before.number if before.number is not None else max(known) + 1
    earlier = [number for number in before.earlier if number < limit and number in known]
    if not earlier:
        raise UserError(
            "No earlier champion is known: name a version with --to ('python -m mm_model releases' "
            "lists them)."
        )
    return earlier[-1]


def _figure(text: str | None) -> str:
    try:
        return f"{float(text or ''):.3f}"
    except ValueError:
        return "-"
