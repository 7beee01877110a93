"""Methods behind their port: who is in which shot, what is kept of a subject, what is refused."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mm_model.errors import UserError
from mm_model.evaluate import variants
from mm_model.facepack.port import Face
from mm_model.generation.pipeline import MagicMirrorPipeline
from mm_model.methods.magic_mirror import MagicMirror
from mm_model.methods.plain import PlainBackbone
from mm_model.methods.port import Description, Enrolled, Method, Sampling, Shot
from mm_model.methods.shots import groups
from mm_model.nn.identity.portrait import Photograph
from tests.nn import pipes

pytestmark = pytest.mark.capability("several subjects and shots", scale="T")

SAMPLING = Sampling(steps=2, guidance=2.0, face_guidance="null", batch_size=2)
POINTS = [[40, 44], [56, 44], [48, 54], [42, 62], [54, 62]]


def photograph(seed: int) -> Photograph:
    pixels = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), np.uint8)
    box = np.array([32, 30, 64, 72], np.float32)
    return Photograph(pixels, Face(box, 0.9, np.array(POINTS, np.float32)))


def shot(subject: int = 0, seed: int = 1, **changes: Any) -> Shot:
    sizes = {"num_frames": 9, "height": 64, "width": 64, "subjects": (subject,)}
    return Shot(prompt="a man img walks", seed=seed, **{**sizes, **changes})


@pytest.fixture(scope="module")
def pipe() -> MagicMirrorPipeline:
    return pipes.mirror()


@pytest.fixture
def mirror(pipe: MagicMirrorPipeline) -> MagicMirror:
    return MagicMirror(pipe)


def test_a_shot_shows_the_subject_that_it_names(mirror: MagicMirror) -> None:
    two = [mirror.enroll([photograph(1)]), mirror.enroll([photograph(2), photograph(3)])]
    there = list(mirror.generate(two, [shot(0), shot(1)], SAMPLING))
    back = list(mirror.generate(two[::-1], [shot(1), shot(0)], SAMPLING))
    assert [clip.shape for clip in there] == [(9, 64, 64, 3)] * 2
    for one, other in zip(there, back, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(there[0], there[1])


def test_a_shot_is_the_same_alone_and_among_others(mirror: MagicMirror) -> None:
    subjects = [mirror.enroll([photograph(n)]) for n in (1, 2, 3)]
    shots = [shot(n, seed=n) for n in (0, 1, 2)]
    together = list(mirror.generate(subjects, shots, SAMPLING))
    for n in (0, 1, 2):
        (alone,) = mirror.generate([subjects[n]], [shot(0, seed=n)], SAMPLING)
        assert np.abs(together[n].astype(int) - alone).mean() < 0.1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_shot_is_the_same_beside_one_of_more_photographs(
    mirror: MagicMirror, order: tuple[int, int]
) -> None:
    """One photograph and three: what is made up to the same number has no say."""
    subjects = [mirror.enroll([photograph(1)]), mirror.enroll([photograph(n) for n in (2, 3, 4)])]
    together = list(mirror.generate(subjects, [shot(n, seed=n) for n in order], SAMPLING))
    for clip, n in zip(together, order, strict=True):
        (alone,) = mirror.generate([subjects[n]], [shot(0, seed=n)], SAMPLING)
        assert np.abs(clip.astype(int) - alone).mean() < 0.1


def test_sizes_and_negative_prompts_are_not_mixed(mirror: MagicMirror) -> None:
    shots = [shot(), shot(num_frames=1), shot(num_frames=1, negative_prompt="blur"), shot()]
    assert [len(group) for group in groups(shots, SAMPLING)] == [1, 1, 1, 1]
    assert [len(group) for group in groups([shot()] * 5, SAMPLING)] == [2, 2, 1]
    subject = mirror.enroll([photograph(1)])
    clips = list(mirror.generate([subject], shots, SAMPLING))
    assert [len(clip) for clip in clips] == [9, 1, 1, 9]
    assert not np.array_equal(clips[1], clips[2])


def test_every_step_is_told_and_its_refusal_ends_the_work(mirror: MagicMirror) -> None:
    subject, told = mirror.enroll([photograph(1)]), []
    shots = [shot(seed=n, num_frames=1) for n in range(3)]
    list(mirror.generate([subject], shots, SAMPLING, lambda *said: told.append(said)))
    assert told[-1] == (6, 6)
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(mirror.generate([subject], shots, SAMPLING, stop))
    assert len(list(mirror.generate([subject], shots, SAMPLING))) == 3


def test_a_subject_is_kept_and_taken_up_again(mirror: MagicMirror, tmp_path: Path) -> None:
    subject = mirror.enroll([photograph(1), photograph(2)])
    subject.save(tmp_path / "somebody")
    again = mirror.restore(tmp_path / "somebody")
    assert again.digest == subject.digest == mirror.enroll([photograph(1), photograph(2)]).digest
    assert mirror.enroll([photograph(1)]).digest != subject.digest
    made = [next(mirror.generate([one], [shot()], SAMPLING)) for one in (subject, again)]
    assert np.array_equal(*made)


@pytest.mark.parametrize("damage", ["features.safetensors", "subject.json", "all"])
def test_a_damaged_subject_is_refused(mirror: MagicMirror, tmp_path: Path, damage: str) -> None:
    mirror.enroll([photograph(1)]).save(tmp_path / "somebody")
    if damage == "all":
        (tmp_path / "somebody").rename(tmp_path / "elsewhere")
    else:
        path = tmp_path / "somebody" / damage
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="no whole subject: enrol the photographs again"):
        mirror.restore(tmp_path / "somebody")


def test_a_subject_of_other_encoders_is_refused(mirror: MagicMirror, tmp_path: Path) -> None:
    other = MagicMirror(pipes.mirror(reference_margin=3.0))
    subject = other.enroll([photograph(1)])
    subject.save(tmp_path / "somebody")
    with pytest.raises(UserError, match="other encoders: enrol"):
        mirror.restore(tmp_path / "somebody")
    with pytest.raises(UserError, match="other encoders: enrol"):
        mirror.generate([subject], [shot()], SAMPLING)


def test_what_magic_mirror_cannot_show_is_refused(mirror: MagicMirror) -> None:
    with pytest.raises(UserError, match="kind animal"):
        mirror.enroll([photograph(1)], kind="animal")
    for count in (0, 5):
        with pytest.raises(UserError, match="give one to 4"):
            mirror.enroll([photograph(n) for n in range(count)])
    subject = mirror.enroll([photograph(1)])
    for subjects in ((), (0, 0)):
        with pytest.raises(UserError, match="one person a shot"):
            mirror.generate([subject], [shot(subjects=subjects)], SAMPLING)


def test_the_backbone_alone_shows_nobody(pipe: MagicMirrorPipeline) -> None:
    base = PlainBackbone(pipe)
    two = [base.enroll([photograph(1)]), base.enroll([photograph(2)])]
    first, second = base.generate(two, [shot(0), shot(1)], SAMPLING)
    assert np.array_equal(first, second)
    assert base.describe().most_subjects == 0


class FakeSubject:
    kind, digest = "person", "0"

    def __init__(self, colour: int) -> None:
        self.colour = colour

    def save(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "colour").write_text(str(self.colour))


class FakeMethod:
    """Paints each frame in the mean colour of the subject's first photograph."""

    def describe(self) -> Description:
        return Description(
            name="fake", kinds=("person",), most_subjects=1, most_references=9, tuned=False
        )

    def enroll(
        self, references: Sequence[Photograph], kind: str = "person", on_step: Any = None
    ) -> FakeSubject:
        return FakeSubject(int(references[0].pixels.mean()))

    def restore(self, folder: Path) -> FakeSubject:
        return FakeSubject(int((folder / "colour").read_text()))

    def generate(
        self,
        subjects: Sequence[Any],
        shots: Sequence[Shot],
        sampling: Sampling,
        on_step: Any = None,
    ) -> Iterator[np.ndarray]:
        for one in shots:
            colour = subjects[one.subjects[0]].colour
            yield np.full((one.num_frames, one.height, one.width, 3), colour, np.uint8)


