"""`generate --batch` of learned subjects: what shows them is loaded once."""

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from mm_model.commands import cli
from mm_model.vcd.animate import Animator
from mm_model.vcd.showing import Show
from tests.vcd import tiny_sd
from tests.vcd.test_generate_subject import SMALL, frames_of, keep, line, motion, subject
from tests.vcd.test_learn_subject import said_of, tree, weights
from tests.vcd.test_motion_files import animator, of_trainers

pytestmark = pytest.mark.capability("generate --batch", scale="L")

__all__ = ["animator", "line", "motion", "subject", "tree", "weights"]  # fixtures


def test_two_subjects_of_one_checkpoint(
    line: list[str],
    tree: Path,
    weights: Path,
    motion: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keep(Path("twin").absolute(), weights)  # a folder beside the file
    other = tiny_sd.checkpoint(Path("other").absolute(), seed=5)
    Path("orders.csv").write_text(
        "name,subject,prompt,weights,consent\n"
        "one,my-cup,a photo of a cup on the beach,,\n"
        "two,twin,a <my-cup> cup nods,,\n"
        "three,my-cup,a dog,,\n"
        "four,my-cup,a photo of a cup on the beach,other,\n"
        "five,my-cup,a cup,,self:ada\n"
    )
    loads: list[Show] = []
    load = Show.load
    monkeypatch.setattr(Show, "load", lambda self, *how: loads.append(self) or load(self, *how))
    batch = ["generate", "--batch", "orders.csv", "-o", "out", "--motion", str(motion), *SMALL]
    batch += ["--consent", "self:ada"]  # for rows of other methods, of which there may be some
    assert cli.main(batch) == 1
    told = said_of(capsys)
    assert "5 orders: 3 made, 0 were there, 2 refused" in told
    assert "refused: The prompt says neither <my-cup> nor cup" in told
    assert "refused: --consent belongs to --method" in told, "a cell of its own is no such thing"
    assert [show.weights.resolve() for show in loads] == [weights, other]
    assert cli.main([*line, "-o", "alone.mp4"]) == 0
    assert Path("alone.mp4").read_bytes() == Path("out/one.mp4").read_bytes()
    assert Path("alone.mp4").read_bytes() != Path("out/four.mp4").read_bytes()
    said_of(capsys)
    assert cli.main(batch) == 1 and "0 made, 3 were there, 2 refused" in said_of(capsys)


def test_each_order_has_a_style_of_its_own(
    line: list[str], animator: Animator, motion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files lie beside the table; another scale is another clip, with little memory too."""
    film = Path("film")
    film.mkdir()
    save_file(of_trainers(animator), film / "style.safetensors")

    def table(scale: str) -> None:
        rows = f"plain,\nfull,style.safetensors\nhalf,style.safetensors:{scale}\n"
        (film / "orders.csv").write_text(f"name,lora\n{rows}")

    table("0.5")
    batch = ["generate", "--batch", "film/orders.csv", "-o", "out", *line[1:]]
    assert cli.main(batch) == 0, said_of(capsys)
    made = {path.stem: path.read_bytes() for path in Path("out").glob("*.mp4")}
    assert len(set(made.values())) == 3
    said_of(capsys)
    table("0.7")
    assert cli.main(batch) == 1
    told = said_of(capsys)
    assert "0 made, 2 were there, 1 refused" in told and "half.mp4" in told
    given = Path("out/half.json")
    lora = str((film / "style.safetensors").resolve())
    assert json.loads(given.read_text())["arguments"]["lora"] == f"{lora}:0.5"
    styled = [*line, "--lora", f"{lora}:0.5"]
    assert cli.main([*styled, "-o", "alone.mp4"]) == 0, said_of(capsys)
    assert Path("alone.mp4").read_bytes() == made["half"]
    assert cli.main([*styled, "--low-memory", "-o", "low.mp4"]) == 0, said_of(capsys)
    assert Path("low.mp4").read_bytes() != made["plain"], "the style is in it"
    near = frames_of(Path("low.mp4")).astype(int) - frames_of(Path("alone.mp4"))
    assert abs(near).max() <= 4
