"""`generate --batch`: many orders in one folder, gone on with where it ended; a file of shots."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands.generate import order
from mm_model.commands.generate.model import Choice
from mm_model.commands.generate.rows import BatchRow, options_of
from tests.serving.test_generate import Command, asked, command, photographs

pytestmark = pytest.mark.capability("generate --batch", scale="T")

__all__ = ["asked", "command", "photographs"]  # fixtures

COMMON = "--consent synthetic:drawn-1 --steps 1".split()
SMILES, NODS = "a woman img smiles", "a woman img nods"


def write(folder: Path, *rows: dict[str, object]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "orders.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return folder / "orders.csv"


def rejected(folder: Path) -> dict[str, str]:
    with (folder / "rejected.csv").open() as file:
        return {row["name"]: row["reason"] for row in csv.DictReader(file)}


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Choice]:
    """The models that were loaded."""
    found: list[Choice] = []
    load = Choice.load
    monkeypatch.setattr(Choice, "load", lambda self, *how: found.append(self) or load(self, *how))
    return found


def test_a_batch_makes_what_it_can_and_goes_on_where_it_ended(
    command: Command, photographs: list[Path], loads: list, tmp_path: Path, monkeypatch: Any
) -> None:
    pictures = tmp_path / "mine"
    pictures.mkdir()
    (tmp_path / "film.txt").write_text(f"# who nods\n{NODS}\n\n  {SMILES} \n")
    for name, photograph in zip("ab", photographs, strict=True):
        (pictures / f"{name}.png").write_bytes(photograph.read_bytes())
    both = "mine/a.png; mine/b.png"  # beside the file
    orders = write(
        tmp_path,
        {"name": "one", "prompt": SMILES, "ref": both, "seed": 3},
        {"name": "two", "prompt": "a woman img, naked", "ref": both, "seed": 3},
        {"name": "her", "prompt": NODS, "ref": "mine/a.png", "seed": 4, "frames": 1},
        {"name": "four", "prompt": NODS, "ref": "mine/gone.png", "seed": 4},
        {"name": "five", "prompt": NODS, "ref": both, "seed": "many"},
        {"name": "six", "shots": "film.txt", "ref": both},
    )
    out = tmp_path / "out"
    monkeypatch.chdir(pictures)
    status, said, err = command("--batch", orders, "-o", out, *COMMON)
    assert status == 1 and "rejected.csv" in err
    assert "6 orders: 3 made, 0 were there, 3 refused" in said and "[3/6] her" in said
    assert said.count("synthetic; say so") == 1, "a note of all is said once"
    assert len(loads) == 1, "the model is loaded once"
    reasons = rejected(out)
    assert reasons.keys() == {"two", "four", "five"}
    assert "nudity" in reasons["two"] and "gone.png is not there" in reasons["four"]
    assert reasons["five"] == "seed is 'many': give a whole number."
    made = "one.mp4 one.json her.png her.json six.mp4 six-shot1.mp4 six-shot2.mp4 six.json"
    assert {path.name for path in out.iterdir()} == {*made.split(), "rejected.csv"}
    alone = ["--ref", photographs[0], "--ref", photographs[1], "--prompt", SMILES, "--seed", 3]
    assert command(*alone, *COMMON, "-o", tmp_path / "alone.mp4")[0] == 0
    assert (tmp_path / "alone.mp4").read_bytes() == (out / "one.mp4").read_bytes()

    before = {path: path.stat().st_mtime_ns for path in out.glob("*.mp4")}
    (out / "her.png").unlink()  # as if it had been cut off there
    (out / "her.json").unlink()
    orders.write_text(orders.read_text().replace("mine/gone.png", "mine/b.png"))
    status, said, _ = command("--batch", orders, "-o", out, *COMMON)
    assert status == 1 and "6 orders: 2 made, 2 were there, 2 refused" in said
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert rejected(out).keys() == {"two", "five"}
    orders.write_text("\n".join(orders.read_text().splitlines()[:2]))
    status, said, err = command("--batch", orders, "-o", out, *COMMON)
    assert (status, err) == (0, "") and "1 orders: 0 made, 1 were there" in said
    assert not (out / "rejected.csv").exists()


def test_a_clip_of_another_order_is_not_replaced_unasked(
    command: Command, photographs: list[Path], tmp_path: Path
) -> None:
    row = {"name": "one", "prompt": SMILES, "ref": photographs[0], "seed": 3}
    assert command("--batch", write(tmp_path, row), "-o", tmp_path / "out", *COMMON)[0] == 0
    clip = tmp_path / "out" / "one.mp4"
    before = clip.read_bytes()
    changes: tuple[dict[str, object], ...] = (
        {"seed": 4},
        {"prompt": NODS},
        {"ref": photographs[1]},
        {"guidance": 3},
    )
    for change in changes:
        again = ("--batch", write(tmp_path, row | change), "-o", tmp_path / "out", *COMMON)
        assert command(*again)[0] == 1 and clip.read_bytes() == before
        assert "one.mp4 is no whole clip of this order" in rejected(tmp_path / "out")["one"]
    assert command(*again, "--force")[0] == 0
    clip.write_bytes(clip.read_bytes()[:1000])  # damaged
    assert command(*again)[0] == 1
    assert json.loads(clip.with_suffix(".json").read_text())["arguments"]["guidance_scale"] == 3


def test_an_interrupt_and_a_defect(
    command: Command, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one ends the batch in order, the other costs its own order."""
    faults = iter([RuntimeError("odd"), KeyboardInterrupt()])

    def broken(*_: Any, **__: Any) -> None:
        raise next(faults)

    monkeypatch.setattr(order, "make", broken)
    rows = [{"name": n, "prompt": SMILES, "ref": photographs[0]} for n in ("a", "b", "c")]
    status, _, err = command("--batch", write(tmp_path, *rows), "-o", tmp_path / "out", *COMMON)
    assert status == 130
    said = "Interrupted at b (0 made, 0 were there, 1 refused): the same command goes on"
    assert said in err
    assert rejected(tmp_path / "out") == {"a": "a defect of this program (RuntimeError: odd)."}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column name"),
        ("name;prompt\na;b\n", "has no commas between its columns"),
        ("name,prompt\n", "holds no order"),
        ("name,prompt,colour\na,b,c\n", "has a column 'colour'"),
        ("name,prompt,prompt\na,b,c\n", "has the column prompt twice"),
        ("name,prompt\na,b\na.mp4,c\n", "names a twice (lines 2 and 3)"),
        ("name,prompt\na-shot2,b\na,c\n", "names a-shot2 (line 2), as a shot of a (line 3)"),
        ("name,prompt\n,b\n", "line 2 has no name"),
        ("name,prompt\n../a,b\n", "line 2 is named '../a'"),
        ("name,prompt\n.a,b\n", "line 2 is named '.a'"),
        ('name,prompt\na,"b\n', "is no CSV"),
        ("name,prompt\n\xff,b\n", "is no CSV in UTF-8"),
    ],
)
def test_a_file_that_is_no_batch_is_refused_before_work(
    command: Command, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "orders.csv").write_bytes(text.encode("latin-1"))
    status, out, err = command("--batch", "orders.csv", "-o", "out")
    assert (status, out) == (1, "") and said in err
    assert not (tmp_path / "out").exists()


