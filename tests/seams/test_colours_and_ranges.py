"""What one part calls a picture is what the next one takes for it: channel order, range, layout.

The recogniser of the face pack and the conditioning one in the backbone have the same origin, one
through ONNX and OpenCV, one through torch. Fed by their own ways, they must say the same.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.port import Face, FacePack, open_judge, open_pack
from mm_model.generation.references import aligned_face
from mm_model.nn.identity.face_recognizer import FaceRecognizer

pytestmark = pytest.mark.slow

PACKS = {"facepack": open_pack, "judge": open_judge}


def drawn(number: int, size: int = 160) -> tuple[np.ndarray, Face]:
    """A person's photograph and the truth of where the face lies."""
    frame = photograph(person(50_000 + number), np.random.default_rng(number), size)
    marks = np.asarray(frame.landmarks, np.float32)
    low, high = marks.min(axis=0), marks.max(axis=0)
    return frame.image, Face(np.concatenate([low - 20, high + 20]), 0.9, marks)


@pytest.fixture(scope="module")
def facepack(tiny_facepack: Path) -> FacePack:
    return open_pack(tiny_facepack, 128)


def cosine(first: Any, second: Any) -> float:
    first, second = (np.asarray(v, np.float64).ravel() for v in (first, second))
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_the_pack_and_the_conditioning_recogniser_see_the_same_face(
    root: Path, facepack: FacePack
) -> None:
    net = FaceRecognizer.from_pretrained(root / "weights" / "tiny" / "recognizer")
    for number in range(4):
        image, face = drawn(number)
        aligned = aligned_face(Image.fromarray(image), face.landmarks)[None]
        with torch.no_grad():
            ours = net.embed(aligned)[0].numpy()
            swapped = net.embed(aligned[:, [2, 1, 0]])[0].numpy()
            dark = net.embed((aligned + 1) / 2)[0].numpy()
        theirs = facepack.embed(image, face)
        assert cosine(ours, theirs) > 0.98
        assert cosine(ours, theirs) > max(cosine(swapped, theirs), cosine(dark, theirs)) + 0.005
        assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=0.1)


@pytest.mark.parametrize("name", PACKS)
def test_a_recogniser_knows_a_person_best_in_true_colours(root: Path, name: str) -> None:
    """Two photographs of a person agree more than one of them does with its colours swapped."""
    folder = root / "weights" / "tiny" / name / "models"
    pack = PACKS[name](next(folder.iterdir()), 128)
    true, swapped = [], []
    for number in range(8):
        pictures = [
            photograph(person(50_020 + number), np.random.default_rng([number, i]), 160)
            for i in range(2)
        ]
        faces = [
            Face(np.zeros(4, np.float32), 1.0, np.asarray(p.landmarks, np.float32))
            for p in pictures
        ]
        first, second = (pack.embed(p.image, f) for p, f in zip(pictures, faces, strict=True))
        other = pack.embed(np.ascontiguousarray(pictures[1].image[..., ::-1]), faces[1])
        true.append(cosine(first, second))
        swapped.append(cosine(first, other))
    assert np.mean(true) > np.mean(swapped) + 0.05


def test_the_encoder_tells_people_apart_by_their_photographs(
    tiny_backbone: Path, facepack: FacePack
) -> None:
    """The identity tokens of two photographs of a person are nearer than those of two people."""
    from mm_model.generation.references import prepare_references
    from mm_model.nn.cogvideox.backbone import load_identity_encoder

    encoder = load_identity_encoder(tiny_backbone)
    tokens = []
    for number in range(5):
        for take in range(2):
            picture = photograph(
                person(50_040 + number), np.random.default_rng([number, take]), 160
            )
            face = facepack.detect(picture.image)[0]
            given = prepare_references([picture.image], [face], 1.6, encoder.image_size)
            raw = encoder.embed(given.aligned[None])
            tokens.append(encoder.features(given.pixels[None], raw).x_id.flatten().numpy())
    same = [cosine(tokens[2 * n], tokens[2 * n + 1]) for n in range(5)]
    other = [cosine(tokens[2 * n], tokens[(2 * n + 2) % 10]) for n in range(5)]
    assert min(same) > np.mean(other) and np.mean(same) > np.mean(other) + 0.1


