"""The finished folder: a stock CogVideoX pipeline plus `identity_encoder/` and a manifest.

Weights are stored as float16 safetensors and load as float32 modules. The folder is written aside
and renamed; the manifest, written last, lists the digest of every other file.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

from torch import nn

from mm_model.diffusion.schedule import build_scheduler, save_schedule
from mm_model.embedded.people import split
from mm_model.embedded.training.backbone import render, text
from mm_model.embedded.training.backbone.loop import rounded
from mm_model.embedded.training.backbone.recipe import FPS, FRAMES, SIZE, BackboneRecipe
from mm_model.errors import UserError
from mm_model.nn.cogvideox.tokenizer import save_tokenizer
from mm_model.nn.identity.encoder import CONFIG_NAME, FOLDER, IdentityEncoder
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.nn.identity.recognizer import recognizer_digest
from mm_model.nn.identity.resampler import IdPerceiver
from mm_model.store import atomic, digests
from mm_model.store.atomic import Document

MANIFEST = "manifest.json"
_INDEX = {
    "_class_name": "CogVideoXPipeline",
    "scheduler": ["diffusers", "CogVideoXDDIMScheduler"],
    "text_encoder": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "T5Tokenizer"],
    "transformer": ["diffusers", "CogVideoXTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLCogVideoX"],
}


def assemble(
    target: Path,
    recipe: BackboneRecipe,
    modules: dict[str, nn.Module],
    *,
    perceiver_config: dict[str, int],
    recognizer: FaceRecognizer,
    report: Document,
) -> Path:
    """Write the backbone folder `target` from trained `modules`.

    `modules`: vae (scaling factor set), transformer, text_encoder, vision, perceiver. `report`
    holds steps and measured figures for the manifest.
    """
    import diffusers

    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.aside")
    aside.mkdir(parents=True)
    try:
        for name in ("vae", "transformer", "text_encoder"):
            _save_model(modules[name], aside / name)
        save_tokenizer(text.make_tokenizer(recipe.dit.text.max_length), aside / "tokenizer")
        save_schedule(build_scheduler("ddim"), aside / "scheduler")
        index = {**_INDEX, "_diffusers_version": diffusers.__version__}
        atomic.write_json(aside / "model_index.json", index)
        _save_identity(aside / FOLDER, modules, perceiver_config, recognizer)
        seal(aside, recipe, report)
        atomic.publish_folder(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _save_model(module: nn.Module, folder: Path) -> None:
    """save_pretrained, then the weights file again in float16; the config keeps float32."""
    module.save_pretrained(folder, safe_serialization=True)
    _halve(next(iter(folder.glob("*.safetensors"))))


def _halve(file: Path) -> None:
    """Rewrite a safetensors file with its floating tensors as float16."""
    from safetensors.torch import load_file, save

    tensors = {k: v.half() if v.is_floating_point() else v for k, v in load_file(file).items()}
    atomic.write_bytes(file, save(tensors, {"format": "pt"}))


def _save_identity(
    folder: Path, modules: dict[str, nn.Module], config: dict[str, int], recognizer: FaceRecognizer
) -> None:
    """The identity encoder's own layout, its weight files in float16, digests set anew."""
    perceiver = IdPerceiver(**config)
    perceiver.load_state_dict(modules["perceiver"].state_dict())
    vision = rounded(modules["vision"])
    IdentityEncoder(vision, rounded(perceiver), config, recognizer).save_pretrained(folder)
    recognizer.save_pretrained(folder / "recognizer", half=True)
    stored = FaceRecognizer.from_pretrained(folder / "recognizer")
    _halve(folder / "perceiver.safetensors")
    _halve(folder / "vision_model" / "model.safetensors")
    description = json.loads((folder / CONFIG_NAME).read_text())
    description["sha256"] = {
        "perceiver": digests.of_file(folder / "perceiver.safetensors"),
        "vision_model": digests.of_file(folder / "vision_model" / "model.safetensors"),
        "recognizer": recognizer_digest(stored),
    }
    atomic.write_json(folder / CONFIG_NAME, description)


def seal(folder: Path, recipe: BackboneRecipe, report: Document) -> None:
    """Write the manifest of a finished folder, last."""
    from dataclasses import asdict

    files = {n: digests.of_file(folder / n) for n in digests.files_below(folder) if n != MANIFEST}
    manifest = {
        "what": "tiny CogVideoX backbone trained on procedural people",
        "size": SIZE,
        "frames": FRAMES,
        "fps": FPS,
        "people": {r.split: _ends(render.people_of(r)) for r in (recipe.cache, recipe.portraits)},
        "recipe": asdict(recipe),
        "report": report,
        "bytes": sum((folder / name).stat().st_size for name in files),
        "files": files,
    }
    atomic.write_json(folder / MANIFEST, json.loads(json.dumps(manifest)))


def verify(folder: Path) -> Document:
    """The manifest of a backbone folder after checking its digests and its people.

    Raises `UserError` when a file is missing, changed or unlisted, or when a person outside the
    weights' range was used.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"{path} is missing: restore the folder or run `make weights`.")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    found = {n: digests.of_file(folder / n) for n in digests.files_below(folder) if n != MANIFEST}
    if found != manifest["files"]:
        changed = sorted(set(found.items()) ^ set(manifest["files"].items()))
        raise UserError(f"{folder / changed[0][0]} differs from {path}: restore the folder.")
    for name, ends in manifest["people"].items():
        used, allowed = range(*ends), split.SPLITS.get(name, range(0))
        if name not in render.SPLITS or used[0] not in allowed or used[-1] not in allowed:
            raise UserError(
                f"{path} names people {used.start}..{used.stop - 1} outside the weights'."
            )
    return manifest


def _ends(people: range) -> list[int]:
    return [people.start, people.stop]
