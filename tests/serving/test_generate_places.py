"""`generate` and what people name: places of clips, what is no photograph, changed records."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mm_model.generate import work
from mm_model.generate.sidecar import read
from tests.serving.test_generate import Command, asked, command, photographs

__all__ = ["asked", "command", "photographs"]  # fixtures


def test_a_place_where_no_clip_can_be_is_refused_before_work(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_made", None)  # work would fail
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nowhere")
    for place, word in (
        ("file/c.mp4", "cannot be written"), ("/proc/c.mp4", "cannot be written"),
        ("n" * 252 + ".mp4", "cannot be written"), ("link.mp4", "exists"),
        ("c.avi", "ends in .mp4"), (".mp4", "ends in .mp4"),
    ):  # fmt: skip
        status, _, err = command(*asked, "-o", place)
        assert status == 1 and word in err and "Traceback" not in err
    status, _, err = command(*asked, "-o", "folder.mp4", "--force")
    assert status == 1 and "is a folder" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.mp4", "link.mp4"]


def test_a_clip_that_somebody_wrote_meanwhile_stays(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = work._made

    def meanwhile(*arguments: Any) -> Any:
        (tmp_path / "clip.mp4").write_bytes(b"another's")
        return made(*arguments)

    monkeypatch.setattr(work, "_made", meanwhile)
    status, out, _ = command(*asked, "-o", tmp_path / "clip.mp4")
    assert status == 0 and out.splitlines()[-1] == str(tmp_path / "clip-2.mp4")
    assert (tmp_path / "clip.mp4").read_bytes() == b"another's"
    assert read(tmp_path / "clip-2.json").arguments.seed == 7


def test_what_is_no_photograph_is_said_at_once(
    command: Command, asked: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, word in (("pipe", "neither a file nor a folder"), ("absent.png", "is not there")):
        status, _, err = command("--ref", name, *asked[4:])
        assert status == 1 and word in err
    monkeypatch.setenv("HOME", str(asked[1].parent))
    status, _, err = command("--ref", "~/first.png", *asked[4:], "--frames", 2)
    assert status == 1 and "num_frames" in err, "the photograph was found"


def test_a_folder_whose_consent_is_words_is_named(
    command: Command, asked: list, tmp_path: Path
) -> None:
    folder = tmp_path / "hers"
    folder.mkdir()
    (folder / "a.png").write_bytes(asked[1].read_bytes())
    (folder / "consent.yaml").write_text("basis: she agreed by letter\nadults: true\n")
    status, _, err = command("--ref", folder, "--prompt", "a woman smiles")
    assert status == 1 and "hers/consent.yaml states its basis in words" in err


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
