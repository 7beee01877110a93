"""Figures on held-out people: what the identity side reads, what sampled clips show.

Measured with the published folder through the stock pipeline. The readers are the training heads
of the identity encoder and a face pack's detector; both belong to us, so these are figures of the
training scripts, never of the evaluation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_model.embedded.people import action, people, split
from mm_model.embedded.training.backbone import pixels, portraits, render
from mm_model.embedded.training.backbone.recipe import FRAMES, SIZE, CacheRecipe, IdentityRecipe
from mm_model.store.atomic import Document

if TYPE_CHECKING:
    from mm_model.facepack.port import FacePack
    from mm_model.nn.identity.face_recognizer import FaceRecognizer

_SEED = 98
STEPS, GUIDANCE = 25, 3.0
"""Sampler settings of `measure_samples`."""

DETECTION_SIZE = 128
"""Side of the detector's input, pixels: small frames are shown to it enlarged."""

_MOVES = {
    "turns left": ("yaw", -1),
    "turns right": ("yaw", 1),
    "looks up": ("pitch", -1),
    "looks down": ("pitch", 1),
    "tilts left": ("roll", -1),
    "tilts right": ("roll", 1),
    "walks closer": ("size", 1),
    "steps back": ("size", -1),
    "opens the mouth": ("mouth", 1),
}
_OTHERS = dict(zip(_MOVES, [*_MOVES][2:] + [*_MOVES][:2], strict=True))
"""Another move for each, of another quantity: what a clip obeys only by chance."""


@torch.no_grad()
def measure_identity(
    modules: dict[str, nn.Module], eyes: FaceRecognizer, recipe: IdentityRecipe, count: int = 210
) -> Document:
    """Two portraits of each of the first `count` held-out people through the frozen encoders.

    r2: explained variance of the identity numbers, mean over numbers, read from x_id and from the
    penultimate vision tokens. category: share right. rank1: nearest other portrait by cosine of
    x_id is the same person; auc: same against different pairs.
    """
    held = split.HELD_OUT_PEOPLE[:count]
    size = render.PORTRAIT_SIZE
    codes, seen = [], []
    for number in (0, 1):
        frames = [render.picture(s, number, size, _SEED, "portraits") for s in held]
        images = np.stack([f.image for f in frames])
        vectors = portraits.embed(eyes, images, np.stack([f.landmarks for f in frames]))
        crops = np.stack([portraits.crop(f.image, f.box, recipe.image) for f in frames])
        out = modules["vision"](
            pixel_values=portraits.clip_normalised(crops), output_hidden_states=True
        )
        x_id = modules["perceiver"](torch.from_numpy(vectors), out.last_hidden_state)
        codes.append(x_id.flatten(1))
        seen.append(_summary(out.hidden_states[-2]))
    heads = modules["heads"]
    who = [people.person(s) for s in held]
    numbers = torch.from_numpy(np.stack([p.vector() for p in who]))
    kind = torch.tensor([people.CATEGORIES.index(p.category) for p in who])
    cosine = F.normalize(codes[0], dim=-1) @ F.normalize(codes[1], dim=-1).T
    right = heads.category(codes[0]).argmax(1) == kind
    right_vision = heads.vision_category(seen[0]).argmax(1) == kind
    return {
        "how": measure_identity.__doc__,
        "people": [held.start, held.stop],
        "r2_x_id": _explained(heads.numbers(codes[0]), numbers),
        "r2_vision": _explained(heads.vision_numbers(seen[0]), numbers),
        "category_x_id": round(float(right.float().mean()), 3),
        "category_vision": round(float(right_vision.float().mean()), 3),
        "rank1": round(float((cosine.argmax(1) == torch.arange(count)).float().mean()), 3),
        "auc": _auc(cosine),
    }


def _summary(tokens: Tensor) -> Tensor:
    from mm_model.embedded.training.backbone.identity import Heads

    return Heads.summary(tokens)


def _explained(guess: Tensor, truth: Tensor) -> float:
    residual = (guess - truth).square().mean(0)
    return round(float((1 - residual / truth.var(0, correction=0).clamp(min=1e-6)).mean()), 3)


def _auc(cosine: Tensor) -> float:
    same = cosine.diagonal()
    other = cosine[~torch.eye(len(cosine), dtype=torch.bool)]
    order = torch.cat([same, other]).argsort().argsort().float()
    ranks = order[: len(same)].sum() - len(same) * (len(same) - 1) / 2
    return round(float(ranks / (len(same) * len(other))), 4)


