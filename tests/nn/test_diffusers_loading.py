"""Opening, saving and converting pipelines as diffusers users do it."""

import json
import shutil

import pytest
import torch
from diffusers import CogVideoXPipeline, CogVideoXVideoToVideoPipeline, DiffusionPipeline

from mm_model.errors import UserError
from mm_model.generation.pipeline import MagicMirrorPipeline
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.parts import dtype_named
from tests.nn import tiny
from tests.nn.pipes import PLAIN, clip, mirror, parts, plain, stock, subject

pytestmark = pytest.mark.capability("loading and saving", scale="T")

WEIGHTY = ("text_encoder", "vae", "transformer")


@pytest.fixture(scope="module")
def pipe():
    return mirror()


@pytest.fixture(scope="module")
def saved(pipe, tmp_path_factory):
    """A folder written by `save_pretrained`."""
    folder = tmp_path_factory.mktemp("saved") / "pipeline"
    pipe.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def expected(pipe):
    return clip(pipe, reference_images=subject())


def opened(folder, **asked):
    pipe = MagicMirrorPipeline.from_pretrained(folder, **asked)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def copy(saved, tmp_path):
    """The folder again, to be changed."""
    return shutil.copytree(saved, tmp_path / "copy")


def test_what_is_saved_is_opened_with_identity_encoder_and_adapter(saved, expected):
    assert torch.equal(clip(opened(saved), reference_images=subject()), expected)
    assert not any(
        ".adapter." in name for name in opened(saved, adapter=None).transformer.state_dict()
    )
    bare = opened(saved, adapter=None, identity_encoder=None)
    assert bare.adapter is None and bare.identity_encoder is None
    assert torch.equal(clip(bare, PLAIN), clip(stock(), PLAIN))


def test_the_stock_pipeline_opens_what_is_saved(saved):
    for cls in (CogVideoXPipeline, DiffusionPipeline):
        base = cls.from_pretrained(saved)
        base.set_progress_bar_config(disable=True)
        assert type(base) is CogVideoXPipeline
        assert torch.equal(clip(base, PLAIN), clip(stock(), PLAIN))


