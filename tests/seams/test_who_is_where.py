"""Who is in the batches, who is watched, who is tested: asked of the raw files themselves."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.seams.facts import Chain, face_in, film, pixels
from tests.small_chain import OTHER

pytestmark = [pytest.mark.slow, pytest.mark.capability("held-out people", scale="T")]

TRAININGS = ("pretrain", "finetune")


def kept_pairs(chain: Chain, side: str, media: tuple[str, ...]) -> list:
    """Kept pairs whose target shows somebody of that side, by the raw files."""
    pairs = chain.table("pairs", "pairs").query("status == 'kept'")
    return [
        row
        for row in pairs.itertuples()
        if chain.truth[row.target].side == side and chain.truth[row.target].media in media
    ]


def test_the_split_of_every_table_is_that_of_the_people_drawn(chain: Chain) -> None:
    for stage in ("ingest", "faces"):
        rows = chain.table(stage, "samples").query("status == 'kept'")
        assert {row.sample_id: row.split for row in rows.itertuples()} == {
            row.sample_id: chain.truth[row.sample_id].side for row in rows.itertuples()
        }
    for row in chain.table("pairs", "pairs").itertuples():
        assert row.split == chain.truth[row.target].side
    sides = {chain.truth[name].side for name in chain.truth}
    assert sides == {"train", "held_out"}


@pytest.mark.parametrize(
    ("stage", "media"), [("pretrain", ("image", "clip")), ("finetune", ("clip",))]
)
def test_a_training_learns_from_all_training_people_and_from_nobody_else(
    chain: Chain, stage: str, media: tuple[str, ...]
) -> None:
    """Told by the stage's own report: nothing between the table and the loop is left out."""
    pairs = kept_pairs(chain, "train", media)
    metrics = chain.report(stage)["metrics"]
    assert metrics["targets"] == len({row.target for row in pairs})
    assert metrics["people"] == len({chain.truth[row.target].person for row in pairs})


@pytest.mark.parametrize("stage", TRAININGS)
def test_the_table_of_targets_is_what_was_trained_on(
    chain: Chain, training_set: Callable, stage: str
) -> None:
    rows, data = chain.table(stage, "targets"), training_set(stage)
    assert len(rows) == len(data.targets) == chain.report(stage)["metrics"]["targets"]
    for row, target in zip(rows.itertuples(), data.targets, strict=True):
        fact = chain.truth[row.sample_id]
        assert row.sample_id == target.sample_id and row.split == fact.side == "train"
        assert (row.caption, row.media) == (fact.caption, fact.media)
        assert row.references == target.references


@pytest.mark.parametrize("stage", TRAININGS)
def test_targets_and_references_are_training_people_and_each_its_own(
    chain: Chain, training_set: Callable, stage: str
) -> None:
    data = training_set(stage)
    pairs = kept_pairs(chain, "train", ("image", "clip") if stage == "pretrain" else ("clip",))
    assert {target.sample_id for target in data.targets} == {row.target for row in pairs}
    for target in data.targets:
        fact = chain.truth[target.sample_id]
        assert fact.side == "train" and chain.people[target.identity] == fact.person
        assert target.caption == fact.caption
        own = {row.reference for row in pairs if row.target == target.sample_id}
        assert target.references == len(own), "each of its pairs is learned from"


