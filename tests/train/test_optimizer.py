"""The optimiser that a profile names: same numbers as before, 8-bit moments, one sentence."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mm_model.errors import UserError
from mm_model.run import feasible
from mm_model.settings import TrainSettings, load_profile
from mm_model.train import optimizer
from mm_model.train.gradients import never_reached
from mm_model.train.optimizer import optimizer_of
from tests.train import kept

pytestmark = pytest.mark.capability("8-bit optimiser", scale="T")

SMALL = 4096
"""Numbers from which on the package keeps moments in 8 bits."""


@pytest.fixture(scope="module")
def rules(root: Path) -> TrainSettings:
    return load_profile(root, "paper").pretrain.model_copy(update={"learning_rate": 1e-3})


@pytest.fixture
def eight(rules: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> TrainSettings:
    pytest.importorskip("torchao", reason="make eight-bit installs it")
    # one update of a made matrix needs no compiled kernel; the formulas are the same
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    return rules.model_copy(update={"optimizer": "adamw8bit"})


def _parameters(seed: int = 0) -> dict[str, nn.Parameter]:
    g = torch.Generator().manual_seed(seed)
    shapes = {"matrix": (64, 128), "unread": (64, 64), "bias": (128,)}
    return {name: nn.Parameter(torch.randn(*shape, generator=g)) for name, shape in shapes.items()}


def _taught(
    parameters: dict[str, nn.Parameter], made: torch.optim.Optimizer, steps: range
) -> dict[str, nn.Parameter]:
    """Updates on gradients that belong to the step; `unread` gets zeros."""
    for step in steps:
        g = torch.Generator().manual_seed(step)
        for name, parameter in parameters.items():
            drawn = torch.randn(parameter.shape, generator=g) + 1.0
            parameter.grad = drawn if name != "unread" else torch.zeros_like(drawn)
        for group in made.param_groups:
            group["lr"] = 1e-3 / (step + 1)  # as the loop sets it: a float
        made.step()
    return parameters


def test_adamw_is_torch_s_own_with_decay_on_matrices_alone(rules: TrainSettings) -> None:
    made = optimizer_of(_parameters(), rules)
    assert type(made) is torch.optim.AdamW
    assert not any(group["fused"] for group in made.param_groups)
    decays = {
        tuple(p.shape): group["weight_decay"]
        for group in made.param_groups
        for p in group["params"]
    }
    assert decays == {(64, 128): 1e-4, (64, 64): 1e-4, (128,): 0.0}


def test_a_moment_takes_a_byte_and_what_is_learned_hardly_differs(
    rules: TrainSettings, eight: TrainSettings
) -> None:
    plain, small = _parameters(), _parameters()
    before = {name: p.detach().clone() for name, p in plain.items()}
    _taught(plain, optimizer_of(plain, rules), range(20))
    made = optimizer_of(small, eight)
    _taught(small, made, range(20))
    kept = made.state[small["matrix"]]
    moments = sum(kept[name].nbytes for name in kept if name != "step")
    assert moments <= 2.04 * small["matrix"].numel()
    assert {kept["exp_avg"].dtype, kept["exp_avg_sq"].dtype} == {torch.uint8}
    assert all(type(value) is torch.Tensor for value in kept.values())
    assert made.state[small["bias"]]["exp_avg"].dtype == torch.float32, "too few to be worth it"
    for name in ("matrix", "bias"):
        moved, other = plain[name] - before[name], small[name] - before[name]
        assert float(((moved - other).norm() / moved.norm()).detach()) < 0.02, name
    assert never_reached(small, made) == ["unread"]


def test_a_resume_repeats_the_straight_run_bit_for_bit(
    eight: TrainSettings, tmp_path: Path
) -> None:
    straight = _parameters()
    _taught(straight, optimizer_of(straight, eight), range(6))
    cut = _parameters()
    made = optimizer_of(cut, eight)
    _taught(cut, made, range(3))
    kept.save(tmp_path, 3, "work", parameters=cut, optimizer=made, curve=[])
    resumed = _parameters(seed=1)
    again = optimizer_of(resumed, eight)
    assert kept.restore(tmp_path, "work", resumed, again) is not None
    _taught(resumed, again, range(3, 6))
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name


@pytest.mark.slow
def test_the_compiled_update_is_the_one_that_was_tried(rules: TrainSettings) -> None:
    pytest.importorskip("torchao", reason="make eight-bit installs it")
    asked = rules.model_copy(update={"optimizer": "adamw8bit"})
    plain, small = ({"matrix": _parameters()["matrix"]} for _ in range(2))  # a kernel a shape
    _taught(plain, optimizer_of(plain, rules), range(3))
    _taught(small, optimizer_of(small, asked), range(3))
    for name, value in plain.items():
        assert torch.allclose(value, small[name], atol=1e-4), name


def test_without_the_package_one_sentence_comes_before_any_work(
    root: Path, rules: TrainSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = rules.model_copy(update={"optimizer": "adamw8bit"})
    profile = load_profile(root, "tiny")
    profile = profile.model_copy(update={"finetune": asked})
    monkeypatch.setattr(feasible, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"make eight-bit, or set optimizer to adamw\.$"):
        feasible.refuse_missing_optimizer(profile)
    feasible.refuse_missing_optimizer(load_profile(root, "tiny"))

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(optimizer, "importlib", SimpleNamespace(import_module=absent))
    with pytest.raises(UserError, match="torchao, which is not installed"):
        optimizer_of(_parameters(), asked)


def test_a_checkpoint_s_counter_follows_the_parameter(rules: TrainSettings) -> None:
    """The fused kernel of a GPU reads it there; a checkpoint brings it on the CPU."""
    parameter = nn.Parameter(torch.zeros(2, device="meta"))
    kept = {"step": torch.tensor(3.0)}
    optimizer._counters_beside_parameters(SimpleNamespace(state={parameter: kept}))
    assert kept["step"].device.type == "meta"
