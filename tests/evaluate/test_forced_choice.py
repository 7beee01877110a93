"""The forced choice between a person and colour twins."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mm_model.embedded.people.clips import photograph
from mm_model.embedded.people.people import person
from mm_model.embedded.people.sources import seed_of, subject_name
from mm_model.evaluate import cells, twins
from mm_model.evaluate.people import Subject
from mm_model.facepack.port import Face, open_pack
from mm_model.judges.colour import ColourJudge
from mm_model.judges.port import Judge, Lineage
from mm_model.nn.identity.portrait import Photograph
from mm_model.settings import load_profile

EYE = np.eye(5)
OTHERS = EYE[1:]


def test_the_nearest_is_chosen_and_a_tie_is_no_choice() -> None:
    assert twins.chosen(EYE[0], EYE[0], OTHERS)
    assert not twins.chosen(EYE[1], EYE[0], OTHERS)
    assert not twins.chosen((EYE[0] + EYE[1]) / np.sqrt(2), EYE[0], OTHERS)


def test_nobody_is_chosen_without_a_face() -> None:
    assert not twins.chosen(None, EYE[0], OTHERS)
    assert not twins.chosen(EYE[0], np.full(5, np.nan), OTHERS)
    unseen = np.vstack([OTHERS[:3], np.full((1, 5), np.nan)])
    assert twins.chosen(EYE[0], EYE[0], unseen)


def test_a_person_without_a_measurable_twin_does_not_count() -> None:
    unseen = np.full((4, 5), np.nan)
    assert twins.chosen(EYE[0], EYE[0], unseen) is None
    assert twins.chosen(None, EYE[0], unseen) is None
    own = np.stack([EYE[0]] * 2)
    found = twins.forced_choice({"true": [[EYE[0]], [EYE[0]]]}, own, [unseen, OTHERS])
    assert found == {"true": {"hits": 1.0, "people": 1, "chance": pytest.approx(0.2)}}
    assert twins.forced_choice({"true": [[EYE[0]], []]}, own, [unseen, OTHERS]) == {}


def test_a_person_s_clips_share_one_hit_and_chance_counts_people() -> None:
    probes = {"base": [[EYE[0], EYE[1]], [EYE[0]], []], "true": [[None], [], []], "vae": [[]]}
    own = np.stack([EYE[0]] * 3)
    found = twins.forced_choice(probes, own, [OTHERS] * 3)
    assert found == {
        "base": {"hits": 1.5, "people": 2, "chance": pytest.approx(0.4)},
        "true": {"hits": 0.0, "people": 1, "chance": pytest.approx(0.2)},
    }


def _job(folder: Path, subjects: list[str | None], synthetic: bool = True) -> Any:
    names = [f"s{i}" for i in range(len(subjects))]
    for stage in ("ingest", "faces"):
        (folder / stage).mkdir()
    pd.DataFrame({"sample_id": names, "subject": subjects, "synthetic": synthetic}).to_parquet(
        folder / "ingest" / "samples.parquet"
    )
    pd.DataFrame(
        {"sample_id": names, "identity": ["id-1", "id-1", "id-2"], "status": "kept"}
    ).to_parquet(folder / "faces" / "samples.parquet")
    return SimpleNamespace(inputs={name: folder / name for name in ("ingest", "faces")})


def test_drawn_people_are_known_by_the_folders_of_their_samples(tmp_path: Path) -> None:
    job = _job(tmp_path, [subject_name(50_003), subject_name(50_003), subject_name(50_001)])
    assert twins.drawn_people(job, ["id-2", "id-1"]) == [person(50_001), person(50_003)]


@pytest.mark.parametrize(
    "subjects",
    [
        ["person_50003", "person_50004", "person_50001"],
        ["anna", "anna", "person_50001"],
        [None, None, "person_50001"],
    ],
)
def test_others_have_no_twins(tmp_path: Path, subjects: list[str | None]) -> None:
    assert twins.drawn_people(_job(tmp_path, subjects), ["id-1", "id-2"]) is None


def test_pictures_of_a_user_are_not_taken_for_drawn_ones(tmp_path: Path) -> None:
    job = _job(tmp_path, ["person_50001"] * 3, synthetic=False)
    assert twins.drawn_people(job, ["id-1"]) is None


@pytest.mark.parametrize("name", ["person_7", "person_+0007", "person_", "anna", "person_0000７"])
def test_another_folder_s_name_is_no_seed(name: str) -> None:
    assert seed_of(name) is None
    assert seed_of(subject_name(7)) == 7


def test_a_study_of_drawn_people_has_a_record_a_judge_and_variant(
    tmp_path: Path, root: Path
) -> None:
    rules = load_profile(root, "tiny").faces
    pack = open_pack(root / "weights/tiny/facepack/models/tiny", rules.detection_size)
    judge = Judge(name="tiny", kind=Lineage.HOUSE, title="", pack=pack)
    seeds = {"id-1": 50_003, "id-2": 50_001}
    job = _job(tmp_path, [subject_name(seeds[name]) for name in ("id-1", "id-1", "id-2")])
    job.profile = load_profile(root, "tiny")
    people = [_subject(name, seed) for name, seed in seeds.items()]
    own = cells.Known.of(people, judge).everybody
    (twin, *_) = twins.twin_galleries(
        person(seeds["id-2"]), [judge], pack=pack, rules=rules, size=64
    )["tiny"]
    said: dict[str, Any] = {"prompt": "", "seed": 1, "video": "", "values": {}}
    seen = [
        cells.Cell(
            cell_id="", variant=variant, identity=name, centroids={"tiny": probe}, judged={}, **said
        )
        for variant, probes in (
            ("true_clip", own),
            ("vae_round_trip", (own[0], twin)),
            ("base", (None, own[1])),
            ("shuffled", own),
        )
        for name, probe in zip(seeds, probes, strict=True)
    ]
    found, notes = twins.study(job, people, seen, [judge], pack)
    whole = {"people": 2, "chance": pytest.approx(0.4)}
    assert notes == []
    one = {"hits": 1, **whole}
    assert found == {"twins": {"tiny": {"true": {"hits": 2, **whole}, "vae": one, "base": one}}}

    stranger = [replace(people[0], identity="id-3"), people[1]]
    assert twins.study(job, stranger, seen, [judge], pack) == ({}, [twins.NOT_DRAWN])


def _subject(identity: str, seed: int) -> Subject:
    drawn = photograph(person(seed), np.random.default_rng(seed), 64)
    seen = (Photograph.of(drawn.image, Face(drawn.box, 0.9, drawn.landmarks)),)
    return Subject(
        identity=identity,
        split="held_out",
        prompt="",
        shown=seen,
        withheld=seen,
        names=(),
        true_clip=None,
    )


def test_a_gallery_of_twins_holds_four_unlike_rows_and_is_drawn_equal_again(root: Path) -> None:
    rules = load_profile(root, "tiny").faces
    pack = open_pack(root / "weights/tiny/facepack/models/tiny", rules.detection_size)
    judges = [
        Judge(name="tiny", kind=Lineage.HOUSE, title="", pack=pack),
        Judge(name="colour", kind=Lineage.CONTROL, title="", pack=ColourJudge()),
    ]
    first, again = (
        twins.twin_galleries(person(50_000), judges, pack=pack, rules=rules, size=64)
        for _ in range(2)
    )
    assert {name: rows.shape for name, rows in first.items()} == {
        "tiny": (4, pack.width),
        "colour": (4, 6),
    }
    assert np.isfinite(first["tiny"]).all()
    assert (np.triu(first["tiny"] @ first["tiny"].T, 1) < 0.999).all()
    assert all(np.array_equal(first[name], again[name]) for name in first)
