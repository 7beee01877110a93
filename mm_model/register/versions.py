"""Model versions in MLflow's registry: each is one release, never changed, put back when gone.

A version goes by its release digest, over adapter, code, configuration and evaluation. What is put
back is the very same content; anything else is a new version. The alias is moved last, so that an
interrupted registration never leaves a champion that cannot be served.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model.errors import UserError, first_line, of_machine
from mm_model.register import announce, card, floors, pins, promotion, shelf
from mm_model.register.package import EVALUATION, Package
from mm_model.register.pins import CHALLENGER, CHAMPION
from mm_model.register.served import DIGEST_TAG
from mm_model.settings import RegisterSettings
from mm_model.store import lock
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.tracking import places, store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_DECISION = "decision"
_HELD_SECONDS = 60.0
"""How long a registration waits for a local store that another process holds."""


@dataclass(frozen=True)
class Release:
    """One registered version and what was decided about it when it was registered."""

    model_name: str
    version: int
    _: KW_ONLY
    release_digest: str
    adapter_digest: str
    aliases: tuple[str, ...]
    promoted: bool
    sentences: tuple[str, ...]
    serve_command: str


@contextmanager
def registry(layout: Layout, *, reading: bool = False) -> Iterator["MlflowClient"]:
    """A client with long time limits; MLflow's own errors become one sentence. Who is only
    `reading` needs no right to write.

    Raises:
        UserError: the registry cannot be used.
    """
    store.load()  # the thread that ships this run's points may be at it just now
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    store.usable(layout.tracking_uri, _HELD_SECONDS, reading=reading)
    before = os.environ.get("MLFLOW_TRACKING_URI")
    # Parts of MLflow resolve models:/ URIs by this variable only, whatever the client was given.
    os.environ["MLFLOW_TRACKING_URI"] = layout.tracking_uri
    try:
        with store.patient():
            yield store.open_client(layout, reading=reading)
    except (MlflowException, SQLAlchemyError) as error:
        if of_machine(getattr(error, "orig", None) or error):
            raise
        raise UserError(
            f"MLflow's registry refused: {first_line(error)} "
            "(if it speaks of an out-of-date database: mlflow db upgrade sqlite:///mlflow.db)."
        ) from error
    finally:
        if before is None:
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


@contextmanager
def deciding(layout: Layout) -> Iterator[None]:
    """Nobody else of this tree moves an alias during the block."""
    with lock.held(layout.root / "work" / "registry", "aliases of the registry", _HELD_SECONDS):
        yield


def publish(
    layout: Layout,
    described: Package,
    *,
    metrics: Mapping[str, Any],
    tags: Mapping[str, str],
    rule: RegisterSettings,
    work: Path,
    said: announce.Announcement,
) -> Release:
    """Register the release once, decide on promotion, set the aliases.

    `tags` say where a new version comes from and `said` what is shown of it; what stands at a known
    one stays as it is.

    Raises:
        UserError: the registry cannot be used; nothing was promoted then.
    """
    name = rule.model_name
    with registry(layout) as client:
        _registered_model(client, name)
        version = _known(client, layout, name, described, work)
        if version is None:
            version = _new(client, layout, name, described, tags=tags, said=said, work=work)
        announce.complete(client, version, said)
        with deciding(layout):
            promoted, sentences = _settle(
                client, layout, version, described=described, metrics=metrics, rule=rule
            )
        aliases = _aliases(client, name, version) or (CHALLENGER,)  # somebody is quick with MLflow
    uri = f"models:/{name}@{aliases[0]}"
    return Release(
        name,
        int(version.version),
        release_digest=described.digest,
        adapter_digest=described.adapter_digest,
        aliases=aliases,
        promoted=promoted,
        sentences=sentences,
        serve_command=f"mlflow models serve -m {uri} --env-manager local -t 3600",
    )


def stands(layout: Layout, release: Release, say: Callable[[str], None]) -> bool:
    """Whether the registry still holds `release`: version, files; aliases unless a person chose,
    which `say` is told then.

    Raises:
        UserError: the registry cannot be used.
    """
    with registry(layout) as client:
        version = _numbered(client, release.model_name, release.version)
        if version is None or version.tags.get(DIGEST_TAG) != release.release_digest:
            return False
        if shelf.flaw(client, layout, version) is not None:
            return False
        with deciding(layout):
            pin = pins.settle(client, release.model_name).pin
        if pin is not None:
            say(pin.sentence())
            return True
        return _aliases(client, release.model_name, version) == release.aliases


def numbered(client: "MlflowClient", name: str) -> "list[ModelVersion]":
    """All versions of a model, the oldest first; none when there is no such model."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted(found, key=lambda one: int(one.version))


