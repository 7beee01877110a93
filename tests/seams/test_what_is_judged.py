"""The cells of the evaluation once more, from the clips and pictures that lie there."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest

from mm_model.facepack.detect import chosen_faces
from tests.seams.facts import RULES, Chain, film, pixels, sought, unit
from tests.small_chain import HEIGHT, WIDTH

pytestmark = pytest.mark.slow

MODELS = ("base", "pretrain", "finetune")
ENDS = {"pretrain_step_3": "pretrain", "finetune_step_2": "finetune"}


@pytest.fixture(scope="module")
def cells(chain: Chain) -> pd.DataFrame:
    return chain.table("evaluate", "cells")


@pytest.fixture(scope="module")
def summary(chain: Chain) -> dict[str, Any]:
    return json.loads((chain.output("evaluate") / "metrics.json").read_text())


@pytest.fixture(scope="module")
def pictures(chain: Chain, cells: pd.DataFrame, judge: Any) -> dict[str, tuple[Any, Any]]:
    """Unit vectors of the shown and of the withheld photographs, by identity.

    Shown are the first by sample id, as many as the profile says; one at least is withheld.
    """
    found = {}
    for identity in set(cells["identity"]):
        own = [unit(judge.embed(*one)) for one in chain.pictures(identity)]
        number = min(chain.profile.evaluate.references_per_person, len(own) - 1)
        assert number >= 1
        found[identity] = np.stack(own[:number]), np.stack(own[number:])
    return found


@dataclass
class Seen:
    """The largest face of each frame, NaN where there is none: unit vectors, landmarks, boxes."""

    faces: np.ndarray
    marks: np.ndarray
    boxes: np.ndarray


def seen_in(clip: np.ndarray, pack: Any, judge: Any) -> Seen:
    found = Seen(
        *(np.full((len(clip), *shape), np.nan) for shape in ((judge.width,), (5, 2), (4,)))
    )
    for number, frame in enumerate(clip):
        faces = chosen_faces(pack, frame, RULES).faces
        if faces:
            largest = max(faces, key=lambda face: np.prod(face.box[2:] - face.box[:2]))
            found.faces[number] = unit(judge.embed(frame, largest))
            found.marks[number], found.boxes[number] = largest.landmarks, largest.box
    return found


@pytest.fixture(scope="module")
def looks(chain: Chain, cells: pd.DataFrame, pack: Any, judge: Any) -> dict[str, Seen]:
    """What is seen in every clip, by its file."""
    folder = chain.output("evaluate")
    return {name: seen_in(film(folder / name), pack, judge) for name in set(cells["video"])}


def measured(faces: np.ndarray, vectors: np.ndarray) -> float:
    """Mean cosine over frames and pictures; a frame without a face counts 0."""
    return float(np.nan_to_num(faces @ vectors.T).mean())


@pytest.mark.capability("metrics and controls", scale="T")
def test_identity_is_measured_on_withheld_pictures_by_the_judge(
    chain: Chain, cells: pd.DataFrame, pictures: dict, looks: dict
) -> None:
    next_one = dict(zip(identities(cells), np.roll(identities(cells), -1), strict=True))
    for cell in cells.itertuples():
        whose = next_one[cell.identity] if cell.variant == "shuffled" else cell.identity
        shown, withheld = pictures[whose]
        faces = looks[cell.video].faces
        assert cell.identity_similarity_penalised == pytest.approx(
            measured(faces, withheld), abs=0.02
        ), cell.cell_id
        assert cell.identity_shown_penalised == pytest.approx(measured(faces, shown), abs=0.02)
        seen = np.isfinite(faces).all(axis=1)
        assert cell.face_found_rate == pytest.approx(seen.mean(), abs=0.12)
        if seen.any():
            gap = measured(faces[seen], shown) - measured(faces[seen], withheld)
            assert cell.copy_paste_gap == pytest.approx(gap, abs=0.02)


def identities(cells: pd.DataFrame) -> list[str]:
    """The people in the order in which they were tested."""
    return list(dict.fromkeys(cells[cells["variant"] == "base"]["identity"]))


def test_rank_one_is_among_all_test_people(
    cells: pd.DataFrame, pictures: dict, looks: dict
) -> None:
    centres = {name: unit(np.concatenate(both).mean(axis=0)) for name, both in pictures.items()}
    names, sure = identities(cells), 0
    for cell in cells.itertuples():
        faces = looks[cell.video].faces
        faces = faces[np.isfinite(faces).all(axis=1)]
        if not len(faces):
            assert cell.rank1 == 0
            continue
        cosines = {name: float(unit(faces.mean(axis=0)) @ centres[name]) for name in names}
        first, second = sorted(cosines.values(), reverse=True)[:2]
        if first - second < 0.04:
            continue  # the decoders differ by a grey level
        sure += 1
        own = names[(names.index(cell.identity) + (cell.variant == "shuffled")) % len(names)]
        assert cell.rank1 == float(max(cosines, key=cosines.get) == own), cell.cell_id
    assert sure > len(cells) / 2


def test_motion_is_that_of_the_landmarks_in_the_clip(
    chain: Chain, cells: pd.DataFrame, looks: dict
) -> None:
    """The largest step over the frame's sides; how far from the shown faces in their own boxes."""
    for cell in cells[cells["variant"] != "shuffled"].itertuples():
        look = looks[cell.video]
        steps = np.linalg.norm(np.diff(look.marks / [WIDTH, HEIGHT], axis=0), axis=-1).sum(-1)
        if not np.isfinite(look.boxes).all():
            continue
        assert cell.fm_inter == pytest.approx(steps.max(), rel=0.25, abs=0.01)
        height = np.median(look.boxes[:, 3] - look.boxes[:, 1])
        middle = look.marks.mean(axis=1) / height
        seconds = (len(middle) - 1) / chain.profile.model.fps
        apart = np.hypot(*np.subtract(*np.percentile(middle, [95, 5], axis=0))) / seconds
        if round(seconds) <= 1:
            assert cell.translation == pytest.approx(apart, rel=0.25, abs=0.02)
        shown = chain.pictures(cell.identity)[: chain.profile.evaluate.references_per_person]
        theirs = np.stack([inside(face.landmarks, face.box) for _, face in shown])
        ours = np.stack([inside(*one) for one in zip(look.marks, look.boxes, strict=True)])
        apart = np.linalg.norm(ours[:, None] - theirs[None], axis=-1).sum(-1).mean()
        assert cell.fm_ref == pytest.approx(apart, rel=0.1, abs=0.01)


