"""The command `generate`, with the real engine on small random weights."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mm_model.commands import cli
from mm_model.commands.generate import sidecar, wording
from mm_model.commands.generate.model import chosen
from mm_model.serving import engine, example
from mm_model.serving.config import Detection
from mm_model.serving.engine import Cancelled
from mm_model.serving.request import FIELDS
from mm_model.settings import load_profile
from mm_model.store import digests
from tests.profiles import whole
from tests.serving.house import ROOT, House

pytestmark = pytest.mark.capability("generate", scale="T")

PROMPT = "a woman img smiles in the park"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(served_house: House, monkeypatch: Any, capfd: Any, tmp_path: Path) -> Command:
    """`command("--ref", ...)`: status, standard output, standard error; run from another folder."""
    monkeypatch.setenv("MM_ROOT", str(served_house.root))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: Any) -> tuple[int, str, str]:
        capfd.readouterr()
        status = cli.main(["generate", *map(str, arguments)])
        return status, *capfd.readouterr()

    return run


@pytest.fixture(scope="module")
def photographs(served_house: House, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two photographs of one drawn person."""
    folder = tmp_path_factory.mktemp("photographs")
    record = example.record(load_profile(served_house.root, "tiny"))
    paths = [folder / f"{name}.png" for name in ("first", "second one")]
    for path, text in zip(paths, record["reference_images"], strict=True):
        path.write_bytes(base64.b64decode(text))
    return paths


@pytest.fixture
def asked(photographs: list[Path]) -> list[Any]:
    """A whole request of few steps."""
    first, second = photographs
    rest = "--consent synthetic:drawn-1 --seed 7 --steps 2"
    return ["--ref", first, "--ref", second, "--prompt", PROMPT, *rest.split()]


def record_of(photographs: list[Path]) -> dict[str, Any]:
    """The same request as a server takes it."""
    return {
        "prompt": PROMPT,
        "consent": {"basis": "synthetic", "evidence": "drawn-1"},
        "seed": 7,
        "num_inference_steps": 2,
        "reference_images": [base64.b64encode(p.read_bytes()).decode() for p in photographs],
    }


def served(house: House) -> Any:
    """The champion as it is served."""
    return chosen(house.layout, "champion").load()


def test_the_served_model_gives_the_same_bytes(
    command: Command, asked: list, photographs: list[Path], served_house: House, tmp_path: Path
) -> None:
    status, out, err = command(*asked, "-o", tmp_path / "clip.mp4")
    assert status == 0, err
    assert out.splitlines()[-1] == str(tmp_path / "clip.mp4")
    reply = served(served_house).answer(record_of(photographs))
    assert base64.b64decode(reply["video_mp4"]) == (tmp_path / "clip.mp4").read_bytes()


def test_a_real_server_gives_the_same_bytes(
    command: Command, asked: list, photographs: list[Path], server: Any, tmp_path: Path
) -> None:
    assert command(*asked, "-o", tmp_path / "clip.mp4")[0] == 0
    status, body = server.ask(record_of(photographs))
    assert status == 200, body[:300]
    (reply,) = json.loads(body)["predictions"]
    assert base64.b64decode(reply["video_mp4"]) == (tmp_path / "clip.mp4").read_bytes()


def test_the_record_says_what_the_clip_was_made_of(
    command: Command, asked: list, photographs: list[Path], served_house: House, tmp_path: Path
) -> None:
    command(*asked, "-o", tmp_path / "clip.mp4")
    said = json.loads((tmp_path / "clip.json").read_text())
    arguments = said["arguments"]
    assert arguments["prompt"] == PROMPT
    assert arguments["references"] == [str(path) for path in photographs]
    assert arguments["consent"] == {"basis": "synthetic", "evidence": "drawn-1"}
    assert (arguments["seed"], arguments["num_inference_steps"]) == (7, 2)
    profile = load_profile(served_house.root, "tiny")
    assert arguments["num_frames"] == profile.model.num_frames
    assert arguments["guidance_scale"] == profile.serve.default_guidance
    assert [arguments["height"], arguments["width"]] == list(profile.serve.sizes[0])
    assert said["video_sha256"] == digests.of_file(tmp_path / "clip.mp4")
    assert said["references_sha256"] == [digests.of_file(path) for path in photographs]
    finetune = served_house.layout.output("finetune") / "adapter"
    assert said["digests"]["adapter"] == digests.of_folder(finetune)
    assert set(said["digests"]) == {"adapter", "backbone", "facepack", "code"}
    assert said["release"] == "1"
    assert {"python", "torch", "av"} <= set(said["versions"])
    assert {"processor", "threads", "device"} <= set(said["hardware"])