def test_an_evaluation_knows_a_method_by_its_port(monkeypatch: Any, root: Path) -> None:
    from mm_model.settings import load_profile

    monkeypatch.setattr(variants, "_method", lambda *_: FakeMethod())
    profile = load_profile(root, "tiny")
    dark = Photograph(np.full((64, 64, 3), 10, np.uint8), photograph(0).face)
    light = Photograph(np.full((64, 64, 3), 240, np.uint8), photograph(0).face)
    people: Any = [
        SimpleNamespace(identity=name, prompt="a man", shown=(seen,))
        for name, seen in (("id-1", dark), ("id-2", light))
    ]
    models: Any = variants.Models(None, {}, profile)  # type: ignore[arg-type]
    for name in ("base", "finetune"):
        clips = models.clips(name, people, [(1, 0), (0, 0), (0, 1)])
        assert [int(clip.mean()) for clip in clips] == [240, 10, 10]


def test_all_are_of_the_port_and_keep_a_subject(
    mirror: MagicMirror, pipe: MagicMirrorPipeline, tmp_path: Path
) -> None:
    for method in (mirror, PlainBackbone(pipe), FakeMethod()):
        assert isinstance(method, Method)
        subject = method.enroll([photograph(1)])
        assert isinstance(subject, Enrolled)
        folder = tmp_path / type(method).__name__
        subject.save(folder)
        again = method.restore(folder)
        assert (again.kind, again.digest) == (subject.kind, subject.digest)


