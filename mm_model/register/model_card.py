"""The card of an adapter for model hubs: README.md with the header that they read.

The header is YAML: licence, base model, task, results. Nobody who was shown or tested is named: of
an evaluation the card holds means over people alone. The prose lies in `templates/`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from mm_model.metrics import table
from mm_model.metrics.port import ARROWS, Column
from mm_model.store.atomic import Document
from mm_model.terms.weights import Use, UseTerms

LIBRARY = "magic-mirror"
"""The library that opens the folder. Not diffusers: a hub would show a line of that library which
cannot open an adapter alone."""
TASK = "text-to-video"
TAGS = ("magic-mirror", "cogvideox", "adapter", "identity-preserving", "personalization")
PAPER = "2501.03931"
SHOWN = {
    "identity": "a recogniser's cosine with withheld pictures; a frame without a face counts 0",
    "face_found_rate": "share of frames with a face",
    "one_person": "cosine between two frames of a clip, 10th percentile",
    "obeyed": "share of clips that do what their sentence says",
    "fm_inter": "largest distance of the landmarks between frames, in frame sizes",
    "copy_paste_gap": "similarity to the shown pictures minus that to the withheld ones",
}
"""Means that stand in a card, where they were measured, in words that need no other."""

_BASES = {
    "cogvideox-42x48x64": "zai-org/CogVideoX-5b",
    "cogvideox-30x30x64": "zai-org/CogVideoX-2b",
}
_OURS = "ours, Apache-2.0"


@dataclass(frozen=True)
class HubLicence:
    """`name` as hubs write licences: an SPDX id in small letters, `other`, `unknown`.

    own: the name of one that hubs do not list.
    """

    name: str
    own: str | None = None


@dataclass(frozen=True, kw_only=True)
class AdapterFacts:
    """What a card is written from.

    config: `magic_mirror_config.json`. parameters, sha256: of the tensors. metrics: of the
    evaluation of this very adapter, None without one. release: the registry's version. sampling:
    steps, guidance, fps; face_guidance is its mode. face_size: the side in pixels at which a face
    detector looks.
    """

    config: Mapping[str, Any]
    parameters: int
    sha256: str
    terms: UseTerms
    licence: HubLicence
    base_model: str | None
    metrics: Mapping[str, Any] | None
    release: str | None
    sampling: Mapping[str, float]
    face_guidance: str
    face_size: int


class _Row(NamedTuple):
    column: Column
    ours: Mapping[str, float | None]
    base: Mapping[str, float | None] | None


def licence_of(terms: UseTerms) -> HubLicence:
    """The licence of an adapter as far as its terms settle it; who exports may name another."""
    if terms.use is Use.RESEARCH:
        return HubLicence("other", "research-only")
    if terms.use is Use.COMMERCIAL and _OURS in terms.because:
        return HubLicence("apache-2.0")
    return (
        HubLicence("unknown") if terms.use is Use.UNKNOWN else HubLicence("other", "as-its-parts")
    )


def base_of(family: str) -> str | None:
    """The published backbone of that shape; None for a shape that nobody published."""
    return next((name for start, name in _BASES.items() if family.startswith(start)), None)


def card(facts: AdapterFacts) -> str:
    """The whole README.md."""
    header = yaml.safe_dump(metadata(facts), sort_keys=False, allow_unicode=True)
    return f"---\n{header}---\n\n{_body(facts, 'model_card.md')}"


def in_short(facts: AdapterFacts) -> str:
    """What a registry shows of a version: the card without its header and the ways to use it."""
    return _body(facts, "version_card.md")


def metadata(facts: AdapterFacts) -> Document:
    """The header. It names no dataset: those are of somebody's own, and on no hub."""
    licence = facts.licence
    found: Document = {"license": licence.name}
    if licence.own is not None:
        found |= {"license_name": licence.own, "license_link": "LICENSE.md"}
    found |= {"library_name": LIBRARY, "pipeline_tag": TASK, "tags": [*TAGS, f"arxiv:{PAPER}"]}
    if facts.base_model is not None:
        found |= {"base_model": facts.base_model, "base_model_relation": "adapter"}
    if rows := list(_measured(facts)):
        found["metrics"] = [row.column.mean for row in rows]
        name = f"magic-mirror-{facts.config['preset']}"
        found["model-index"] = [{"name": name, "results": [_result(facts, rows)]}]
    return found


