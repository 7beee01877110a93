"""The account that `register` leaves, `release.json`: read back, and what it says in an experiment.

An experiment of DVC registers no version and moves no alias, so a sweep never promotes.
"""

from pathlib import Path

from mm_model.register.package import Package
from mm_model.register.versions import Release
from mm_model.store import documents
from mm_model.store.experiment import Experiment

EXPERIMENT = "experiment"
"""Stands where a version's alias would, beside version 0."""


def of_experiment(described: Package, model_name: str, asked: Experiment) -> Release:
    """What would be registered, and how to have it registered."""
    return Release(
        model_name,
        0,
        release_digest=described.digest,
        adapter_digest=described.adapter_digest,
        aliases=(EXPERIMENT,),
        promoted=False,
        sentences=(
            f"Experiment {asked.name}: nothing is registered and no alias moves.",
            f"To keep it: dvc exp apply {asked.name}, then make run.",
        ),
        serve_command="",
    )


def read(folder: Path, name: str) -> Release | None:
    """The account `name` in an output; None where there is none of this form."""
    if not (folder / name).is_file():
        return None
    said = documents.read(folder / name)
    try:
        return Release(
            **{**said, "aliases": tuple(said["aliases"]), "sentences": tuple(said["sentences"])}
        )
    except (KeyError, TypeError):
        return None  # an earlier release of this project wrote it
