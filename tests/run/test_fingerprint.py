"""The name of a stage's work: each thing that may change the result changes it."""

import dataclasses
from pathlib import Path

import pytest

from mm_model.run import stages
from mm_model.run.runner import fingerprint_of
from mm_model.settings import load_profile


@pytest.mark.parametrize("name", stages.NAMES)
def test_all_that_may_change_a_result_is_part_of_its_name(root: Path, name: str) -> None:
    profile, stage = load_profile(root, "tiny"), stages.load(name)
    known = fingerprint_of(stage, profile, {"before": "a"}, {"model": "b"})
    assert known == fingerprint_of(stage, profile, {"before": "a"}, {"model": "b"})
    raised = dataclasses.replace(stage, version=stage.version + 1)
    others = {
        fingerprint_of(raised, profile, {"before": "a"}, {"model": "b"}),
        fingerprint_of(stage, profile, {"before": "z"}, {"model": "b"}),
        fingerprint_of(stage, profile, {"before": "a"}, {"model": "z"}),
    }
    assert len(others - {known}) == 3
