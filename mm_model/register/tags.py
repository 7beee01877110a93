"""What a version carries of its making: where it came from, and its evaluation's numbers."""

import json
from pathlib import Path

from mm_model.errors import UserError
from mm_model.register.people import candidate
from mm_model.run.stage import Job
from mm_model.store import digests, manifest
from mm_model.store.atomic import Document
from mm_model.terms.model import of_adapter
from mm_model.terms.weights import UseTerms

_LONGEST = 1000
NUMBERS = ("identity", "face_found_rate", "fm_ref", "fm_inter")


def metrics_of(folder: Path) -> Document:
    """`metrics.json` of the stage evaluate.

    Raises:
        UserError: there is none.
    """
    path = folder / "metrics.json"
    if not path.is_file():
        raise UserError(f"{path} is missing: run the stage evaluate again.")
    return json.loads(path.read_text())


def number(metrics: Document, name: str) -> float | None:
    """A value of the candidate, None where it could not be measured."""
    return (
        ((metrics.get("variants") or {}).get(candidate(metrics)) or {}).get(name, {}).get("value")
    )


def of_job(job: Job) -> UseTerms:
    """On what terms the candidate may be used."""
    return of_adapter(job.layout, job.params)


def tags_of(job: Job, metrics: Document, tree: str) -> dict[str, str]:
    """What a version carries: where it came from, and its evaluation's numbers."""
    from mm_model.tracking.tracker import git_revision

    terms = of_job(job)
    tags: Document = {
        "candidate": candidate(metrics),
        "fingerprint": job.fingerprint,
        "profile": job.layout.profile,
        "profile_digest": job.profile.digest,
        "git_revision": git_revision(job.layout.root),
        "tree": tree,
        "terms": terms.use,
        "terms_because": terms.because[:_LONGEST],
        "test_set_digest": metrics.get("test_set_digest"),
        **{f"manifest_{name}": manifest.read(path).digest for name, path in job.inputs.items()},
        **{f"{name}_digest": digests.of_path(job.model(name)) for name in job.stage.models},
        **{f"evaluation_{name}": number(metrics, name) for name in NUMBERS},
    }
    return {name: str(value) for name, value in tags.items() if value is not None}
