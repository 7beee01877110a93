"""Every network of the repository, one forward and backward pass each, in a process of its own.

``python -m tests.nn.networks`` prints a JSON object, name -> what became of it. A network whose
arithmetic ends the process by a signal costs its own child alone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

FRAMES = {"picture": 1, "clip": 9}


class Watch(TorchDispatchMode):
    """Refuses what oneDNN 3.12 computes wrongly: 1x1 kernels with a stride, channels last."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default:
            self._check(args[0], args[1], args[3])
        elif func is torch.ops.aten.convolution_backward.default:
            self._check(args[1], args[2], args[4])
        return func(*args, **(kwargs or {}))

    @staticmethod
    def _check(x: Tensor, weight: Tensor, stride: list[int]) -> None:
        last = not x.is_contiguous() or weight.stride(-1) != 1
        if set(weight.shape[2:]) == {1} and max(stride) > 1 and last:
            raise AssertionError(f"a strided 1x1 convolution channels last: {tuple(weight.shape)}")


def _image(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _recognizer(layout: dict, last: bool = True, trained: bool = True) -> None:
    from mm_model.embedded.training.facepack import resumable
    from mm_model.nn.identity.face_recognizer import FaceRecognizer

    net = resumable.seeded(0, lambda: FaceRecognizer(**layout)).train(trained)
    if not last:
        net = net.to(memory_format=torch.contiguous_format)
    shape = torch.channels_last if last else torch.contiguous_format
    faces = _image(2, 3, 112, 112).contiguous(memory_format=shape).requires_grad_()
    net.embed(faces).square().sum().backward()
    assert faces.grad is not None and bool(faces.grad.isfinite().all())


def _shipped_recognizer() -> None:
    """As in a loss: frozen weights as they lie, faces as the folded VAE leaves them."""
    from mm_model.nn.identity.face_recognizer import FaceRecognizer

    net = FaceRecognizer.from_pretrained("weights/tiny/recognizer").requires_grad_(False)
    for layout in (torch.contiguous_format, torch.channels_last):
        faces = _image(2, 3, 112, 112).contiguous(memory_format=layout).requires_grad_()
        net.embed(faces).sum().backward()


def _detector() -> None:
    from mm_model.embedded.training.facepack import resumable
    from mm_model.embedded.training.facepack.detector import Detector

    images = _image(2, 3, 96, 96).contiguous(memory_format=torch.channels_last)
    resumable.seeded(0, Detector).train().raw(images).square().mean().backward()


def _vae(model: torch.nn.Module, frames: int, size: int = 32) -> None:
    from mm_model.nn.cogvideox import folded_vae

    video = _image(1, 3, frames, size, size).requires_grad_()
    mean = folded_vae.encode_moments(model, video).chunk(2, dim=1)[0]
    folded_vae.decode(model, mean).square().mean().backward()
    plain = model.encode(video).latent_dist.mode()
    model.decode(plain).sample.square().mean().backward()


def _shipped_vae(frames: int) -> None:
    from diffusers import AutoencoderKLCogVideoX

    _vae(AutoencoderKLCogVideoX.from_pretrained("weights/tiny/backbone/vae"), frames)


def _small_vae(frames: int) -> None:
    from mm_model.embedded.training.backbone.recipe import VaeRecipe
    from mm_model.embedded.training.backbone.vae import build_vae

    recipe = VaeRecipe(channels=(4, 4, 8, 8), latent_channels=4, groups=2)
    _vae(build_vae(recipe).train(), frames)


def _model() -> None:
    from mm_model.nn.injection.model import MagicMirrorModel
    from tests.nn import tiny

    given = tiny.inputs()
    mask = torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[:, 1:5] = True
    model = MagicMirrorModel(*tiny.with_adapter())
    out = model(
        given["hidden_states"],
        given["timestep"],
        given["encoder_hidden_states"],
        mask,
        tiny.features(),
        None,
    )
    out.square().mean().backward()


def _backbone() -> None:
    from tests.nn import tiny

    tiny.base_transformer().train()(**tiny.inputs()).sample.square().mean().backward()


def _identity_encoder() -> None:
    from tests.nn import tiny

    encoder = tiny.identity_encoder()
    shown = _image(2, 3, 28, 28).requires_grad_()
    tokens = encoder.vision_model(pixel_values=shown).last_hidden_state
    faces = _image(2, 3, 112, 112).contiguous(memory_format=torch.channels_last).requires_grad_()
    raw = encoder.recognizer.embed(faces)
    encoder.id_perceiver(raw, tokens).square().mean().backward()


def _text_encoder() -> None:
    from tests.nn import tiny

    ids = tiny.tokenizer()("a man walks", return_tensors="pt").input_ids
    tiny.text_encoder().train()(ids).last_hidden_state.square().mean().backward()


def networks() -> dict[str, Callable[[], None]]:
    """Each network with one pass of it."""
    from mm_model.embedded.training.facepack.train import RECOGNIZER_A, RECOGNIZER_B

    few = {"width": 16, "channels": (8, 8, 16, 16), "blocks": (1, 1, 1, 1), "stem_stride": 2}
    least = {**few, "channels": (4, 4, 8, 8)}
    wide = {"width": 64, "channels": (16, 32, 64, 128), "blocks": (1, 2, 1, 1)}
    made: dict[str, Callable[[], None]] = {
        "detector": _detector,
        "recognizer of the pack": lambda: _recognizer(RECOGNIZER_A),
        "recognizer of the judge": lambda: _recognizer(RECOGNIZER_B),
        "recognizer of 8 channels": lambda: _recognizer(few),
        "recognizer of 4 channels": lambda: _recognizer(least),
        "recognizer of 4 channels, channels first": lambda: _recognizer(least, last=False),
        "recognizer at full size": lambda: _recognizer(wide, trained=False),
        "recognizer as shipped": _shipped_recognizer,
        "transformer": _backbone,
        "transformer with adapter": _model,
        "identity encoder": _identity_encoder,
        "text encoder": _text_encoder,
    }
    for kind, frames in FRAMES.items():
        made[f"VAE as shipped, {kind}"] = lambda frames=frames: _shipped_vae(frames)
        made[f"VAE of 4 channels, {kind}"] = lambda frames=frames: _small_vae(frames)
    return made


def outcome(work: Callable[[], None]) -> str:
    """What becomes of ``work`` in a child: ``passed``, ``raised`` or the signal's name."""
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # the parent's answer is the only thing on its standard output
        try:
            with Watch():
                work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return "passed" if status == 0 else "raised"


def main() -> None:
    from diffusers import AutoencoderKLCogVideoX  # noqa: F401  (here, not in every child)

    from tests.nn import tiny

    tiny.identity_encoder(), tiny.text_encoder(), tiny.transformer()
    torch.set_num_threads(1)
    json.dump({name: outcome(work) for name, work in networks().items()}, sys.stdout)


if __name__ == "__main__":
    main()