def _numbered(client: "MlflowClient", name: str, number: int) -> "ModelVersion | None":
    return next((one for one in numbered(client, name) if int(one.version) == number), None)


def _registered_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _known(
    client: "MlflowClient", layout: Layout, name: str, described: Package, work: Path
) -> "ModelVersion | None":
    """The version that is this release already, its files put back when they were not whole."""
    same = [one for one in numbered(client, name) if one.tags.get(DIGEST_TAG) == described.digest]
    whole = (one for one in same if shelf.flaw(client, layout, one) is None)
    if (known := next(whole, None)) is not None:
        return known
    return next((one for one in same if shelf.put_back(client, layout, one, described, work)), None)


def _new(
    client: "MlflowClient",
    layout: Layout,
    name: str,
    described: Package,
    *,
    tags: Mapping[str, str],
    said: announce.Announcement,
    work: Path,
) -> "ModelVersion":
    """Send the files, look at what arrived, then make the version with its tags."""
    experiment = store.experiment_id(client, layout)
    run = said.source_run
    model_id = client.create_logged_model(experiment, name, run).model_id
    uri = client.get_logged_model(model_id).artifact_location
    shelf.put(layout, uri, described, work)
    client.finalize_logged_model(model_id, "READY")
    marks = {
        DIGEST_TAG: described.digest,
        "adapter_digest": described.adapter_digest,
        "code_digest": described.card.parts["code"],
        "model_id": model_id,
    }
    return client.create_model_version(
        name,
        f"models:/{model_id}",
        run,
        {**tags, **marks, **said.tags},
        description=said.description,
        model_id=model_id,
    )


def _settle(
    client: "MlflowClient",
    layout: Layout,
    version: "ModelVersion",
    *,
    described: Package,
    metrics: Mapping[str, Any],
    rule: RegisterSettings,
) -> tuple[bool, tuple[str, ...]]:
    """Decide and move the aliases; whether the version became champion by the rule, and why."""
    found = pins.settle(client, rule.model_name)
    if found.pin is None:
        return by_rule(
            client, layout, version, ours=described.card, metrics=metrics, rule=rule, found=found
        )
    if found.number == int(version.version):
        return False, (*said_of(version), found.pin.sentence())
    decision = _decision(
        client, layout, version, ours=described.card, metrics=metrics, rule=rule, found=found
    )
    client.set_registered_model_alias(rule.model_name, CHALLENGER, version.version)
    would = "would" if decision.promote else "would not"
    return False, (
        *decision.comparisons,
        found.pin.sentence(),
        f"Version {version.version} is the challenger; by the rule it {would} have been promoted.",
    )


def by_rule(
    client: "MlflowClient",
    layout: Layout,
    version: "ModelVersion",
    *,
    ours: card.Card,
    metrics: Mapping[str, Any],
    rule: RegisterSettings,
    found: pins.Standing,
) -> tuple[bool, tuple[str, ...]]:
    """Where no person chose (`found`): decide by the rule, move the aliases, keep the sentences."""
    name, number = rule.model_name, int(version.version)
    if found.number == number:
        no_challenger(client, name, number)
        return True, said_of(version) or ("This version is the champion already.",)
    decision = _decision(
        client, layout, version, ours=ours, metrics=metrics, rule=rule, found=found
    )
    if decision.promote and not pins.move(client, name, number, found):
        decision = promotion.Promotion(False, (*decision.comparisons, "A person moved the alias."))
    if decision.promote:
        no_challenger(client, name, number)
        said = json.dumps(decision.sentences)
        client.set_model_version_tag(name, version.version, _DECISION, said)
    else:
        client.set_registered_model_alias(name, CHALLENGER, version.version)
    return decision.promote, decision.sentences


