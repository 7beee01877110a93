"""The last run's figures as one JSON object: what the README and the release notes quote.

Times come from the run's own record, all other figures from the published outputs.
"""

from pathlib import Path

from mm_model.errors import UserError
from mm_model.run.stages import NAMES
from mm_model.store import documents, manifest
from mm_model.store.atomic import Document
from mm_model.store.layout import Layout


def _json(path: Path) -> Document:
    return documents.read(path) if path.is_file() else {}


def collect(layout: Layout) -> Document:
    """Figures of every published stage of a profile.

    Raises:
        UserError: nothing was run yet.
    """
    done = [name for name in NAMES if (layout.output(name) / manifest.NAME).is_file()]
    if not done:
        raise UserError(f"Profile '{layout.profile}' has no results yet: start with 'make run'.")
    work = layout.root / "work" / layout.profile
    timings = documents.read_or_empty(work / "timings.json")
    summary = _json(layout.output("evaluate") / "metrics.json")
    keep = (
        "people",
        "headline",
        "judges",
        "variants",
        "named",
        "twins",
        "by_judge",
        "gain",
        "candidate",
        "stages",
        "ladder",
        "goals",
        "curve",
        "test_set_digest",
        "conventions",
    )
    return {
        "profile": layout.profile,
        "stages": {
            name: {
                "account": manifest.read(layout.output(name)).report["line"],
                "metrics": manifest.read(layout.output(name)).report["metrics"],
                "digest": manifest.read(layout.output(name)).digest,
            }
            for name in done
        },
        "seconds": {name: timings[name]["seconds"] for name in NAMES if name in timings},
        "run": documents.read_or_empty(work / "last_run.json"),
        "evaluation": {key: summary[key] for key in keep if key in summary},
        "named": {
            judge: {
                variant: {"hits": one["hits"], "people": one["people"]}
                for variant, one in variants.items()
            }
            for judge, variants in summary.get("named", {}).items()
        },
        "release": _json(layout.output("register") / "release.json"),
    }
