"""One way to look at a reference: what the identity encoder is given, wherever it comes from.

Drawn photographs go through the real stages `sources`, `ingest`, `faces` and `pairs`; training, the
watcher and evaluation read what those left, serving and `generate` get the very files. Equal means
equal in every bit: the same decoder, the same detector, one function from there on.
"""

import base64
import contextlib
import dataclasses
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import open_pack
from mm_model.faces.identity import hashed_share
from mm_model.media.images import load_image
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.portrait import LARGEST
from mm_model.run.stage import Job
from mm_model.serving import mirror
from mm_model.serving.config import of_profile
from mm_model.settings import load_profile
from mm_model.store import digests, tables
from mm_model.train import watch
from mm_model.train.processes import Processes
from tests.stages.conftest import edit_profile, make_job, run_stage, use_sources

Inputs = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Name of a picture to its CLIP pixels [3, S, S] and aligned face [3, 112, 112]."""


def _drawn(seed: int, size: int = 192) -> np.ndarray:
    """A photograph with the face in full view."""
    rng = np.random.default_rng([7, seed])
    while True:
        frame = photograph(person(seed), rng, size)
        if frame.visible and abs(frame.pose.yaw) < 15:
            return frame.image


def _beside(image: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    """The picture at (left, top) of a wider one, its border repeated."""
    right, bottom = width - left - image.shape[1], height - top - image.shape[0]
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REPLICATE)


def _tilted(image: np.ndarray, degrees: float) -> np.ndarray:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _scaled(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


def _photographs() -> dict[str, bytes]:
    """Each kind of photograph as a JPEG file, each of another person."""
    lying = Image.Exif()
    lying[0x0112] = 6
    big = _scaled(_beside(_drawn(10_006), 96, 8, 288, 216), 4000 / 288)
    wide = _scaled(_beside(_drawn(10_007), 20, 12, 384, 216), 4640 / 384)
    found = {
        "centred": _drawn(10_001),
        "off-centre": _beside(_drawn(10_002, 256), 370, 110, 640, 384),
        "tilted": _tilted(_drawn(10_004), 18),
        "small": _drawn(10_005, 72),
        "12-megapixel": big,
        "12-megapixel-wide": wide,
        "12-megapixel-face": _scaled(_drawn(10_008, 240), 3500 / 240),
    }
    files = {name: _jpeg(image) for name, image in found.items()}
    files["lying"] = _jpeg(np.rot90(_drawn(10_003)), exif=lying)
    return files


def _jpeg(image: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


@dataclasses.dataclass
class World:
    """A root whose stages up to `pairs` are done, its photographs by name, and a fresh adapter."""

    place: Path
    files: dict[str, bytes]
    job: Job
    adapter: Path

    def names(self) -> dict[str, str]:
        """Sample id to the name of its photograph."""
        rows = tables.records(self.job.inputs["ingest"] / "samples.parquet")
        return {row["sample_id"]: row["subject"] for row in rows}

    def identities(self) -> dict[str, str]:
        """Identity to the name of its one photograph."""
        rows = tables.records(self.job.inputs["faces"] / "samples.parquet")
        return {row["identity"]: self.names()[row["sample_id"]] for row in rows}


@pytest.fixture(scope="module")
def backbone(root: Path) -> Any:
    from mm_model.generation.backbone import load_backbone

    run = load_profile(root, "tiny").run.model_copy(update={"threads": 1})
    return load_backbone(root / "weights" / "tiny" / "backbone", run)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, root: Path, backbone: Any) -> World:
    place = tmp_path_factory.mktemp("look") / "root"
    shutil.copytree(root / "profiles", place / "profiles", ignore=lambda *_: ["local.yaml"])
    params = yaml.safe_load((root / "params.yaml").read_text())
    for name in ("facepack", "judge", "backbone"):
        params[name] = str(root / params[name])
    for name in ("judges", "captioners", "classifiers", "synthesizer"):
        (place / params[name]).mkdir(parents=True)
    (place / "params.yaml").write_text(yaml.safe_dump(params))
    files = _photographs()
    # One of several people is always held out; it is to be none of these.
    taken = min(hashed_share(load_profile(place, "tiny").run.seed, name) for name in files)
    another = next(
        name
        for name in map("other-{}".format, range(1000))
        if hashed_share(load_profile(place, "tiny").run.seed, name) < taken
    )
    for name, content in (files | {another: _jpeg(_drawn(10_009))}).items():
        (place / "photographs" / name).mkdir(parents=True)
        (place / "photographs" / name / "one.jpg").write_bytes(content)
    use_sources(place, place / "photographs")
    edit_profile(
        place,
        **{
            "sources.consent": "synthetic:drawn",
            "run.threads": 1,
            "faces.held_out_share": 0.0,
            "pairs.kinds": ["self_reference"],
            "pairs.synthesizer": "none",
            "model.num_frames": 1,
            "evaluate.inference_steps": 1,
            "serve.default_steps": 1,
            "serve.max_frames": 1,
            "pretrain.sample_steps": 1,
            "pretrain.sample_frames": 1,
        },
    )
    for stage in ("sources", "ingest", "faces", "pairs"):
        report = run_stage(place, stage)
        assert report.counts.kept == len(files) + 1, (stage, report.counts.line())
    from mm_model.train.start import fresh_adapter

    job = make_job(place, "precompute")
    backbone.transformer.detach_layers()
    folder = place / "adapter" / "adapter"
    fresh_adapter(job, backbone).save_pretrained(folder)
    return World(place, files, job, folder)


@contextlib.contextmanager
def recording() -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """What identity encoders are given, picture by picture, in order."""
    faces: list[torch.Tensor] = []
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    embed, features = IdentityEncoder.embed, IdentityEncoder.features

    def embedding(self: IdentityEncoder, aligned: torch.Tensor) -> torch.Tensor:
        faces.extend(aligned.reshape(-1, *aligned.shape[-3:]).clone())
        return embed(self, aligned)

    def featuring(self: IdentityEncoder, pixels: torch.Tensor, *rest: Any) -> Any:
        shown = pixels.reshape(-1, *pixels.shape[-3:]).clone()
        assert len(shown) == len(faces)
        found.extend(zip(shown, faces, strict=True))
        faces.clear()
        return features(self, pixels, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IdentityEncoder, "embed", embedding)
        patch.setattr(IdentityEncoder, "features", featuring)
        yield found


@pytest.fixture
def given() -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    with recording() as found:
        yield found


def in_training(world: World, given: list) -> Inputs:
    """Each target has one reference, itself; the first is looked at once more, for its size."""
    run_stage(world.place, "precompute")
    rows = tables.records(world.job.layout.output("precompute") / "pictures.parquet")
    assert all(row["references"] == 1 for row in rows) and len(given) == 1 + len(rows)
    names = world.names()
    return dict(zip((names[row["sample_id"]] for row in rows), given[1:], strict=True))


def in_watching(world: World, backbone: Any, given: list, monkeypatch: Any) -> Inputs:
    from mm_model.generation.backbone import given_adapter
    from mm_model.generation.clips import pipeline_of

    """The watcher looks at held-out people: the same ones, called held out."""
    pairs = world.place / "held-out"
    shutil.copytree(world.job.inputs["pairs"], pairs)
    table = pd.read_parquet(pairs / "pairs.parquet")
    table[table["split"] == "train"].assign(split="held_out").to_parquet(pairs / "pairs.parquet")
    job = dataclasses.replace(world.job, inputs={**world.job.inputs, "pairs": pairs})
    monkeypatch.setattr(watch.chosen_people, "__defaults__", (20,))
    backbone.transformer.detach_layers()
    pipe = pipeline_of(backbone, given_adapter(world.adapter.parent, backbone))
    watcher = watch.Watcher(
        job, backbone, pipe, world.job.profile.pretrain, Processes(backbone.device)
    )
    names = world.identities()
    return dict(zip((names[p.identity] for p in watcher.people), given, strict=True))


def in_evaluation(world: World, backbone: Any, given: list) -> Inputs:
    from mm_model.evaluate.people import training_people
    from mm_model.evaluate.variants import Models

    people = training_people(world.job.inputs, world.job.profile)
    models = Models(backbone, {"finetune": world.adapter.parent}, world.job.profile)
    models.clips("finetune", people, [(place, 0) for place in range(len(people))])
    names = world.identities()
    return dict(zip((names[p.identity] for p in people), given, strict=True))


def in_serving(world: World, given: list) -> Inputs:
    folders = {
        "adapter": world.adapter,
        "backbone": world.job.model("backbone"),
        "facepack": world.job.model("facepack"),
    }
    config = of_profile(
        world.job.profile, {name: digests.of_folder(path) for name, path in folders.items()}
    )
    served = mirror.load({k: str(v) for k, v in folders.items()}, config.model_dump(mode="json"))
    for names in _fours(world):
        served.answer(
            {
                "prompt": "a person smiles",
                "consent": {"basis": "synthetic", "evidence": "drawn"},
                "seed": 1,
                "reference_images": [base64.b64encode(world.files[n]).decode() for n in names],
            }
        )
    return dict(zip(world.files, given, strict=True))


def in_generate(world: World, given: list, folder: Path) -> Inputs:
    """The command itself, with the adapter's folder and the photographs as files."""
    from mm_model.commands import cli

    for number, names in enumerate(_fours(world)):
        paths = [world.place / "photographs" / name / "one.jpg" for name in names]
        status = cli.main(
            [
                *["generate", *(f"--ref={path}" for path in paths), "--prompt=a person smiles"],
                *["--consent=synthetic:drawn", "--seed=1", f"--adapter={world.adapter}"],
                *["-o", str(folder / f"{number}.png")],
            ]
        )
        assert status == 0
    return dict(zip(world.files, given, strict=True))


