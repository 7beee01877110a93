"""Parts, folders and dtypes of another kind are refused by name; assigned parts are taken over."""

import pytest
import torch
from torch import nn

from mm_model.errors import UserError
from mm_model.generation.pipeline import MagicMirrorPipeline
from tests.nn import tiny
from tests.nn.pipes import PLAIN, clip, mirror, parts, plain, stock, subject

NAMES = (
    "tokenizer",
    "text_encoder",
    "vae",
    "transformer",
    "scheduler",
    "identity_encoder",
    "adapter",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "pipeline"
    mirror().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_part_of_another_kind_is_refused_by_its_name(saved, name):
    given = parts()
    for wrong in ("a/folder", 3, nn.Linear(2, 2)):
        hint = f"^{name} is {type(wrong).__name__}; give .* loaded already"
        with pytest.raises(UserError, match=hint):
            MagicMirrorPipeline(**given | {name: wrong})
        with pytest.raises(UserError, match=hint):
            MagicMirrorPipeline.from_pipe(stock(), **{name: wrong})
        if name != "adapter":  # of which from_pretrained takes a folder too
            with pytest.raises(UserError, match=hint):
                MagicMirrorPipeline.from_pretrained(saved, **{name: wrong})


@pytest.mark.parametrize("wrong", [None, 3, b"folder", ["folder"]])
def test_what_is_no_path_is_refused_by_its_name(saved, wrong):
    hint = f"is {type(wrong).__name__}; give the path of a local folder"
    with pytest.raises(UserError, match=f"pretrained_model_name_or_path {hint}"):
        MagicMirrorPipeline.from_pretrained(wrong)
    pipe = mirror()
    for call in (pipe.load_adapter, pipe.save_adapter):
        with pytest.raises(UserError, match=f"folder {hint}"):
            call(wrong)
    with pytest.raises(UserError, match=f"^pipeline is {type(wrong).__name__}; give a pipeline"):
        MagicMirrorPipeline.from_pipe(wrong)
    with pytest.raises(UserError, match=f"save_directory {hint}"):
        pipe.save_pretrained(wrong)
    if wrong is not None:
        with pytest.raises(UserError, match=f"folder {hint}"):
            MagicMirrorPipeline.from_pretrained(saved, adapter=wrong)


@pytest.mark.parametrize("wrong", [torch.int8, "int8", "fp16", 16, torch.bool])
def test_a_dtype_that_is_none_is_refused_wherever_it_is_given(saved, wrong):
    for call in (
        lambda: MagicMirrorPipeline.from_pretrained(saved, torch_dtype=wrong),
        lambda: MagicMirrorPipeline.from_pretrained(saved, torch_dtype={"vae": wrong}),
        lambda: MagicMirrorPipeline.from_pipe(stock(), torch_dtype=wrong),
        lambda: mirror().load_adapter(saved / "adapter", wrong),
    ):
        with pytest.raises(UserError, match=r"^torch_dtype is .*its name 'bfloat16'"):
            call()
    with pytest.raises(UserError, match="variant is 16; give a name"):
        MagicMirrorPipeline.from_pretrained(saved, variant=16)


def test_from_pipe_and_load_adapter_take_a_dtype_by_its_name(saved):
    made = MagicMirrorPipeline.from_pipe(stock(), torch_dtype="bfloat16")
    assert {made.transformer.dtype, made.vae.dtype} == {torch.bfloat16}
    made.load_adapter(saved / "adapter", "float32")
    assert made.adapter.dtype == torch.float32
    with pytest.raises(UserError, match="casts all parts to one torch_dtype"):
        MagicMirrorPipeline.from_pipe(stock(), torch_dtype={"vae": torch.bfloat16})


def test_a_plain_transformer_that_is_assigned_takes_an_adapter(saved, tmp_path):
    expected = clip(mirror(), reference_images=subject())
    pipe = plain()
    pipe.register_modules(identity_encoder=tiny.identity_encoder())
    pipe.transformer = tiny.base_transformer()
    assert torch.equal(clip(pipe, PLAIN), clip(stock(), PLAIN))
    pipe.load_adapter(saved / "adapter")
    assert torch.equal(clip(pipe, reference_images=subject()), expected)
    pipe.transformer = tiny.base_transformer()
    with pytest.raises(UserError, match="not in this transformer"):
        clip(pipe, reference_images=subject())
    pipe.unload_adapter()
    assert torch.equal(clip(pipe, PLAIN), clip(stock(), PLAIN))
    pipe.transformer = tiny.base_transformer()
    pipe.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / "transformer" / "config.json").is_file()
