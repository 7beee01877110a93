"""`generate --batch` of learned subjects: what shows them is loaded once."""

from pathlib import Path

import pytest

from mm_model.commands import cli
from mm_model.vcd.showing import Show
from tests.vcd import tiny_sd
from tests.vcd.test_generate_subject import SMALL, keep, line, motion, subject
from tests.vcd.test_learn_subject import said_of, tree, weights

pytestmark = pytest.mark.capability("generate --batch", scale="L")

__all__ = ["line", "motion", "subject", "tree", "weights"]  # fixtures


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
