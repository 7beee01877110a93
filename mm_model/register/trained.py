"""Which samples trained a release: kept beside it at registration, and looked up again later.

A sample goes by the first sixteen digits of its file's SHA-256, as `ingest` names it. The record
lies in MLflow's artifact store beside the models, by its own digest, and is no part of the release:
who serves one needs to know nobody who trained it.
"""

import json
import tempfile
from pathlib import Path

from mm_model.errors import UserError
from mm_model.run.stage import Job
from mm_model.store import digests, tables
from mm_model.store.layout import Layout
from mm_model.tracking import places, store

TAG, COUNT_TAG = "trained_on", "trained_samples"
DIGITS = 16
_SCHEMA = 1
_TARGETS, _INVENTORY = "targets.parquet", "inventory.parquet"
_PAIRS, _REFERENCES = "pairs.parquet", "references.parquet"


def keep(job: Job, candidate: str) -> dict[str, str]:
    """Keep which samples trained the adapter of the stage `candidate`, and of those before it.

    Returns the tags that name the record; none where a training left no list of its samples.

    Raises:
        UserError: the registry cannot be used.
    """
    from mm_model.register import versions

    layout, order = job.layout, list(job.profile.trainings)
    found: set[str] = set()
    for folder in (job.inputs[name] for name in order[: order.index(candidate) + 1]):
        if not (folder / _TARGETS).is_file():
            return {}
        found |= _column(folder / _TARGETS, "sample_id")
    found |= _references(layout, found)
    content = json.dumps({"schema": _SCHEMA, "samples": sorted(found)}, indent=1).encode()
    name = f"{digests.of_bytes(content)}.json"
    with versions.registry(layout) as client:
        location = client.get_experiment(store.experiment_id(client, layout)).artifact_location
        uri = f"{location}/trained"
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / name).write_bytes(content)
            places.artifacts(layout, uri).log_artifact(str(Path(place) / name))
    return {TAG: f"{uri}/{name}", COUNT_TAG: str(len(found))}


def of_version(layout: Layout, tags: dict[str, str]) -> frozenset[str] | None:
    """The samples that trained the version with these tags; None where that is not known."""
    from mlflow.exceptions import MlflowException

    uri, _, name = tags.get(TAG, "").rpartition("/")
    if not uri:
        return None
    try:
        path = Path(places.artifacts(layout, uri).download_artifacts(name))
        said = json.loads(path.read_bytes())
        return frozenset(map(str, said["samples"]))
    except (MlflowException, OSError, LookupError, TypeError, ValueError):
        return None


def present(layout: Layout) -> frozenset[str] | None:
    """The samples that the last run of `sources` found and took; None where it left nothing."""
    path = layout.output("sources") / _INVENTORY
    try:
        table = tables.columns(path, ("sha256", "status")).to_pydict()
    except (OSError, UserError):
        return None
    rows = zip(table["sha256"], table["status"], strict=True)
    return frozenset(content[:DIGITS] for content, status in rows if content and status == "kept")


def _references(layout: Layout, targets: set[str]) -> set[str]:
    """Samples whose pictures were shown as references to those targets, or that such a picture was
    made from, where the pairs are still here."""
    folder, there = layout.output("pairs"), present(layout)
    if there is None or not (folder / _REFERENCES).is_file():
        return set()
    pairs = tables.columns(folder / _PAIRS, ("target", "reference")).to_pydict()
    shown = {
        reference
        for target, reference in zip(pairs["target"], pairs["reference"], strict=True)
        if target in targets
    }
    table = tables.columns(folder / _REFERENCES, ("reference", "sample_id", "origin")).to_pydict()
    rows = zip(table["reference"], table["sample_id"], table["origin"], strict=True)
    return {one for reference, *ones in rows if reference in shown for one in ones} & there


def _column(path: Path, name: str) -> set[str]:
    return set(tables.columns(path, (name,)).to_pydict()[name])
