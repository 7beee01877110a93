"""Backbones with one part untrained, to see what that part is worth.

Copies a sealed folder, redraws the part from a seed and seals the copy; the original is untouched.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import torch

from mm_model.embedded.training.backbone.assemble import MANIFEST, verify
from mm_model.errors import UserError
from mm_model.nn.identity.encoder import CONFIG_NAME, FOLDER
from mm_model.nn.identity.resampler import IdPerceiver
from mm_model.store import atomic, digests


def with_random_perceiver(source: Path, target: Path, seed: int = 0) -> Path:
    """Write `target`: the backbone `source` with an identity perceiver of random weights.

    Raises `UserError` when `source` is damaged or `target` exists.
    """
    from safetensors.torch import save

    manifest = verify(source)
    if target.exists():
        raise UserError(f"{target} exists: name a folder that does not.")
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.aside")
    try:
        shutil.copytree(source, aside)
        description = json.loads((aside / FOLDER / CONFIG_NAME).read_text())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = IdPerceiver(**description["perceiver"])
        weights = aside / FOLDER / "perceiver.safetensors"
        state = {name: value.half() for name, value in fresh.state_dict().items()}
        atomic.write_bytes(weights, save(state, {"format": "pt"}))
        description["sha256"]["perceiver"] = digests.of_file(weights)
        atomic.write_json(aside / FOLDER / CONFIG_NAME, description)
        for name in (f"{FOLDER}/perceiver.safetensors", f"{FOLDER}/{CONFIG_NAME}"):
            manifest["files"][name] = digests.of_file(aside / name)
        manifest["what"] += f", identity perceiver random (seed {seed})"
        atomic.write_json(aside / MANIFEST, manifest)
        atomic.publish_folder(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target
