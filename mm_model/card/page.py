"""The dataset card: one self-contained HTML page on a dataset's version.

A view of what the data stages published: it computes no dataset, and says what is not there. Beside
the page lies `card.json`, from which the next card tells what moved.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mm_model.card import checks, drift, filters, funnel, histogram, kinds, outputs, rights, terms
from mm_model.card.album import Album
from mm_model.card.people import BABY, CHILD, ELDERLY, UNKNOWN, Population, population
from mm_model.card.sheets import sheets
from mm_model.decisions.table import DECISIONS
from mm_model.errors import UserError, first_line
from mm_model.report.templating import fill_from
from mm_model.settings import Profile, load_params, load_profile
from mm_model.store import atomic
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout
from mm_model.terms.weights import FREE_PATH

NAME = "dataset-card.html"
_ROOMS = ("mm_model.card",)


def usual_place(layout: Layout) -> Path:
    """Where the card lies when nobody says where: beside the report page."""
    return layout.page.parent / NAME


def build(layout: Layout, place: Path | None = None, blur: bool = False) -> Path:
    """Write the card and what the next one is compared with; the page's path.

    Raises:
        UserError: no data stage has run, the profile cannot be read, or something else lies there
            under the name of `card.json`.
    """
    place = place or usual_place(layout)
    if place.name == drift.NAME:
        raise UserError(f"{place} is where a card keeps its numbers: name a page, as {NAME}.")
    text, remembered = rendered(layout, place.parent, blur)
    atomic.write_text(place, text)
    atomic.write_json(place.parent / drift.NAME, remembered)
    return place


def rendered(layout: Layout, beside: Path, blur: bool = False) -> tuple[str, Document]:
    """The page as text, and what a card remembers; `beside` holds the last card's memory."""
    profile = load_profile(layout.root, layout.profile)
    found = outputs.published(layout)
    if not any(one.there for one in found.values()):
        raise UserError(f"Profile '{layout.profile}' has no dataset yet: start with 'make run'.")
    version, people = outputs.version(found), population(found)
    now = drift.summary(found, people, layout.profile, version)
    before = drift.last(beside, now)
    sections: list[Callable[[], str]] = [
        lambda: _head(layout, profile, found, version, blur),
        lambda: _funnel(found),
        lambda: _filters(layout, profile, found, blur),
        lambda: _people(found, people),
        lambda: _pairs(found, profile),
        lambda: _fill("checks.html", audits=checks.audited(found)),
        lambda: _rights(layout, found),
        lambda: _drift(found, now, before),
    ]
    text = _fill(
        "card.html",
        title=f"Dataset card: {layout.profile} {version}",
        sections=[_section(make) for make in sections],
        # what the report page's style asks for; no clip plays here
        width=1,
        height=1,
        frames=1,
        seconds=1,
    )
    return text, {**now, "last": before}


def _fill(template: str, /, **values: Any) -> str:
    return fill_from(_ROOMS, template, **values)


def _section(make: Callable[[], str]) -> str:
    """One section; where what it shows cannot be read, a line that says so."""
    try:
        return make()
    except (UserError, LookupError, TypeError, ValueError, OSError) as error:
        return _fill("damage.html", why=f"{type(error).__name__}: {first_line(error)}")


def _head(
    layout: Layout,
    profile: Profile,
    found: Mapping[str, outputs.DataOutput],
    version: str,
    blur: bool,
) -> str:
    return _fill(
        "head.html",
        name=layout.profile,
        title=profile.title,
        version=version,
        stages=[(name, one, one.counts if one.there else None) for name, one in found.items()],
        whole=all(one.there for one in found.values()),
        doubts=outputs.doubts(found),
        blur=blur,
    )


def _funnel(found: Mapping[str, outputs.DataOutput]) -> str:
    return _fill(
        "funnel.html",
        ours=funnel.ours(found),
        paper=funnel.paper(),
        width=funnel.WIDTH,
        row=funnel.ROW,
    )


def _filters(
    layout: Layout, profile: Profile, found: Mapping[str, outputs.DataOutput], blur: bool
) -> str:
    stages = [stage for stage in DECISIONS if found[stage].there]
    views = [view for stage in stages for view in filters.viewed(found[stage], profile)]
    album = Album(layout, found, profile, blur)
    shown = sheets(views, found, album, named=not blur)
    others = {}
    for stage in outputs.STAGES:
        told = {code for one in DECISIONS.get(stage, ()) for code in one.reasons}
        if found[stage].there:
            counts = found[stage].counts
            rest = {**counts.rejected, **counts.failed}
            others[stage] = {code: n for code, n in rest.items() if code not in told}
    return _fill(
        "filters.html",
        missing=[stage for stage in DECISIONS if not found[stage].there],
        entries=list(zip(views, shown, strict=True)),
        others={stage: rest for stage, rest in others.items() if rest},
        plot=histogram,
        blur=blur,
    )


def _people(found: Mapping[str, outputs.DataOutput], people: Population | None) -> str:
    counted = None
    if people is not None and people.samples:
        ranked = people.samples
        counted = {"most": ranked[0], "middle": ranked[len(ranked) // 2], "least": ranked[-1]}
    return _fill(
        "people.html",
        people=people,
        counted=counted,
        unknown=UNKNOWN,
        ages=(BABY, CHILD, ELDERLY),
        with_pairs=found["pairs"].there,
    )


def _pairs(found: Mapping[str, outputs.DataOutput], profile: Profile) -> str:
    return _fill("kinds.html", kinds=kinds.by_kind(found, profile), plot=histogram)


def _rights(layout: Layout, found: Mapping[str, outputs.DataOutput]) -> str:
    weights = terms.of_run(layout, load_params(layout.root), found)
    return _fill(
        "rights.html",
        rights=rights.rights(found),
        missing=rights.NOT_RECORDED,
        weights=weights,
        verdict=weights[-1].terms,
        path=FREE_PATH,
    )


def _drift(found: Mapping[str, outputs.DataOutput], now: Document, before: Document | None) -> str:
    same = before is not None and before.get("name") == now["name"]
    return _fill(
        "drift.html",
        before=before,
        same=same,
        drift=drift.drift(found, now, before) if before is not None and same else None,
        name=drift.NAME,
        moved=drift.MOVED,
        large=drift.LARGE,
    )
