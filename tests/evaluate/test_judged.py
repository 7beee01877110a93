"""What judges say: people named by each, its ladder, its ceiling, and whose headline counts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from mm_model.evaluate import judged
from mm_model.evaluate.cells import Cell
from mm_model.judges.port import Judge, Lineage
from mm_model.judges.shelf import Bench
from mm_model.records import JUDGED_MEASURES

PACK = cast(Any, SimpleNamespace(describe=lambda: {"adapter": "fake"}))
BENCH = Bench(
    (
        Judge(name="tiny", kind=Lineage.HOUSE, title="ours", pack=PACK),
        Judge(name="dlib", kind=Lineage.OUTSIDER, title="theirs", pack=PACK),
    )
)


def cell(variant: str, person: str, identity: float, named: float) -> Cell:
    """`dlib` sees half the likeness, names nobody, and finds a face in half the frames."""
    said = dict.fromkeys(JUDGED_MEASURES, identity) | {"rank1": named, judged.OWN_FACE: None}
    theirs = said | {"identity_similarity_penalised": identity / 2, "rank1": 0.0}
    return Cell(
        cell_id=f"{variant}/{person}",
        variant=variant,
        identity=person,
        prompt="",
        seed=0,
        video="",
        values={},
        judged={"tiny": said, "dlib": theirs | {judged.OWN_FACE: 0.5}},
    )


TRIED = (("true_clip", 0.9, 1.0), ("vae_round_trip", 0.8, 1.0), ("finetune", 0.4, 0.0))
CELLS = [cell(name, person, value, hit) for person in "abc" for name, value, hit in TRIED]
KNOWN = [cell("training_people", person, 0.3, 1.0) for person in "xy"]


def test_each_judge_names_people_and_the_best_outsider_gives_the_headline() -> None:
    said = judged.summary(CELLS, KNOWN, BENCH, "finetune")
    assert said["headline"] == "dlib" and said["ladder"] == said["ladders"]["dlib"]
    assert {rung["judge"] for rung in said["ladders"]["tiny"]} == {"tiny"}
    ours = {name: (one["hits"], one["people"]) for name, one in said["named"]["tiny"].items()}
    assert ours == {"true": (3, 3), "vae": (3, 3), "finetune": (0, 3), "training": (2, 2)}
    assert {one["hits"] for one in said["named"]["dlib"].values()} == {0}
    assert said["judges"]["dlib"] == {
        "kind": "outsider",
        "title": "theirs",
        "pack": {"adapter": "fake"},
    }


def test_the_ladder_is_climbed_by_the_candidate() -> None:
    cells = [*CELLS, *(cell("pretrain", person, 0.5, 1.0) for person in "abc")]
    for stage, hits in (("pretrain", 3), ("finetune", 0)):
        rung = judged.summary(cells, KNOWN, BENCH, stage)["ladders"]["tiny"][-1]
        assert (rung["variant"], rung["hits"]) == (stage, hits)


def test_the_ceiling_is_the_judge_s_own_and_faces_are_found_by_outsiders_alone() -> None:
    said = judged.summary(CELLS, KNOWN, BENCH, "finetune")["by_judge"]
    for name, identity in (("tiny", 0.4), ("dlib", 0.2)):
        assert said[name]["finetune"]["identity"]["value"] == pytest.approx(identity)
        assert said[name]["finetune"]["ceiling"] == pytest.approx(50)
    assert said["dlib"]["finetune"]["face_found"]["value"] == 0.5
    assert "face_found" not in said["tiny"]["finetune"]


def test_without_clips_through_the_vae_there_is_no_ceiling() -> None:
    cells = [one for one in CELLS if one.variant != "vae_round_trip"]
    said = judged.summary(cells, [], BENCH, "finetune")["by_judge"]
    assert said["tiny"]["finetune"]["ceiling"] is None


def test_the_table_has_a_row_a_clip_and_judge(tmp_path: Path) -> None:
    judged.write(tmp_path / "judged.parquet", CELLS)
    table = pd.read_parquet(tmp_path / "judged.parquet")
    assert len(table) == 2 * len(CELLS) and not table.duplicated(["cell_id", "judge"]).any()
    assert table[table["judge"] == "tiny"][judged.OWN_FACE].isna().all()
