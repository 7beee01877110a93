"""Reads `dvc.lock`, DVC's account of what ran with what, as Dagster's versions. Never writes it.

The tag names are Dagster's own constants, so that an asset which an outside `dvc repro` made is
judged fresh or stale exactly like one Dagster made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dagster import AssetKey
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from assets import graph
from assets.graph import INPUT_ASSETS, nodes
from mm_model.errors import UserError
from mm_model.run.stages import listed
from mm_model.settings import Params, load_params
from mm_model.store import digests, locked
from mm_model.store.layout import Layout
from orchestration.listing import Listing

MEND = "remove it and run again, which restores every stage from DVC's run cache"
"""The way out of a damaged `dvc.lock`."""

NEWEST_TAG = "magic_mirror/newest_raw"
"""On a materialization of `sources`: arrival time of the newest raw file it may have read."""

FILES_TAG = "magic_mirror/raw_files"
"""On the same: how many raw files that were."""

PHOTOGRAPHS_TAG = "magic_mirror/photographs"
"""On a materialization of a subject: the listing of the folder that it was learned from."""


@dataclass(frozen=True)
class Entry:
    """One stage of the lock: DVC's digest of its output, and of each dependency by path; of those
    that are folders, how many files they held."""

    stage: str
    data_version: str
    dependencies: Mapping[str, str]
    files: Mapping[str, int] = field(default_factory=dict)


def entries(root: Path, profile: str) -> dict[str, Entry]:
    """The locked stages whose output belongs to `profile`, in the order of `dvc.yaml`; of subjects
    those that are listed.

    Raises:
        UserError: `dvc.lock` is damaged, or the list of subjects is not valid.
    """
    stages, found = _stages(root / "dvc.lock"), {}
    for name in (*nodes(), *listed(root)):
        entry = stages.get(name, {})
        for out in entry.get("outs", []):
            if root / out["path"] == Layout(root, profile).output(name):
                deps = entry.get("deps", [])
                dependencies = {dep["path"]: dep["md5"] for dep in deps}
                files = {dep["path"]: dep["nfiles"] for dep in deps if "nfiles" in dep}
                found[name] = Entry(name, out["md5"], dependencies, files)
    return found


def _stages(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        return (locked.parsed(path.read_text()) or {}).get("stages", {})
    except (ValueError, AttributeError, yaml.YAMLError):
        raise UserError(f"{path} is damaged: {MEND}.") from None


def _parent_versions(
    entry: Entry, params: Params, observed: Mapping[str, Listing]
) -> dict[str, str]:
    """Outputs go by DVC's digest, inputs by their listing."""
    node = graph.node(entry.stage)
    taken = {name: entry.dependencies[f"data/{params.profile}/{name}"] for name in node.takes}
    given = {INPUT_ASSETS[model]: observed[INPUT_ASSETS[model]].digest for model in node.models}
    return {**taken, **given}


def of_photographs(found: Listing) -> str:
    """The listing of a subject's folder as a tag, which Dagster keeps short."""
    return digests.of_value(found.digest)[:40]


def version_tags(
    entry: Entry, code_version: str, root: Path, observed: Mapping[str, Listing]
) -> dict[str, str]:
    """The tags that say what was made, by which code, from what.

    `observed` maps input assets to the listing the run may have read. Of one that says nothing of
    arrivals, the number of files is the lock's.
    """
    params = load_params(root)
    versions = _parent_versions(entry, params, observed)
    raw: dict[str, str] = {}
    if "raw" in versions:
        there = observed["raw"]
        number = len(there.arrivals) or entry.files.get(params.sources, 0)
        raw = {NEWEST_TAG: repr(there.newest), FILES_TAG: str(number)}
    if graph.partition(entry.stage) and graph.PHOTOGRAPHS in observed:
        raw[PHOTOGRAPHS_TAG] = of_photographs(observed[graph.PHOTOGRAPHS])
    return {
        **raw,
        DATA_VERSION_TAG: entry.data_version,
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
        CODE_VERSION_TAG: code_version,
        **{get_input_data_version_tag(AssetKey(name)): value for name, value in versions.items()},
        **{get_input_event_pointer_tag(AssetKey(name)): NULL_EVENT_POINTER for name in versions},
    }


def tags_of_inputs(assets: Iterable[str]) -> set[str]:
    """Which of these tags tell of the listing of one of these input assets."""
    own = {"raw": {NEWEST_TAG, FILES_TAG}, graph.PHOTOGRAPHS: {PHOTOGRAPHS_TAG}}
    found: set[str] = set()
    for name in assets:
        found |= {get_input_data_version_tag(AssetKey(name))} | own.get(name, set())
    return found
