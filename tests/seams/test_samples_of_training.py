"""The pictures that a training shows while it learns: whose they are, and which adapter's."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.seams.facts import Chain, pixels, sought
from tests.small_chain import HEIGHT, WIDTH

pytestmark = pytest.mark.slow

TRAININGS = ("pretrain", "finetune")


@pytest.mark.parametrize(("stage", "steps"), [("pretrain", (0, 3, 6)), ("finetune", (0, 2, 4))])
def test_samples_show_the_adapter_that_is_being_trained(
    chain: Chain, stage: str, steps: tuple[int, ...]
) -> None:
    folder = chain.output(stage) / "samples"
    strips = [pixels(folder / f"step_{step:06d}.strip.jpg").astype(int) for step in steps]
    assert all(strip.shape == (4 * HEIGHT, 9 * WIDTH, 3) for strip in strips)
    for before, after in itertools.pairwise(strips):
        assert np.abs(before - after).mean() > 0.05
    people = np.split(strips[-1], 4)
    assert all(np.abs(a - b).mean() > 1 for a, b in itertools.pairwise(people))


@pytest.mark.parametrize(
    ("stage", "step", "of"),
    [("pretrain", 6, "pretrain"), ("finetune", 0, "pretrain"), ("finetune", 4, "finetune")],
)
def test_samples_are_made_as_the_profile_says(
    chain: Chain, backbone: Any, stage: str, step: int, of: str, tmp_path: Path
) -> None:
    """The adapter, the people watched, their seeds, steps, guidance and its mode, by the pipeline
    itself; fine-tuning begins with what pretraining ended with.
    """
    from mm_model.generation.pipeline import MagicMirrorPipeline
    from mm_model.train.watch import chosen_people

    people = chosen_people(chain.job(stage, tmp_path), backbone)
    pipe = MagicMirrorPipeline.from_pretrained(backbone.folder, chain.output(of) / "adapter")
    pipe.set_progress_bar_config(disable=True)
    rules, sizes = getattr(chain.profile, stage), chain.profile.model
    video = pipe(
        [person.prompt for person in people],
        reference_images=[[one.pixels for one in person.shown] for person in people],
        faces=[[one.face for one in person.shown] for person in people],
        num_frames=rules.sample_frames,
        height=sizes.height,
        width=sizes.width,
        num_inference_steps=rules.sample_steps,
        guidance_scale=rules.sample_guidance,
        face_guidance=rules.sample_face_guidance,
        output_type="np",
        generator=[torch.Generator().manual_seed(1000 + n) for n in range(len(people))],
    ).frames
    made = np.concatenate([np.concatenate(list(clip), axis=1) for clip in video]) * 255
    apart = {
        int(strip.name[5:11]): float(np.abs(pixels(strip) - made).mean())
        for strip in (chain.output(stage) / "samples").glob("step_*.strip.jpg")
    }
    own = apart.pop(step)
    assert own < 2 and min(apart.values()) > 1.5 * own, (own, apart)


@pytest.mark.parametrize("stage", TRAININGS)
def test_the_references_beside_the_samples_are_those_of_the_people_in_their_order(
    chain: Chain, stage: str
) -> None:
    folder = chain.output(stage) / "samples"
    watched = json.loads((folder / "people.json").read_text())
    for person, shown in zip(watched, np.split(pixels(folder / "references.jpg"), 4), strict=True):
        square = shown[:, 8:72]  # of a square stretched to the clip's shape
        found = {
            identity: max(sought(square, one) for one, _ in chain.pictures(identity))
            for identity in (entry["identity"] for entry in watched)
        }
        assert max(found, key=found.get) == person["identity"], found
