"""The version of what makes a stage's output: its code and its part of the profile.

What a stage's code is, the stage says: a number it raises, and files whose every change counts.

Read twice, from the same two facts: for what would run now (stage and profile) and for what made
an output (its manifest).
"""

from pathlib import Path

from mm_model.run import stages
from mm_model.settings import Profile
from mm_model.store import digests, documents

_SHOWN = 12


def _text(version: int, settings_digest: str) -> str:
    return f"{version}+{settings_digest[:_SHOWN]}"


def current(profile: Profile, stage: str) -> str:
    """Version of the stage as it would run now with the profile."""
    known = stages.load(stage)
    return _text(known.version, digests.of_value(known.settings(profile)))


def of_output(folder: Path) -> str | None:
    """Version that made the output in `folder`; None when there is no whole manifest."""
    said = documents.read_or_empty(folder / "manifest.json")
    if not {"version", "settings_digest"} <= said.keys():
        return None
    return _text(said["version"], str(said["settings_digest"]))
