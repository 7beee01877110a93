"""What `generate` says: in the words of its options, with a way out, and nothing left behind."""

from __future__ import annotations

import errno
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands.generate import wording
from mm_model.serving import consent, request
from mm_model.serving.consent import Consent
from mm_model.serving.gate import admit
from mm_model.serving.refusal import Refusal
from mm_model.settings import load_profile
from mm_model.store.consents import Basis
from tests.serving.house import ROOT
from tests.serving.test_generate import Command, asked, command, photographs, record_of

__all__ = ["asked", "command", "photographs"]  # fixtures

LIMITS = load_profile(ROOT, "tiny").serve


def refused(change: dict[str, Any], photographs: list[Path]) -> str:
    with pytest.raises(Refusal) as refusal:
        request.read(record_of(photographs) | change, LIMITS, 9)
    return wording.of(refusal.value).sentence


@pytest.mark.parametrize(
    ("change", "begins"),
    [
        ({"num_inference_steps": 1000}, "--steps must lie between 1 and "),
        ({"num_frames": 2}, "--frames must be 1 or 8k+1"),
        ({"guidance_scale": 99.0}, "--guidance must lie between 1 and "),
        ({"seed": -1}, "--seed must lie between 0 and "),
        ({"height": 7, "width": 9}, "--size must be one of "),
        ({"prompt": ""}, "--prompt is empty"),
        ({"prompt": "a woman\nsmiles"}, "--prompt holds control characters"),
        ({"prompt": "a woman " + "x" * 9999}, "--prompt may have at most "),
        ({"prompt": "a nude woman"}, "--prompt asks for nudity"),
        ({"reference_images": ["aaaa"] * 9}, "--ref may name 1 to 4 pictures, not 9."),
    ],
)
def test_a_refusal_names_options(
    photographs: list[Path], change: dict[str, Any], begins: str
) -> None:
    said = refused(change, photographs)
    assert said.startswith(begins) and not re.search(r"[a-z]_[a-z]|\bsend\b", said)


def test_a_large_picture_is_said_in_megabytes_with_a_way_out(photographs: list[Path]) -> None:
    huge = "A" * (LIMITS.max_reference_bytes * 4 // 3 + 8)
    assert refused({"reference_images": [huge]}, photographs) == (
        "Reference picture 1 is larger than 8 MB: save it smaller, and give that."
    )
    assert request._size_of(1000) == "1000 bytes"


def test_a_picture_of_few_pixels_is_asked_for_larger(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (9, 40)).save(tmp_path / "a.png")
    with pytest.raises(Refusal, match=r"is smaller than 16 pixels: send a larger one\.$"):
        admit(((tmp_path / "a.png").read_bytes(),), lambda _: None, 10**6, None)


def test_a_consent_that_cannot_be_recorded_is_the_user_s_to_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(consent.consents, "record", full)
    with pytest.raises(Refusal) as refusal:
        consent.record(Consent(Basis.SELF, "me"))
    said = wording.of(refusal.value).sentence
    assert said.endswith("so the clip is not made: mend that and run again.")
    assert "server" not in said


def test_without_a_photograph_the_way_out_is_said(command: Command) -> None:
    for given in ([], ["--prompt", "a man smiles"], ["--ref", "a.png"]):
        status, _, err = command(*given)
        assert status == 1 and "usage" not in err
        assert "--ref (REF=... for make)" in err and "--prompt (PROMPT=...)" in err


def test_one_photograph_is_one(command: Command, asked: list, tmp_path: Path) -> None:
    command("--ref", asked[1], *asked[4:], "-o", tmp_path / "clip.mp4")
    status, _, err = command("--again", tmp_path / "clip.json", *asked[:4])
    assert status == 1 and "made from 1 photograph, not 2: give just those with --ref" in err


@pytest.mark.parametrize("place", ["new/clip.mp4", "new/deep/er/clip.mp4", "old/new/clip.mp4"])
def test_a_refused_request_leaves_no_folder(
    command: Command, asked: list, tmp_path: Path, place: str
) -> None:
    (tmp_path / "old").mkdir()
    status, _, _ = command(*asked, "--frames", 2, "-o", tmp_path / place)
    assert status == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["old"], "and what was there stays"
    assert command(*asked, "-o", tmp_path / place)[0] == 0
    assert (tmp_path / place).is_file()


def test_the_readme_s_clip_leaves_git_clean() -> None:
    (named,) = set(re.findall(r"OUT=(\S+)\.mp4", (ROOT / "README.md").read_text("utf-8")))
    if not (ROOT / ".git").exists():
        pytest.skip("this tree lies in no git")
    for name in (f"{named}.mp4", f"{named}.json"):
        assert not subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT).returncode
