"""What `prove` finds wrong, row by row, on parts that are played: no weights are loaded."""

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import diffusers
import numpy as np
import pytest
import torch

from mm_model.proving import phases, prove, training
from mm_model.proving.phases import ProofPhase
from mm_model.proving.workbench import ProofOptions

pytestmark = pytest.mark.capability("prove", scale="T")


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (None, []),
        ("x_id", ["identity: not finite"]),
        ("clip_tokens", ["vision: not finite"]),
        ("text", ["text: not finite"]),
        ("latents", ["latents: not finite"]),
    ],
)
def test_what_the_encoders_give_is_finite(
    monkeypatch: pytest.MonkeyPatch, part: str | None, told: list[str]
) -> None:
    def made(name: str, *shape: int) -> torch.Tensor:
        return torch.full(shape, math.nan if name == part else 1.0)

    features = SimpleNamespace(
        x_id=made("x_id", 1, 2), clip_tokens=made("clip_tokens", 1, 2), embedding=torch.ones(1, 2)
    )
    for name, answer in {
        "prepare_references": lambda *_: None,
        "batch_references": lambda *_: (),
        "_encode_texts": lambda _: "cpu",
        "folded_vae": SimpleNamespace(
            encode_mode=lambda *_: made("latents", 1, 4, 1, 2, 2),
            decode_best=lambda *_: torch.zeros(1, 3, 1, 16, 16),
        ),
    }.items():
        monkeypatch.setattr(phases, name, answer)
    vae = SimpleNamespace(dtype=torch.float32, config=SimpleNamespace(scaling_factor=0.5))
    encoder = SimpleNamespace(image_size=224, embed=None, features=lambda: features)
    bench: Any = SimpleNamespace(
        backbone=SimpleNamespace(identity_encoder=encoder, vae=vae),
        sample=SimpleNamespace(picture=None, face=None, pixels=torch.zeros(1, 3, 1, 16, 16)),
        texts={"prompt": made("text", 1, 2)},
        device=torch.device("cpu"),
    )
    assert phases.encode(bench)["problems"] == told


@pytest.mark.parametrize(
    ("base", "zero", "one", "told"),
    [
        (1.0, 1.0, 2.0, []),
        (1.0, 1.0, 1.0, ["id_scale 1 changes nothing"]),
        (1.0, 2.0, 2.0, ["id_scale 0 gives other bits than the plain base"]),
        (1.0, 1.0, math.nan, ["ours: not finite", "id_scale 1 changes nothing"]),
    ],
)
def test_parity_is_of_the_base_at_0_and_of_something_else_at_1(
    monkeypatch: pytest.MonkeyPatch, base: float, zero: float, one: float, told: list[str]
) -> None:
    def ours(id_scale: float = 1.0, **_: Any) -> tuple[torch.Tensor]:
        return (torch.full((1, 2), one if id_scale else zero),)

    stock = Mock(return_value=(torch.full((1, 2), base),))
    monkeypatch.setattr(diffusers, "CogVideoXPipeline", lambda **_: stock)
    bench: Any = SimpleNamespace(
        backbone=Mock(), pipeline=lambda: ours, identity=dict, call=lambda steps: {}
    )
    assert phases.parity(bench)["problems"] == told


@pytest.mark.parametrize(
    ("latent", "frame", "told"),
    [
        (0.0, 0.4, ["the clip is of one colour"]),
        (math.nan, None, ["the clip is not finite"]),
        (0.0, math.nan, ["the clip is not finite", "the clip is of one colour"]),
        (0.0, None, []),
    ],
)
def test_a_clip_is_finite_and_not_of_one_colour(
    tmp_path: Path, latent: float, frame: float | None, told: list[str]
) -> None:
    """`frame`: the value of every pixel; noise where it is None."""
    noise = np.random.default_rng(0).random((1, 9, 32, 32, 3))
    frames = noise if frame is None else np.full_like(noise, frame)
    pipe = Mock(return_value=(torch.full((1, 2, 4, 8, 8), latent),))
    pipe.to_frames = lambda latents: frames
    bench: Any = SimpleNamespace(
        options=SimpleNamespace(sampling_steps=1),
        size=SimpleNamespace(num_frames=9, height=32, width=32),
        pipeline=lambda: pipe,
        identity=dict,
        call=lambda steps: {},
        clip=tmp_path / "clip.mp4",
    )
    assert phases.clip(bench)["problems"] == told


@pytest.mark.parametrize(
    ("losses", "told", "fell"),
    [
        ([5.0, 4.0, 3.0, 2.0, 9.0, 1.0], [], True),
        ([1.0, 2.0, 3.0, 4.0, 0.1, 5.0], [], False),
        ([1.0, math.nan, 1.0, 1.0, 1.0, 0.9], ["the loss is not finite"], True),
    ],
)
def test_the_losses_of_the_training_are_judged(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], told: list[str], fell: bool
) -> None:
    """The fifth step drops the identity, and its loss is no part of the comparison."""
    coming: Iterator[float] = iter(losses)
    dropped: list[bool] = []

    class Steps:
        timestep = 7

        def __init__(self, bench: Any) -> None:
            self.moved = 0.0

        def step(self, without: bool) -> tuple[float, None]:
            dropped.append(without)
            self.moved += 1
            return next(coming), None

        def seen(self) -> dict[str, torch.Tensor]:
            return {"weight": torch.tensor(self.moved)}

    monkeypatch.setattr(training, "ProofSteps", Steps)
    bench: Any = SimpleNamespace(
        options=SimpleNamespace(training_steps=len(losses)), adapter=SimpleNamespace(unread=set())
    )
    said = training.training(bench)
    assert (said["problems"], said["loss_fell"]) == (told, fell)
    assert dropped == [False, False, False, False, True, False]


def test_the_verdict_names_every_phase_that_did_not_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def breaks(bench: Any) -> dict[str, Any]:
        raise RuntimeError("no room")

    monkeypatch.setattr(
        prove,
        "PHASES",
        (
            ProofPhase("good", "is good", (), lambda bench: {}),
            ProofPhase("wrong", "is wrong", (), lambda bench: {"problems": ["other bits"]}),
            ProofPhase("after", "comes after", ("wrong",), lambda bench: {}),
            ProofPhase("broken", "breaks", (), breaks),
            ProofPhase("needs", "needs it", ("broken",), lambda bench: {}),
        ),
    )
    lines: list[str] = []
    said = prove.prove(ProofOptions(tmp_path, device="cpu"), tmp_path / "p.json", lines.append)
    assert said["verdict"] == "not passed: wrong, broken, needs"
    assert lines[-1] == "[5/5] needs: skipped, needs broken"
