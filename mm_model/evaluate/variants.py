"""The clips that are compared: three models on equal prompts and noise, and the controls.

Every clip, real or generated, passes the same H.264 encoding before anything is measured.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mm_model.evaluate.people import Subject
from mm_model.generation import crops
from mm_model.generation.backbone import Backbone, given_adapter
from mm_model.generation.clips import Sampling, Size, pipeline_of, together
from mm_model.generation.frames import encode_frames, to_tensor
from mm_model.media.decode import read_frames
from mm_model.media.encode import write_mp4
from mm_model.methods.magic_mirror import MagicMirror
from mm_model.methods.plain import PlainBackbone
from mm_model.methods.port import Enrolled, Method, Shot
from mm_model.nn.cogvideox import folded_vae
from mm_model.settings import ModelSettings, Profile
from mm_model.store import digests
from mm_model.train.milestones import milestone_folders

MODELS = ("base", "pretrain", "finetune")
STILL = "static_reference"
CONTROLS = ("true_clip", "vae_round_trip", STILL, "shuffled")


def seeds_of(identities: Sequence[str], clips_per_person: int) -> list[list[int]]:
    """Sampling seeds by person and clip; the same for every model.

    A person's seeds depend on nobody else, so that further people leave them as they are.
    """
    digits = [digests.of_value(["noise", name])[:6] for name in identities]
    return [[int(one, 16) * 100 + c for c in range(clips_per_person)] for one in digits]


def milestones(inputs: Mapping[str, Path]) -> dict[str, Path]:
    """Adapters that training kept on its way, by variant name `<stage>_step_<n>`."""
    return {
        f"{stage}_step_{step}": folder
        for stage in MODELS[1:]
        for step, folder in milestone_folders(inputs[stage]).items()
    }


def adapters(inputs: Mapping[str, Path]) -> dict[str, Path]:
    """Folders with the adapter of each model that has one, those of `milestones` among them."""
    return {name: inputs[name] for name in MODELS[1:]} | milestones(inputs)


def together_of(profile: Profile) -> int:
    """How many clips of a model are made at once."""
    return together(Size.of(profile.model), _sampling(profile).batch_size)


def _sampling(profile: Profile) -> Sampling:
    rules = profile.evaluate
    return Sampling(
        steps=rules.inference_steps,
        guidance=rules.guidance_scale,
        face_guidance=rules.face_guidance,
    )


class Models:
    """The compared models over one backbone; the one asked last stays attached to it.

    `adapters` are folders by model; a model without one is the backbone alone.
    """

    def __init__(self, backbone: Backbone, adapters: Mapping[str, Path], profile: Profile) -> None:
        self._backbone, self._adapters, self._profile = backbone, adapters, profile
        self._attached: tuple[str, Method] | None = None
        self._enrolled: dict[str, Enrolled] = {}

    def clips(
        self, model: str, people: Sequence[Subject], wanted: Sequence[tuple[int, int]]
    ) -> list[np.ndarray]:
        """Frames uint8 `[F,H,W,3]` of each `wanted` clip: a place in `people`, and a number.

        Bits of a clip may hang on what is made beside it; ask for the same ones together.
        """
        method = self._method_of(model)
        places = list(dict.fromkeys(place for place, _ in wanted))
        shown = [self._subject(method, people[place]) for place in places]
        shots = [self._shot(people[place], number, places.index(place)) for place, number in wanted]
        return list(method.generate(shown, shots, _sampling(self._profile)))

    def _method_of(self, model: str) -> Method:
        if self._attached is None or self._attached[0] != model:
            self._enrolled.clear()
            self._attached = None  # one adapter is held at a time
            self._attached = model, _method(self._backbone, self._adapters.get(model))
        return self._attached[1]

    def _subject(self, method: Method, person: Subject) -> Enrolled:
        if person.identity not in self._enrolled:
            self._enrolled[person.identity] = method.enroll(person.shown)
        return self._enrolled[person.identity]

    def _shot(self, person: Subject, number: int, place: int) -> Shot:
        sizes = self._profile.model
        return Shot(
            prompt=person.prompt,
            seed=seeds_of([person.identity], number + 1)[0][number],
            num_frames=sizes.num_frames,
            height=sizes.height,
            width=sizes.width,
            subjects=(place,),
        )


def _method(backbone: Backbone, adapter: Path | None) -> Method:
    """The backbone alone, or Magic Mirror with the adapter that a training left in a folder."""
    backbone.transformer.detach_layers()
    if adapter is None:
        return PlainBackbone(pipeline_of(backbone, None))
    return MagicMirror(pipeline_of(backbone, given_adapter(adapter, backbone)))


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
