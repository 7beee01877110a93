"""`generate --again`: the same bytes, what differs elsewhere, and records that are none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mm_model.store import digests
from tests.serving.test_generate import Command, asked, command, photographs

__all__ = ["asked", "command", "photographs"]  # fixtures


def rewritten(said: dict[str, Any]) -> str:
    """A record as if those values had been written at first."""
    rest = {name: value for name, value in said.items() if name != "record_sha256"}
    return json.dumps({**rest, "record_sha256": digests.of_value(rest)})


def test_again_gives_the_same_bytes_and_says_so(
    command: Command, asked: list, tmp_path: Path
) -> None:
    command(*asked, "-o", tmp_path / "clip.mp4")
    status, out, err = command("--again", tmp_path / "clip.json")
    assert (status, out.splitlines()[-1]) == (0, "the same bytes"), err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.json", "clip.mp4"]
    status, out, _ = command("--again", tmp_path / "clip.json", "-o", tmp_path / "twin.mp4")
    assert status == 0
    assert (tmp_path / "twin.mp4").read_bytes() == (tmp_path / "clip.mp4").read_bytes()


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


def test_other_bytes_on_the_same_machine_are_a_failure(
    command: Command, asked: list, tmp_path: Path
) -> None:
    command(*asked, "-o", tmp_path / "clip.mp4")
    said = json.loads((tmp_path / "clip.json").read_text())
    (tmp_path / "clip.json").write_text(rewritten(said | {"video_sha256": "0" * 64}))
    status, _, err = command("--again", tmp_path / "clip.json")
    assert status == 1
    assert "The bytes differ" in err


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
    for part in ("adapter", "backbone", "facepack"):
        changed = said | {"digests": said["digests"] | {part: "0" * 64}}
        record.write_text(rewritten(changed))
        status, _, err = command("--again", record)
        assert status == 1 and f"The {part} is not the one that made the clip" in err
    for text in ("", "[]", "{}", '{"format": 1}', json.dumps(said | {"references_sha256": 3}),
                 json.dumps(said | {"arguments": said["arguments"] | {"seed": "x"}}),
                 json.dumps(said | {"release": 1}), json.dumps(said | {"hardware": []}),
                 json.dumps(said | {"extra": 1}), "\x00"):  # fmt: skip
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
        said | {"digests": {}}, said | {"digests": {"adapter": 3}}, said | {"seconds": 0},
        said | {"references_sha256": [1]},
    ):  # fmt: skip
        path.write_text(json.dumps(changed))
        status, _, err = command("--again", path)
        assert status == 1 and "was changed after it was written" in err
    path.write_text(json.dumps(said | {"format": 2}))
    assert "form 2" in command("--again", path)[2]
    path.write_text("[" * 200_000)
    assert "is no record of a generated clip" in command("--again", path)[2]