def test_the_backbone_keeps_the_kind_and_refuses_a_person_of_magic_mirror(
    mirror: MagicMirror, pipe: MagicMirrorPipeline, tmp_path: Path
) -> None:
    base = PlainBackbone(pipe)
    base.enroll([photograph(1)], kind="animal").save(tmp_path / "cup")
    assert base.restore(tmp_path / "cup").kind == "animal"
    mirror.enroll([photograph(1)]).save(tmp_path / "person")
    with pytest.raises(UserError, match="another method"):
        base.restore(tmp_path / "person")
    with pytest.raises(UserError, match="holds no subject"):
        base.restore(tmp_path / "nowhere")


def test_a_subject_of_other_frozen_weights_is_refused(tmp_path: Path) -> None:
    """The recogniser, the margin and all sizes agree; one number of the perceiver does not."""
    pipe = pipes.mirror()
    MagicMirror(pipe).enroll([photograph(1)]).save(tmp_path / "somebody")
    MagicMirror(pipe).restore(tmp_path / "somebody")
    with torch.no_grad():
        next(pipe.identity_encoder.id_perceiver.parameters()).view(-1)[0] += 1
    with pytest.raises(UserError, match="other encoders: enrol"):
        MagicMirror(pipe).restore(tmp_path / "somebody")


def test_a_pipeline_without_identity_is_refused() -> None:
    with pytest.raises(UserError, match="needs an adapter and an identity encoder"):
        MagicMirror(pipes.plain())


def test_a_subject_of_another_method_is_refused_in_words(
    mirror: MagicMirror, pipe: MagicMirrorPipeline
) -> None:
    nobody = PlainBackbone(pipe).enroll([photograph(1)])
    known = mirror.enroll([photograph(1)])
    with pytest.raises(UserError, match="another method"):
        next(iter(mirror.generate([nobody], [shot()], SAMPLING)))
    with pytest.raises(UserError, match="another method"):
        next(iter(mirror.generate([known, nobody], [shot(0), shot(1)], SAMPLING)))
    assert len(list(mirror.generate([known, nobody], [shot(0)], SAMPLING))) == 1
