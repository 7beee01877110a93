"""The command `learn-subject`, as somebody gives it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mm_model.commands import cli
from mm_model.store import lock
from mm_model.store.layout import Layout
from mm_model.tracking import store
from mm_model.vcd import given, keep, masks, photos
from mm_model.vcd.bases import open_base
from mm_model.vcd.tokens import IdTokens
from tests.vcd import tiny_sd

pytestmark = pytest.mark.capability("tokens of a subject", scale="L")

SMALL = (
    "subject: {tokens: 2, size: 32, steps: 4, batch_size: 2, checkpoint_every: 2,\n"
    "  on_backbone: {tokens: 3, learning_rate: 0.2, reframed_share: 0.0}}\n"
    "run: {threads: 1}\n"
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd.checkpoint(tmp_path_factory.mktemp("sd") / "checkpoint")


@pytest.fixture
def tree(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a small profile, and a folder `cup` of five pictures with masks."""
    place = tmp_path / "root"
    (place / "profiles").mkdir(parents=True)
    for name in ("common.yaml", "tiny.yaml"):
        (place / "profiles" / name).write_bytes((root / "profiles" / name).read_bytes())
    (place / "profiles" / "small.yaml").write_text(f"title: Small\nbase: tiny\n{SMALL}")
    said = (root / "params.yaml").read_text().replace("profile: tiny", "profile: small")
    (place / "params.yaml").write_text(said)
    (place / "weights").symlink_to(root / "weights")
    for folder in ("cup", "masks"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(1)
    for number in range(5):
        pixels = rng.integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "cup" / f"{number}.png")
        mask = np.zeros((40, 48), np.uint8)
        mask[8:32, 12:36] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    monkeypatch.setenv("MM_ROOT", str(place))
    monkeypatch.chdir(tmp_path)
    return place