def inside(marks: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Landmarks in units of their box."""
    return (marks - box[:2]) / (box[2:] - box[:2])


def test_the_withheld_pictures_judge_otherwise_than_the_shown_ones(cells: pd.DataFrame) -> None:
    seen = cells[cells["face_found_rate"] > 0]  # without a face both are 0
    assert len(seen) > len(cells) / 2
    differ = np.abs(seen["identity_similarity_penalised"] - seen["identity_shown_penalised"])
    assert (differ > 0.003).mean() > 0.8


@pytest.mark.capability("metrics and controls", scale="T")
def test_each_control_is_what_it_is_called(
    chain: Chain, cells: pd.DataFrame, summary: dict, backbone: Any
) -> None:
    folder = chain.output("evaluate")
    clips = {
        (cell.variant, cell.identity): film(folder / cell.video).astype(int)
        for cell in cells.itertuples()
    }
    for identity in identities(cells):
        still, true, vae = (
            clips[name, identity] for name in ("static_reference", "true_clip", "vae_round_trip")
        )
        assert np.abs(np.diff(still, axis=0)).mean() < 1
        reference = pixels(folder / "references" / f"{identity}.jpg").astype(int)
        assert np.abs(still[0] - reference).mean() < 6
        assert np.abs(np.diff(true, axis=0)).mean() > 1
        lost = np.abs(true - vae).mean()
        assert 0.8 < lost < 12, "near the true clip, and not the clip itself"
        others = [clips["true_clip", other] for other in identities(cells) if other != identity]
        assert all(np.abs(true - other).mean() > 3 * lost / 2 for other in others)
    same, ours = (
        cells[cells["variant"] == name].set_index(["identity", "seed"])
        for name in ("shuffled", summary["candidate"])
    )
    assert (same["video"] == ours["video"]).all()
    seen = ours["face_found_rate"] > 0
    differ = same["identity_similarity_penalised"] - ours["identity_similarity_penalised"]
    differ = differ[seen]
    assert seen.any()
    assert (differ != 0).all(), "somebody was judged by their own pictures"
    assert differ.abs().median() > 0.05


def test_the_true_clip_is_the_person_s_own_at_the_model_s_rate(
    chain: Chain, cells: pd.DataFrame
) -> None:
    for cell in cells[cells["variant"] == "true_clip"].itertuples():
        own = chain.people[cell.identity]
        (raw,) = chain.of(own, "clip")
        made, source = film(chain.output("evaluate") / cell.video), film(raw.file)
        for ours, theirs in ((0, 0), (4, 6), (8, 12)):
            found = [sought(made[ours], source[i]) for i in range(13)]
            assert found[theirs] > 0.95 and found[theirs] > max(found) - 0.01


def test_the_models_are_asked_the_same_and_answer_differently(
    chain: Chain, cells: pd.DataFrame
) -> None:
    """An identity that never reached the pipeline would leave the base's clip."""
    folder, generated = chain.output("evaluate"), (*MODELS, *ENDS)
    chosen = cells[cells["variant"].isin(generated)]
    for (identity, _), group in chosen.groupby(["identity", "seed"]):
        own = chain.people[identity]
        words = {fact.caption for fact in chain.of(own, "clip")}
        assert set(group["prompt"]) == words
        clips = {row.variant: film(folder / row.video).astype(int) for row in group.itertuples()}
        assert set(clips) == set(generated)
        for first, second in itertools.combinations(clips, 2):
            assert np.abs(clips[first] - clips[second]).mean() > 0.02, (first, second)
    base = chosen[chosen["variant"] == "base"]
    assert base["seed"].is_unique and len(base) == 4 * chain.profile.evaluate.clips_per_person


def test_the_ladder_s_known_people_are_shown_by_the_candidate(
    chain: Chain, summary: dict, backbone: Any, tmp_path: Path
) -> None:
    """Their clips are in no table: they are made once more by both adapters."""
    from mm_model.evaluate import variants
    from mm_model.evaluate.people import training_people

    job = chain.job("evaluate", tmp_path)
    known = training_people(job.inputs, job.profile)
    models = variants.Models(backbone, variants.adapters(job.inputs), job.profile)
    names = [person.identity for person in known]
    each = chain.profile.evaluate.clips_per_person
    seeds = variants.seeds_of(names, each)
    wanted = [(number, clip) for number in range(len(known)) for clip in range(each)]
    made = {
        name: dict(zip(wanted, models.clips(name, known, wanted), strict=True))
        for name in ("pretrain", "finetune")
    }
    for number, person in enumerate(known):
        for clip, seed in enumerate(seeds[number]):
            name = f"videos/{person.identity}_training_people_{seed}.mp4"
            shown = film(chain.output("evaluate") / name).astype(int)
            apart = {
                model: float(np.abs(shown - clips[number, clip].astype(int)).mean())
                for model, clips in made.items()
            }
            assert min(apart, key=apart.__getitem__) == summary["candidate"], name


def test_every_clip_has_the_model_s_size_length_and_rate(chain: Chain, cells: pd.DataFrame) -> None:
    for name in set(cells["video"]):
        with av.open(str(chain.output("evaluate") / name)) as container:
            stream = container.streams.video[0]
            assert (stream.height, stream.width) == (HEIGHT, WIDTH)
            assert stream.average_rate == chain.profile.model.fps
            assert sum(1 for _ in container.decode(stream)) == chain.profile.model.num_frames


def test_the_judge_of_the_record_is_the_judge_and_the_pack_is_the_pack(
    summary: dict, pack: Any, judge: Any, root: Path
) -> None:
    from mm_model.store import digests

    assert summary["judge"]["digest"] == judge.digest != pack.digest == summary["pack"]["digest"]
    weights = root / "weights" / "tiny"
    recognizers = [
        digests.of_file(weights / path)
        for path in ("judge/models/judge/recognizer.onnx", "facepack/models/tiny/recognizer.onnx")
    ]
    assert summary["judge"]["files"]["recognizer.onnx"] == recognizers[0] != recognizers[1]


def test_the_summary_is_the_mean_of_the_cells(cells: pd.DataFrame, summary: dict) -> None:
    columns = {
        "identity": "identity_similarity_penalised",
        "identity_shown": "identity_shown_penalised",
        "copy_paste_gap": "copy_paste_gap",
        "rank1": "rank1",
        "face_found_rate": "face_found_rate",
        "fm_ref": "fm_ref",
        "fm_inter": "fm_inter",
        "fm_inter_p95": "fm_inter_p95",
        "translation": "translation",
        "turn": "turn",
        "expression": "expression",
        "trembling": "trembling",
        "obeyed": "obeyed",
        "forwards": "forwards",
    }
    assert set(summary["variants"]) == set(cells["variant"])
    for variant, said in summary["variants"].items():
        group = cells[cells["variant"] == variant]
        group = group.groupby("identity")[list(columns.values())].mean()
        for name, column in columns.items():
            mean = group[column].mean()
            assert said[name]["value"] == (None if pd.isna(mean) else pytest.approx(mean))
            told = dict(
                zip(summary["identities"], summary["per_person"][variant][name], strict=True)
            )
            for identity, value in told.items():
                own = group[column].get(identity, np.nan)
                assert value == (None if pd.isna(own) else pytest.approx(own))
    chosen = summary["candidate"]
    for name, over in (("finetune", "base"), (chosen, "base"), (chosen, "shuffled")):
        ours, theirs = (summary["variants"][v]["identity"]["value"] for v in (name, over))
        gain = summary["gain"][f"{'candidate' if name == chosen else name}_over_{over}"]
        assert gain["value"] == pytest.approx(ours - theirs)
        assert gain["low"] <= gain["value"] <= gain["high"] and gain["low"] < gain["high"]


def test_the_curve_and_the_ladder_name_their_own_variants(
    cells: pd.DataFrame, summary: dict
) -> None:
    steps = {"base": 0, "pretrain_step_3": 3, "pretrain": 6, "finetune_step_2": 8, "finetune": 10}
    assert {point["variant"]: point["step"] for point in summary["curve"]} == steps
    for point in summary["curve"]:
        assert point["identity"] == summary["variants"][point["variant"]]["identity"]
    for rung in summary["ladder"]:
        own = cells[cells["variant"] == rung["variant"]]
        if len(own):
            hits = own.groupby("identity")["rank1"].mean()
            assert rung["hits"] == pytest.approx(hits.sum()) and rung["people"] == len(hits)


def test_strips_and_references_show_their_clips(chain: Chain, cells: pd.DataFrame) -> None:
    folder = chain.output("evaluate")
    for cell in cells.itertuples():
        strip = pixels(folder / "strips" / (Path(cell.video).stem + ".jpg")).astype(int)
        frames = np.concatenate(list(film(folder / cell.video)), axis=1).astype(int)
        assert np.abs(strip - frames).mean() < 4