def test_a_row_s_own_sentences_stand_for_those_of_the_command_line(tmp_path: Path) -> None:
    of_all = argparse.Namespace(prompt=None, shots=Path("film.txt"))
    found = options_of(BatchRow(2, "a", cells={"prompt": SMILES}), of_all, tmp_path)
    assert (found.prompt, found.shots) == ([SMILES], None)
    of_all = argparse.Namespace(prompt=[SMILES], shots=None)
    found = options_of(BatchRow(2, "a", cells={"shots": "f.txt"}), of_all, tmp_path)
    assert (found.prompt, found.shots) == (None, tmp_path / "f.txt")


def test_somebody_else_s_rejected_csv_stays(command: Command, tmp_path: Path) -> None:
    orders = write(tmp_path, {"name": "a", "prompt": SMILES, "ref": "gone.png"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/rejected.csv").write_text("mine\n")
    status, _, err = command("--batch", orders, "-o", tmp_path / "out", *COMMON)
    assert status == 1 and "was written by no batch and stays as it is" in err
    assert (tmp_path / "out/rejected.csv").read_text() == "mine\n"


def test_what_is_given_beside_a_batch(command: Command, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("name,prompt\na,b, c\n")
    assert "Name the folder" in command("--batch", "orders.csv")[2]
    assert "no folder" in command("--batch", "orders.csv", "-o", "orders.csv")[2]
    assert "gone.csv cannot be read" in command("--batch", "gone.csv", "-o", "out")[2]
    assert command("--batch", "orders.csv", "-o", "out")[0] == 1
    assert "more cells than there are columns" in rejected(tmp_path / "out")["a"]


def test_a_file_of_shots_is_as_good_as_sentences(
    command: Command, asked: list, tmp_path: Path
) -> None:
    film = tmp_path / "film.txt"
    film.write_text(f"# who nods\n{asked[5]}\n\n  {NODS}  \n")
    by_file = [*asked[:4], *asked[6:], "--shots", film]
    status, out, _ = command(*by_file, "--low-memory", "-o", tmp_path / "by-file.mp4")
    assert status == 0 and "low memory: on a CPU" in out
    assert (tmp_path / "by-file-shot2.mp4").exists()
    said = json.loads((tmp_path / "by-file.json").read_text())
    assert said["arguments"]["prompt"] == [asked[5], NODS] and said["values"]["low_memory"] is True
    assert "leave one out" in command(*asked, "--shots", film, "-o", "no.mp4")[2]
    film.write_text("# nothing\n")
    assert "holds no sentence" in command(*by_file, "-o", "no.mp4")[2]
    assert "cannot be read" in command(*by_file[:-1], "gone.txt", "-o", "no.mp4")[2]
