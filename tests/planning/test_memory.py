"""What a training holds and what its identity loss costs, held to counts on the meta device."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.table3 import models
from mm_model.commands.cli import main
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.planning import memory, plan, text
from mm_model.planning.plan import RunPlan
from mm_model.planning.work import costs
from mm_model.train import loop

pytestmark = pytest.mark.capability("plan", scale="L")

GIB = 2**30
CARD = 22
"""GiB of a card of 24 that a training may ask for."""


def _planned(root: Path, name: str, gpu: str | None = None) -> RunPlan:
    meant = plan.usual(name)
    asked = plan.asked_of(
        root, name, pictures=meant.pictures, clips=meant.clips, gpu=gpu or meant.machine.gpu
    )
    return plan.plan(name, asked, meant.machine)


@pytest.fixture(scope="module")
def workstation(root: Path) -> RunPlan:
    return _planned(root, "workstation")


@pytest.fixture(scope="module")
def paper(root: Path) -> RunPlan:
    return _planned(root, "paper")


def test_the_workstation_fits_on_its_card_and_says_by_what(
    workstation: RunPlan, capsys: pytest.CaptureFixture
) -> None:
    for name, held in workstation.training_memory.items():
        assert 15 < held.total / GIB <= CARD, name
    assert main(["plan", "--profile", "workstation"]) == 0
    said = capsys.readouterr().out
    assert "on 1 x rtx4090" in said
    largest = next(line for line in said.splitlines() if "largest moment" in line)
    assert all(float(cell.strip(" *")) <= CARD for cell in largest.split("|")[2:-1])
    for term in workstation.training_memory["finetune"].terms:
        assert f"| {term} |" in said


def test_the_terms_are_those_of_the_stages(workstation: RunPlan, paper: RunPlan) -> None:
    for made in (workstation, paper):
        stages = {one.stage: one.gpu_memory for one in made.stages}
        for name, held in made.training_memory.items():
            assert held.total == stages[name] == pytest.approx(sum(held.terms.values()))
    terms = workstation.training_memory["finetune"].terms
    trained = workstation.asked.shape.adapter
    for term in ("the adapter's weights, float32", "gradients of what is trained, float32"):
        assert terms[term] == 4 * trained
    assert terms["both moments"] < 2.04 * trained
    assert paper.training_memory["finetune"].terms["both moments"] == 8 * 1.7335e9
    for made in (workstation, paper):  # float32 masters that bfloat16 computes with
        casts = made.training_memory["finetune"].terms["their casts outside the blocks"]
        assert casts == 2 * made.asked.shape.outside > 0


def test_of_the_modulation_alone_gradients_and_moments_are_its_own(paper: RunPlan) -> None:
    asked = paper.asked
    profile = asked.profile
    only = profile.pretrain.model_copy(update={"trained": "modulation"})
    held = memory.training_memory(asked, paper.values, only, 1).terms
    usual = paper.training_memory["pretrain"].terms
    told = {"gradients of what is trained, float32": 4, "both moments": 8}
    for term, value in usual.items():
        expected = told[term] * asked.shape.modulation if term in told else value
        assert held[term] == expected, term
    changed = replace(asked, profile=profile.model_copy(update={"pretrain": only}))
    (all_of_it,) = [one for one in paper.stages if one.stage == "pretrain"]
    (less,) = [one for one in costs(changed, paper.values) if one.stage == "pretrain"]
    assert less.scratch == 2 * 12 * asked.shape.modulation < all_of_it.scratch
    assert less.disk == all_of_it.disk, "the adapter's file is as large as ever"


def test_a_moving_average_is_planned_on_the_gpu_in_memory_and_on_the_disk(
    workstation: RunPlan,
) -> None:
    asked, profile = workstation.asked, workstation.asked.profile
    rules = profile.pretrain.model_copy(update={"ema_decay": 0.999})
    with_one = replace(asked, profile=profile.model_copy(update={"pretrain": rules}))
    made, numbers = plan.plan("w", with_one, workstation.machine), 4 * asked.shape.adapter
    for before, after in zip(workstation.stages, made.stages, strict=True):
        more = numbers if after.stage == "pretrain" else 0
        assert after.gpu_memory == pytest.approx(before.gpu_memory + more)
        assert after.scratch == pytest.approx(before.scratch + 2 * more)
        assert after.memory == pytest.approx(before.memory + more)
    (line,) = [one for one in text.training_memory(made) if "moving average" in one]
    assert line.split("|")[2:4] == [f" {numbers / GIB:.1f} ", " 0.0 "]


def test_a_small_card_is_planned_as_it_is_used(root: Path, workstation: RunPlan) -> None:
    roomy = _planned(root, "workstation", gpu="h100").training_memory["pretrain"]
    assert roomy.total / GIB > CARD, "there T5 stays, and more samples pass at once"
    assert (memory._TOGETHER, memory._FEW_TOGETHER) == (loop._TOKENS, loop._FEW_TOKENS)
    waits = memory.waiting(workstation.asked)
    assert waits == pytest.approx(5.28e9, rel=0.01), "T5, CLIP and the identity perceiver"


def test_the_paper_needs_a_gpu_of_eighty_gigabytes(paper: RunPlan) -> None:
    held = {name: one.total / GIB for name, one in paper.training_memory.items()}
    assert 48 < held["finetune"] < held["pretrain"] < 80e9 / GIB


@pytest.mark.parametrize("name", ["paper", "workstation"])
def test_the_identity_loss_is_a_small_share_of_a_step(
    name: str, paper: RunPlan, workstation: RunPlan
) -> None:
    """Of a step of pictures at most 2%, of one of clips at most 1%, if every sample is decoded."""
    made = {"paper": paper, "workstation": workstation}[name]
    assert 0 < made.identity_shares["pretrain"] <= 0.02
    assert 0 < made.identity_shares["finetune"] <= 0.01


def _counted(work: Any) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 1e12


def test_a_window_s_decoding_and_a_forward_pass_cost_what_is_counted(paper: RunPlan) -> None:
    sizes = models.Dimensions.of("full", "paper")
    vae, asked = models.meta_vae(sizes), paper.asked
    cells = memory.window_cells(asked)
    assert cells == 36 * 36, "a face of 192 pixels and half as much again"
    side = math.isqrt(cells)
    latent = torch.empty(1, 16, 1, side, side, device="meta", requires_grad=True)
    forward = _counted(lambda: vae.requires_grad_(False).decode(latent))
    assert forward == pytest.approx(memory.identity_tflop(asked, plan.likely()) / 2, rel=0.03)
    there_and_back = _counted(lambda: vae.decode(latent).sample.sum().backward())
    assert there_and_back == pytest.approx(2 * forward, rel=0.02), "no weight gets a gradient"
    faces = torch.empty(1, 3, 112, 112, device="meta")
    with torch.device("meta"):
        recognizer = FaceRecognizer(512, (64, 128, 256, 512), (3, 4, 14, 3)).eval()
    assert _counted(lambda: recognizer(faces)) < 0.03 * forward, "and so left out"
    ours, _ = models.meta_networks(sizes)
    step = {
        "hidden_states": torch.empty(1, 1, 16, 60, 90, device="meta"),
        "encoder_hidden_states": torch.empty(1, 226, 4096, device="meta"),
        "timestep": torch.empty(1, dtype=torch.long, device="meta"),
    }
    with torch.no_grad():
        found = _counted(lambda: ours(**step))
    assert found == pytest.approx(asked.shape.forward(1), rel=0.02)
