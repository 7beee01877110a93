"""What made a release and what came of it: its run, data, decision, and what it owes."""

import time
from collections.abc import Mapping
from typing import Any

from mm_model.errors import UserError
from mm_model.explain.biography import Biography
from mm_model.register import owed, pins, served, trained, versions
from mm_model.run import stages
from mm_model.settings import load_profile
from mm_model.store import manifest
from mm_model.store.layout import Layout
from mm_model.tracking import store

_SHORT = 12
_FEWEST = 8
"""So many characters of a digest name a release."""
_FIGURE = "evaluation_"


def of_release(layout: Layout, asked: str) -> Biography | None:
    """The biography of a version by its number, an alias, or the beginning of its release's digest;
    None where there is none such.

    Raises:
        UserError: the registry cannot be used.
    """
    if not store.is_shared(layout) and not layout.database.exists():
        return None
    name = load_profile(layout.root, layout.profile).register_.model_name
    with versions.registry(layout, reading=True) as client:
        pointed = client.get_registered_model(name).aliases
        known = {int(one.version): one for one in versions.numbered(client, name)}
        number = int(pointed[asked]) if asked in pointed else _number(known, asked)
        if number not in known:
            return None
        version, standing = known[number], pins.standing(client, name)
        aliases = sorted(alias for alias, one in pointed.items() if int(one) == number)
        digest = version.tags.get(served.DIGEST_TAG, "none")
        life = Biography(f"{name} version {number}, release {digest[:_SHORT]}")
        _of_standing(life, version, standing, aliases)
        _of_making(life, version)
        _of_parts(life, client, layout, version)
        _of_data(life, layout, version)
        is_champion = standing.number == number
        life.tell("owed", *owed.of_version(layout, version, is_champion=is_champion))
        life.tell("serve", f"python -m mm_model serve --alias {aliases[0] if aliases else number}")
    return life


def _number(known: Mapping[int, Any], asked: str) -> int:
    """The version of that number, else the newest of that release; 0 for none."""
    if asked.isdecimal() and int(asked) in known:
        return int(asked)
    same = [
        number
        for number, one in known.items()
        if len(asked) >= _FEWEST and one.tags.get(served.DIGEST_TAG, "").startswith(asked)
    ]
    return max(same, default=0)


def _figure(text: str) -> str:
    try:
        return f"{float(text):.4g}"
    except ValueError:
        return text


def _of_standing(
    life: Biography, version: Any, standing: pins.Standing, aliases: list[str]
) -> None:
    at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(version.creation_timestamp / 1000))
    number = int(version.version)
    pinned = standing.pin.sentence() if standing.pin and standing.pin.version == number else ""
    # whom a person went back from is no measure any more, but was champion all the same
    was = number in standing.earlier or (number != standing.number and versions.said_of(version))
    before = "it was champion before" if was else ""
    life.tell(
        "standing",
        f"registered on {at}, {'as ' + ', '.join(aliases) if aliases else 'no alias points to it'}",
        pinned,
        before,
        *versions.said_of(version),
        aliases=aliases,
        registered=at,
    )


def _of_making(life: Biography, version: Any) -> None:
    tags = version.tags

    def said(name: str) -> str:
        return str(tags.get(name, "unknown"))

    figures = {
        name.removeprefix(_FIGURE): value
        for name, value in sorted(tags.items())
        if name.startswith(_FIGURE)
    }
    life.tell(
        "made by",
        f"profile {said('profile')}, values {said('profile_digest')[:_SHORT]}",
        f"commit {said('git_revision')}; code, profiles and graph were {said('tree')}",
        f"adapter of the stage {said('candidate')}",
        f"MLflow's run {version.run_id}" if version.run_id else "",
        f"figures: {', '.join(f'{name} {_figure(one)}' for name, one in figures.items())}"
        * bool(figures),
        run_id=version.run_id,
        figures=figures,
        tags=dict(tags),
    )


def _of_parts(life: Biography, client: Any, layout: Layout, version: Any) -> None:
    card, _ = versions.kept(client, layout, version)
    if card is None:
        life.tell("holds", "its files are gone or damaged")
        return
    parts = {name: digest[:_SHORT] for name, digest in sorted(card.parts.items())}
    size = sum(file.bytes for file in card.files.values()) / 1e6
    lines = [f"{name} {digest}" for name, digest in parts.items()]
    life.tell("holds", f"{len(card.files)} files, {size:.1f} MB", *lines, parts=parts)


def _of_data(life: Biography, layout: Layout, version: Any) -> None:
    """The outputs that it was made of, and whether they are those that lie in the tree now."""
    of_profile = Layout(layout.root, version.tags.get("profile", layout.profile))
    lines, now = [], {}
    for name in stages.NAMES:
        wanted = version.tags.get(f"manifest_{name}")
        if wanted is None:
            continue
        try:
            same = manifest.read(of_profile.output(name)).digest == wanted
        except UserError:
            same = False
        now[name] = same
        where = "lies in the tree" if same else "is not what lies in the tree now"
        lines.append(f"output of {name} {wanted[:_SHORT]}, which {where}")
    used = trained.of_version(layout, version.tags)
    told = "was not recorded" if used is None else f"were {len(used)}"
    lines.append(
        f"samples that trained it: {told} ('python -m mm_model explain SAMPLE' tells of one)"
    )
    life.tell("data", *lines, outputs=now, samples=sorted(used or ()))
