"""Refining as the person of photographs: Magic Mirror's identity, in the face alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mm_model.commands import cli
from mm_model.commands.generate.model import chosen
from mm_model.embedded.people.clips import clip as drawn_clip
from mm_model.embedded.people.people import person
from mm_model.embedded.people.shot import ShotSetup
from mm_model.media.decode import read_frames
from mm_model.media.encode import write_mp4
from mm_model.refine import cog
from mm_model.refine.port import redrawn
from mm_model.serving import example
from mm_model.settings import load_profile
from mm_model.vcd.animate import Take
from tests.serving.house import House

pytestmark = pytest.mark.capability("refined clips", scale="T")

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(served_house: House, monkeypatch: Any, capfd: Any, tmp_path: Path) -> Command:
    """`command("refine", ...)`: status and what is printed; in a folder with photographs of a
    person and a clip of another.
    """
    monkeypatch.setenv("MM_ROOT", str(served_house.root))
    monkeypatch.chdir(tmp_path)
    for number, text in enumerate(record(served_house)["reference_images"]):
        Path(f"{number}.png").write_bytes(base64.b64decode(text))
    rng = np.random.default_rng(1)
    made = drawn_clip(person(18), "smiles", ShotSetup(), num_frames=5, size=112, rng=rng)
    write_mp4(Path("her.mp4"), made.frames, 8)

    def run(*arguments: Any) -> tuple[int, str]:
        capfd.readouterr()
        status = cli.main([*map(str, arguments)])
        return status, "".join(capfd.readouterr())

    return run


def record(house: House) -> dict[str, Any]:
    return example.record(load_profile(house.root, "tiny"))


LINE = ["refine", "her.mp4", "--prompt", "a woman smiles", "--strength", "0.1", "--ref", "0.png"]
AGREED = ["--consent", "synthetic:drawn-1"]


def test_a_clip_is_redrawn_as_the_person_of_photographs(command: Command) -> None:
    status, said = command(*LINE, *AGREED, "-o", "out.mp4")
    assert status == 0, said
    assert "found in 5 of 5 frames" in said and "5 frames were redrawn as 9" in said
    new, old = read_frames(Path("out.mp4")), read_frames(Path("her.mp4"))
    assert new.shape == old.shape and np.abs(new.astype(int) - old).max() > 30
    status, said = command(*LINE[:-2], "-o", "plain.mp4")
    assert status == 0, said
    assert Path("plain.mp4").read_bytes() != Path("out.mp4").read_bytes()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ([], "consent"),
        ([*AGREED, "--subject", "rex"], "--subject does not go with --ref"),
        ([*AGREED, "--adapter", "nowhere/"], "no folder and no name of a release"),
        ([*AGREED, "--ref", "none.png"], "none.png is not there"),
        ([*AGREED, "--prompt", "a naked woman"], "nudity"),
        ([*AGREED, "--prompt", "the sea"], "must name its subject"),
    ],
)
def test_what_is_wrong_is_one_sentence(command: Command, changed: list[str], said: str) -> None:
    status, told = command(*LINE, *changed, "-o", "no.mp4")
    assert status == 1 and said in told and "Traceback" not in told
    assert not Path("no.mp4").exists()


def test_options_of_photographs_without_one_are_refused(command: Command) -> None:
    status, told = command(*LINE[:-2], *AGREED, "-o", "no.mp4")
    assert status == 1 and "--consent goes with --ref" in told


def test_a_generated_clip_is_refined_and_made_again(command: Command) -> None:
    line = ["generate", "--ref", "0.png", *AGREED, "--prompt", "a woman smiles", "--seed", 3]
    line += ["--steps", 4, "--frames", 1]
    status, said = command(*line, "--refine", "face,tiled", "-o", "large.png")
    assert status == 0, said
    record = json.loads(Path("large.json").read_text())
    assert record["arguments"]["refine"] == "face,tiled"
    assert any(note.startswith("tiled: 128x128 pixels") for note in record["notes"])
    status, said = command("generate", "--again", "large.json")
    assert status == 0 and said.splitlines()[-1] == "the same bytes", said
    status, said = command(*line, "--refine", "hair", "-o", "no.png")
    assert status == 1 and "'hair' is no way to refine" in said
    status, said = command(*line, "--refine", "face", "--method", "consisid", "-o", "no.png")
    assert status == 1 and "--refine belongs to --method vcd or magic-mirror" in said


def test_the_identity_is_heard_in_its_place_alone(served_house: House) -> None:
    """Two people give two predictions with the subject, and the very same one without it."""
    mirror = chosen(served_house.layout, "champion").load()
    given = record(served_house)
    predictions: dict[bool, list[torch.Tensor]] = {True: [], False: []}
    take = Take("a woman smiles", 3, steps=4, guidance=2.0)

    def work(pipe: Any, identity: Any) -> None:
        redrawer = cog.CogRedrawer(pipe, take, cog.of_identity(pipe, take, identity, "null"))
        channels = pipe.transformer.config.in_channels
        latents = torch.randn(1, 1, channels, 8, 8, generator=torch.Generator().manual_seed(1))
        (time,) = redrawer.times(0.25)
        for subject, found in predictions.items():
            found.append(redrawer.predict(latents, time, subject))

    for pictures in ([given["reference_images"][0]], [other_face()]):
        wanted = mirror.read({**given, "prompt": "a woman smiles", "reference_images": pictures})
        mirror.with_identity(wanted, mirror.look(wanted), work)
    assert not torch.equal(*predictions[True])
    assert torch.equal(*predictions[False])


def test_at_full_strength_it_is_the_pipeline_s_own_clip(served_house: House) -> None:
    """The schedule ends in pure noise, so nothing of what was given is left."""
    mirror = chosen(served_house.layout, "champion").load()
    wanted = mirror.read({**record(served_house), "prompt": "a woman smiles"})
    take = Take("a woman smiles", 3, steps=3, guidance=2.0)
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)

    def work(pipe: Any, identity: Any) -> tuple[torch.Tensor, torch.Tensor]:
        ours = cog.CogRedrawer(pipe, take, cog.of_identity(pipe, take, identity, "null"))
        began = ours.noised(ours.encode(frames), ours.times(1.0)[0])
        own = pipe(
            prompt=take.prompt,
            identity=identity,
            num_frames=1,
            height=64,
            width=64,
            num_inference_steps=take.steps,
            guidance_scale=take.guidance,
            latents=began,
            max_sequence_length=pipe.transformer.config.max_text_seq_length,
            output_type="latent",
        ).frames
        return redrawn(ours, frames, 1.0, lambda x, t: ours.predict(x, t, True)), own

    ours, own = mirror.with_identity(wanted, mirror.look(wanted), work)
    assert torch.equal(ours, own)


def other_face() -> str:
    """A photograph of somebody else, as a request has it."""
    from mm_model.embedded.people.encode import encode_picture

    rng = np.random.default_rng(2)
    made = drawn_clip(person(18), "smiles", ShotSetup(), num_frames=1, size=128, rng=rng)
    return base64.b64encode(encode_picture(made.frames[0], ".png")).decode()