def test_a_picture_goes_through_the_vae_and_the_pipeline_in_its_own_colours(
    tiny_backbone: Path,
) -> None:
    """In by training's door, out by the pipeline's: the picture itself comes back."""
    from dataclasses import replace

    from mm_model.generation.backbone import load_backbone
    from mm_model.generation.clips import pipeline_of
    from mm_model.generation.frames import encode_frames, to_tensor
    from mm_model.settings import RunSettings

    backbone = load_backbone(
        tiny_backbone, RunSettings(seed=1, threads=1, device="cpu", dtype="float32")
    )
    image = drawn(1, 96)[0][:64]
    latents = encode_frames(backbone, to_tensor(image[None])[None])
    assert latents.shape == (1, 1, 16, 8, 12)
    assert 0.5 < float(latents.std()) < 2, "scaled latents are about as large as the noise"
    pipe = pipeline_of(replace(backbone), None)
    with torch.no_grad():
        video = pipe.video_processor.postprocess_video(pipe.decode_latents(latents), "np")
    lost = np.abs(np.asarray(video)[0, 0] * 255 - image).mean()
    others = (image[..., ::-1], image[:, ::-1], image[::-1], 255 - image)
    assert lost < 12 and all(
        np.abs(np.asarray(video)[0, 0] * 255 - other).mean() > 1.5 * lost for other in others
    )


def test_a_written_clip_comes_back_in_its_own_colours_and_order(tmp_path: Path) -> None:
    from mm_model.evaluate.variants import through_file
    from tests.seams.facts import film

    frames = np.stack([np.roll(drawn(2, 96)[0][:64], 3 * step, axis=1) for step in range(9)])
    back = through_file(frames, tmp_path / "clip.mp4", 8)
    assert back.shape == frames.shape
    for told in (back, film(tmp_path / "clip.mp4")):
        lost = np.abs(told.astype(int) - frames).mean()
        assert lost < 4
        for other in (frames[..., ::-1], frames[::-1], frames[:, ::-1]):
            assert np.abs(told.astype(int) - other).mean() > 2 * lost


def test_training_and_sampling_place_the_cells_of_a_wide_picture_alike(
    tiny_backbone: Path,
) -> None:
    """Rows and columns of a grid that is not square are the same for both."""
    from diffusers import CogVideoXPipeline

    from mm_model.nn.cogvideox.backbone import load_components
    from mm_model.nn.cogvideox.rotary import rotary_table

    stock = CogVideoXPipeline(
        **{
            name: part
            for name, part in load_components(tiny_backbone).items()
            if name != "identity_encoder"
        }
    )
    for height, width, frames in ((8, 10, 3), (10, 8, 1), (8, 8, 3), (6, 12, 2)):
        ours = rotary_table(stock.transformer.config, frames, height, width)
        theirs = stock._prepare_rotary_positional_embeddings(
            8 * height, 8 * width, frames, torch.device("cpu")
        )
        for mine, its in zip(ours, theirs, strict=True):
            assert torch.equal(mine, its)


def test_a_clip_is_the_same_in_whatever_batch_it_is_made(chain: Any, backbone: Any) -> None:
    """Row by row its own words, person and noise: three at once, two and one, or one by one."""
    import dataclasses

    from mm_model.generation.backbone import given_adapter
    from mm_model.generation.clips import Sampling, Size, features_of, generate, pipeline_of
    from mm_model.nn.identity.portrait import Photograph

    backbone.transformer.detach_layers()
    pipe = pipeline_of(backbone, given_adapter(chain.output("finetune"), backbone))
    cells = chain.table("evaluate", "cells").query("variant == 'base'")
    cells = cells.drop_duplicates("identity").iloc[:3]
    shown = [
        [Photograph.of(*one) for one in chain.pictures(name)[:2]] for name in cells["identity"]
    ]
    features = features_of(backbone, shown, chain.profile.model.reference_margin)
    sampling = Sampling(steps=2, guidance=2.0, face_guidance="null", batch_size=3)
    made = [
        generate(
            pipe,
            list(cells["prompt"]),
            features,
            range(3),
            size=Size.of(chain.profile.model, 1),
            sampling=dataclasses.replace(sampling, batch_size=size),
        ).astype(int)
        for size in (3, 2, 1)
    ]
    for other in made[1:]:
        assert np.abs(made[0] - other).mean() < 0.1
    assert all(np.abs(made[0][i] - made[0][i - 1]).mean() > 1 for i in range(3))