def _fours(world: World) -> list[list[str]]:
    """The photographs, as many at once as a request may hold."""
    names = list(world.files)
    return [names[start : start + 4] for start in range(0, len(names), 4)]


@pytest.fixture(scope="module")
def trained(world: World, backbone: Any) -> Inputs:
    """What training gives the encoder."""
    with recording() as given:
        found = in_training(world, given)
    assert set(found) == set(world.files)
    return found


def equal(first: Inputs, second: Inputs) -> dict[str, bool]:
    return {
        name: all(torch.equal(a, b) for a, b in zip(first[name], second[name], strict=True))
        for name in first | second
    }


def test_watching_shows_what_training_shows(
    world: World, backbone: Any, trained: Inputs, given: list, monkeypatch: Any
) -> None:
    found = in_watching(world, backbone, given, monkeypatch)
    assert equal(trained, found) == dict.fromkeys(world.files, True)


def test_evaluation_shows_what_training_shows(
    world: World, backbone: Any, trained: Inputs, given: list
) -> None:
    assert equal(trained, in_evaluation(world, backbone, given)) == dict.fromkeys(world.files, True)


def test_serving_shows_what_training_shows(world: World, trained: Inputs, given: list) -> None:
    assert equal(trained, in_serving(world, given)) == dict.fromkeys(world.files, True)