def test_nothing_is_replaced_unasked(command: Command, asked: list, tmp_path: Path) -> None:
    for name in ("clip.mp4", "clip.json"):
        (tmp_path / name).write_text("mine")
        status, _, err = command(*asked, "-o", tmp_path / "clip.mp4")
        assert status == 1 and name in err and "--force" in err
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    (tmp_path / "clip.mp4").write_text("mine")
    assert command(*asked, "-o", tmp_path / "clip.mp4", "--force")[0] == 0
    assert (tmp_path / "clip.mp4").stat().st_size > 1000
    status, _, err = command(*asked, "-o", tmp_path / "clip.avi")
    assert status == 1 and ".mp4" in err


def test_a_full_disk_leaves_what_was_there(
    command: Command, asked: list, tmp_path: Path, monkeypatch: Any
) -> None:
    """The record cannot be written: the clip that it would speak of does not appear either."""
    for name in ("clip.mp4", "clip.json"):
        (tmp_path / name).write_text("mine")

    def full(self: Path, *_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    status, _, err = command(*asked, "-o", tmp_path / "clip.mp4", "--force")
    assert status == 1 and "the disk is full" in err
    assert sorted((path.name, path.read_text()) for path in tmp_path.iterdir()) == [
        ("clip.json", "mine"),
        ("clip.mp4", "mine"),
    ]


def test_without_a_name_a_clip_goes_by_its_seed(
    command: Command, asked: list, served_house: House
) -> None:
    status, out, _ = command(*asked)
    path = Path(out.splitlines()[-1])
    assert (status, path.name) == (0, "7.mp4")
    assert path.is_relative_to(served_house.root / "work")
    path.unlink()
    path.with_suffix(".json").unlink()


@pytest.mark.parametrize(
    "change",
    [
        {"num_frames": 10},
        {"num_inference_steps": 1000},
        {"guidance_scale": 0.5},
        {"seed": -1},
        {"height": 512, "width": 512},
        {"prompt": " "},
        {"prompt": "mountains at dawn"},
        {"prompt": "a man\x07 smiles"},
        {"prompt": "a woman </s> smiles"},
        {"prompt": "a woman smiles<pad>"},
        {"prompt": "a woman <extra_id_0> smiles"},
        {"prompt": "a <unk> woman smiles"},
        {"prompt": "</s>a woman img smiles<extra_id_99>"},
    ],
)
def test_what_a_server_refuses_is_refused_in_the_words_of_the_command_line(
    command: Command, photographs: list[Path], served_house: House, change: dict, tmp_path: Path
) -> None:
    from mm_model.serving.refusal import Refusal

    record = record_of(photographs) | change
    with pytest.raises(Refusal) as refusal:
        served(served_house).answer(record)
    options = {
        "num_frames": "--frames",
        "num_inference_steps": "--steps",
        "seed": "--seed",
        "guidance_scale": "--guidance",
        "prompt": "--prompt",
    }
    given = [
        part
        for name, option in options.items()
        if name in record
        for part in (option, record[name])
    ]
    if "height" in change:
        given += ["--size", "512x512"]
    given += ["--consent", "synthetic:drawn-1", "-o", tmp_path / "clip.mp4"]
    status, _, err = command("--ref", photographs[0], *given)
    said = wording.of(refusal.value).sentence
    assert (status, err.strip().splitlines()[-1]) == (1, f"Stopped: {said}")
    assert not [name for name in FIELDS if "_" in name if name in err]
    assert not list(tmp_path.iterdir())


def test_a_photograph_without_a_face_or_consent_is_refused(
    command: Command, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    # at the paper's scale loading takes minutes
    monkeypatch.setattr(engine, "PipelineEngine", lambda *_: pytest.fail("loaded"))
    Image.new("RGB", (96, 96), (127, 127, 127)).save(tmp_path / "grey.png")
    rest = ["--prompt", PROMPT, "--consent", "synthetic:drawn-1"]
    status, _, err = command("--ref", tmp_path / "grey.png", *rest)
    assert status == 1 and "Reference picture 1 shows no face" in err and "--facepack" in err
    (tmp_path / "text.png").write_text("no picture")
    status, _, err = command("--ref", photographs[0], "--ref", tmp_path / "text.png", *rest)
    assert status == 1 and "Reference picture 2 is not a readable picture" in err
    for consent in ([], ["--consent", "he agreed"], ["--consent", "friend:me"]):
        status, _, err = command("--ref", photographs[0], "--prompt", PROMPT, *consent)
        assert status == 1 and "consent" in err
    assert "nowhere.png" in command("--ref", tmp_path / "nowhere.png", *rest)[2]
    assert command("--prompt", PROMPT)[0] == 1


def test_words_that_are_cut_off_are_named_before_work_starts(
    command: Command, photographs: list[Path], served_house: House, tmp_path: Path
) -> None:
    """The small tokenizer reads 16 tokens, four of them for two references."""
    prompt = "a man smiles in the park and waves and runs and sits in a red hat"
    first, second = photographs
    rest = ["--prompt", prompt, *"--steps 1 --consent synthetic:drawn-1".split()]
    status, out, err = command("--ref", first, "--ref", second, *rest, "-o", tmp_path / "clip.mp4")
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if "cut off" in line]
    assert line.endswith(": in a red hat")
    reply = served(served_house).answer(record_of(photographs) | {"prompt": prompt})
    (note,) = [note for note in reply["notes"] if "prompt" in note]
    assert note.endswith(": 4.") and "red" not in note
    short = served(served_house).answer(record_of(photographs))
    assert not [note for note in short["notes"] if "prompt" in note]


def test_a_folder_of_one_person_s_photographs(
    command: Command, photographs: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "ann"
    folder.mkdir()
    for name in "abcdef":
        shutil.copyfile(photographs[ord(name) % 2], folder / f"{name}.png")
    (folder / "notes.txt").write_text("seaside")
    (folder / "other").mkdir()
    shutil.copyfile(photographs[0], folder / "other" / "0.png")
    rest = ["--prompt", PROMPT, "--steps", 1, "--seed", 3, "-o", tmp_path / "clip.mp4"]
    status, _, err = command("--ref", folder, *rest)
    assert status == 1 and "consent is missing" in err
    record = {"basis": "synthetic:drawn-9", "adults": True, "files": ["[b-f].png"]}
    (folder / "consent.yaml").write_text(yaml.safe_dump(record))
    status, out, err = command("--ref", folder, *rest)
    assert status == 0, err
    said = sidecar.read(tmp_path / "clip.json")
    assert [Path(path).name for path in said.arguments.references] == [
        "b.png",
        "c.png",
        "d.png",
        "e.png",
    ]
    assert said.arguments.consent == {"basis": "synthetic", "evidence": "drawn-9"}
    assert "1 more in the folder" in out


def test_an_adapter_s_own_folder(
    command: Command, asked: list, served_house: House, tmp_path: Path
) -> None:
    finetune = served_house.layout.output("finetune")
    clips = []
    for number, folder in enumerate((finetune, finetune / "adapter")):
        target = tmp_path / f"{number}.mp4"
        status, _, err = command(*asked, "--adapter", folder, "-o", target)
        assert status == 0, err
        clips.append(target.read_bytes())
        assert sidecar.read(target.with_suffix(".json")).release is None
    command(*asked, "-o", tmp_path / "champion.mp4")
    assert clips == [(tmp_path / "champion.mp4").read_bytes()] * 2
    for name in (tmp_path, "no/such/place", "3", "nobody"):
        status, _, err = command(*asked, "--adapter", name, "-o", tmp_path / "never.mp4")
        assert status == 1 and err.startswith("Stopped: ") and "Traceback" not in err


def test_another_face_pack_finds_the_faces(
    command: Command, asked: list, served_house: House, tmp_path: Path
) -> None:
    rules = whole(ROOT, "real-small")
    rules["faces"]["detection_size"] = 160
    (served_house.root / "profiles" / "real-small.yaml").write_text(yaml.safe_dump(rules))
    pack = served_house.root / "weights" / "pack"
    status, _, err = command(*asked, "--facepack", pack, "-o", tmp_path / "clip.mp4")
    assert status == 0, err
    assert sidecar.read(tmp_path / "clip.json").arguments.facepack == str(pack)
    assert command("--again", tmp_path / "clip.json")[0] == 0
    status, _, err = command(*asked, "--facepack", tmp_path / "none", "-o", tmp_path / "b.mp4")
    assert status == 1 and "none" in err


def test_another_face_pack_brings_the_rules_for_photographs_and_changes_nothing_else(
    served_house: House,
) -> None:
    """No value is what the release has; the record still names the release that was asked."""
    rules, pack = whole(ROOT, "real-small"), served_house.root / "weights" / "pack"
    rules["faces"] |= {
        "detection_size": 96,
        "detection_above": 0.31,
        "pads": [0.21],
        "padded_detection_above": 0.42,
        "bystander_below": 0.17,
    }
    (served_house.root / "profiles" / "real-small.yaml").write_text(yaml.safe_dump(rules))
    plain, own = (chosen(served_house.layout, "champion", given) for given in (None, pack))
    names = Detection.model_fields
    assert own.config.detection.model_dump(mode="json") == {n: rules["faces"][n] for n in names}
    assert all(
        getattr(own.config.detection, n) != getattr(plain.config.detection, n) for n in names
    )
    others = {"detection": plain.config.detection, "digests": plain.config.digests}
    assert own.config.model_copy(update=others) == plain.config
    assert own.folders == plain.folders | {"facepack": pack}
    assert plain.release and (own.release, own.code) == (plain.release, plain.code)


def test_what_the_model_was_trained_to_do_may_be_asked_for() -> None:
    """Every action of the drawn people: by everybody where nobody is real, by adults always."""
    from mm_model.embedded.people.action import ACTIONS
    from mm_model.serving.policy import check_prompt

    for action in ACTIONS:
        for who in ("man", "woman", "boy", "girl", "baby", "person"):
            check_prompt(f"a {who} {action}", "synthetic")
        for who in ("man", "woman"):
            check_prompt(f"a {who} img {action}", "self")


@pytest.mark.capability("InsightFace packs", scale="R")
def test_a_real_photograph_is_shown_or_refused_in_one_sentence(
    command: Command, real_media: Path, real_facepack: Path, served_house: House, tmp_path: Path
) -> None:
    rules = yaml.safe_dump(whole(ROOT, "real-small"))
    (served_house.root / "profiles" / "real-small.yaml").write_text(rules)
    rest = [
        "--prompt",
        PROMPT,
        *"--steps 1 --consent licence:mit --facepack".split(),
        real_facepack,
    ]
    shown, hidden = real_media / "source_s10.jpg", real_media / "source_s30.jpg"
    status, _, err = command("--ref", shown, *rest, "-o", tmp_path / "clip.mp4")
    assert status == 0, err
    status, _, err = command("--ref", hidden, *rest, "-o", tmp_path / "never.mp4")
    assert status == 1
    assert err.strip().splitlines()[-1] == (
        "Stopped: Reference picture 1 shows no face that can be found: give one that shows the "
        "face."
    )


def test_work_that_is_given_up_leaves_the_engine_as_it_was(
    served_house: House, photographs: list[Path]
) -> None:
    """Stopped after its first step, a clip costs nothing more, and the next is what it would be."""
    mirror = served(served_house)
    wanted = mirror.read(record_of(photographs) | {"num_inference_steps": 5})
    references = mirror.look(wanted)
    told: list[tuple[int, int]] = []
    whole = mirror.show(wanted, references, lambda *step: told.append(step))
    assert told == [(number, 5) for number in range(1, 6)]
    steps: list[int] = []

    def stop(done: int, _total: int) -> None:
        steps.append(done)
        raise Cancelled

    with pytest.raises(Cancelled):
        mirror.show(wanted, references, stop)
    assert steps == [1]
    assert mirror.show(wanted, references) == whole