def said_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_an_object_is_learned_from_its_photographs(
    tree: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cup/broken.png").write_bytes(Path("cup/0.png").read_bytes()[:100])
    Path("masks/3.png").unlink()
    line = ["learn-subject", "my-cup", "cup", "--kind", "object", "--word", "cup"]
    line += ["--weights", str(weights), "--masks", "masks"]
    assert cli.main(line) == 0, said_of(capsys)
    made = tree / "work" / "small" / "subjects" / "my-cup"
    assert {path.name for path in made.iterdir()} == {
        "tokens.safetensors",
        "subject.json",
        "photos.jpg",
    }
    told = said_of(capsys)
    assert "left out: broken.png" in told and "left out: 3.png, there is no mask" in told
    assert "4 photographs are few" in told and "<my-cup>" in told
    record = json.loads((made / "subject.json").read_text())
    assert sorted(record["photographs"]) == ["0.png", "1.png", "2.png", "4.png"]
    assert sorted(record["left_out"]) == ["3.png", "broken.png"]
    assert record["word"] == "cup" and len(record["losses"]) == 4
    values = record["settings"]  # not those of the profile's small backbone
    assert values["tokens"] == 2 and values["learning_rate"] == "auto"
    assert IdTokens.read(made / "tokens.safetensors").placeholder == "<my-cup>"
    assert Image.open(made / "photos.jpg").size[0] > 300
    assert [path.name for path in made.parent.iterdir()] == ["my-cup"], "nothing is left beside it"
    client = store.open_client(Layout(tree, "small"))
    (run,) = client.search_runs([store.experiment_id(client, Layout(tree, "small"))])
    assert run.info.run_name == "subject@my-cup" and run.info.status == "FINISHED"
    assert run.data.tags["subject"] == "my-cup" and run.data.params["subject.tokens"] == "2"
    told_losses = [point.value for point in client.get_metric_history(run.info.run_id, "loss")]
    assert told_losses == pytest.approx(record["losses"])
    before = (made / "tokens.safetensors").read_bytes()
    assert cli.main(line) == 1 and "--force" in said_of(capsys)
    assert cli.main([*line, "--force"]) == 0
    assert (made / "tokens.safetensors").read_bytes() == before
    for own in ("cup", "cup/0.png", "."):  # its own photographs, a file, where the user is
        assert cli.main([*line, "--force", "-o", own]) == 1
        assert "is no learned subject and stays as it is" in said_of(capsys)
    assert Path("cup/0.png").is_file()


def test_two_learnings_of_one_name_do_not_mix(
    tree: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["learn-subject", "my-cup", "cup", "--kind", "object", "--masks", "masks"]
    line += ["--weights", str(weights)]
    subjects = tree / "work" / "small" / "subjects"
    with lock.held(subjects / ".my-cup.work", "it learns my-cup"):
        assert cli.main(line) != 0
        assert "it learns my-cup" in said_of(capsys) and not (subjects / "my-cup").exists()
        assert cli.main([*line[:1], "other", *line[2:]]) == 0
    assert cli.main(line) == 0
    assert sorted(path.name for path in subjects.iterdir()) == ["my-cup", "other"]


def test_who_comes_second_replaces_nothing(
    tree: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another learning of the name ends while this one loads."""
    theirs = tree / "work" / "small" / "subjects" / "my-cup" / "subject.json"

    def opened(*given: Any) -> Any:
        theirs.parent.mkdir(parents=True)
        theirs.write_text("theirs")
        return open_base(*given)

    monkeypatch.setattr(keep, "open_base", opened)
    line = ["learn-subject", "my-cup", "cup", "--kind", "object", "--masks", "masks"]
    assert cli.main([*line, "--weights", str(weights)]) == 1
    assert "my-cup exists and stays as it is" in said_of(capsys)
    assert theirs.read_text() == "theirs"


def test_a_person_needs_a_consent(
    tree: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["learn-subject", "ada", "cup", "--kind", "person", "--weights", str(weights)]
    line += ["--masks", "masks"]
    assert cli.main(line) == 1
    told = said_of(capsys)
    assert "has no consent record" in told and "or give --consent BASIS:EVIDENCE" in told
    assert cli.main([*line, "--consent", "synthetic:drawn"]) == 0, said_of(capsys)
    record = json.loads((tree / "work/small/subjects/ada/subject.json").read_text())
    assert record["consent"] == "synthetic:drawn" and record["kind"] == "person"


def test_a_consent_of_some_photographs_is_for_those_alone(tree: Path) -> None:
    said = "basis: own pictures\nadults: true\nfiles: ['0.png', '1.png']\n"
    Path("cup/consent.yaml").write_text(said)
    _, covered = given.consent_of("person", Path("cup"), None, tree)
    found = photos.read(Path("cup"), masks.Supplied(Path("masks")), covered)
    assert found.names == ("0.png", "1.png")
    assert found.left_out["2.png"] == "the consent record does not cover it"


def test_a_person_s_own_face_is_the_mask(
    tree: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Noise shows nobody, so each photograph is left out with that reason."""
    line = ["learn-subject", "ada", "cup", "--kind", "person", "--weights", str(weights)]
    assert cli.main([*line, "--consent", "synthetic:drawn"]) == 1
    assert "0.png: it shows 0 faces and not one" in said_of(capsys)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({1: "My Cup"}, "is no name of a subject"),
        ({2: "nowhere"}, "nowhere is no folder"),
        ({6: "nowhere"}, "unet is missing"),
        ({8: "nowhere"}, "nowhere is no folder"),
        ({2: "masks/../empty"}, "holds no photograph"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_learned(
    tree: Path,
    weights: Path,
    changed: dict[int, str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("empty").mkdir()
    line = ["learn-subject", "cup", "cup", "--kind", "object", "--weights", str(weights)]
    line += ["--masks", "masks"]
    for place, word in changed.items():
        line[place] = word
    assert cli.main(line) == 1
    told = said_of(capsys)
    assert said in told and "Traceback" not in told
    assert not (tree / "work" / "small" / "subjects").exists()
