"""Magic-Me's protocol: the smallest tier through its command, and what the verdicts say."""

import json
from pathlib import Path

import cv2
import pytest

from mm_model.metrics.subject import CLIP_I, CLIP_T, SMOOTH
from mm_model.reproduce import __main__ as commands
from mm_model.reproduce import protocol, verdicts
from tests.reproduce.test_subjects import tree_with

pytestmark = pytest.mark.capability("Magic-Me's protocol", scale="T")


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree_with(tmp_path_factory.mktemp("protocol"), root)


def _run(tree: Path, patch: pytest.MonkeyPatch, *told: str) -> int:
    patch.setattr("mm_model.store.layout.repository_root", lambda: tree)
    return commands.main(["protocol", "--processes", "1", *told])


def test_the_smallest_tier_tells_every_variant_and_goes_on_by_subject(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert _run(tree, monkeypatch, "--tier", "smoke") == 0
    plot, numbers = (Path(line) for line in capsys.readouterr().out.splitlines()[-2:])
    said = json.loads(numbers.read_text())
    assert said["command"] == "make protocol TIER=smoke"
    assert [one["name"] for one in said["subjects"]] == ["person-14", "cup-1"]
    moved = {said["measures"]["frame_change"][one]["value"] for one in verdicts.VARIANTS}
    assert len(moved) == len(verdicts.VARIANTS), "each variant has clips of its own"
    assert {one["verdict"] for one in said["claims"]} == {"cannot be told"}, "of two subjects"
    by = {one["claim"]: one["by"] for one in said["claims"]}
    assert by["without masks smoothness rises"] == "proxy_frame_ssim", "CLIP was not given"
    assert said["measures"][CLIP_I]["whole method"]["value"] is None
    assert said["measures"]["obeyed"]["base"]["people"] == 1, "a cup does nothing"
    assert said["measures"]["shape, own minus other"]["base"]["people"] == 1
    assert cv2.imread(str(plot)).std() > 10
    kept = numbers.parent / "parts" / "person-14.json"
    before = kept.stat().st_mtime_ns
    assert _run(tree, monkeypatch, "--tier", "smoke") == 0
    assert kept.stat().st_mtime_ns == before, "a finished subject is not learned again"
    assert json.loads(numbers.read_text())["claims"] == said["claims"]


def test_a_folder_that_holds_no_clip_is_one_sentence(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert _run(tree, monkeypatch, "--tier", "smoke", "--clip", str(tree / "profiles")) == 1
    told = capsys.readouterr().err
    assert "profiles" in told and told.count("\n") == 1


def test_the_paper_s_tier_is_of_its_size_and_of_people_nobody_chose_values_on() -> None:
    paper, quick = protocol.TIERS["paper"], protocol.TIERS["quick"]
    assert (len(paper.subjects), paper.sentences) == (16, 25)
    assert len(set(protocol.SENTENCES)) == len(protocol.SENTENCES) == 25
    assert len({(one.kind, one.seed) for one in paper.subjects}) == 16
    assert (len(quick.subjects), quick.sentences) == (4, 4)
    assert set(quick.subjects) <= set(paper.subjects)
    assert min(paper.people) > 13, "0 to 13 are those of the other studies"


def _part(**changes: float) -> list[dict]:
    """Four subjects whose values differ between variants by what is given, a little more each."""
    found = []
    for number in range(4):
        scores = {one: dict.fromkeys(changes, 1.0) for one in verdicts.VARIANTS}
        for variant in verdicts.ABLATIONS:
            for name, change in changes.items():
                scores[variant][name] += change * (1 + 0.1 * number)
        found.append({"seconds": {"a clip": 1.0}, "scores": scores})
    return found


def test_a_claim_holds_or_not_by_its_interval_and_by_its_own_network_where_it_is() -> None:
    found = verdicts.figures(
        _part(ground=0.3, **{SMOOTH: 0.1, "proxy_frame_ssim": -0.1, CLIP_T: -0.2})
    )
    told = {one["claim"]: (one["by"], one["verdict"]) for one in found["claims"]}
    assert told["without masks the background is in the tokens"] == ("ground", "holds")
    assert told["without masks smoothness rises"] == (SMOOTH, "holds")
    assert told["without the noise prior smoothness falls"] == (SMOOTH, "does not hold")
    assert told["without the noise prior the words are followed less"] == (CLIP_T, "holds")
    likeness = told["without the noise prior clips are less like the photographs"]
    assert likeness == ("proxy_hsv_similarity", "cannot be told"), "nothing measured it"
    without = verdicts.figures(_part(proxy_frame_ssim=-0.1))["claims"]
    (smooth,) = (one for one in without if one["claim"].endswith("smoothness rises"))
    assert (smooth["by"], smooth["verdict"]) == ("proxy_frame_ssim", "does not hold")
