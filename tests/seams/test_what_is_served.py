"""What a server answers is what was evaluated, and the identity is what makes the difference."""

import base64
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.seams.facts import Chain, film, pixels, sought

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mirror(chain: Chain) -> Any:
    """The champion as a server loads it: nothing but what its folder holds."""
    import yaml

    from mm_model.serving import mirror

    folder = champion(chain)
    said = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]
    artifacts = {name: str(folder / entry["path"]) for name, entry in said["artifacts"].items()}
    return mirror.load(artifacts, said["config"])


def champion(chain: Chain) -> Path:
    """The folder of the version that `release.json` names."""
    said = json.loads((chain.output("register") / "release.json").read_text())
    for path in (chain.place / "mlruns").rglob("card.json"):
        if json.loads(path.read_text())["release_digest"] == said["release_digest"]:
            return path.parent
    raise AssertionError("no folder holds the release")


def candidate(chain: Chain) -> str:
    """The training stage whose adapter is registered."""
    return json.loads((chain.output("evaluate") / "metrics.json").read_text())["candidate"]


def ask(chain: Chain, mirror: Any, tmp_path: Path, identity: str, **more: Any) -> np.ndarray:
    """The clip that the server makes of the photographs that evaluation showed."""
    rules = chain.profile.evaluate
    kept = chain.table("faces", "samples").query(
        f"status == 'kept' and media == 'image' and identity == '{identity}'"
    )
    names = sorted(kept["sample_id"])[: rules.references_per_person]
    record = {
        "reference_images": [
            base64.b64encode(chain.truth[name].file.read_bytes()).decode() for name in names
        ],
        "consent": {"basis": "synthetic", "evidence": "drawn"},
        "num_inference_steps": rules.inference_steps,
        "guidance_scale": rules.guidance_scale,
        **more,
    }
    reply = mirror.answer(record)
    path = tmp_path / f"{identity}-{more['seed']}.mp4"
    path.write_bytes(base64.b64decode(reply["video_mp4"]))
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
    assert reply["fps"] == rate == chain.profile.model.fps
    return film(path).astype(int)


@pytest.mark.capability("served as evaluated", scale="T")
def test_the_served_clip_is_the_evaluated_clip(chain: Chain, mirror: Any, tmp_path: Path) -> None:
    """Same photographs, words and seed: the same frames, but for a rounding of the batch."""
    cells = chain.table("evaluate", "cells").query(f"variant == '{candidate(chain)}'")
    evaluated, served = {}, {}
    for cell in cells.iloc[[0, 4, 8]].itertuples():  # of three people, not the first clip of each
        evaluated[cell.identity] = film(chain.output("evaluate") / cell.video).astype(int)
        served[cell.identity] = ask(
            chain, mirror, tmp_path, cell.identity, prompt=cell.prompt, seed=int(cell.seed)
        )
    for identity, clip in served.items():
        assert np.abs(clip - evaluated[identity]).mean() < 0.8, identity


def test_another_person_s_photographs_give_another_clip(
    chain: Chain, mirror: Any, tmp_path: Path
) -> None:
    cells = chain.table("evaluate", "cells").query("variant == 'finetune'")
    first, second = cells["identity"].unique()[:2]
    said = {"prompt": cells["prompt"].iloc[0], "seed": 7}
    clips = [ask(chain, mirror, tmp_path, name, **said) for name in (first, second)]
    assert np.abs(clips[0] - clips[1]).mean() > 1


def test_the_release_holds_the_adapter_and_the_values_that_were_evaluated(chain: Chain) -> None:
    import yaml

    from mm_model.store import digests

    folder, profile = champion(chain), chain.profile
    (other,) = {"pretrain", "finetune"} - {candidate(chain)}
    for name in ("magic_mirror_adapter.safetensors", "magic_mirror_config.json"):
        ours, theirs, earlier = (
            digests.of_file(path / name)
            for path in (
                folder / "artifacts" / "adapter",
                chain.output(candidate(chain)) / "adapter",
                chain.output(other) / "adapter",
            )
        )
        assert ours == theirs
        assert theirs != earlier or name.endswith(".json")
    config = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"][
        "config"
    ]
    assert config["face_guidance"] == profile.evaluate.face_guidance
    assert (config["fps"], config["num_frames"]) == (profile.model.fps, profile.model.num_frames)
    assert config["serve"] == profile.serve.model_dump(mode="json")
    assert config["max_aspect"] == profile.ingest.max_aspect
    for name, value in config["detection"].items():
        assert value == profile.faces.model_dump(mode="json")[name]
    kept = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert kept == json.loads((chain.output("evaluate") / "metrics.json").read_text())


def test_the_release_holds_the_face_pack_and_the_backbone_of_the_run(chain: Chain) -> None:
    """Those whose faces were learned from and measured; the judge stays at home."""
    import yaml

    from mm_model.store import digests

    given = yaml.safe_load((chain.place / "params.yaml").read_text())
    own = {name: digests.of_folder(Path(given[name])) for name in ("facepack", "backbone", "judge")}
    config = yaml.safe_load((champion(chain) / "MLmodel").read_text())["flavors"][
        "python_function"
    ]["config"]
    for name in ("facepack", "backbone"):
        released = digests.of_folder(champion(chain) / "artifacts" / name)
        assert released == config["digests"][name] == own[name] != own["judge"]


SETTINGS = {
    ("evaluate", "face_guidance"): ("split", "face_guidance"),
    ("pretrain", "sample_face_guidance"): ("split", None),
    ("finetune", "sample_face_guidance"): ("split", None),
    ("model", "num_frames"): (1, "num_frames"),
    ("pretrain", "sample_frames"): (1, None),
    ("model", "fps"): (5, "fps"),
    ("ingest", "max_aspect"): (2.5, "max_aspect"),
    ("run", "threads"): (3, "threads"),
    ("run", "device"): ("auto", "device"),
    ("run", "dtype"): ("bfloat16", "dtype"),
    ("serve", "default_guidance"): (7.5, "serve"),
    ("evaluate", "guidance_scale"): (7.5, None),
    ("faces", "detection_above"): (0.7, "detection"),
}
"""Section and field, another value, and what of a release's configuration alone follows it."""


@pytest.mark.parametrize(("section", "field"), SETTINGS)
def test_a_served_value_follows_its_own_setting_alone(
    chain: Chain, section: str, field: str
) -> None:
    from mm_model.serving.config import of_profile

    value, follows = SETTINGS[section, field]
    part = getattr(chain.profile, section)
    assert getattr(part, field) != value
    other = chain.profile.model_copy(update={section: part.model_copy(update={field: value})})
    digests = dict.fromkeys(("adapter", "backbone", "facepack"), "0" * 64)
    before, after = (of_profile(one, digests).model_dump() for one in (chain.profile, other))
    assert [name for name in before if before[name] != after[name]] == [follows] * bool(follows)


def test_the_portrait_that_is_shown_is_the_reference_s_face(chain: Chain) -> None:
    for path in sorted((chain.output("evaluate") / "references").glob("*.jpg")):
        own = chain.people[path.stem]
        pictures = {f.person: [] for f in chain.truth.values()}
        for fact in chain.truth.values():
            if fact.media == "image" and fact.side == "held_out":
                pictures[fact.person].append(sought(pixels(path), pixels(fact.file)))
        best = {person: max(found) for person, found in pictures.items() if found}
        assert max(best, key=best.get) == own and best[own] > 0.95
