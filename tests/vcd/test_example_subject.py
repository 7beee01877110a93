"""Drawn subjects to learn from: their masks, the command, and learning one on the embedded base."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mm_model.commands import cli
from mm_model.embedded.objects.example import SUBJECTS, DrawnSubject
from mm_model.embedded.objects.things import FORMS, PATTERNS, ThingView, render, thing
from mm_model.embedded.people.shot import ShotSetup
from mm_model.embedded.people.split import HELD_OUT_PEOPLE
from mm_model.vcd.tokens import IdTokens

pytestmark = pytest.mark.capability("tokens of a subject on CogVideoX", scale="T")

SMALL = (
    "subject: {on_backbone: {tokens: 2, learning_rate: auto, reframed_share: 1.0}, steps: 3}\n"
    "run: {threads: 1}\n"
)


@pytest.mark.parametrize("kind", sorted(FORMS))
@pytest.mark.parametrize("seed", range(3))
def test_a_mask_is_where_the_object_s_pixels_are(kind: str, seed: int) -> None:
    """The same object before two grounds: what does not change with the ground is the mask."""
    view = ThingView(height=0.6, turn=4.0, mirrored=seed == 1)
    dark, light = (
        render(
            thing(kind, seed),
            ShotSetup("plain", background_colours=((grey,) * 3,) * 3, noise=0.0),
            view,
            128,
        )
        for grey in (30, 220)
    )
    assert np.array_equal(dark.mask, light.mask)
    stays = np.abs(light.image.astype(int) - dark.image).mean(axis=2) < 80
    assert (stays & dark.mask).sum() / (stays | dark.mask).sum() > 0.97
    assert 0.08 < dark.mask.mean() < 0.5


def test_objects_differ_by_seed_and_stay_themselves() -> None:
    drawn = {kind: [thing(kind, seed) for seed in range(40)] for kind in FORMS}
    for kind, found in drawn.items():
        assert {one.form for one in found} == set(FORMS[kind])
        assert {one.pattern for one in found} == set(PATTERNS)
        assert len({(one.form, one.pattern, one.colours) for one in found}) > 20
        assert thing(kind, 3) == found[3]


def test_a_person_is_an_adult_whom_nothing_was_trained_on() -> None:
    people = [DrawnSubject("person", seed) for seed in range(9)]
    assert len({one.person for one in people}) == 9
    assert all(one.person in HELD_OUT_PEOPLE for one in people)
    assert {one.word for one in people} <= {"man", "woman", "elderly man", "elderly woman"}
    shown = people[0].photographs(2, 64)
    corners = [one.mask[:4, :4].any() or one.mask[:4, -4:].any() for one in shown]
    assert not any(corners) and all(0.2 < one.mask.mean() < 0.9 for one in shown)


def said_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.fixture
def tree(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root whose profile learns three steps."""
    (tmp_path / "profiles").mkdir()
    for name in ("common.yaml", "tiny.yaml"):
        (tmp_path / "profiles" / name).write_bytes((root / "profiles" / name).read_bytes())
    (tmp_path / "profiles" / "small.yaml").write_text(f"title: Small\nbase: tiny\n{SMALL}")
    said = (root / "params.yaml").read_text().replace("profile: tiny", "profile: small")
    (tmp_path / "params.yaml").write_text(said)
    (tmp_path / "weights").symlink_to(root / "weights")
    monkeypatch.setenv("MM_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", SUBJECTS)
def test_what_is_drawn_is_learned_by_the_line_that_is_printed(
    tree: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing = ["example-subject", kind, "drawn", "--number", "5", "--size", "64"]
    assert cli.main(drawing) == 0, said_of(capsys)
    line = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert line[:3] == ["python", "-m", "mm_model"]
    assert cli.main(line[3:]) == 0, said_of(capsys)
    made = tree / "work" / "small" / "subjects" / f"my-{kind}"
    record = json.loads((made / "subject.json").read_text())
    assert (record["family"], record["space"]) == ("cogvideox", "output")
    assert record["weights"]["path"] == "weights/tiny/backbone"
    assert (record["masks"], len(record["photographs"])) == ("supplied", 5)
    assert (record["consent"] is not None) == (kind == "person")
    assert IdTokens.read(made / "tokens.safetensors").vectors.shape == (2, 96)
    before = {path: path.read_bytes() for path in (tree / "drawn").rglob("*.png")}
    assert len(before) == 10
    assert cli.main(drawing) == 1 and "exists and stays" in said_of(capsys)
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--number", "0"], "give 1 to 64"),
        (["--size", "16"], "give 32 to"),
        (["--seed", "-1"], "no cup -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    tree: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["example-subject", "cup", "drawn", *more]) == 1
    assert said in said_of(capsys)
    assert [path.name for path in tree.iterdir() if "drawn" in path.name] == []


def test_a_photograph_is_as_it_was_drawn(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["example-subject", "toy", "drawn", "--size", "64", "--seed", "2"]) == 0
    first = DrawnSubject("toy", 2).photographs(1, 64)[0]
    assert np.array_equal(np.asarray(Image.open("drawn/photos/00.png")), first.image)
    assert np.array_equal(np.asarray(Image.open("drawn/masks/00.png"))[..., 0] > 127, first.mask)
