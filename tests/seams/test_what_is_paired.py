"""Faces, embeddings and pairs once more, from the pictures that the tables name."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from mm_model.facepack.detect import chosen_faces
from tests.seams.facts import RULES, Chain, face_in, film, overlap, pixels, unit
from tests.small_chain import OTHER

pytestmark = pytest.mark.slow


def picture(chain: Chain, reference_file: str) -> np.ndarray:
    stage, _, place = reference_file.partition(":")
    name, _, frame = place.partition("#frame=")
    path = chain.output(stage) / name
    return film(path)[int(frame)] if frame else pixels(path)


def test_a_reference_s_box_and_landmarks_lie_on_the_face_of_its_file(chain: Chain, pack) -> None:
    rows = chain.table("pairs", "references").to_dict("records")
    kinds = {"synthetic": 0, "frame": 0, "photograph": 0}
    for row in rows:
        image = picture(chain, row["reference_file"])
        assert image.shape[:2] == (row["height"], row["width"])
        faces = chosen_faces(pack, image, RULES).faces
        assert faces
        told = face_in(row)
        best = max(faces, key=lambda face: overlap(face.box, told.box))
        assert overlap(best.box, told.box) > 0.85
        assert np.abs(best.landmarks - told.landmarks).max() < 4
        kind = (
            "synthetic"
            if "synthetic/" in row["reference_file"]
            else ("frame" if "#frame=" in row["reference_file"] else "photograph")
        )
        kinds[kind] += 1
    assert all(kinds.values()), kinds


def test_the_cosine_of_a_pair_is_that_of_its_two_pictures(chain: Chain, pack) -> None:
    """Kept strictly above the threshold, and only there."""
    references = {
        row["reference"]: unit(pack.embed(picture(chain, row["reference_file"]), face_in(row)))
        for row in chain.table("pairs", "references").to_dict("records")
    }
    targets = {}
    tracks = chain.table("faces", "tracks")
    pairs = chain.table("pairs", "pairs")
    for name in set(pairs["target"]):
        fact = chain.truth[name]
        if fact.media == "image":
            (row,) = tracks[tracks["sample_id"] == name].to_dict("records")
            targets[name] = unit(pack.embed(pixels(fact.file), face_in(row)))
    asked = 0
    for row in pairs.itertuples():
        if row.status == "kept":
            assert row.cosine > OTHER["pairs"]["cosine_above"]
        elif row.reason == "PAIR_LOW_COSINE":
            assert row.cosine <= OTHER["pairs"]["cosine_above"] == row.reason_threshold
        if row.target in targets and row.reference in references:
            asked += 1
            cosine = float(targets[row.target] @ references[row.reference])
            assert row.cosine == pytest.approx(cosine, abs=0.03)
    assert asked > 20


def test_an_embedding_belongs_to_the_sample_of_its_row(chain: Chain, pack) -> None:
    tensors = load_file(chain.output("faces") / "embeddings.safetensors")
    kept = chain.table("faces", "samples").query("status == 'kept' and media == 'image'")
    tracks = chain.table("faces", "tracks").set_index("sample_id")
    for row in kept.itertuples():
        fresh = unit(
            pack.embed(pixels(chain.truth[row.sample_id].file), face_in(tracks.loc[row.sample_id]))
        )
        assert float(fresh @ tensors["embedding"][int(row.embedding_row)]) > 0.99


def test_a_track_follows_the_face_from_frame_to_frame(chain: Chain, pack) -> None:
    tracks = chain.table("faces", "tracks")
    kept = chain.table("faces", "samples").query("status == 'kept' and media == 'clip'")
    for name in kept["sample_id"].tolist()[:3]:
        frames = film(chain.truth[name].file)
        rows = tracks[tracks["sample_id"] == name].to_dict("records")
        assert [row["frame"] for row in rows] == list(range(13))
        for row in (rows[0], rows[6], rows[12]):
            faces = chosen_faces(pack, frames[row["frame"]], RULES).faces
            best = max(overlap(face.box, face_in(row).box) for face in faces)
            assert best > 0.85


def test_a_person_s_references_are_of_the_kinds_and_number_that_the_profile_asks_for(
    chain: Chain,
) -> None:
    rules, pairs = chain.profile.pairs, chain.table("pairs", "pairs")
    kept = pairs.query("status == 'kept'").groupby("target").size()
    assert kept.max() == rules.per_target
    assert set(pairs["kind"]) == set(rules.kinds)
    drawn = pairs[pairs["kind"] == "synthetic"].groupby("identity")["reference"].nunique()
    assert drawn.max() == rules.synthetic_per_identity