def _decision(
    client: "MlflowClient",
    layout: Layout,
    version: "ModelVersion",
    *,
    ours: card.Card,
    metrics: Mapping[str, Any],
    rule: RegisterSettings,
    found: pins.Standing,
) -> promotion.Promotion:
    champion, earlier = found.champion, _earlier(client, layout, rule.model_name, found)
    if champion is None:
        return promotion.decide(metrics, None, rule, earlier)
    if (why := _does_not_count(client, layout, champion)) is not None:
        first = promotion.decide(metrics, None, rule, earlier)
        return promotion.Promotion(first.promote, (why, *first.comparisons))
    theirs, known = kept(client, layout, champion)
    if theirs is None or known is None:
        return promotion.decide(metrics, {}, rule, earlier)
    if not all(ours.parts[part] == theirs.parts[part] for part in card.WEIGHTS):
        return promotion.decide(metrics, known, rule, earlier)
    if int(version.version) < int(champion.version):  # else two trees would take turns for ever
        return promotion.Promotion(
            False,
            (
                f"It has the weights of the champion, version {champion.version}, which is newer: "
                f"'python -m mm_model rollback --to {version.version}' brings it back.",
            ),
        )
    if all(ours.parts[part] == theirs.parts[part] for part in ("code", "configuration")):
        passed, said = floors.kept(metrics)
        anew = f"It is what version {champion.version}, the champion, is, evaluated anew."
        return promotion.Promotion(passed, (anew, said) if passed else (said, anew))
    return promotion.decide(metrics, known, rule, earlier, same_adapter=True)


def _earlier(
    client: "MlflowClient", layout: Layout, name: str, found: pins.Standing
) -> list[Document]:
    """Evaluations of the champions before the present one, oldest first, as far as they are kept.

    One that is newer than the present champion was left behind by a person and does not count.
    """
    there = {int(one.version): one for one in numbered(client, name)}
    before = dict.fromkeys(found.earlier)
    numbers = [one for one in before if one in there and one < (found.number or one + 1)]
    evaluations = (kept(client, layout, there[one])[1] for one in promotion.window(numbers))
    return [one for one in evaluations if one is not None]


def _does_not_count(client: "MlflowClient", layout: Layout, champion: "ModelVersion") -> str | None:
    """Why a champion that cannot be served is nothing to be held against."""
    if DIGEST_TAG not in champion.tags:
        return (
            f"The champion, version {champion.version}, was registered without a digest by an "
            "earlier release of this project and cannot be checked: it does not count."
        )
    if shelf.flaw(client, layout, champion) is not None:
        return (
            f"The files of the champion, version {champion.version}, are gone or damaged: it does "
            "not count."
        )
    return None


def said_of(version: "ModelVersion") -> tuple[str, ...]:
    """What was decided when it was promoted, so that a repeated registration says the same."""
    try:
        said = json.loads(version.tags.get(_DECISION, "[]"))
    except ValueError:
        return ()
    return tuple(map(str, said)) if isinstance(said, list) else ()


def kept(
    client: "MlflowClient", layout: Layout, version: "ModelVersion"
) -> tuple[card.Card | None, Document | None]:
    """Card and evaluation as kept in a version's folder."""
    from mlflow.exceptions import MlflowException

    uri = client.get_model_version_download_uri(version.name, version.version)
    try:
        known = card.read(Path(places.artifacts(layout, uri).download_artifacts(card.NAME)).parent)
        text = Path(places.artifacts(layout, uri).download_artifacts(EVALUATION)).read_bytes()
        return known, json.loads(text)
    except (MlflowException, OSError, ValueError):
        return None, None


def no_challenger(client: "MlflowClient", name: str, number: int) -> None:
    """A champion is no challenger."""
    waiting = pins.alias_version(client, name, CHALLENGER)
    if waiting is not None and int(waiting.version) == number:
        client.delete_registered_model_alias(name, CHALLENGER)


def _aliases(client: "MlflowClient", name: str, version: "ModelVersion") -> tuple[str, ...]:
    """The aliases of ours that point to the version, the champion's first."""
    pointed = {alias: pins.alias_version(client, name, alias) for alias in (CHAMPION, CHALLENGER)}
    return tuple(
        alias
        for alias, one in pointed.items()
        if one is not None and int(one.version) == int(version.version)
    )