def test_saving_refuses_what_it_cannot_keep_whole(pipe, saved, tmp_path):
    for asked, hint in (
        ({"safe_serialization": False}, "pickle"),
        ({"push_to_hub": True}, "nothing is sent"),
    ):
        with pytest.raises(UserError, match=hint):
            pipe.save_pretrained(tmp_path / "new", **asked)
    with pytest.raises(UserError, match="holds something already"):
        pipe.save_pretrained(saved)
    encoder, pipe.text_encoder = pipe.text_encoder, None
    try:
        with pytest.raises(UserError, match="no text_encoder"):
            pipe.save_pretrained(tmp_path / "new")
    finally:
        pipe.text_encoder = encoder
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_leaves_nothing_half_written(pipe, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(pipe.vae), "save_pretrained", full)
    with pytest.raises(UserError, match="disk is full"):
        pipe.save_pretrained(tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", [torch.bfloat16, "bfloat16"])
def test_a_dtype_may_be_an_object_or_a_name(saved, asked):
    loaded = opened(saved, torch_dtype=asked)
    assert {p.dtype for p in loaded.transformer.parameters()} == {torch.bfloat16}
    assert loaded.adapter.dtype == loaded.text_encoder.dtype == loaded.vae.dtype == torch.bfloat16
    recognizer = loaded.identity_encoder.recognizer
    assert {p.dtype for p in recognizer.parameters()} == {torch.float32}
    assert clip(loaded, reference_images=subject()).isfinite().all()
    assert dtype_named("torch.bfloat16") == loaded.transformer.dtype


def test_dtype_is_the_newer_name_of_torch_dtype(saved):
    assert opened(saved, dtype="bfloat16").transformer.dtype == torch.bfloat16
    with pytest.raises(UserError, match="one argument under two names"):
        opened(saved, torch_dtype="float32", dtype="float32")


def test_dtypes_may_be_given_by_component(saved):
    asked = {"transformer": torch.bfloat16, "identity_encoder": "bfloat16", "default": "float32"}
    loaded = opened(saved, torch_dtype=asked)
    found = {name: getattr(loaded, name).dtype for name in (*WEIGHTY, "identity_encoder")}
    half, full = torch.bfloat16, torch.float32
    assert found == {
        "text_encoder": full,
        "vae": full,
        "transformer": half,
        "identity_encoder": half,
    }
    assert loaded.adapter.dtype == half
    for asked in ({"reference_images": subject()}, {}):
        video = clip(loaded, output_type="pt", **asked)
        assert video.isfinite().all() and video.shape == (1, 9, 3, 64, 64)
    apart = opened(saved, torch_dtype={"transformer": half, "adapter": full})
    assert apart.adapter.dtype == full and apart.vae.dtype == full
    assert clip(apart, reference_images=subject()).isfinite().all()


@pytest.mark.parametrize(
    "asked", ["fp16", "int8", "nothing", 16, {"unet": "float32"}, {"vae": "fp16"}]
)
def test_a_dtype_that_is_none_is_refused(saved, asked):
    with pytest.raises(UserError, match="torch_dtype"):
        opened(saved, torch_dtype=asked)


def test_a_variant_is_read_where_there_is_one(pipe, saved, copy):
    half = plain()
    half.transformer.to(torch.float16)
    half.transformer.to_base().save_pretrained(copy / "transformer", variant="fp16")
    loaded = opened(copy, variant="fp16", adapter=None)
    ours, theirs = (p.transformer.proj_out.weight for p in (loaded, pipe))
    assert torch.equal(ours, theirs.half().float()) and not torch.equal(ours, theirs)
    assert torch.equal(opened(copy).transformer.proj_out.weight, theirs)
    with pytest.raises(UserError, match="variant 'fp8'"):
        opened(copy, variant="fp8")
    with pytest.raises(UserError, match="variant 'fp16'"):
        opened(saved, variant="fp16")


def test_a_saved_variant_is_opened_as_such(pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "v", variant="fp32", max_shard_size="20KB")
    assert len(list((tmp_path / "v" / "transformer").glob("*fp32-*.safetensors"))) > 1
    loaded = opened(tmp_path / "v", variant="fp32")
    assert torch.equal(
        clip(loaded, reference_images=subject()), clip(pipe, reference_images=subject())
    )


def test_components_may_be_brought_along(saved, expected):
    given = parts() | {"identity_encoder": tiny.identity_encoder()}
    for name in ("vae", "text_encoder", "tokenizer", "scheduler", "identity_encoder"):
        loaded = opened(saved, **{name: given[name]})
        assert getattr(loaded, name) is given[name]
        assert torch.equal(clip(loaded, reference_images=subject()), expected)
    loaded = opened(saved, transformer=given["transformer"])  # a plain one is taken over
    assert torch.equal(clip(loaded, reference_images=subject()), expected)
    adapter = MagicMirrorAdapter.from_pretrained(saved / "adapter", tiny.transformer())
    loaded = opened(saved, adapter=adapter)
    assert loaded.adapter is adapter
    assert torch.equal(clip(loaded, reference_images=subject()), expected)


def test_a_part_that_is_left_out_is_not_read(saved, copy, expected):
    identity = opened(saved).encode_references(subject())
    embeds, mask = opened(saved).encode_identity_prompt("a man img walks", identity)
    for name in ("text_encoder", "tokenizer"):
        shutil.rmtree(copy / name)
    loaded = opened(copy, text_encoder=None, tokenizer=None)
    given = {"prompt_embeds": embeds, "identity_mask": mask, "identity": identity}
    asked = {**given, "guidance_scale": 1.0}
    made = clip(loaded, None, **asked)
    assert torch.equal(made, clip(opened(saved), identity=identity, guidance_scale=1.0))
    with pytest.raises(UserError, match="text_encoder missing"):
        opened(copy, tokenizer=None)


def test_a_pipeline_of_text_parts_alone_encodes_prompts(saved):
    loaded = opened(saved, transformer=None, vae=None, adapter=None, identity_encoder=None)
    asked = {"max_sequence_length": 16, "negative_prompt": "red hat"}
    with torch.no_grad():
        ours, theirs = (p.encode_prompt(PLAIN, **asked) for p in (loaded, stock()))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    with pytest.raises(UserError, match="no transformer"):
        clip(loaded, PLAIN)
    with pytest.raises(UserError, match="no transformer"):
        loaded.load_adapter(saved / "adapter")


def test_a_pipeline_without_vae_gives_latents(saved, expected):
    loaded = opened(saved, vae=None)
    assert torch.equal(clip(loaded, reference_images=subject()), expected)
    for asked in ({"reference_images": subject()}, {}):
        with pytest.raises(UserError, match="no VAE"):
            clip(loaded, output_type="pt", **asked)
    loaded.text_encoder = None
    with pytest.raises(UserError, match="no text encoder"):
        clip(loaded, PLAIN)


def test_an_adapter_of_another_recogniser_is_refused_however_it_is_put_in(pipe, saved):
    other = tiny.identity_encoder(1)
    for build in (
        lambda: opened(saved, identity_encoder=other),
        lambda: opened(saved, identity_encoder=other, adapter=pipe.adapter),
        lambda: MagicMirrorPipeline(**{**pipe.components, "identity_encoder": other}),
    ):
        with pytest.raises(UserError, match="conditioning recogniser"):
            build()
    late = opened(saved)
    late.identity_encoder = other
    with pytest.raises(UserError, match="conditioning recogniser"):
        clip(late, reference_images=subject())


@pytest.mark.parametrize(("name", "suffix"), zip(WEIGHTY, (".bin", ".ckpt", ".pt"), strict=True))
def test_pickle_files_are_refused_by_name(copy, name, suffix):
    for path in (copy / name).glob("*.safetensors"):
        path.rename(path.with_suffix(suffix))
    with pytest.raises(UserError, match=rf"{name}/\w+\{suffix} is a pickle file"):
        opened(copy)


def test_single_pickle_files_are_refused_by_name(pipe, copy, tmp_path):
    for path in (tmp_path / "model.ckpt", tmp_path / "adapter.bin", tmp_path / "lora.pt"):
        torch.save({}, path)
    with pytest.raises(UserError, match=r"model\.ckpt is a pickle file"):
        opened(tmp_path / "model.ckpt")
    with pytest.raises(UserError, match=r"adapter\.bin is a pickle file"):
        opened(copy, adapter=tmp_path / "adapter.bin")
    with pytest.raises(UserError, match=r"lora\.pt is a pickle file"):
        pipe.lora_state_dict(tmp_path, weight_name="lora.pt")
    with pytest.raises(UserError, match="pickle files"):
        opened(copy, use_safetensors=False)


def change_config(folder, file, **changes):
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_cogvideox_1_5_backbone_is_refused_by_name(copy):
    change_config(copy, "transformer/config.json", patch_size_t=2)
    with pytest.raises(UserError, match=r"copy is a CogVideoX 1\.5 backbone"):
        opened(copy)
    with pytest.raises(UserError, match=r"CogVideoX 1\.5 backbone"):
        plain(patch_size_t=2, sample_frames=9)


def test_a_backbone_that_takes_more_than_text_is_refused_by_name(copy):
    change_config(copy, "model_index.json", _class_name="CogVideoXImageToVideoPipeline")
    with pytest.raises(UserError, match="CogVideoXImageToVideoPipeline"):
        opened(copy)
    with pytest.raises(UserError, match="16 channels, but the VAE makes 8"):
        plain(in_channels=16)


@pytest.mark.parametrize("name", ["device_map", "quantization_config", "custom_pipeline", "unet"])
def test_an_argument_that_would_be_ignored_is_refused(saved, name):
    with pytest.raises(UserError, match=f"does not take {name}"):
        opened(saved, **{name: "auto"})
    assert opened(saved, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=True)


def test_a_name_on_the_hub_is_no_folder(tmp_path):
    with pytest.raises(UserError, match="is not a CogVideoX folder"):
        opened("THUDM/CogVideoX-5b")


def test_stock_components_make_a_pipeline_that_shares_their_tensors(expected, saved):
    base = stock()
    made = MagicMirrorPipeline(**base.components)
    made.set_progress_bar_config(disable=True)
    assert torch.equal(clip(made, PLAIN), clip(base, PLAIN))
    ours, theirs = made.transformer.proj_out.weight, base.transformer.proj_out.weight
    assert ours.data_ptr() == theirs.data_ptr()
    made.register_modules(identity_encoder=tiny.identity_encoder())
    made.load_adapter(saved / "adapter")
    assert torch.equal(clip(made, reference_images=subject()), expected)
    assert torch.equal(clip(base, PLAIN), clip(stock(), PLAIN))


def test_from_pipe_takes_over_a_stock_pipeline(saved, expected):
    base = stock()
    made = MagicMirrorPipeline.from_pipe(base, identity_encoder=tiny.identity_encoder())
    assert torch.equal(clip(made, PLAIN), clip(base, PLAIN))
    made.load_adapter(saved / "adapter")
    assert torch.equal(clip(made, reference_images=subject()), expected)
    again = MagicMirrorPipeline.from_pipe(made)
    assert again.adapter is made.adapter
    assert torch.equal(clip(again, reference_images=subject()), expected)


def test_from_pipe_of_stock_takes_ours_when_its_transformer_is_named(pipe):
    for transformer in (pipe.transformer, pipe.transformer.to_base()):
        base = CogVideoXPipeline.from_pipe(pipe, transformer=transformer)
        base.set_progress_bar_config(disable=True)
        assert torch.equal(clip(base, PLAIN), clip(stock(), PLAIN))
    other = CogVideoXVideoToVideoPipeline.from_pipe(pipe, transformer=pipe.transformer.to_base())
    assert (
        other.transformer.proj_out.weight.data_ptr() == pipe.transformer.proj_out.weight.data_ptr()
    )
    with pytest.raises(ValueError, match="expected"):
        CogVideoXPipeline.from_pipe(pipe)  # the library compares exact classes


def test_to_a_dtype_before_references_equals_loading_in_it(pipe, saved):
    loaded = opened(saved, torch_dtype=torch.bfloat16)
    moved = opened(saved).to(torch.bfloat16)
    recognizer = moved.identity_encoder.recognizer
    assert {p.dtype for p in recognizer.parameters()} == {torch.float32}
    for name, tensor in pipe.identity_encoder.recognizer.state_dict().items():
        assert torch.equal(recognizer.state_dict()[name], tensor)
    ours, theirs = (clip(p, reference_images=subject()) for p in (moved, loaded))
    assert ours.dtype == torch.bfloat16 and torch.equal(ours, theirs)
    back = moved.to(torch.float32)
    assert clip(back, reference_images=subject()).dtype == torch.float32