@pytest.mark.parametrize("stage", TRAININGS)
def test_every_row_of_a_batch_shows_the_target_s_own_person_to_the_model(
    chain: Chain, training_set: Callable, shard_set: Callable, backbone: object, stage: str
) -> None:
    """What the adapter is given is compared with the encoder's own word on each reference file."""
    from mm_model.train.feed import Feed

    data = training_set(stage)
    known = encoded(chain, backbone)
    rules = getattr(chain.profile, stage).model_copy(update={"batch_size": 6, "streams": 1})
    batches = Feed(shard_set(stage), backbone, rules, 5).from_step(1)
    pairs = chain.table("pairs", "pairs").query("status == 'kept'")
    seen = set()
    for _ in range(5):
        batch = next(batches)
        for place, name in enumerate(batch.sample_ids):
            row = data.rows[name]
            target = data.targets[row]
            allowed = set(pairs[pairs["target"] == target.sample_id]["reference"])
            real = batch.features.mask[place]
            shown = [nearest(known, x) for x in batch.features.x_id[place][real]]
            assert set(shown) <= allowed and len(set(shown)) == len(shown)
            raw = torch.stack([known[key][1] for key in shown]).mean(dim=0)
            assert torch.allclose(batch.reference_embeddings[place], raw, atol=1e-3)
            assert torch.allclose(batch.clean[place], data.tensors["latents"][row], atol=0.1)
            seen.add(target.sample_id)
    assert len(seen) > 3


def encoded(chain: Chain, backbone: object) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Reference key to identity tokens and raw vector, through the pipeline's own door."""
    from mm_model.generation.references import prepare_references

    encoder, found = backbone.identity_encoder, {}
    margin = OTHER["model"]["reference_margin"]
    for row in chain.table("pairs", "references").to_dict("records"):
        stage, _, place = row["reference_file"].partition(":")
        name, _, frame = place.partition("#frame=")
        file = chain.output(stage) / name
        picture = film(file)[int(frame)] if frame else pixels(file)
        given = prepare_references([picture], [face_in(row)], margin, encoder.image_size)
        raw = encoder.embed(given.aligned[None])
        said = encoder.features(given.pixels[None], raw)
        found[row["reference"]] = (said.x_id[0, 0], raw[0, 0])
    return found


def nearest(known: dict, x_id: torch.Tensor) -> str:
    """The reference whose identity tokens these are: far nearer than any other's."""
    distance = {key: float((value[0] - x_id).abs().max()) for key, value in known.items()}
    key = min(distance, key=distance.get)
    assert distance[key] < 0.05, distance[key]
    return key


@pytest.mark.parametrize("stage", TRAININGS)
def test_who_is_watched_is_held_out(chain: Chain, stage: str) -> None:
    folder = chain.output(stage) / "samples"
    watched = json.loads((folder / "people.json").read_text())
    assert len(watched) == 4
    for person in watched:
        number = chain.people[person["identity"]]
        (own,) = chain.of(number, "clip")
        assert own.side == "held_out" and person["prompt"] == own.caption


def test_who_is_tested_is_held_out_and_the_ladder_s_known_are_trained_on(chain: Chain) -> None:
    cells = chain.table("evaluate", "cells")
    sides = {
        name: {f.side for f in chain.truth.values() if f.person == number}
        for name, number in chain.people.items()
    }
    assert len(set(cells["identity"])) == 4
    assert all(sides[name] == {"held_out"} for name in cells["identity"])
    known = [
        path.name.split("_")[0]
        for path in chain.output("evaluate").glob("videos/*_training_people_*.mp4")
    ]
    assert len(set(known)) == 6 and all(sides[name] == {"train"} for name in known)


def test_a_reference_is_a_picture_of_its_target_s_person(chain: Chain) -> None:
    pairs = chain.table("pairs", "pairs")
    drawn = 0
    for row in pairs.itertuples():
        own = chain.truth[row.target].person
        if row.kind == "synthetic":
            drawn += 1
            assert chain.truth[row.target].side == "train"
        else:
            assert chain.truth[row.reference.partition("#")[0]].person == own
        same = row.reference.partition("#")[0] == row.target
        assert same == (row.kind == "self_reference")
    assert drawn


def test_shown_and_withheld_pictures_are_disjoint_and_of_the_person(
    chain: Chain, tmp_path: Path
) -> None:
    from mm_model.evaluate.people import held_out_people

    job = chain.job("evaluate", tmp_path)
    people, notes = held_out_people(job.inputs, job.profile)
    assert not notes and len(people) == 4
    for person in people:
        shown, withheld = (
            {one.pixels.tobytes() for one in group} for group in (person.shown, person.withheld)
        )
        assert shown and withheld and not shown & withheld
        own = {picture.tobytes() for picture, _ in chain.pictures(person.identity)}
        assert shown | withheld == own
        rules = chain.profile.evaluate
        assert len(shown) == rules.references_per_person


