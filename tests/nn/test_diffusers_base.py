"""Without identity the pipeline is the stock one: same arguments, same bits, same refusals."""

import inspect

import numpy as np
import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXPipeline
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback

from mm_model.diffusion.schedule import build_scheduler
from mm_model.errors import UserError
from mm_model.generation.pipeline import MagicMirrorPipeline
from tests.nn import tiny
from tests.nn.pipes import CALL, PLAIN, PROMPT, clip, mirror, parts, plain, seeded, stock, subject

pytestmark = pytest.mark.capability("stock calls", scale="T")

PIXELS = {"num_inference_steps": 2, "output_type": "pt"}


def embeds(seed=0, rows=1, length=12):
    return torch.randn(rows, length, 32, generator=torch.Generator().manual_seed(seed))


SEEN = {
    "pixels": {},
    "one picture": {"num_frames": 1},
    "all defaults": {"num_frames": None},
    "another size": {"height": 48, "width": 96},
    "pictures": {"output_type": "pil"},
    "arrays": {"output_type": "np"},
}
ARGUMENTS = {
    "frames the adapter could not make": {"num_frames": 5},
    "a negative prompt": {"negative_prompt": "red hat", "guidance_scale": 3.0},
    "no guidance": {"guidance_scale": 1.0},
    "dynamic guidance": {"use_dynamic_cfg": True},
    "several prompts": {
        "prompt": [PLAIN, "the woman smiles"],
        "negative_prompt": ["red hat", "blue"],
        "generator": [1, 2],
    },
    "several videos": {"num_videos_per_prompt": 2},
    "eta": {"eta": 0.6},
    "embeddings": {
        "prompt": None,
        "prompt_embeds": embeds(),
        "negative_prompt_embeds": embeds(1),
    },
    "latents": {"latents": torch.ones(1, 3, 8, 8, 8)},
    "a text length": {"max_sequence_length": 20},
    "attention kwargs": {"attention_kwargs": {"scale": 1.0}},
    "a tuple": {"return_dict": False},
}
ASKED = {
    **{name: PIXELS | asked for name, asked in SEEN.items()},
    **{
        name: {"num_inference_steps": 2, "output_type": "latent"} | asked
        for name, asked in ARGUMENTS.items()
    },
}

SOLVED = ("several prompts", "eta", "dynamic guidance", "no guidance")


def outcome(pipe, asked):
    """What the pipeline returns, as arrays, and the state of the generator behind it."""
    call = {"prompt": PLAIN, "num_frames": 9, "generator": 3, **asked}
    seeds = call["generator"]
    call["generator"] = [seeded(s) for s in seeds] if isinstance(seeds, list) else seeded(seeds)
    out = pipe(**call)
    frames = out[0] if isinstance(out, tuple) else out.frames
    if isinstance(frames, list):
        frames = np.stack([np.stack([np.asarray(p) for p in video]) for video in frames])
    return torch.as_tensor(frames), seeds if isinstance(seeds, list) else call["generator"]


@pytest.fixture(scope="module")
def ours():
    return plain()


@pytest.fixture(scope="module")
def theirs():
    return stock()


def test_the_arguments_are_the_stock_pipeline_s_in_its_order_with_its_defaults():
    mine = inspect.signature(MagicMirrorPipeline.__call__).parameters
    stocks = inspect.signature(CogVideoXPipeline.__call__).parameters
    assert list(mine)[: len(stocks)] == list(stocks)
    assert {n: mine[n].default for n in stocks} == {n: p.default for n, p in stocks.items()}
    added = [p for n, p in mine.items() if n not in stocks]
    assert {p.kind for p in added} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("ddim", name) for name in ASKED), *(("dpm", name) for name in ("pixels", *SOLVED))],
)
def test_every_argument_gives_the_stock_pipeline_s_pixels(ours, theirs, kind, name):
    for pipe in (ours, theirs):
        pipe.scheduler = build_scheduler(kind)
    asked = ASKED[name]
    (mine, one), (stocks, two) = outcome(ours, asked), outcome(theirs, asked)
    assert torch.equal(mine, stocks)
    if not isinstance(one, list):
        assert torch.equal(one.get_state(), two.get_state())


def test_with_an_adapter_but_without_identity_the_pixels_are_still_the_stock_pipeline_s():
    loaded, base = mirror(), stock()
    expected = clip(base, PLAIN, **PIXELS)
    assert torch.equal(clip(loaded, PROMPT, **PIXELS), expected)
    identity = loaded.encode_references(subject())
    assert torch.equal(clip(loaded, PROMPT, identity=identity, id_scale=0.0, **PIXELS), expected)
    assert not torch.equal(clip(loaded, PROMPT, identity=identity, **PIXELS), expected)


def test_arguments_may_be_given_by_position(ours, theirs):
    given = (PLAIN, "red hat", 64, 64, 9, 2, None, 4.0)
    kwargs = {"generator": seeded(), "output_type": "latent"}
    mine = ours(*given, **kwargs).frames
    kwargs["generator"] = seeded()
    assert torch.equal(mine, theirs(*given, **kwargs).frames)


