"""`import`: from published files to a folder that params.yaml may name, and what is refused."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_model.commands.cli import main
from mm_model.errors import UserError
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.identity.stacked import sizes_of
from mm_model.nn.magic_mirror.presets import CLIP_VIT_L14, ID_PERCEIVER_V2
from mm_model.published import backbone
from mm_model.published.weights import weights_in
from tests.nn import tiny
from tests.pairs import tiny_sdxl
from tests.published import public_iresnet

pytestmark = [
    pytest.mark.capability("CogVideoX-5B's layout", scale="L"),
    pytest.mark.capability("PhotoMaker-V2's layout", scale="L"),
]


def test_three_commands_make_a_backbone_that_loads_whole(imported: Path) -> None:
    parts = load_components(imported)
    base = tiny.base_transformer().bfloat16().float().state_dict()
    assert all(torch.equal(parts["transformer"].state_dict()[k], v) for k, v in base.items())
    encoder, published = parts["identity_encoder"], tiny_sdxl.id_encoder(512)
    loaded = {f"vision_model.{k}": v for k, v in encoder.vision_model.state_dict().items()}
    loaded |= {f"qformer_perceiver.{k}": v for k, v in encoder.id_perceiver.state_dict().items()}
    for name, value in loaded.items():
        assert torch.equal(value.float(), published[name].half().float()), name
    faces = torch.rand(2, 3, 112, 112) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(encoder.embed(faces), public_iresnet.small()(faces), atol=1e-5)
    assert encoder.dtype == torch.float32


def test_the_identity_loss_finds_a_recogniser_that_can_be_differentiated(
    imported: Path, root: Path
) -> None:
    from mm_model.run import feasible
    from mm_model.settings import load_profile

    feasible.refuse_blind_recognizer(load_profile(root, "paper"), imported)
    faces = torch.zeros(1, 3, 112, 112, requires_grad=True)
    load_components(imported)["identity_encoder"].recognizer.embed(faces).sum().backward()
    assert bool(faces.grad.any())


def test_linked_files_take_no_room_and_pickles_are_left_behind(shelf: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(shelf / "CogVideoX-5b", source)
    (source / "transformer" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    found = backbone.link_cogvideox(source, tmp_path / "made")
    assert found["transformer"].files == 3 and found["text_encoder"].files == 2
    assert not list((tmp_path / "made").rglob("*.bin"))
    shard = "transformer/diffusion_pytorch_model-00001-of-00003.safetensors"
    assert (tmp_path / "made" / shard).samefile(source / shard)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_name_on_the_hub_is_taken_from_the_local_cache_alone(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    place = tmp_path / "models--owner--CogVideoX-5b"
    snapshot = place / "snapshots" / "abc"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc")
    for path in (p for p in (shelf / "CogVideoX-5b").rglob("*") if p.is_file()):
        link = snapshot / path.relative_to(shelf / "CogVideoX-5b")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    target = tmp_path / "made"
    assert main(["import", "cogvideox", "owner/CogVideoX-5b", "--to", str(target)]) == 0
    assert backbone.check_backbone(target)["vae"].files == 1
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert main(["import", "cogvideox", "owner/other", "--to", str(tmp_path / "no")]) == 1
    assert "nothing is fetched" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_name_on_the_hub_in_params_yaml_is_refused_with_the_way_out(root: Path) -> None:
    from mm_model.run import runner, stages
    from mm_model.settings import load_params
    from mm_model.store.layout import Layout

    params = load_params(root).model_copy(update={"backbone": "owner/CogVideoX-5b"})
    with pytest.raises(UserError, match=r"owner/CogVideoX-5b does not exist.*checkpoints\.md"):
        layout = Layout(root, "paper")
        runner.model_digest(stages.load("pretrain"), "backbone", params, layout)


def _fresh(shelf: Path, tmp_path: Path) -> Path:
    backbone.link_cogvideox(shelf / "CogVideoX-5b", tmp_path / "made")
    return tmp_path / "made"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("cut", "was cut short"),
        ("gone", "is missing: fetch the folder again"),
        ("no index", "3 without an index"),
        ("variant", "no .safetensors file of its own"),
        ("tokenizer", "fetch it again"),
        ("index", "model_index.json is missing"),
        ("1.5", "CogVideoX 1.5"),
        ("image", "something else than text"),
    ],
)
def test_a_checkpoint_that_is_not_whole_or_of_another_kind_is_refused(
    shelf: Path, tmp_path: Path, damage: str, said: str
) -> None:
    folder = tmp_path / "source"
    shutil.copytree(shelf / "CogVideoX-5b", folder)
    shard = folder / "transformer" / "diffusion_pytorch_model-00002-of-00003.safetensors"
    if damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-8])
    elif damage == "gone":
        shard.unlink()
    elif damage == "no index":
        (folder / "transformer" / "diffusion_pytorch_model.safetensors.index.json").unlink()
    elif damage == "variant":
        path = folder / "vae" / "diffusion_pytorch_model.safetensors"
        path.rename(path.with_name("diffusion_pytorch_model.fp16.safetensors"))
    elif damage == "tokenizer":
        (folder / "tokenizer" / "tokenizer.json").unlink()
    elif damage == "index":
        (folder / "model_index.json").unlink()
    else:
        part = folder / ("transformer/config.json" if damage == "1.5" else "model_index.json")
        change = {"patch_size_t": 2} if damage == "1.5" else {}
        change = change or {"_class_name": "CogVideoXImageToVideoPipeline"}
        part.write_text(json.dumps(json.loads(part.read_text()) | change))
    with pytest.raises(UserError, match=said):
        backbone.link_cogvideox(folder, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def _edited(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _without_tensors(path: Path, count: int) -> None:
    state = load_file(path)
    save_file({name: state[name] for name in sorted(state)[count:]}, path, {"format": "pt"})


INDEX = "transformer/diffusion_pytorch_model.safetensors.index.json"
OTHERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "an index that names a third less": (
        lambda f: _edited(f / INDEX, weight_map={"x": LAST.name}),
        r"tensors that its config\.json promises",
    ),
    "a VAE without one tensor": (
        lambda f: _without_tensors(f / "vae/diffusion_pytorch_model.safetensors", 1),
        "1 of 236 tensors that its config",
    ),
    "a T5 without one tensor": (
        lambda f: _without_tensors(f / "text_encoder/model-00001-of-00002.safetensors", 1),
        "text_encoder: 1 of",
    ),
    "more layers than there are": (
        lambda f: _edited(f / "transformer/config.json", num_layers=9),
        "missing or of another shape",
    ),
    "another transformer": (
        lambda f: _edited(f / "transformer/config.json", _class_name="UNet2DConditionModel"),
        "'UNet2DConditionModel' where CogVideoXTransformer3DModel belongs",
    ),
    "another pipeline": (
        lambda f: _edited(f / "model_index.json", _class_name="StableDiffusionPipeline"),
        "'StableDiffusionPipeline' where CogVideoXPipeline belongs",
    ),
    "an empty file": (lambda f: (f / "model_index.json").write_text(""), "is not valid JSON"),
    "no configuration": (
        lambda f: (f / "transformer/config.json").unlink(),
        r"config\.json is missing",
    ),
    "no noise": (
        lambda f: (f / "scheduler/scheduler_config.json").unlink(),
        r"scheduler_config\.json cannot be read",
    ),
    "pictures beside noise": (
        lambda f: _edited(f / "transformer/config.json", in_channels=32),
        "takes 32 channels",
    ),
    "an index of another layout": (lambda f: _edited(f / INDEX, weight_map=["x"]), "names"),
    "an index that leads elsewhere": (
        lambda f: _edited(
            f / INDEX, weight_map={"x": "../vae/diffusion_pytorch_model.safetensors"}
        ),
        "which is no file beside it",
    ),
}
LAST = Path("transformer/diffusion_pytorch_model-00003-of-00003.safetensors")


@pytest.mark.parametrize("other", OTHERS)
def test_what_a_library_would_fill_up_or_take_for_something_else_is_refused(
    shelf: Path, tmp_path: Path, other: str
) -> None:
    folder = tmp_path / "source"
    shutil.copytree(shelf / "CogVideoX-5b", folder)
    change, said = OTHERS[other]
    change(folder)
    with pytest.raises(UserError, match=said) as refused:
        backbone.link_cogvideox(folder, tmp_path / "made")
    assert str(folder) in str(refused.value)
    assert not (tmp_path / "made").exists()


def _bin(folder: Path, change: str) -> Path:
    state = tiny_sdxl.id_encoder(512)
    if change == "unknown":
        state["text_model.weight"] = torch.zeros(1)
    elif change == "missing":
        del state["qformer_perceiver.token_norm.bias"]
    elif change == "sdxl":
        del state["fuse_module.mlp1.fc1.weight"]
    elif change == "misshapen":
        state["vision_model.post_layernorm.bias"] = torch.zeros(3)
    elif change == "infinite":
        state["qformer_perceiver.token_norm.bias"][0] = torch.inf
    elif change == "whole numbers":
        state = {name: value.to(torch.int8) for name, value in state.items()}
    elif change == "words":
        state = dict.fromkeys(state, "x")
    elif change == "a layer far off":
        state["vision_model.encoder.layers.99999999.mlp.fc1.weight"] = torch.zeros(1)
    path = folder / "photomaker-v2.bin"
    torch.save({"id_encoder": state} if change != "other" else state, path)
    return path


KINDS = ("unknown", "missing", "sdxl", "misshapen", "other", "infinite", "whole numbers", "words")


@pytest.mark.parametrize("change", [*KINDS, "a layer far off"])
def test_another_photomaker_file_is_refused_and_nothing_is_written(
    shelf: Path, tmp_path: Path, change: str
) -> None:
    folder = _fresh(shelf, tmp_path)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UserError, match=r"photomaker-v2\.bin"):
        backbone.put_photomaker(_bin(tmp_path, change), folder)
    assert sorted(path.name for path in folder.iterdir()) == before


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


@pytest.mark.parametrize("kind", ["code", "code in a zip", "empty", "cut", "folder"])
def test_a_pickle_that_is_not_read_is_told_without_advice_to_read_it_unsafely(
    shelf: Path, tmp_path: Path, kind: str, capsys: Any
) -> None:
    folder, path = _fresh(shelf, tmp_path), tmp_path / "backbone.bin"
    if kind == "folder":
        path.mkdir()
    elif kind == "code in a zip":
        torch.save({"id_encoder": _Code()}, path)
    else:
        whole = (shelf / "photomaker-v2.bin").read_bytes()
        contents = {"code": pickle.dumps(_Code()), "cut": whole[:-5000], "empty": b""}
        path.write_bytes(contents[kind])
    for command in ("photomaker", "arcface"):
        if command == "arcface":
            backbone.put_photomaker(shelf / "photomaker-v2.bin", folder)
            capsys.readouterr()
        assert main(["import", command, str(path), "--to", str(folder)]) == 1
        out, err = capsys.readouterr()
        assert not out and err.count("\n") == 1 and str(path) in err
        assert "weights_only" not in err and "http" not in err


def test_nothing_is_replaced_and_the_order_is_said(
    shelf: Path, imported: Path, tmp_path: Path
) -> None:
    folder = _fresh(shelf, tmp_path)
    with pytest.raises(UserError, match="import PhotoMaker-V2's file first"):
        backbone.put_recognizer(shelf / "backbone.pth", folder)
    with pytest.raises(UserError, match="is there already"):
        backbone.put_photomaker(shelf / "photomaker-v2.bin", imported)
    with pytest.raises(UserError, match="has a recogniser already"):
        backbone.put_recognizer(shelf / "backbone.pth", imported)
    with pytest.raises(UserError, match="holds something already"):
        backbone.link_cogvideox(shelf / "CogVideoX-5b", imported)
    backbone.put_photomaker(shelf / "photomaker-v2.bin", folder)
    torch.save(public_iresnet.small((1, 1, 1, 1), 16).state_dict(), tmp_path / "narrow.pth")
    with pytest.raises(UserError, match="vectors of 16 numbers"):
        backbone.put_recognizer(tmp_path / "narrow.pth", folder)
    assert load_components(folder)["identity_encoder"].recognizer is None


def test_a_converted_file_gives_the_same_encoder(shelf: Path, tmp_path: Path) -> None:
    from mm_model.nn.identity.photomaker import convert_photomaker_v2

    convert_photomaker_v2(shelf / "photomaker-v2.bin", tmp_path / "p.safetensors", lora=True)
    folder = _fresh(shelf, tmp_path)
    backbone.put_photomaker(tmp_path / "p.safetensors", folder)
    other = shelf / "backbone" / "identity_encoder" / "perceiver.safetensors"
    if other.is_file():
        ours = load_file(folder / "identity_encoder" / "perceiver.safetensors")
        assert all(torch.equal(v, ours[k]) for k, v in load_file(other).items())


def test_the_published_file_s_sizes_are_read_off_its_tensors() -> None:
    """On meta, with all names and shapes of the published file."""
    from mm_model.nn.identity.photomaker import meta_parts
    from mm_model.nn.identity.stacked import SdxlSide

    vision, tau_id = meta_parts(CLIP_VIT_L14, ID_PERCEIVER_V2)
    with torch.device("meta"):
        side = SdxlSide(1024, 2048, (768, 1280))
    state = {f"vision_model.{k}": v for k, v in vision.state_dict().items()}
    state |= {f"qformer_perceiver.{k}": v for k, v in tau_id.state_dict().items()}
    state |= dict(side.state_dict())
    assert len(state) == 463
    clip, perceiver = sizes_of(state, Path("photomaker-v2.bin"))
    assert (clip, perceiver) == (CLIP_VIT_L14, ID_PERCEIVER_V2)


def test_headers_say_what_a_part_holds(shelf: Path) -> None:
    found = weights_in(shelf / "CogVideoX-5b" / "transformer")
    expected = sum(v.numel() for v in tiny.base_transformer().state_dict().values())
    assert (found.files, found.parameters, list(found.dtypes)) == (3, expected, ["BF16"])
