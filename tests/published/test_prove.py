"""`prove`: a record of what works with somebody's weights, dry-run on small random ones."""

import copy
import json
import mmap
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from mm_model.commands.cli import main
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.magic_mirror.transformer import MagicMirrorTransformer3DModel
from mm_model.proving.machine import MeasuredBlock
from mm_model.proving.sample import drawn
from mm_model.proving.training import ProofSteps
from mm_model.proving.workbench import Workbench

NAMES = ["files", "load", "adapter", "encode", "parity", "clip", "training"]


def _proved(folder: Path, out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    status = main(["prove", "--weights", str(folder), "--out", str(out), *options])
    return status, json.loads(out.read_text())


@pytest.fixture(scope="module")
def record(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("proof") / "prove.json"
    status, said = _proved(imported, out, "--device", "cpu", "--steps", "2")
    assert status == 0, said
    return out, said


@pytest.mark.capability("prove", scale="L")
def test_every_phase_passes_on_random_weights_of_the_real_layout(
    record: tuple[Path, dict[str, Any]],
) -> None:
    out, said = record
    assert [phase["name"] for phase in said["phases"]] == NAMES
    assert {phase["status"] for phase in said["phases"]} == {"passed"}
    assert said["verdict"] == "passed"
    found = {phase["name"]: phase["measured"] for phase in said["phases"]}
    assert found["parity"]["bit_equal"] and found["parity"]["changed_by_identity"] > 0
    assert found["training"]["moved"] == found["training"]["tensors"] > 50
    assert found["training"]["loss_last"] < found["training"]["loss_first"]
    assert found["training"]["identity_loss"] == "computed"
    assert (out.parent / found["clip"]["file"]).stat().st_size > 0


@pytest.mark.capability("prove", scale="L")
def test_the_record_says_on_what_it_was_made_and_nothing_of_whose_machine(
    record: tuple[Path, dict[str, Any]], imported: Path
) -> None:
    out, said = record
    assert said["versions"]["torch"] == torch.__version__
    assert said["hardware"]["processor"] and said["hardware"]["memory_bytes"] > 0
    assert all(p["seconds"] >= 0 and p["rss_peak_bytes"] > 0 for p in said["phases"])
    text = out.read_text()
    assert str(imported.parent) not in text and str(Path.home()) + "/" not in text


@pytest.mark.capability("prove", scale="T")
def test_the_shipped_weights_pass(tiny_backbone: Path, tmp_path: Path) -> None:
    status, said = _proved(
        tiny_backbone, tmp_path / "p.json", "--device", "cpu", "--steps", "1", "--train-steps", "6"
    )
    assert status == 0, said
    found = {phase["name"]: phase["measured"] for phase in said["phases"]}
    assert found["encode"]["vae_psnr_db"] > 15  # trained weights: a picture comes back
    assert found["clip"]["frames"] == 9
    parts = load_components(tiny_backbone)
    pixels = drawn(*found["clip"]["size"], 0).pixels
    with torch.no_grad():
        latents = (
            parts["vae"].encode(pixels).latent_dist.mode() * parts["vae"].config.scaling_factor
        )
    assert found["encode"]["latents_std"] == pytest.approx(float(latents.std()), rel=1e-3)


def test_a_phase_that_breaks_off_or_is_wrong_costs_only_those_that_need_it(
    imported: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.mp4").mkdir()  # the clip cannot be written there
    plain, begin = MagicMirrorTransformer3DModel.to_base, ProofSteps.__init__

    def other_bits(self: MagicMirrorTransformer3DModel) -> Any:
        base = plain(self)
        base.proj_out = copy.deepcopy(base.proj_out)
        with torch.no_grad():
            base.proj_out.bias += 1e-3
        return base

    def one_left_out(self: ProofSteps, bench: Workbench) -> None:
        begin(self, bench)
        self.optimizer.param_groups[0]["params"].pop(0)

    monkeypatch.setattr(MagicMirrorTransformer3DModel, "to_base", other_bits)
    monkeypatch.setattr(ProofSteps, "__init__", one_left_out)
    options = ("--force", "--device", "cpu", "--steps", "1", "--train-steps", "5")
    status, said = _proved(imported, tmp_path / "p.json", *options)
    assert status == 1
    bad = {p["name"]: p for p in said["phases"] if p["status"] != "passed"}
    assert {name: phase["status"] for name, phase in bad.items()} == {
        "parity": "wrong",
        "clip": "failed",
        "training": "wrong",
    }
    assert bad["clip"]["error"].endswith("'OUT/p.mp4'") and str(tmp_path) not in json.dumps(said)
    assert bad["parity"]["problems"] == ["id_scale 0 gives other bits than the plain base"]
    assert "1 trained tensors did not move" in bad["training"]["problems"][0]
    assert said["verdict"] == "not passed: parity, clip, training"
    out = capsys.readouterr().out
    assert "clip: failed" in out and "parity: wrong" in out


def test_what_is_missing_is_said_and_the_rest_is_skipped(shelf: Path, tmp_path: Path) -> None:
    status, said = _proved(shelf / "CogVideoX-5b", tmp_path / "p.json", "--device", "cpu")
    assert status == 1
    by_name = {phase["name"]: phase for phase in said["phases"]}
    assert by_name["files"]["status"] == "passed"
    assert "import PhotoMaker-V2's file" in by_name["load"]["error"]
    assert {by_name[name]["status"] for name in NAMES[2:]} == {"skipped"}


def test_a_file_that_was_cut_short_is_told_before_anything_is_loaded(
    imported: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(imported, folder)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    status, said = _proved(folder, tmp_path / "p.json", "--device", "cpu")
    assert status == 1
    assert "cut short" in said["phases"][0]["error"]
    assert str(tmp_path) not in json.dumps(said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--weights", "owner/CogVideoX-5b"], "is no folder: name a backbone folder"),
        (["--weights", ".", "--out", "p.txt"], "ends in .json"),
        (["--weights", ".", "--size", "big"], "--size is 'big'"),
        (["--weights", ".", "--train-steps", "0"], "counted from 1"),
        (["--weights", ".", "--device", "cuda"], "--device is cuda, but PyTorch finds no CUDA"),
    ],
)
def test_what_cannot_be_proved_is_one_sentence(
    options: list[str], said: str, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["prove", *options]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--size", "65x64"], "multiples of 16"),
        (["--frames", "49"], "more than this model's maximum of 9"),
        (["--frames", "8"], "the nearest is 9"),
        (["--frames", "0"], "from 1 on, not 0"),
        (["--preset", "big"], "choose one of paper"),
    ],
)
def test_a_clip_that_these_weights_cannot_make_is_told_before_they_are_loaded(
    options: list[str], said: str, tiny_backbone: Path, capsys: Any, tmp_path: Path
) -> None:
    out = tmp_path / "p.json"
    assert main(["prove", "--weights", str(tiny_backbone), "--out", str(out), *options]) == 1
    printed = capsys.readouterr()
    assert said in printed.err and not printed.out
    assert not list(tmp_path.iterdir())


def test_the_memory_of_a_block_is_that_at_its_height() -> None:
    new = mmap.mmap(-1, 40 << 20)  # no memory that the process kept from before
    with MeasuredBlock(torch.device("cpu")) as seen, new as held:
        held.write(b"1" * (40 << 20))
        time.sleep(0.5)
    said = seen.as_dict()
    assert said["rss_peak_bytes"] - said["rss_before_bytes"] > 20 << 20
    assert said["seconds"] >= 0.5