def test_the_table_of_the_test_set_is_what_was_shown_and_withheld(chain: Chain) -> None:
    rows = chain.table("evaluate", "people")
    assert rows["picture"].is_unique
    for identity, group in rows.groupby("identity"):
        kept = chain.table("faces", "samples").query(
            f"status == 'kept' and media == 'image' and identity == '{identity}'"
        )
        names = [
            f"ingest:files/{chain.truth[name].file.name}" for name in sorted(kept["sample_id"])
        ]
        count = chain.profile.evaluate.references_per_person
        roles = ["shown"] * count + ["withheld"] * (len(names) - count)
        assert dict(zip(group["picture"], group["role"], strict=True)) == dict(
            zip(names, roles, strict=True)
        )


def test_every_sample_is_a_copy_of_its_raw_file_with_the_words_beside_it(chain: Chain) -> None:
    rows = chain.table("ingest", "samples").query("status == 'kept'")
    for row in rows.itertuples():
        fact = chain.truth[row.sample_id]
        assert (row.caption, row.media) == (fact.caption, fact.media)
        assert row.subject == f"person_{fact.person}"
        if row.media == "clip":
            assert (row.num_frames, round(row.fps, 3)) == (13, 12)
    assert np.isfinite(rows["width"]).all()


def test_what_is_said_of_a_raw_file_goes_with_it(chain: Chain) -> None:
    """Its name, person, side, mark and consent, to the end of ingest."""
    carried = ["name", "subject", "split", "synthetic", "consent", "consent_digest"]
    raw, rows = (
        chain.table(stage, name).set_index("source_id")
        for stage, name in (("sources", "inventory"), ("ingest", "samples"))
    )
    assert set(raw.index) == set(rows.index)
    assert raw[carried].equals(rows.loc[raw.index, carried])
    assert set(raw["consent"]) == {"synthetic:procedural"} and raw["synthetic"].all()


REASONS = {
    "truncated": ("ingest", "IO_TRUNCATED", None),
    "duplicate": ("ingest", "DUP_BYTES", None),
    "static": ("ingest", "CONTENT_STATIC", "static_below"),
    "cut": ("ingest", "CONTENT_CUT", "cut_above"),
    "text": ("ingest", "CONTENT_TEXT", "text_area_above"),
    "no_face": ("faces", "FACE_NONE", None),
    "two_faces": ("faces", "FACE_MANY", None),
    "tiny_face": ("faces", "FACE_SMALL", "min_face"),
    "blur": ("faces", "FACE_BLUR", "min_sharpness"),
}


def test_every_faulty_file_is_rejected_for_its_fault_by_the_profile_s_bound(chain: Chain) -> None:
    """And no file that was drawn without one."""
    raw = chain.output("sources") / "files" / "synthetic.json"
    faults = {
        name: entry["expected"]
        for call in json.loads(raw.read_text())["calls"]
        for name, entry in call["files"].items()
    }
    rows = {
        "ingest": chain.table("ingest", "samples").set_index("name"),
        "faces": chain.table("faces", "samples").set_index("name"),
    }
    met = set()
    for name, fault in faults.items():
        if fault == "kept":
            assert rows["ingest"].loc[name, "status"] == rows["faces"].loc[name, "status"] == "kept"
            continue
        stage, reason, bound = REASONS[fault]
        row = rows[stage].loc[name]
        if fault == "blur" and row["reason"] != reason:
            assert row["reason"] in ("FACE_NONE", "FACE_TRACK_BROKEN"), "too blurred for a face"
            continue
        assert (row["status"], row["reason"]) == ("rejected", reason), name
        if bound is not None:
            assert row["reason_threshold"] == OTHER[stage][bound]
        met.add(fault)
    assert met >= {"static", "cut", "text", "tiny_face", "two_faces", "duplicate"}
