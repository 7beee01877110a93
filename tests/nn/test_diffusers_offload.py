"""Offloading by accelerate's own hooks, on a machine without accelerator: clips stay the same.

Weights at rest lie on the meta device, where nothing can compute with them: what reads a weight
before its hook has brought it fails here as it would between a CPU and an accelerator.
"""

from typing import ClassVar

import accelerate
import pytest
import torch
from accelerate.hooks import CpuOffload, UserCpuOffloadHook, add_hook_to_module

from mm_model.errors import UserError
from tests.nn.pipes import PLAIN, PROMPT, clip, mirror, stock, subject

pytestmark = pytest.mark.capability("offloading", scale="T")

CPU = torch.device("cpu")
STEPS = {"num_inference_steps": 2}
PIXELS = {"output_type": "pt", **STEPS}


class Away(CpuOffload):
    """`CpuOffload` whose resting place is the meta device; weights of shared parts are shared."""

    kept: ClassVar[dict] = {}

    def init_hook(self, module):
        for part in module.modules():
            for name, value in part._parameters.items():
                if value is not None and not value.is_meta:
                    self.kept[part, name] = value
                    part._parameters[name] = torch.nn.Parameter(value.to("meta"), False)
        return module

    def pre_forward(self, module, *args, **kwargs):
        if self.prev_module_hook is not None:
            self.prev_module_hook.offload()
        self.detach_hook(module)
        return args, kwargs

    def detach_hook(self, module):
        for part in module.modules():
            for name in part._parameters:
                if (part, name) in self.kept:
                    part._parameters[name] = self.kept[part, name]
        return module


def offload_whole(model, device, prev_module_hook=None):
    """`accelerate.cpu_offload_with_hook` with that resting place."""
    hook = Away(execution_device=CPU, prev_module_hook=prev_module_hook)
    add_hook_to_module(model, hook, append=True)
    return model, UserCpuOffloadHook(model, hook)


@pytest.fixture(params=["model", "sequential"])
def offload(request, monkeypatch):
    """Switches one kind of offloading on for a pipeline."""
    piecewise = accelerate.cpu_offload

    def without_index(model, device, **kwargs):
        return piecewise(model, CPU, **kwargs)  # "cpu:0" is another device to a Parameter

    monkeypatch.setattr(accelerate, "cpu_offload", without_index)
    monkeypatch.setattr(accelerate, "cpu_offload_with_hook", offload_whole)
    monkeypatch.setattr(Away, "kept", {})

    def switch_on(pipe):
        getattr(pipe, f"enable_{request.param}_cpu_offload")(device="cpu")

    switch_on.kind = request.param
    return switch_on


def resting(module):
    return all(p.is_meta for p in module.parameters())


@pytest.mark.parametrize(
    ("mode", "guidance"), [("joint", "null"), ("gated_joint", "split"), ("asymmetric", "base")]
)
def test_an_offloaded_pipeline_makes_the_same_clips(offload, mode, guidance):
    pipe = mirror(attention_mode=mode)
    asked = {"reference_images": subject(), "face_guidance": guidance, **STEPS}
    expected, base = clip(pipe, **asked), clip(pipe, **STEPS)
    offload(pipe)
    modules = [m for m in pipe.components.values() if isinstance(m, torch.nn.Module)]
    assert all(map(resting, modules))
    for _ in range(2):
        assert torch.equal(clip(pipe, **asked), expected)
        assert all(map(resting, modules))
        assert torch.equal(clip(pipe, **STEPS), base)
    pipe.remove_all_hooks()
    assert torch.equal(clip(pipe, **asked), expected)


def test_pixels_and_the_steps_before_the_identity_are_the_same(offload):
    pipe, base = mirror(), stock()
    asked = {"reference_images": subject(), "face_start_step": 1, **PIXELS}
    expected, alone = clip(pipe, **asked), clip(base, PLAIN, **PIXELS)
    single = clip(pipe, num_frames=1, **asked)
    offload(pipe)
    assert torch.equal(clip(pipe, **asked), expected)
    assert torch.equal(clip(pipe, **PIXELS), alone)
    # one picture passes the stock decoder then: equal up to rounding
    assert torch.allclose(clip(pipe, num_frames=1, **asked), single, atol=1e-4)


def test_identity_and_prompt_may_be_encoded_by_themselves(offload):
    pipe = mirror()
    identity = pipe.encode_references(subject())
    embeds, mask = pipe.encode_identity_prompt(PROMPT, identity)
    expected = clip(pipe, identity=identity)
    offload(pipe)
    again = pipe.encode_references(subject())
    assert torch.equal(again.x_face, identity.x_face)
    assert torch.equal(pipe.encode_identity_prompt(PROMPT, again)[0], embeds)
    given = {"prompt_embeds": embeds, "identity_mask": mask, "identity": again}
    assert torch.equal(clip(pipe, None, **given), expected)


def test_a_call_that_breaks_off_leaves_the_next_one_whole(offload):
    pipe = mirror()
    asked = {"reference_images": subject()}
    expected = clip(pipe, **asked)
    offload(pipe)

    def fail(pipe, index, t, tensors):
        raise RuntimeError("enough")

    for given in (asked, {}):
        with pytest.raises(RuntimeError, match="enough"):
            clip(pipe, callback_on_step_end=fail, **given)
    assert resting(pipe.transformer)
    assert torch.equal(clip(pipe, **asked), expected)


def test_an_adapter_is_loaded_before_offloading_not_after(offload, tmp_path):
    pipe = mirror()
    pipe.save_adapter(tmp_path / "adapter")
    offload(pipe)
    with pytest.raises(UserError, match="load the adapter before offloading"):
        pipe.load_adapter(tmp_path / "adapter")
    with pytest.raises(UserError, match="remove_all_hooks"):
        pipe.save_adapter(tmp_path / "again")
    with pytest.raises(UserError, match="remove_all_hooks"):
        pipe.save_pretrained(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    pipe.remove_all_hooks()
    pipe.load_adapter(tmp_path / "adapter")
    offload(pipe)
    assert clip(pipe, reference_images=subject()).isfinite().all()


def test_group_offloading_is_refused_with_an_identity():
    with pytest.raises(UserError, match="enable_model_cpu_offload"):
        mirror().enable_group_offload(CPU, offload_type="leaf_level")
