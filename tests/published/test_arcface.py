"""ArcFace's IResNet from a torch file in the public layout, and back from its ONNX export."""

import re
from pathlib import Path

import onnx
import pytest
import torch

from mm_model.errors import UserError
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.nn.identity.recognizer import OnnxRecognizer
from mm_model.published import arcface
from tests.published import public_iresnet

pytestmark = pytest.mark.capability("ArcFace's layout", scale="L")


@pytest.fixture(scope="module")
def public() -> public_iresnet.PublicIResNet:
    return public_iresnet.small()


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    dice = torch.Generator().manual_seed(1)
    return torch.rand(3, 3, 112, 112, generator=dice) * 2 - 1


@pytest.fixture(scope="module")
def exported(
    public: public_iresnet.PublicIResNet, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return public_iresnet.export(public, tmp_path_factory.mktemp("pack") / "w600k_r50.onnx")


@pytest.mark.parametrize(
    ("layers", "millions"),
    [(public_iresnet.IRESNET50, 43.59), (public_iresnet.IRESNET100, 65.16)],
)
def test_names_and_sizes_are_the_public_ones(layers: tuple[int, ...], millions: float) -> None:
    with torch.device("meta"):
        theirs, ours = public_iresnet.PublicIResNet(layers), FaceRecognizer(blocks=layers)
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == shapes
    assert round(sum(p.numel() for p in ours.parameters()) / 1e6, 2) == millions


def test_a_torch_file_gives_the_public_network_s_vectors_and_a_gradient(
    public: public_iresnet.PublicIResNet, faces: torch.Tensor, tmp_path: Path
) -> None:
    torch.save(public.state_dict(), tmp_path / "backbone.pth")
    model = arcface.read_recognizer(tmp_path / "backbone.pth")
    given = faces.clone().requires_grad_(True)
    out = model.embed(given)
    with torch.no_grad():
        assert torch.allclose(out, public(faces), atol=1e-5)
    out.square().sum().backward()
    assert given.grad is not None and bool(given.grad.any())
    assert not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("folded", [True, False])
def test_the_onnx_file_comes_back_as_the_network_that_it_was_exported_from(
    public: public_iresnet.PublicIResNet, faces: torch.Tensor, tmp_path: Path, folded: bool
) -> None:
    path = public_iresnet.export(public, tmp_path / "r50.onnx", folded)
    kinds = [node.op_type for node in onnx.load(str(path)).graph.node]
    convolutions = kinds.count("Conv")
    norms = kinds.count("BatchNormalization")
    assert (norms < convolutions) == folded  # what the export folds is read too
    model = arcface.read_recognizer(path)
    with torch.no_grad():
        ours, theirs = model.embed(faces), OnnxRecognizer(path).embed(faces)
        assert torch.allclose(ours, theirs, atol=1e-4)
        assert torch.allclose(ours, public(faces), atol=1e-4)


def test_our_own_export_equals_the_torch_network(faces: torch.Tensor, tmp_path: Path) -> None:
    """A recogniser that was imported may be exported for a pack: the same vectors again."""
    from mm_model.embedded.training.facepack.export import export_recognizer

    model = arcface.recognizer_of(public_iresnet.small(seed=2).state_dict(), tmp_path)
    export_recognizer(model, tmp_path / "own.onnx")
    again = arcface.read_recognizer(tmp_path / "own.onnx")
    with torch.no_grad():
        assert torch.allclose(again.embed(faces), model.embed(faces), atol=1e-4)


def _without(name: str) -> dict[str, torch.Tensor]:
    state = public_iresnet.small((1, 1, 1, 1), 16).state_dict()
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (_without("layer3.0.bn3.running_var"), "layer3.0.bn3.running_var"),
        (_without("") | {"layer1.0.se.weight": torch.zeros(1)}, "layer1.0.se.weight"),
        (_without("") | {"layer1.99999999.bn1.bias": torch.zeros(1)}, "layer1.1.bn1.bias"),
        (_without("") | {"fc.weight": torch.zeros(16, 16)}, "fc.weight takes 16"),
        (_without("") | {"prelu.weight": torch.zeros(3)}, "prelu.weight"),
        (_without("") | {"bn2.bias": torch.full((16,), float("nan"))}, "bn2.bias is not finite"),
        ({"state_dict_backbone": {"fc.weight": torch.zeros(1)}}, "'state_dict_backbone'"),
        ({"blocks.0.attn.qkv.weight": torch.zeros(4, 4)}, "no IResNet by the names"),
        ([torch.zeros(1)], "no tensors by name"),
        ({"hook": Path("x")}, "cannot be read as a dictionary of tensors"),
    ],
)
def test_another_file_is_refused_in_one_sentence(state: object, said: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(UserError, match=re.escape(said)) as refused:
        arcface.read_recognizer(tmp_path / "other.pt")
    assert "other.pt" in str(refused.value)


def test_another_onnx_network_is_refused(tiny_facepack: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no ArcFace IResNet as InsightFace exports it"):
        arcface.read_recognizer(tiny_facepack / "detector.onnx")
    with pytest.raises(UserError, match=r"fc\.weight takes|misshapen"):
        arcface.read_recognizer(tiny_facepack / "recognizer.onnx")  # the small one, stride 2
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match="cannot be read as an ONNX file"):
        arcface.read_recognizer(tmp_path / "x.onnx")
    with pytest.raises(UserError, match="missing"):
        arcface.read_recognizer(tmp_path / "gone.onnx")


def test_a_network_that_was_read_wrongly_does_not_pass(exported: Path, tmp_path: Path) -> None:
    """A graph whose last norm has another epsilon than its number says is not what was read."""
    from mm_model.published import arcface_onnx

    model = arcface.recognizer_of(arcface_onnx.state_in(exported), exported)
    with torch.no_grad():
        model.layer4[0].bn1.weight *= 1.5
    with pytest.raises(UserError, match="differ from those of ONNX Runtime"):
        arcface_onnx.require_equal(model, exported)
