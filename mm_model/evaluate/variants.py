"""The clips that are compared: three models on equal prompts and noise, and the controls.

Every clip, real or generated, passes the same H.264 encoding before anything is measured.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mm_model.evaluate.people import Subject
from mm_model.generation import crops
from mm_model.generation.backbone import Backbone, given_adapter
from mm_model.generation.clips import Sampling, pipeline_of
from mm_model.generation.frames import encode_frames, to_tensor
from mm_model.media.decode import read_frames
from mm_model.media.encode import write_mp4
from mm_model.methods.magic_mirror import MagicMirror
from mm_model.methods.plain import PlainBackbone
from mm_model.methods.port import Method, Shot
from mm_model.nn.cogvideox import folded_vae
from mm_model.run.stage import Job
from mm_model.settings import ModelSettings
from mm_model.store import digests
from mm_model.train.milestones import milestone_folders

MODELS = ("base", "pretrain", "finetune")
CONTROLS = ("true_clip", "vae_round_trip", "static_reference", "shuffled")


def seeds_of(identities: Sequence[str], clips_per_person: int) -> list[list[int]]:
    """Sampling seeds by person and clip; the same for every model.

    A person's seeds depend on nobody else, so that further people leave them as they are.
    """
    digits = [digests.of_value(["noise", name])[:6] for name in identities]
    return [[int(one, 16) * 100 + c for c in range(clips_per_person)] for one in digits]


def milestones(job: Job) -> dict[str, Path]:
    """Adapters that training kept on its way, by variant name `<stage>_step_<n>`."""
    return {
        f"{stage}_step_{step}": folder
        for stage in MODELS[1:]
        for step, folder in milestone_folders(job.inputs[stage]).items()
    }


def generated(
    job: Job, backbone: Backbone, people: list[Subject], models: tuple[str, ...] = MODELS
) -> dict[str, list[list[np.ndarray]]]:
    """Clips `[F,H,W,3]` by model, person and seed."""
    rules, sizes = job.profile.evaluate, job.profile.model
    seeds = seeds_of([p.identity for p in people], rules.clips_per_person)
    shots = [
        Shot(
            prompt=person.prompt,
            seed=seed,
            num_frames=sizes.num_frames,
            height=sizes.height,
            width=sizes.width,
            subjects=(place,),
        )
        for place, person in enumerate(people)
        for seed in seeds[place]
    ]
    sampling = Sampling(
        steps=rules.inference_steps,
        guidance=rules.guidance_scale,
        face_guidance=rules.face_guidance,
    )
    found, adapters = {}, {name: job.inputs[name] for name in MODELS[1:]} | milestones(job)
    for name in models:
        job.say(f"generating {len(shots)} clips with {name}")
        method = _method(backbone, adapters.get(name))
        subjects = [method.enroll(person.shown) for person in people]
        clips = list(method.generate(subjects, shots, sampling))
        each = rules.clips_per_person
        found[name] = [clips[i * each : (i + 1) * each] for i in range(len(people))]
    return found


def _method(backbone: Backbone, adapter: Path | None) -> Method:
    """The backbone alone, or Magic Mirror with the adapter that a training left in a folder."""
    if adapter is None:
        return PlainBackbone(pipeline_of(backbone, None))
    backbone.transformer.detach_layers()
    return MagicMirror(pipeline_of(backbone, given_adapter(adapter, backbone)))


def controls(backbone: Backbone, person: Subject, sizes: ModelSettings) -> dict[str, np.ndarray]:
    """True clip, its round trip through the VAE, and the shown reference standing still."""
    made = {}
    if person.true_clip is not None:
        made["true_clip"] = person.true_clip
        made["vae_round_trip"] = round_trip(backbone, person.true_clip)
    still = still_reference(person, sizes)
    made["static_reference"] = np.repeat(still[None], sizes.num_frames, axis=0)
    return made


def still_reference(person: Subject, sizes: ModelSettings) -> np.ndarray:
    """The first shown reference, cut like a training frame."""
    picture, size = person.shown[0], (sizes.height, sizes.width)
    box = picture.face.box.astype(float)[None]
    window = crops.face_window(
        box, picture.pixels.shape[:2], margin=sizes.crop_margin, aspect=size[1] / size[0]
    )
    return crops.cut(picture.pixels, window, size)


def round_trip(backbone: Backbone, clip: np.ndarray) -> np.ndarray:
    """A clip through the frozen VAE and back: what the chain could keep at best."""
    import torch

    with torch.no_grad():
        latents = encode_frames(backbone, to_tensor(clip)[None]).permute(0, 2, 1, 3, 4)
        latents = latents.to(backbone.device, backbone.dtype)
        unscaled = latents / backbone.vae.config.scaling_factor
        decoded = folded_vae.decode_best(backbone.vae, unscaled)[0]
    pixels = ((decoded.float().clamp(-1, 1) + 1) * 127.5).round()
    return pixels.permute(1, 2, 3, 0).to(torch.uint8).cpu().numpy()


def through_file(clip: np.ndarray, path: Path, fps: int) -> np.ndarray:
    """Write a clip as MP4 and read it back: the frames a viewer gets."""
    write_mp4(path, clip, fps)
    return read_frames(path)[:, : clip.shape[1], : clip.shape[2]]