def sample_clips(
    folder: Path, prompts: list[str], steps: int = STEPS, guidance: float = GUIDANCE, seed: int = 0
) -> np.ndarray:
    """uint8 [N, 9, 64, 64, 3]: one clip a prompt, by the stock pipeline of `folder`."""
    from diffusers import CogVideoXPipeline

    pipeline = CogVideoXPipeline.from_pretrained(str(folder), local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    length = pipeline.transformer.config.max_text_seq_length
    clips = []
    for start in range(0, len(prompts), 5):
        part = prompts[start : start + 5]
        frames = pipeline(
            part,
            height=SIZE,
            width=SIZE,
            num_frames=FRAMES,
            num_inference_steps=steps,
            guidance_scale=guidance,
            max_sequence_length=length,
            output_type="np",
            generator=[torch.Generator().manual_seed(seed + start + i) for i in range(len(part))],
        ).frames
        clips.append((frames * 255).round().astype(np.uint8))
    return np.concatenate(clips)


def measure_samples(
    folder: Path, modules: dict[str, nn.Module], pack: FacePack, grid: Path | None = None
) -> Document:
    """Every category with every action, one clip each, beside true clips of held-out people.

    found: share of frames in which the pack's detector (threshold 0.5, input as opened) sees a
    face. category: share of clips whose category the training head of the vision encoder reads
    right from the middle frame. action: of the nine directed actions, share whose landmarks move
    the right way between first and last frame; action_shuffled: the same against another clip's
    action, which is chance. motion: mean absolute difference of neighbouring
    frames, grey levels. Noise floor and ceiling: the row `true`.
    """
    jobs = [(kind, name) for kind in people.CATEGORIES for name in action.ACTIONS]
    prompts = [_prompt(kind, name) for kind, name in jobs]
    clips = sample_clips(folder, prompts)
    held = CacheRecipe("held_out", _SEED)
    truth = np.stack([render.clip(n, held).frames for n in range(len(jobs))])
    names = list(action.ACTIONS)
    true_jobs = [
        (people.CATEGORIES[split.HELD_OUT_PEOPLE[n] % 7], names[(n + n // 7) % len(names)])
        for n in range(len(jobs))
    ]
    if grid is not None:
        pixels.write_grid(grid, [*clips[::4]])
    return {
        "how": measure_samples.__doc__,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "clips": len(jobs),
        "detector": pack.digest,
        "sampled": _read_clips(clips, jobs, modules, pack),
        "true": _read_clips(truth, true_jobs, modules, pack),
    }


def _prompt(kind: str, name: str) -> str:
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind} {action.ACTIONS[name]}"


def _read_clips(
    clips: np.ndarray, jobs: list[tuple[str, str]], modules: dict[str, nn.Module], pack: FacePack
) -> dict[str, float]:
    found, kinds, moves, chance = [], [], [], []
    for frames, (kind, name) in zip(clips, jobs, strict=True):
        faces = [next(iter(pack.detect(frame, 0.5)), None) for frame in frames]
        found += [face is not None for face in faces]
        middle = faces[len(faces) // 2]
        kinds.append(
            middle is not None and _category(frames[len(frames) // 2], middle, modules) == kind
        )
        if name in _MOVES:
            moves.append(_moved(faces[0], faces[-1], *_MOVES[name]))
            chance.append(_moved(faces[0], faces[-1], *_MOVES[_OTHERS[name]]))
    steps = np.abs(np.diff(clips.astype(np.float32), axis=1))
    return {
        "found": round(float(np.mean(found)), 3),
        "category": round(float(np.mean(kinds)), 3),
        "action": round(float(np.mean(moves)), 3),
        "action_shuffled": round(float(np.mean(chance)), 3),
        "motion": round(float(steps.mean()), 2),
    }


@torch.no_grad()
def _category(frame: np.ndarray, face: Any, modules: dict[str, nn.Module]) -> str:
    size = modules["vision"].config.image_size
    crop = portraits.crop(frame, face.box, size)[None]
    out = modules["vision"](pixel_values=portraits.clip_normalised(crop), output_hidden_states=True)
    scores = modules["heads"].vision_category(_summary(out.hidden_states[-2]))
    return people.CATEGORIES[int(scores.argmax())]


def _moved(first: Any, last: Any, what: str, sign: int) -> bool:
    if first is None or last is None:
        return False
    return (_state(last)[what] - _state(first)[what]) * sign > 0


def _state(face: Any) -> dict[str, float]:
    """Rough pose from five landmarks, in eye distances; size from the box."""
    left, right, nose, mouth_left, mouth_right = np.asarray(face.landmarks, float)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    down = mouth - eyes
    length = max(float(np.hypot(*down)), 1e-3)
    along = float((nose - eyes) @ down) / length**2
    aside = float(down[1] * (nose - eyes)[0] - down[0] * (nose - eyes)[1]) / length**2
    return {
        "yaw": aside,
        "pitch": along,
        "roll": float(right[1] - left[1]) / max(float(right[0] - left[0]), 1e-3),
        "size": float(face.box[3] - face.box[1]),
        "mouth": length / max(float(right[0] - left[0]), 1e-3),
    }
