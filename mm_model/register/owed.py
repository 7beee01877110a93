"""What each release owes: the terms it may be used on, and the samples that were withdrawn since.

A sample is withdrawn when the last run of `sources` did not take it any more: its file is gone, or
the statement that covered it.
"""

from typing import TYPE_CHECKING

from mm_model.register import pins, served, trained, versions
from mm_model.store.layout import Layout
from mm_model.tracking import store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_NAMED = 3
_UNKNOWN = "which samples trained it was not recorded (it was registered before that was done)"


def sentences(layout: Layout, model_name: str) -> list[str]:
    """A paragraph a version, the newest first. Writes nothing.

    Raises:
        UserError: nothing was registered yet, or the registry cannot be used.
    """
    if not store.is_shared(layout) and not layout.database.exists():
        raise served.nothing_yet(model_name)
    with versions.registry(layout, reading=True) as client:
        known = versions.numbered(client, model_name)
        if not known:
            raise served.nothing_yet(model_name)
        champion = pins.standing(client, model_name).number
        return [
            _paragraph(layout, one, is_champion=champion == int(one.version))
            for one in reversed(known)
        ]


def of_version(layout: Layout, version: "ModelVersion", *, is_champion: bool) -> list[str]:
    """Terms and samples of one version, a line each."""
    lines = _paragraph(layout, version, is_champion=is_champion).splitlines()[1:]
    return [line.strip() for line in lines]


def _paragraph(layout: Layout, version: "ModelVersion", *, is_champion: bool) -> str:
    tags = version.tags
    use, because = tags.get("terms", "unknown"), tags.get("terms_because")
    terms = f"{use}, because of {because}" if because else use
    lines = [
        f"Version {version.version}{' (champion)' if is_champion else ''}, "
        f"release {tags.get(served.DIGEST_TAG, 'none')[:12]}",
        f"  terms of use: {terms}",
        f"  samples: {_samples(layout, version, is_champion=is_champion)}",
    ]
    return "\n".join(lines)


def _samples(layout: Layout, version: "ModelVersion", *, is_champion: bool) -> str:
    of_its_profile = Layout(layout.root, version.tags.get("profile", layout.profile))
    used, there = trained.of_version(layout, version.tags), trained.present(of_its_profile)
    if used is None:
        return f"{_UNKNOWN}."
    if there is None:
        return (
            f"{len(used)} trained it; whether one was withdrawn since cannot be told, the output "
            f"of sources of profile {of_its_profile.profile} is not here."
        )
    gone = sorted(used - there)
    if not gone:
        return f"{len(used)} trained it; none was withdrawn up to the last run of sources."
    if len(gone) == len(used):
        return (
            f"none of the {len(used)} that trained it was taken by the last run of sources: all "
            "were withdrawn, or other sources were chosen since."
        )
    named = ", ".join(gone[:_NAMED]) + (f" and {len(gone) - _NAMED} more" * (len(gone) > _NAMED))
    way = (
        "'make run' trains without them; then 'python -m mm_model promote' with the new version's "
        "number, should the rule not"
        if is_champion
        else "do not choose it again; to be rid of it, delete the version with MLflow"
    )
    return f"{len(gone)} of {len(used)} that trained it were withdrawn since ({named}): {way}."
