"""`generate --again`: the same bytes, what differs elsewhere, and records that are none."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from mm_model.commands import cli
from mm_model.commands.generate import work
from mm_model.commands.generate.model import Choice
from mm_model.serving.config import of_profile
from mm_model.serving.mirror import Mirror
from mm_model.serving.request import Request
from mm_model.settings import load_profile
from mm_model.store import digests
from tests.serving.conftest import FakeEngine, one_face
from tests.serving.house import House
from tests.serving.test_generate import Command, asked, command, photographs

pytestmark = pytest.mark.capability("generate --again", scale="T")

__all__ = ["asked", "command", "photographs"]  # fixtures

PARTS = ("adapter", "backbone", "facepack")


def rewritten(said: dict[str, Any]) -> str:
    """A record as if those values had been written at first."""
    rest = {name: value for name, value in said.items() if name != "record_sha256"}
    return json.dumps({**rest, "record_sha256": digests.of_value(rest)})


def test_again_gives_the_same_bytes_and_says_so(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, chosen = [], work.chosen

    def told(layout: Any, adapter: str, facepack: Path | None) -> Choice:
        models.append(adapter)
        return chosen(layout, adapter, facepack)

    monkeypatch.setattr(work, "chosen", told)
    command(*asked, "-o", tmp_path / "clip.mp4")
    status, out, err = command("--again", tmp_path / "clip.json")
    assert (status, out.splitlines()[-1]) == (0, "the same bytes"), err
    assert models == ["champion", "1"], "the release that made it, whatever is champion now"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.json", "clip.mp4"]
    status, out, _ = command("--again", tmp_path / "clip.json", "-o", tmp_path / "twin.mp4")
    assert status == 0
    assert (tmp_path / "twin.mp4").read_bytes() == (tmp_path / "clip.mp4").read_bytes()


@pytest.fixture
def generate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., str]:
    """`generate(*arguments)`: the last line that the command says; `.engine` made the clips and
    `.models` were asked for.
    """
    house = House(tmp_path / "root")
    profile = load_profile(house.root, "tiny")
    sizes = profile.serve.model_copy(update={"sizes": ((64, 64), (48, 80))})
    config = of_profile(profile.model_copy(update={"serve": sizes}), dict.fromkeys(PARTS, ""))
    engine, models = FakeEngine(), []
    monkeypatch.setattr(
        work, "chosen", lambda _, *names: models.append(names) or Choice(config, {})
    )
    monkeypatch.setattr(Choice, "load", lambda *_: Mirror(config, one_face, lambda: engine))
    monkeypatch.setenv("MM_ROOT", str(house.root))

    def run(*arguments: Any) -> str:
        assert cli.main(["generate", *map(str, arguments)]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    run.engine, run.models = engine, models
    return run


def test_again_asks_for_every_value_of_the_clip(generate: Any, tmp_path: Path) -> None:
    """None of the clip's values is what a plain clip beside it has.

    A field that a request gets later fails here until the clip sets it too.
    """
    adapter, pack = tmp_path / "adapter", tmp_path / "pack"
    for folder in (adapter, pack):
        folder.mkdir()
    red, blue = tmp_path / "red.png", tmp_path / "blue.png"
    for path in (red, blue):
        Image.new("RGB", (40, 50), path.stem).save(path)
    clip, twin, plain = (tmp_path / name for name in ("clip.png", "twin.png", "plain.mp4"))
    generate(
        *["--ref", red, "--ref", blue, "--ref", red, "--prompt", "a man img nods"],
        *"--consent written:form-17 --seed 41 --frames 1 --size 48x80 --steps 3".split(),
        *["--guidance", 5.5, "--gamma", 0.25, "--adapter", adapter, "--facepack", pack, "-o", clip],
    )
    assert generate("--again", clip.with_suffix(".json"), "-o", twin) == "the same bytes"
    said = ["--prompt", "a woman img smiles", "--consent", "self:me"]
    generate("--ref", blue, *said, "-o", plain)
    first, once_more, other = (wanted for wanted, _ in generate.engine.calls)
    names = [field.name for field in dataclasses.fields(Request)]
    assert {n: getattr(once_more, n) for n in names} == {n: getattr(first, n) for n in names}
    assert [n for n in names if getattr(first, n) == getattr(other, n)] == [], (
        "left at its default here: ask for it in `clip` above"
    )
    assert generate.models[:2] == [(str(adapter), pack)] * 2
    records = [json.loads(path.with_suffix(".json").read_text()) for path in (clip, twin)]
    differing = {name for name, value in records[0].items() if records[1][name] != value}
    assert differing <= {"seconds", "record_sha256"}, "the twin's record makes another clip"


def test_again_elsewhere_says_what_differs_and_how_the_bytes_came_out(
    command: Command, asked: list, tmp_path: Path
) -> None:
    command(*asked, "-o", tmp_path / "clip.mp4")
    said = json.loads((tmp_path / "clip.json").read_text())
    said["versions"]["torch"] = "1.0"
    said["hardware"]["processor"] = "another one"
    (tmp_path / "clip.json").write_text(rewritten(said))
    status, out, _ = command("--again", tmp_path / "clip.json")
    assert status == 0
    assert "torch 1.0 then" in out and "processor another one then" in out
    assert out.splitlines()[-1] == "the same bytes"
    said["video_sha256"] = "0" * 64
    (tmp_path / "clip.json").write_text(rewritten(said))
    status, out, _ = command("--again", tmp_path / "clip.json")
    assert (status, out.splitlines()[-1]) == (0, "other bytes")


def test_a_record_that_tells_no_values_is_made_again(
    command: Command, asked: list, tmp_path: Path
) -> None:
    """Those that were written before there was that field."""
    command(*asked, "-o", tmp_path / "clip.mp4")
    said = json.loads((tmp_path / "clip.json").read_text())
    assert said.pop("values")
    (tmp_path / "clip.json").write_text(rewritten(said))
    status, out, err = command("--again", tmp_path / "clip.json")
    assert (status, out.splitlines()[-1]) == (0, "the same bytes"), err


def test_other_bytes_on_the_same_machine_are_a_failure(
    command: Command, asked: list, tmp_path: Path
) -> None:
    command(*asked, "-o", tmp_path / "clip.mp4")
    said = json.loads((tmp_path / "clip.json").read_text())
    (tmp_path / "clip.json").write_text(rewritten(said | {"video_sha256": "0" * 64}))
    status, _, err = command("--again", tmp_path / "clip.json")
    assert status == 1
    assert "The bytes differ" in err


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("evaluate", {"face_guidance": "null"}),
        ("model", {"fps": 12}),
        ("run", {"dtype": "bfloat16"}),
        ("faces", {"detection_above": 0.01}),
    ],
)
def test_again_refuses_an_adapter_s_folder_under_other_values(
    command: Command, asked: list, served_house: House, tmp_path: Path, part: str, values: dict
) -> None:
    """The profile gives what nobody asks for: changed since, it is no defect that bytes differ."""
    command(
        *asked, "--adapter", served_house.layout.output("finetune"), "-o", tmp_path / "clip.mp4"
    )
    path = served_house.root / "profiles" / "tiny.yaml"
    before = path.read_bytes()
    profile = yaml.safe_load(before)
    was = dict(profile[part])
    profile[part] |= values
    try:
        path.write_text(yaml.safe_dump(profile))
        status, _, err = command("--again", tmp_path / "clip.json")
    finally:
        path.write_bytes(before)
    ((name, value),) = values.items()
    assert status == 1 and f"The clip was made with {name} {was[name]}, " in err
    assert f"which is {value} now" in err
    assert command("--again", tmp_path / "clip.json")[0] == 0


def test_again_refuses_what_is_not_the_recorded_one(
    command: Command, asked: list, photographs: list[Path], tmp_path: Path
) -> None:
    moved = shutil.copytree(photographs[0].parent, tmp_path / "moved")
    own = [moved / path.name for path in photographs]
    command("--ref", own[0], "--ref", own[1], *asked[4:], "-o", tmp_path / "clip.mp4")
    record = tmp_path / "clip.json"
    own[1].rename(moved / "renamed.png")
    status, _, err = command("--again", record)
    assert status == 1 and "second one.png" in err and "name a photograph" in err
    status, out, _ = command("--again", record, "--ref", own[0], "--ref", moved / "renamed.png")
    assert (status, out.splitlines()[-1]) == (0, "the same bytes")
    shutil.copyfile(own[0], moved / "renamed.png")
    status, _, err = command("--again", record, "--ref", own[0], "--ref", moved / "renamed.png")
    assert status == 1 and "renamed.png is not the photograph" in err
    assert command("--again", record, "--ref", own[0])[0] == 1
    said = json.loads(record.read_text())
    for part in PARTS:
        changed = said | {"digests": said["digests"] | {part: "0" * 64}}
        record.write_text(rewritten(changed))
        status, _, err = command("--again", record)
        assert status == 1 and f"The {part} is not the one that made the clip" in err
    for text in (
        "",
        "[]",
        "{}",
        '{"format": 1}',
        json.dumps(said | {"references_sha256": 3}),
        json.dumps(said | {"arguments": said["arguments"] | {"seed": "x"}}),
        json.dumps(said | {"release": 1}),
        json.dumps(said | {"hardware": []}),
        json.dumps(said | {"extra": 1}),
        "\x00",
    ):
        record.write_text(text)
        status, _, err = command("--again", record)
        assert status == 1 and err.startswith("Stopped: ") and "Traceback" not in err
    status, _, err = command("--again", record, "--seed", 3)
    assert status == 1 and "--seed" in err


def test_a_record_that_was_changed_is_no_record(
    command: Command, asked: list, tmp_path: Path
) -> None:
    command(*asked, "-o", tmp_path / "clip.mp4")
    path = tmp_path / "clip.json"
    said = json.loads(path.read_text())
    for changed in (
        said | {"arguments": said["arguments"] | {"prompt": "a man nods"}},
        said | {"digests": {}},
        said | {"digests": {"adapter": 3}},
        said | {"seconds": 0},
        said | {"references_sha256": [1]},
    ):
        path.write_text(json.dumps(changed))
        status, _, err = command("--again", path)
        assert status == 1 and "was changed after it was written" in err
    path.write_text(json.dumps(said | {"format": 2}))
    assert "form 2" in command("--again", path)[2]
    path.write_text("[" * 200_000)
    assert "is no record of a generated clip" in command("--again", path)[2]
