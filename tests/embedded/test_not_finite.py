"""A loss or a gradient that is not finite stops a training before a weight moves."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from mm_model.embedded.training.backbone.loop import Training
from mm_model.embedded.training.backbone.recipe import Optimisation
from mm_model.embedded.training.facepack import resumable
from mm_model.errors import UserError


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_the_backbone_s_loop_stops(fault: str) -> None:
    net = nn.Linear(3, 2)
    rules = Optimisation(steps=4, learning_rate=1e-3, warmup=1, workers=1)
    training = Training.create({"net": net}, rules, "digest")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, math.inf if fault == "gradient" else 0.5)
    with pytest.raises(UserError, match=r"step 0 is not finite.*learning_rate"):
        training.update(math.nan if fault == "loss" else 1.0)
    assert training.step == 0
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_the_face_pack_s_loop_stops(tmp_path: Path, fault: str) -> None:
    net = nn.Linear(1, 1, bias=False)
    recipe = resumable.NetworkRecipe(
        seed=1, steps=6, batch=2, rate=1e-3, threads=1, note={}, save_every=2
    )
    seen: list[torch.Tensor] = []

    def losses(batch: torch.Tensor, progress: float) -> dict[str, torch.Tensor]:
        seen.append(net.weight.detach().clone())
        out = net(batch).square().mean()
        if len(seen) == 4:
            # the square root of zero is finite and its slope is not
            out = out * math.nan if fault == "loss" else out + (net.weight * 0).sqrt().sum()
        return {"total": out}

    def draw(rng: object) -> torch.Tensor:
        return torch.ones(2, 1)

    with pytest.raises(UserError, match=r"net: the loss or gradient of step 3 is not finite"):
        resumable.train(net, recipe, draw, losses, tmp_path, label="net")
    assert torch.equal(net.weight, seen[3]) and not torch.equal(seen[2], seen[3])
    assert (
        resumable.load_checkpoint(tmp_path, net, torch.optim.AdamW(net.parameters()), recipe)[0]
        == 2
    )
