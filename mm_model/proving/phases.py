"""The phases of a proof up to the clip: files, loading, adapter, encoding, parity, one clip.

Each takes the workbench and returns what it measured; `problems` lists what is not as it must be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.generation.references import batch_references, prepare_references
from mm_model.media.encode import write_mp4
from mm_model.nn.cogvideox import folded_vae
from mm_model.nn.cogvideox.backbone import load_components
from mm_model.nn.identity.prompt import encode_prompts, encode_text
from mm_model.nn.injection.config import backbone_family
from mm_model.nn.injection.model import disable_gradients
from mm_model.nn.injection.port import Wanted
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.proving.sample import EMPTY, PROMPT
from mm_model.proving.workbench import Workbench
from mm_model.published.backbone import check_backbone
from mm_model.store.atomic import Document

PROBLEMS = "problems"
_PARITY_STEPS = 2
_FPS = 8


@dataclass(frozen=True)
class ProofPhase:
    """A step of the proof: what it `says` it does, and the phases it `needs`."""

    name: str
    says: str
    needs: tuple[str, ...]
    run: Callable[[Workbench], Document]


def files(bench: Workbench) -> Document:
    """All files of the checkpoint are whole, by their headers."""
    found = check_backbone(bench.options.weights)
    return {name: weights.as_dict() for name, weights in found.items()}


def load(bench: Workbench) -> Document:
    """Every part of the folder, frozen; T5 waits on the CPU until it is asked."""
    folder = bench.options.weights
    parts = load_components(folder, bench.dtype)
    if parts["identity_encoder"] is None:
        raise UserError(
            "The folder has no identity_encoder: import PhotoMaker-V2's file and a recogniser "
            "(python -m mm_model import)."
        )
    modules = ("text_encoder", "vae", "transformer", "identity_encoder")
    disable_gradients(*(parts[name] for name in modules))
    for name in modules[1:]:
        parts[name] = parts[name].to(bench.device)
    bench.parts["backbone"] = Backbone(folder, **parts, device=bench.device, dtype=bench.dtype)
    encoder = parts["identity_encoder"]
    return {
        "family": backbone_family(parts["transformer"].config),
        "dtype": str(bench.dtype).removeprefix("torch."),
        "scheduler": type(parts["scheduler"]).__name__,
        "scaling_factor": parts["vae"].config.scaling_factor,
        "recognizer": type(encoder.recognizer).__name__ if encoder.recognizer else None,
        "recognizer_sha256": encoder.recognizer_sha256,
        "parameters": {name: sum(p.numel() for p in parts[name].parameters()) for name in modules},
    }


def adapter(bench: Workbench) -> Document:
    """A fresh adapter in the loaded transformer."""
    backbone = bench.backbone
    wanted = Wanted(
        preset=bench.preset,
        attention="joint",
        ca_out_proj="shared",
        face_perceiver="random",
        reference_margin=None,
        backbone_id=None,
    )
    made = MagicMirrorAdapter.fresh(
        backbone.transformer,
        backbone.identity_encoder,
        wanted,
        seed=bench.options.seed,
        dtype=bench.dtype,
    )
    bench.parts["adapter"] = made.eval()
    trained = sum(p.numel() for p in made.parameters())
    return {"preset": bench.preset, "layers": len(made.layers), "parameters": trained}


@torch.no_grad()
def encode(bench: Workbench) -> Document:
    """The drawn person through CLIP, recogniser, tau_id and VAE, the sentence through T5."""
    backbone, sample = bench.backbone, bench.sample
    encoder, vae = backbone.identity_encoder, backbone.vae
    given = prepare_references([sample.picture], [sample.face], None, encoder.image_size)
    bench.features = encoder.features(*batch_references([given], encoder.embed))
    where = _encode_texts(bench)
    pixels = sample.pixels.to(bench.device, vae.dtype)
    mean = folded_vae.encode_mode(vae, pixels)
    back = folded_vae.decode_best(vae, mean)
    error = float((back.float() - pixels.float()).clamp(-2, 2).square().mean())
    bench.latents = (mean * vae.config.scaling_factor).transpose(1, 2)
    raw, text = bench.features.embedding, bench.texts["prompt"]
    assert raw is not None
    said: Document = {
        "face_vector_norm": round(float(raw.float().norm()), 3),
        "identity_tokens": list(bench.features.x_id.shape),
        "clip_tokens": list(bench.features.clip_tokens.shape),
        "text": list(text.shape),
        "text_encoder_on": where,
        "latents_std": round(float(bench.latents.float().std()), 4),
        "vae_psnr_db": round(-10 * float(np.log10(max(error, 1e-12) / 4)), 2),
    }
    named = {"identity": bench.features.x_id, "vision": bench.features.clip_tokens}
    named |= {"text": text, "latents": bench.latents}
    return said | {PROBLEMS: _not_finite(named)}


def _encode_texts(bench: Workbench) -> str:
    """The sentence and the empty one, on the device where T5 fits there, else on the CPU."""
    backbone = bench.backbone
    ids, mask = encode_prompts(backbone.tokenizer, [PROMPT, EMPTY], [1, 0], backbone.text_length)
    device = bench.device
    try:
        backbone.text_encoder.to(device)
        found = encode_text(backbone.text_encoder, ids.to(device), bench.dtype)
    except torch.OutOfMemoryError:
        device = torch.device("cpu")
        backbone.text_encoder.to(device)
        torch.cuda.empty_cache()
        found = encode_text(backbone.text_encoder, ids, bench.dtype)
    backbone.text_encoder.to("cpu")
    found = found.to(bench.device)
    bench.texts = {"prompt": found[:1], "empty": found[1:], "mask": mask[:1].to(bench.device)}
    return device.type


def _not_finite(named: dict[str, Tensor]) -> list[str]:
    return [f"{name}: not finite" for name, x in named.items() if not bool(x.isfinite().all())]


def parity(bench: Workbench) -> Document:
    """At id_scale 0 the bits of the plain CogVideoX pipeline; at 1 something else."""
    from diffusers import CogVideoXPipeline

    backbone, call = bench.backbone, bench.call
    stock = CogVideoXPipeline(
        tokenizer=backbone.tokenizer,
        text_encoder=None,
        vae=backbone.vae,
        transformer=backbone.transformer.to_base(),
        scheduler=backbone.scheduler,
    )
    stock.set_progress_bar_config(disable=True)
    ours, identity = bench.pipeline(), bench.identity()
    plain = stock(**call(_PARITY_STEPS))[0]
    zero = ours(**call(_PARITY_STEPS), **identity, id_scale=0.0)[0]
    one = ours(**call(_PARITY_STEPS), **identity)[0]
    equal = torch.equal(plain, zero)
    moved = float((one.float() - plain.float()).norm() / plain.float().norm())
    problems = _not_finite({"the plain base's latents": plain, "ours": one})
    if not equal:
        problems.append("id_scale 0 gives other bits than the plain base")
    if not moved > 0:
        problems.append("id_scale 1 changes nothing")
    return {
        "steps": _PARITY_STEPS,
        "bit_equal": equal,
        "largest_difference": float((plain.float() - zero.float()).abs().max()),
        "changed_by_identity": moved,
        PROBLEMS: problems,
    }


def clip(bench: Workbench) -> Document:
    """One clip with the drawn identity; the adapter is untrained, so it shows no likeness."""
    steps, size = bench.options.sampling_steps, bench.size
    pipe, identity = bench.pipeline(), bench.identity()
    started = time.monotonic()
    latents = pipe(**bench.call(steps), **identity)[0]
    finite = bool(latents.isfinite().all())  # waits for the device
    sampled = time.monotonic()
    with torch.no_grad():
        frames = np.asarray(pipe.to_frames(latents))[0]
    decoded = time.monotonic()
    values = (np.nan_to_num(frames).clip(0, 1) * 255).round().astype(np.uint8)
    write_mp4(bench.clip, values, _FPS)
    change = np.abs(np.diff(values.astype(np.int16), axis=0)).mean() if len(values) > 1 else 0.0
    problems = [] if finite and np.isfinite(frames).all() else ["the clip is not finite"]
    if values.std() < 1:
        problems.append("the clip is of one colour")
    return {
        "file": bench.clip.name,
        "frames": size.num_frames,
        "size": [size.height, size.width],
        "steps": steps,
        "seconds_per_step": round((sampled - started) / steps, 4),
        "seconds_decoding": round(decoded - sampled, 3),
        "pixel_std": round(float(values.std()), 3),
        "change_between_frames": round(float(change), 3),
        PROBLEMS: problems,
    }
