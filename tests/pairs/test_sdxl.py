"""PhotoMaker-V2 on SDXL: files of the published layout load strictly, and the person is seen."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_model.errors import UserError
from mm_model.nn.identity import stacked
from mm_model.nn.identity.lora import add_lora
from mm_model.nn.identity.photomaker import convert_photomaker_v2
from mm_model.nn.networks import load_network
from mm_model.pairs import sdxl
from mm_model.settings import load_profile
from tests.pairs import tiny_sdxl

pytestmark = pytest.mark.capability("PhotoMaker-V2 as synthesiser", scale="L")

FACE = 16
PROMPT = "a photo of a man img in the garden"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sdxl.shelf(tmp_path_factory.mktemp("shelf"), FACE)


@pytest.fixture(scope="module")
def painter(shelf: Path, root: Path) -> sdxl.Painter:
    return sdxl.load_painter(shelf, load_profile(root, "tiny").run)


def _shown(seed: int, number: int = 1) -> list[sdxl.Photo]:
    dice = torch.Generator().manual_seed(seed)
    return [
        sdxl.Photo(
            torch.randn(3, 28, 28, generator=dice), 5 * torch.randn(FACE, generator=dice).numpy()
        )
        for _ in range(number)
    ]


def _recipe(**changed: object) -> sdxl.Recipe:
    usual = {"steps": 3, "guidance": 3.0, "merge_after": 0, "size": 64, "negative": "bad"}
    return sdxl.Recipe(**usual | changed)  # type: ignore[arg-type]


def test_the_person_the_prompt_and_the_seed_change_the_picture_and_nothing_else(
    painter: sdxl.Painter,
) -> None:
    first = painter.paint(PROMPT, _shown(1), 5, _recipe())
    assert (first.shape, first.dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(painter.paint(PROMPT, _shown(1), 5, _recipe()), first)
    others = {
        "person": painter.paint(PROMPT, _shown(2), 5, _recipe()),
        "prompt": painter.paint("a man img in a coat", _shown(1), 5, _recipe()),
        "seed": painter.paint(PROMPT, _shown(1), 6, _recipe()),
        "guidance": painter.paint(PROMPT, _shown(1), 5, _recipe(guidance=1.0)),
        "photographs": painter.paint(PROMPT, _shown(1, 3), 5, _recipe()),
    }
    for name, picture in others.items():
        assert np.abs(picture.astype(int) - first).mean() > 1, name


def test_the_first_steps_do_not_see_the_person(painter: sdxl.Painter) -> None:
    """Merged after the last step, the person changes nothing; the sentence still does."""
    late = _recipe(merge_after=2)
    first, second = (painter.paint(PROMPT, _shown(seed), 5, late) for seed in (1, 2))
    np.testing.assert_array_equal(first, second)
    early = painter.paint(PROMPT, _shown(1), 5, _recipe(merge_after=1))
    assert (early != first).any()


def test_the_mark_of_the_person_is_no_word_of_the_sentence(painter: sdxl.Painter) -> None:
    late, plain = _recipe(merge_after=2), " ".join(PROMPT.replace("img", "").split())
    first, second = (painter.paint(text, _shown(1), 5, late) for text in (PROMPT, plain))
    np.testing.assert_array_equal(first, second)


def test_the_word_stands_twice_for_each_photograph(painter: sdxl.Painter) -> None:
    """Only the places of the word differ between two people; others are read as they were."""
    for number in (1, 3):
        one, other = (painter._with_identity(PROMPT, _shown(seed, number))[0] for seed in (1, 2))
        places = (one != other).any(-1)[0].nonzero().flatten().tolist()
        assert places == list(range(5, 5 + 2 * number))  # a mark, "a photo of a", then the word
        assert one.shape == (1, 77, tiny_sdxl.WIDTH)


def test_the_stacking_equals_the_published_formula(shelf: Path) -> None:
    path = shelf / "photomaker-v2.bin"
    state, _ = stacked.read(path)
    identity = stacked.stacked_identity(state, path)
    words, pixels = torch.randn(1, 9, tiny_sdxl.WIDTH), torch.randn(2, 3, 28, 28)
    vectors = torch.randn(2, FACE)
    found = identity(words, 3, pixels, vectors)

    def mlp(x: torch.Tensor, name: str) -> torch.Tensor:
        part = {key.rpartition(f"{name}.")[2]: v for key, v in state.items() if f".{name}." in key}
        x = torch.nn.functional.layer_norm(
            x, x.shape[-1:], part["layernorm.weight"], part["layernorm.bias"]
        )
        x = torch.nn.functional.gelu(x @ part["fc1.weight"].T + part["fc1.bias"])
        return x @ part["fc2.weight"].T + part["fc2.bias"]

    tokens = identity.encoder.features(pixels[None], vectors[None]).x_id.reshape(4, -1)
    word = words[0, 3:7]
    mixed = mlp(torch.cat([word, tokens], -1), "mlp1") + word
    mixed = mixed + mlp(mixed, "mlp2")
    scale, shift = (state[f"fuse_module.layer_norm.{kind}"] for kind in ("weight", "bias"))
    expected = torch.nn.functional.layer_norm(mixed, mixed.shape[-1:], scale, shift)
    torch.testing.assert_close(found[0, 3:7], expected)
    assert torch.equal(found[0, :3], words[0, :3]) and torch.equal(found[0, 7:], words[0, 7:])


@pytest.mark.parametrize("spelling", ["processor", "lora", "peft"])
def test_the_lora_is_added_as_diffusers_adds_it(shelf: Path, spelling: str) -> None:
    pytest.importorskip("peft")
    from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

    state = tiny_sdxl.lora(shelf / "sdxl")
    for old, new in {
        "processor": {},
        "lora": {r"processor\.to_out_lora": "to_out.0.lora", r"processor\.(to_.)_lora": r"\1.lora"},
        "peft": {
            r"processor\.to_out_lora": "to_out.0",
            r"processor\.(to_.)_lora": r"\1",
            r"\.down\.weight$": ".lora_A.weight",
            r"\.up\.weight$": ".lora_B.weight",
        },
    }[spelling].items():
        state = {re.sub(old, new, key): value for key, value in state.items()}
    theirs = StableDiffusionXLPipeline.from_pretrained(str(shelf / "sdxl"), add_watermarker=False)
    theirs.load_lora_weights(dict(state), adapter_name="photomaker")
    theirs.fuse_lora()
    theirs.unload_lora_weights()
    ours = UNet2DConditionModel.from_pretrained(str(shelf / "sdxl" / "unet"))
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    number = add_lora({"unet": ours}, state, shelf)
    changed = [
        key for key, value in ours.state_dict().items() if not torch.equal(value, before[key])
    ]
    assert number == len(state) // 2 == len(changed)
    for key, value in theirs.unet.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, msg=key)


def test_the_converted_file_paints_the_same(shelf: Path, tmp_path: Path, root: Path) -> None:
    (tmp_path / "sdxl").symlink_to(shelf / "sdxl")
    run = load_profile(root, "tiny").run
    with pytest.raises(UserError, match="is a link, and its files would be digested by nobody"):
        sdxl.load_tokenizers(tmp_path)
    published = sdxl.load_painter(shelf, run).paint(PROMPT, _shown(1), 5, _recipe())
    target = shelf / "photomaker-v2.safetensors"
    convert_photomaker_v2(shelf / "photomaker-v2.bin", target, lora=True)
    try:
        assert {key.partition(".")[0] for key in load_file(target)} == {
            "id_encoder",
            "lora_weights",
        }
        converted = sdxl.load_painter(shelf, run).paint(PROMPT, _shown(1), 5, _recipe())
        np.testing.assert_array_equal(converted, published)
        convert_photomaker_v2(shelf / "photomaker-v2.bin", target)
        with pytest.raises(UserError, match=r"convert photomaker-v2\.bin anew, with its LoRA"):
            sdxl.load_painter(shelf, run)
    finally:
        target.unlink()


def _lost(state: dict, key: str) -> None:
    del state[key]


def _more(state: dict, key: str) -> None:
    state[key] = torch.zeros(2)


def _bent(state: dict, key: str) -> None:
    state[key] = torch.zeros(3, 5)


LORA = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora"


@pytest.mark.parametrize(
    ("part", "change", "key", "said"),
    [
        ("id_encoder", _lost, "fuse_module.mlp1.fc1.weight", "mlp1.fc1.weight"),
        ("id_encoder", _lost, "visual_projection_2.weight", "visual_projection_2.weight"),
        ("id_encoder", _lost, "qformer_perceiver.token_norm.weight", "token_norm.weight"),
        ("id_encoder", _lost, "vision_model.post_layernorm.bias", "post_layernorm.bias"),
        ("id_encoder", _more, "fuse_module.mlp3.fc1.weight", "mlp3.fc1.weight"),
        ("id_encoder", _bent, "fuse_module.mlp2.fc2.weight", "mlp2.fc2.weight"),
        ("lora_weights", _lost, f"{LORA}.up.weight", "lacks its other half"),
        ("lora_weights", _more, "unet.nowhere.to_q.lora.down.weight", "nowhere"),
        ("lora_weights", _more, "vae.decoder.lora_A.weight", "belongs to none of unet"),
        ("lora_weights", _bent, f"{LORA}.down.weight", "another checkpoint than this SDXL"),
    ],
)
def test_a_tensor_too_few_or_too_many_is_named(
    shelf: Path, tmp_path: Path, part: str, change, key: str, said: str
) -> None:
    parts = torch.load(shelf / "photomaker-v2.bin", weights_only=True)
    change(parts[part], key)
    path = tmp_path / "photomaker-v2.bin"
    torch.save(parts, path)
    with pytest.raises(UserError) as caught:
        state, lora = stacked.read(path)
        stacked.stacked_identity(state, path)
        parts = {
            name: load_network(shelf / "sdxl" / name, sdxl._CLASSES[name], torch.float32, "SDXL")
            for name in ("unet",)
        }
        add_lora(parts, lora, path)
    message = str(caught.value)
    assert said in message and str(path) in message and "\n" not in message


@pytest.mark.parametrize(
    ("name", "change", "key", "said"),
    [
        ("unet", _lost, "conv_out.weight", "lacks the tensor 'conv_out.weight'"),
        ("unet", _more, "conv_in.scale", "holds the unknown tensor 'conv_in.scale'"),
        ("vae", _lost, "decoder.conv_in.bias", "lacks the tensor 'decoder.conv_in.bias'"),
        ("text_encoder_2", _lost, "text_projection.weight", "lacks the tensor 'text_projection"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_named(
    shelf: Path, tmp_path: Path, name: str, change, key: str, said: str
) -> None:
    import shutil

    shutil.copytree(shelf / "sdxl" / name, tmp_path / name)
    (file,) = (tmp_path / name).glob("*.safetensors")
    state = load_file(file)
    change(state, key)
    save_file(state, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=re.escape(said)):
        load_network(tmp_path / name, sdxl._CLASSES[name], torch.float32, "SDXL")


def test_a_file_for_another_checkpoint_is_refused(
    shelf: Path, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    shutil.copytree(shelf / "sdxl", tmp_path / "sdxl")
    monkeypatch.setattr(tiny_sdxl, "WIDTH", 256)
    monkeypatch.setattr(tiny_sdxl, "lora", lambda *_: {"unet.x.lora_A.weight": torch.zeros(1, 1)})
    tiny_sdxl.photomaker(tmp_path, FACE)
    with pytest.raises(UserError, match="makes identity tokens of 256 numbers"):
        sdxl.load_painter(tmp_path, load_profile(root, "tiny").run)