def summary(facts: AdapterFacts) -> Document | None:
    """`evaluation.json`: means of the adapter and of the base, conventions, and nobody's name."""
    if facts.metrics is None:
        return None
    said, rows = facts.metrics, list(_measured(facts))
    return {
        "people": said["people"],
        "test_set_digest": said.get("test_set_digest"),
        "adapter": {row.column.mean: _entry(row.ours) for row in rows},
        "base": {row.column.mean: _entry(row.base) for row in rows if row.base is not None},
        "identity_gain": _entry(said["gain"]["candidate_over_base"]),
        "conventions": said.get("conventions", {}),
    }


def _entry(value: Mapping[str, float | None]) -> Document:
    return {key: value.get(key) for key in ("value", "low", "high")}


def _result(facts: AdapterFacts, rows: list[_Row]) -> Document:
    said = facts.metrics or {}
    measured = [
        {
            "type": row.column.mean,
            "name": SHOWN[str(row.column.mean)],
            "value": round(row.ours["value"] or 0.0, 4),
            "args": {key: _rounded(row.ours.get(key)) for key in ("low", "high")},
        }
        for row in rows
    ]
    return {
        "task": {"type": TASK, "name": "identity-preserving text to video"},
        "dataset": {
            "type": f"magic-mirror-{str(said.get('test_set_digest'))[:12]}",
            "name": f"{said.get('people')} held-out people",
        },
        "metrics": measured,
    }


def _measured(facts: AdapterFacts) -> Iterator[_Row]:
    if facts.metrics is None:
        return
    variants = facts.metrics["variants"]
    ours, base = variants[facts.metrics["candidate"]], variants.get("base", {})
    columns = {column.mean: column for column in table.columns()}
    for mean in SHOWN:
        value = (ours.get(mean) or {}).get("value")
        if mean in columns and value is not None and math.isfinite(value):
            yield _Row(columns[mean], ours[mean], base.get(mean))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _body(facts: AdapterFacts, template: str) -> str:
    environment = Environment(  # Markdown: nothing of it is HTML
        loader=PackageLoader("mm_model.register"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    said = facts.metrics or {}
    rows = [
        {
            "says": f"{SHOWN[str(row.column.mean)]}{ARROWS[row.column.better]}",
            "ours": _cell(row.ours),
            "base": _cell(row.base),
        }
        for row in _measured(facts)
    ]
    return environment.get_template(template).render(
        config={"stage": None, "step": None, "trained": None, **facts.config},
        parameters=facts.parameters,
        sha256=facts.sha256,
        paper=PAPER,
        base=facts.base_model or f"a backbone of the shape `{facts.config['family']}`",
        release=facts.release,
        sampling={name: f"{value:g}" for name, value in facts.sampling.items()},
        face_guidance=facts.face_guidance,
        face_size=facts.face_size,
        terms=facts.terms,
        licence=facts.licence.own or facts.licence.name,
        rows=rows,
        people=said.get("people"),
        gain=_cell((said.get("gain") or {}).get("candidate_over_base")),
        named=_named(said),
    )


def _named(said: Mapping[str, Any]) -> list[str]:
    """By each judge, how many people it names right: of the adapter's clips and of the base's."""
    judges, found = said.get("judges") or {}, []
    for judge, of in (said.get("named") or {}).items():
        title = (judges.get(judge) or {}).get("title", judge)
        shown = (of.get(said["candidate"]), of.get("base"))
        hits = ["" if one is None else f"{one['hits']:g} of {one['people']}" for one in shown]
        found.append(f"| named right (chance is 1) by {title} ↑ | {hits[0]} | {hits[1]} |")
    return found


def _cell(entry: Mapping[str, float | None] | None) -> str:
    if entry is None or (value := entry.get("value")) is None:
        return ""
    low, high = entry.get("low"), entry.get("high")
    between = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return f"{value:.3f}{between}"
