"""`parameters`: the table of the paper's sizes, on the meta device."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from mm_model.commands.cli import main
from mm_model.published.parameters import ParameterTable, parameters

pytestmark = pytest.mark.capability("paper's size", scale="L")


@pytest.fixture(scope="module")
def paper() -> ParameterTable:
    return parameters("paper", "cogvideox-5b")


def test_the_paper_s_three_sums_are_printed(paper: ParameterTable) -> None:
    lines = {line[:12].strip(): line.split()[-2] for line in paper.text().splitlines()[-4:-1]}
    assert lines == {"base": "10.548", "all": "12.802", "trained": "1.733"}


def test_every_module_has_the_paper_s_size(paper: ParameterTable) -> None:
    found = {one.name: one.parameters for one in paper.modules}
    assert found["DiT"] == 5_570_283_072
    assert found["VAE"] == 215_583_907
    assert found["T5, the text encoder"] == 4_762_310_656
    assert found["CLIP"] == 303_179_776
    assert found["tau_id, the identity perceiver"] == 217_122_816
    assert found["CAN: phi_cond"] == 881_599_488
    assert found["cross-attention: W_k, W_v"] == 396_490_752
    assert found["null_face, null_id"] == 102_400
    assert {one.layers for one in paper.modules} == {1, 21}


def test_what_is_trained_is_the_adapter_s_file(tiny_backbone: Path) -> None:
    """Counted for the shipped weights, whose files are here to be counted otherwise."""
    found = parameters("tiny", tiny_backbone)
    parts = {"DiT": "transformer", "VAE": "vae", "T5, the text encoder": "text_encoder"}
    for name, part in parts.items():
        (path,) = (tiny_backbone / part).glob("*.safetensors")
        with safe_open(path, "pt") as file:
            held = sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118
        assert {one.name: one.parameters for one in found.modules}[name] == held


def test_the_2b_backbone_has_its_layers(capsys: Any) -> None:
    assert main(["parameters", "--preset", "lite", "--backbone", "cogvideox-2b", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    layers = {one["name"]: one["layers"] for one in said["modules"]}
    assert layers["CAN: phi_cond"] == 15
    assert 1.6e9 < said["modules"][0]["parameters"] < 1.8e9
    assert said["sums"]["all"] == sum(
        one["parameters"] for one in said["modules"] if one["group"] != "nulls"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--preset", "huge"], "Unknown preset 'huge'"),
        (["--backbone", "cogvideox-9b"], "is no backbone folder and none of"),
    ],
)
def test_another_name_is_one_sentence(options: list[str], said: str, capsys: Any) -> None:
    assert main(["parameters", *options]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "contents", "said"),
    [
        ("transformer/config.json", {"num_layers": "many"}, "make no CogVideoX"),
        ("vae/config.json", {"block_out_channels": 7}, "make no CogVideoX"),
        ("identity_encoder/identity_encoder.json", {}, "says no sizes of a perceiver"),
    ],
)
def test_configurations_of_nothing_are_one_sentence(
    tiny_backbone: Path, tmp_path: Path, capsys: Any, part: str, contents: Any, said: str
) -> None:
    for path in tiny_backbone.rglob("*.json"):
        copied = tmp_path / path.relative_to(tiny_backbone)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(path.read_text())
    (tmp_path / part).write_text(json.dumps(contents))
    assert main(["parameters", "--preset", "tiny", "--backbone", str(tmp_path)]) == 1
    assert said in capsys.readouterr().err
