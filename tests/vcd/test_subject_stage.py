"""A listed subject, learned as a stage and shown by its name."""

import json
from pathlib import Path

import pytest
import yaml

from mm_model.commands import cli
from mm_model.quality import suites
from mm_model.run import runner
from mm_model.settings import load_profile
from mm_model.store import tables
from mm_model.store.layout import Layout
from mm_model.vcd import shelf
from tests.vcd import tiny_segmenters
from tests.vcd.test_learn_subject import said_of, tree, weights  # noqa: F401

pytestmark = pytest.mark.capability("tokens of a subject", scale="L")


def listed(place: Path, weights: Path, kind: str = "object", **more: str) -> None:  # noqa: F811
    """`my-cup` in the list, on a small checkpoint, with five photographs and their masks."""
    folder = place / "subjects" / "my-cup"
    folder.mkdir(parents=True)
    Path("cup").rename(folder / "photos")
    Path("masks").rename(folder / "masks")
    one = {"folder": "subjects/my-cup", "kind": kind, "word": "cup", **more}
    said = {"subject_base": str(weights), "subjects": {"my-cup": one}}
    (place / "subjects.yaml").write_text(yaml.safe_dump(said))


def test_a_listed_subject_is_a_stage(
    tree: Path,  # noqa: F811
    weights: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed(tree, weights)
    photos = tree / "subjects/my-cup/photos"
    (photos / "broken.png").write_bytes((photos / "0.png").read_bytes()[:100])
    assert cli.main(["run", "subject@my-cup"]) == 0, said_of(capsys)
    told = said_of(capsys)
    assert "6 in = 5 kept + 1 rejected (LEFT_OUT 1)" in told and "left out: broken.png" in told
    made = Layout(tree, "small").output("subject@my-cup")
    assert made == tree / "data/small/subject/my-cup"
    rows = {row["name"]: row for row in tables.records(made / "photographs.parquet")}
    assert len(rows) == 6 and rows["broken.png"]["status"] == "rejected"
    assert rows["0.png"]["mask_share"] == pytest.approx(24 * 24 / (40 * 48))
    assert [row["step"] for row in tables.records(made / "steps.parquet")] == [1, 2, 3, 4]
    audit = json.loads((made / "audit.json").read_text())
    profile = load_profile(tree, "small")
    assert audit["success"] and len(audit["expectations"]) == len(
        suites.suite_of("subject@my-cup", profile)
    )
    found = shelf.read(shelf.found(Layout(tree, "small"), "my-cup"))
    assert (found.name, found.kind, found.word) == ("my-cup", "object", "cup")
    assert found.weights == weights, "where it was learned on"
    before = (made / "subject.json").read_bytes()
    assert cli.main(["run", "subject@my-cup"]) == 0 and "up to date" in said_of(capsys)
    line = ["learn-subject", "my-cup", str(photos), "--kind", "object"]
    assert cli.main(line) == 1 and "subjects.yaml lists my-cup" in said_of(capsys)
    (photos / "4.png").unlink()
    assert cli.main(["run", "subject@my-cup"]) == 0 and "4 photographs are few" in said_of(capsys)
    assert (made / "subject.json").read_bytes() != before


def test_equal_learnings_are_equal_bytes(tree: Path, weights: Path) -> None:  # noqa: F811
    """Nothing of when it was made is in what DVC compares."""
    listed(tree, weights)
    files = []
    for _ in range(2):
        runner.run("subject@my-cup", tree)
        made = tree / "data/small/subject/my-cup"
        files.append({path.name: path.read_bytes() for path in made.iterdir()})
        for path in made.iterdir():
            path.unlink()
        made.rmdir()
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("kind", "break_it", "said"),
    [
        ("person", lambda folder: None, "has no consent record"),
        ("object", lambda folder: (folder / "photos").rename(folder / "pictures"), "no folder"),
        ("object", lambda folder: folder.rename(folder.with_name("gone")), "folder: subjects"),
    ],
)
def test_what_cannot_be_learned_is_one_sentence(
    tree: Path,  # noqa: F811
    weights: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    kind: str,
    break_it,
    said: str,
) -> None:
    listed(tree, weights, kind)
    break_it(tree / "subjects" / "my-cup")
    assert cli.main(["run", "subject@my-cup"]) == 1
    told = said_of(capsys)
    assert said in told and told.count("Stopped:") == 1
    assert not (tree / "data/small/subject").exists()


def test_the_list_says_what_finds_the_subject(
    tree: Path,  # noqa: F811
    weights: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Masks lie there; `none` passes them by, and `masks` asks for them."""
    listed(tree, weights)
    made, learned = tree / "data/small/subject/my-cup", {}
    for segment in ("masks", "none"):
        said = yaml.safe_load((tree / "subjects.yaml").read_text())
        said["subjects"]["my-cup"]["segment"] = segment
        (tree / "subjects.yaml").write_text(yaml.safe_dump(said))
        assert cli.main(["run", "subject@my-cup"]) == 0, said_of(capsys)
        shares = [row["mask_share"] for row in tables.records(made / "photographs.parquet")]
        learned[segment] = (json.loads((made / "subject.json").read_text())["masks"], shares[0])
    assert learned["masks"] == ("supplied", pytest.approx(24 * 24 / (40 * 48)))
    assert learned["none"] == ("none", 1.0)
    assert "the background is learned too" in said_of(capsys)
    said["subjects"]["my-cup"]["segment"] = "masks"
    (tree / "subjects.yaml").write_text(yaml.safe_dump(said))
    (tree / "subjects/my-cup/masks").rename(tree / "elsewhere")
    assert cli.main(["run", "subject@my-cup"]) == 1
    assert "holds no folder masks" in said_of(capsys)


def test_a_listed_subject_is_found_by_networks_on_the_shelf(
    tree: Path,  # noqa: F811
    weights: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Small random ones, on which a cup is found by chance; a changed one is noticed."""
    shelf_of = tree / "weights" / "segmenters"
    (tree / "weights").unlink()
    shelf_of.mkdir(parents=True)
    for there in (Path(__file__).parents[2] / "weights").iterdir():
        if there.name != "segmenters":
            (tree / "weights" / there.name).symlink_to(there)
    tiny_segmenters.detector(shelf_of / "detector"), tiny_segmenters.sam(shelf_of / "sam")
    places = {"detector": "weights/segmenters/detector", "sam": "weights/segmenters/sam"}
    listed(tree, weights, segment="grounded-sam", **places)
    assert cli.main(["run", "subject@my-cup"]) == 0, said_of(capsys)
    said_of(capsys)
    made = tree / "data/small/subject/my-cup"
    assert "grounded-sam" in json.loads((made / "subject.json").read_text())["masks"]
    (shelf_of / "sam" / "config.json").unlink()
    assert cli.main(["run", "subject@my-cup"]) == 1
    assert "segmenters/sam" in said_of(capsys)


def test_a_listed_person_is_found_by_the_face_where_the_list_says_so(
    tree: Path,  # noqa: F811
    weights: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Masks lie there too, and noise shows nobody."""
    listed(tree, weights, "person", segment="face")
    agreed = tree / "subjects/my-cup/photos/consent.yaml"
    agreed.write_text("basis: synthetic, drawn\nadults: true\n")
    assert cli.main(["run", "subject@my-cup"]) == 1
    assert "0.png: it shows 0 faces and not one" in said_of(capsys)