@pytest.mark.parametrize(
    "asked",
    [
        {"height": 60},
        {"callback_on_step_end_tensor_inputs": ["noise"]},
        {"prompt_embeds": embeds()},
        {"prompt": None},
        {"negative_prompt": ["red hat", "blue"]},
        {"negative_prompt_embeds": embeds()},
        {"timesteps": [999, 500]},
        {"generator": [1, 2]},
        {"num_inference_steps": 2000},
    ],
)
def test_what_stock_refuses_is_refused_in_its_words(ours, theirs, asked):
    said = []
    for pipe in (ours, theirs):
        with pytest.raises(ValueError) as error:
            outcome(pipe, asked)
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"num_inference_steps": -1}, "num_inference_steps is -1"),
        ({"output_type": "mp4"}, "choose one of pil, np, pt, latent"),
        ({"negative_prompt": [subject()]}, "reference_images"),
    ],
)
@pytest.mark.parametrize("identity", [False, True])
def test_what_stock_finds_out_late_is_refused_before_any_work(identity, asked, hint):
    pipe = mirror()
    pipe.text_encoder = None  # nothing is encoded
    asked = {**asked, "reference_images": subject()} if identity else asked
    with pytest.raises(UserError, match=hint):
        clip(pipe, **asked)


class Halving(PipelineCallback):
    """A callback object of diffusers' own kind."""

    tensor_inputs = ("latents",)

    def callback_fn(self, pipeline, step_index, timestep, callback_kwargs):
        pipeline._guidance_scale = 2.0
        return {"latents": callback_kwargs["latents"] / 2}


def swap(pipe, index, t, tensors):
    assert set(tensors) == {"latents", "prompt_embeds", "negative_prompt_embeds"}
    return {"prompt_embeds": tensors["prompt_embeds"].flip(0)}


def stop(pipe, index, t, tensors):
    pipe._interrupt = index == 1
    return tensors


ALL = ["latents", "prompt_embeds", "negative_prompt_embeds"]


@pytest.mark.parametrize(
    "asked",
    [
        {"callback_on_step_end": Halving()},
        {"callback_on_step_end": MultiPipelineCallbacks([Halving(), Halving()])},
        {"callback_on_step_end": swap, "callback_on_step_end_tensor_inputs": ALL},
        {"callback_on_step_end": stop},
    ],
)
def test_callbacks_change_what_they_change_in_stock(ours, theirs, asked):
    for pipe in (ours, theirs):
        pipe.scheduler = build_scheduler()
    mine, stocks = clip(ours, PLAIN, **asked), clip(theirs, PLAIN, **asked)
    assert torch.equal(mine, stocks)
    assert not torch.equal(mine, clip(theirs, PLAIN))


def test_the_scheduler_may_be_exchanged_by_from_config(ours, theirs):
    for pipe in (ours, theirs):
        pipe.scheduler = CogVideoXDPMScheduler.from_config(build_scheduler().config)
    assert torch.equal(clip(ours, PLAIN), clip(theirs, PLAIN))
    ours.scheduler, theirs.scheduler = build_scheduler(), build_scheduler()


def test_fused_projections_work_as_in_stock_while_there_is_no_adapter():
    mine, base = plain(), stock()
    mine.fuse_qkv_projections(), base.fuse_qkv_projections()
    assert torch.equal(clip(mine, PLAIN), clip(base, PLAIN))
    _, adapter = tiny.with_adapter()
    with pytest.raises(UserError, match="undo fuse_qkv_projections"):
        mine.transformer.attach_adapter(adapter)
    mine.unfuse_qkv_projections(), base.unfuse_qkv_projections()
    assert torch.equal(clip(mine, PLAIN), clip(base, PLAIN))


def test_prompt_encoding_is_the_stock_pipeline_s(ours, theirs):
    asked = {"prompt": [PLAIN], "negative_prompt": ["red hat"], "max_sequence_length": 16}
    for mine, stocks in zip(
        ours.encode_prompt(**asked), theirs.encode_prompt(**asked), strict=True
    ):
        assert torch.equal(mine, stocks)
    assert inspect.signature(ours.encode_prompt) == inspect.signature(theirs.encode_prompt)


def test_a_vae_that_saves_memory_gives_the_stock_pipeline_s_pixels():
    mine, base = plain(), stock()
    for pipe in (mine, base):
        pipe.vae.enable_tiling()
        pipe.vae.enable_slicing()
    prompts, asked = [PLAIN, "the woman smiles"], {"output_type": "pt", "num_inference_steps": 1}
    assert torch.equal(clip(mine, prompts, **asked), clip(base, prompts, **asked))


def test_the_progress_bar_is_told_of_every_step(capfd):
    pipe = MagicMirrorPipeline(**parts())
    pipe.set_progress_bar_config(desc="steps", ncols=60)
    pipe(PLAIN, generator=seeded(), **CALL)
    said = capfd.readouterr().err
    assert "steps" in said and "3/3" in said
    pipe.set_progress_bar_config(disable=True)
    pipe(PLAIN, generator=seeded(), **CALL)
    assert "3/3" not in capfd.readouterr().err
