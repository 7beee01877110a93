"""A motion module in one file, and LoRAs, as they are handed round: read, shown, refused."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_model.commands import cli
from mm_model.errors import UserError
from mm_model.vcd.animate import Animator, Take, load_animator
from mm_model.vcd.lora import Lora, add_lora
from tests.vcd import tiny_sd
from tests.vcd.test_generate_subject import line, motion, subject
from tests.vcd.test_learn_subject import said_of, tree, weights

pytestmark = pytest.mark.capability("clips of a subject", scale="L")

__all__ = ["line", "motion", "subject", "tree", "weights"]  # fixtures

CPU = torch.device("cpu")
TAKE = Take("a photo of a cup", 1, frames=4, height=32, width=32, steps=2)
LEARNED = {
    "unet": r"attentions.*attn[12]\.to_(q|k|v)$",
    "text": r"(q_proj|k_proj|v_proj|out_proj|fc1|fc2)$",
    "motion": r"motion_modules.*to_q$",
}


def as_published(folder: Path, file: Path) -> Path:
    """The module of `folder`, in diffusers' layout, in one file under AnimateDiff's own names."""
    found = {}
    for name, tensor in load_file(next(folder.glob("*.safetensors"))).items():
        name = re.sub(r"(motion_modules\.\d+)\.", r"\1.temporal_transformer.", name)
        for ours, theirs in (("norm1", "norms.0"), ("norm2", "norms.1"), ("norm3", "ff_norm")):
            name = name.replace(f".{ours}.", f".{theirs}.")
        name = re.sub(r"\.attn(\d)\.", lambda hit: f".attention_blocks.{int(hit[1]) - 1}.", name)
        before, mark, _ = name.partition("pos_embed.pe")
        of_frames = [f"{before}attention_blocks.{n}.pos_encoder.pe" for n in (0, 1)]
        found |= {key: tensor.clone() for key in (of_frames if mark else [name])}
    save_file(found, file)
    return file


def module(folder: Path, **how: Any) -> Path:
    """A motion module of the heads and groups that published ones have."""
    from diffusers import MotionAdapter

    sizes = {"block_out_channels": (32, 64), "motion_layers_per_block": 1} | how
    with torch.random.fork_rng():
        torch.manual_seed(1)
        MotionAdapter(**sizes).save_pretrained(str(folder), safe_serialization=True)
    return folder


@pytest.mark.parametrize("how", [{}, {"motion_max_seq_length": 24, "use_motion_mid_block": False}])
def test_one_file_shows_the_same_clip_as_the_folder(tmp_path: Path, how: dict[str, Any]) -> None:
    checkpoint = tiny_sd.checkpoint(tmp_path / "sd", widths=(32, 64))
    folder = module(tmp_path / "module", **how)
    file = as_published(folder, tmp_path / "mm_sd_v15_v2.safetensors")
    one, other = (load_animator(checkpoint, kept, CPU, torch.float32) for kept in (folder, file))
    assert other.longest == one.longest == how.get("motion_max_seq_length", 32)
    assert (one.clip(TAKE) == other.clip(TAKE)).all()


def test_what_is_no_motion_module_is_refused(tmp_path: Path, weights: Path) -> None:
    file = as_published(module(tmp_path / "module"), tmp_path / "whole.safetensors")
    tensors = load_file(file)
    lacks = next(name for name in tensors if name.startswith("up_blocks.1") and "norm" in name)
    save_file({k: v for k, v in tensors.items() if k != lacks}, tmp_path / "lacks.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:5000])
    (tmp_path / "mm.ckpt").write_bytes(b"1")
    for name, said in {
        "whole.safetensors": "does not fit the UNet",
        "lacks.safetensors": "it lacks a tensor",
        "other.safetensors": "it lacks down_blocks.0",
        "cut.safetensors": "is no whole motion module",
        "mm.ckpt": "is a pickle file",
        "gone.safetensors": "is not there",
    }.items():
        with pytest.raises(UserError, match=said):
            load_animator(weights, tmp_path / name, CPU, torch.float32)


@pytest.fixture
def animator(weights: Path, motion: Path) -> Animator:
    return load_animator(weights, motion, CPU, torch.float32)


def matrices(animator: Animator, part: str) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Layers of a part, and the two random matrices of a LoRA for each."""
    network = animator.pipe.text_encoder if part == "text" else animator.pipe.unet
    rng = torch.Generator().manual_seed(2)
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Linear) and re.search(LEARNED[part], name):
            down = torch.randn(2, layer.in_features, generator=rng) * 0.2
            yield name, down, torch.randn(layer.out_features, 2, generator=rng) * 0.2


def of_peft(animator: Animator) -> dict[str, torch.Tensor]:
    return {
        f"unet.{name}.lora_{which}.weight": value
        for name, down, up in matrices(animator, "unet")
        for which, value in (("A", down), ("B", up))
    }