def test_generate_shows_what_training_shows(
    world: World, trained: Inputs, given: list, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("MM_ROOT", str(world.place))
    found = in_generate(world, given, tmp_path)
    assert equal(trained, found) == dict.fromkeys(world.files, True)


def test_two_threads_of_a_detector_see_what_one_sees(world: World) -> None:
    """Stage `faces` gives a detector one thread, a server as many as the profile says."""
    rules = world.job.profile.faces
    packs = [open_pack(world.job.model("facepack"), rules.detection_size, n) for n in (1, 2)]
    for content in world.files.values():
        pixels = load_image(content)
        one, two = (chosen_faces(pack, pixels, rules).faces[0] for pack in packs)
        assert np.array_equal(one.box, two.box) and np.array_equal(one.landmarks, two.landmarks)


def test_every_picture_is_shown_differently_and_none_whole(world: World, trained: Inputs) -> None:
    """The equality above is not that of blank pictures: the face fills what the encoder sees."""
    shown = [pixels.flatten() for pixels, _ in trained.values()]
    assert all(not torch.allclose(a, b, atol=0.1) for i, a in enumerate(shown) for b in shown[:i])
    rows = tables.records(world.job.inputs["pairs"] / "references.parquet")
    sizes = {
        world.names()[r["sample_id"]]: (r["width"], r["height"], r["y2"] - r["y1"]) for r in rows
    }
    assert sizes["lying"][:2] == (192, 192)
    assert sizes["12-megapixel"][:2] == (4000, 3000)
    assert sizes["12-megapixel-wide"][0] > 4096
    assert 1.6 * sizes["12-megapixel-face"][2] > LARGEST


def test_another_margin_in_the_adapter_shows_another_square(
    world: World, backbone: Any, trained: Inputs, given: list, tmp_path: Path
) -> None:
    """The adapter's margin is what counts, not the profile's."""
    other = shutil.copytree(world.adapter.parent, tmp_path / "other")
    config = other / "adapter" / "magic_mirror_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"reference_margin": 2.4}))
    wider = dataclasses.replace(world, adapter=other / "adapter")
    found = in_evaluation(wider, backbone, given)
    given.clear()
    served = in_serving(wider, given)
    assert equal(found, served) == dict.fromkeys(world.files, True)
    assert not any(torch.equal(found[name][0], trained[name][0]) for name in trained)