def of_trainers(animator: Animator) -> dict[str, torch.Tensor]:
    """Under the names of the widespread trainers, both networks, with an alpha of half the rank."""
    found = {}
    for part, prefix in (("unet", "lora_unet_"), ("text", "lora_te_text_model_")):
        for name, down, up in matrices(animator, part):
            key = prefix + name.removeprefix("text_model.").replace(".", "_")
            found |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            found[f"{key}.alpha"] = torch.tensor(1.0)
    return found


def of_motion(animator: Animator) -> dict[str, torch.Tensor]:
    return {
        f"unet.{name.removesuffix('.to_q')}.processor.to_q_lora.{which}.weight": value
        for name, down, up in matrices(animator, "motion")
        for which, value in (("down", down), ("up", up))
    }


@pytest.mark.parametrize(
    ("written", "parts", "alpha"),
    [
        (of_peft, ("unet",), 1.0),
        (of_trainers, ("unet", "text"), 0.5),
        (of_motion, ("motion",), 1.0),
    ],
)
def test_a_lora_is_added_to_the_weights(
    animator: Animator, tmp_path: Path, written: Any, parts: tuple[str, ...], alpha: float
) -> None:
    save_file(written(animator), tmp_path / "style.safetensors")
    networks = {"text": animator.pipe.text_encoder}
    expected = {}
    for part in parts:
        network = networks.get(part, animator.pipe.unet)
        for name, down, up in matrices(animator, part):
            layer = network.get_submodule(name)
            expected[part, name] = layer.weight + 0.6 * alpha * (up @ down)
    before = animator.clip(TAKE)
    add_lora(animator.pipe, Lora.of(f"{tmp_path / 'style.safetensors'}:0.6"))
    assert len(expected) > 6
    for (part, name), wanted in expected.items():
        weight = networks.get(part, animator.pipe.unet).get_submodule(name).weight
        assert torch.allclose(weight, wanted, atol=1e-6), name
    assert (animator.clip(TAKE) != before).any()


def test_what_is_no_lora_for_it_is_refused(animator: Animator, tmp_path: Path) -> None:
    whole = of_peft(animator)
    first = next(iter(whole))
    foreign = {k.replace("attentions.0", "attentions.7"): v.clone() for k, v in whole.items()}
    for name, tensors in {
        "foreign": whole | foreign,
        "narrow": {k: v[:, :4].contiguous() if "lora_A" in k else v for k, v in whole.items()},
        "nan": whole | {first: whole[first] * float("nan")},
        "other": {"a": torch.zeros(2)},
    }.items():
        save_file(tensors, tmp_path / f"{name}.safetensors")
        with pytest.raises(UserError, match=f"{name}.safetensors is no LoRA for this checkpoint"):
            add_lora(animator.pipe, Lora(tmp_path / f"{name}.safetensors"))
    (tmp_path / "old.pt").write_bytes(b"1")
    with pytest.raises(UserError, match="is a pickle file"):
        add_lora(animator.pipe, Lora(tmp_path / "old.pt"))


def test_the_option_reads_a_file_and_its_scale() -> None:
    assert Lora.of("a.safetensors") == Lora(Path("a.safetensors"))
    assert Lora.of("a.safetensors:-0.5") == Lora(Path("a.safetensors"), -0.5)
    assert Lora.of("a:b.safetensors") == Lora(Path("a:b.safetensors"))
    for scale in ("11", "nan", "inf"):
        with pytest.raises(UserError, match="give -10 to 10"):
            Lora.of(f"a.safetensors:{scale}")


def test_a_subject_in_a_style_is_made_and_made_again(
    line: list[str], animator: Animator, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(of_trainers(animator), "style.safetensors")
    styled = ["--lora", "style.safetensors:0.8"]
    assert cli.main([*line, "-o", "plain.mp4"]) == 0, said_of(capsys)
    assert cli.main([*line, *styled, "-o", "cup.mp4"]) == 0, said_of(capsys)
    assert Path("cup.mp4").read_bytes() != Path("plain.mp4").read_bytes()
    said = json.loads(Path("cup.json").read_text())
    assert said["arguments"]["lora"].endswith("style.safetensors:0.8") and said["digests"]["lora"]
    shutil.move("style.safetensors", "moved.safetensors")
    again = ["generate", "--again", "cup.json"]
    assert cli.main(again) == 1 and "style.safetensors is no file" in said_of(capsys)
    assert cli.main([*again, "--lora", "moved.safetensors:0.5"]) == 1
    assert "made with 0.8 of its LoRA" in said_of(capsys)
    assert cli.main([*again, "--lora", "moved.safetensors"]) == 0, said_of(capsys)
    assert said_of(capsys).splitlines()[-1] == "the same bytes"
    save_file({"a": torch.zeros(2)}, "moved.safetensors")
    assert cli.main([*again, "--lora", "moved.safetensors"]) == 1
    assert "lora" in said_of(capsys)
    given = ["generate", "--again", "plain.json", "--lora", "moved.safetensors"]
    assert cli.main(given) == 1 and "made without --lora" in said_of(capsys)
