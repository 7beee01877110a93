"""Figures 8, 9, 14 and 16 again, on a few steps: the files, the same batches, the arithmetic."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers.models.normalization import CogVideoXLayerNormZero
from PIL import Image

from mm_model.errors import UserError
from mm_model.nn.injection import files
from mm_model.reproduce import __main__ as commands
from mm_model.reproduce import (
    examination,
    figure8,
    figure9,
    figure14,
    figure16,
    gamma,
    learning,
    methods,
)
from mm_model.reproduce.learning import Course
from mm_model.reproduce.results import Shelf
from mm_model.reproduce.worlds import DAY, DUSK

pytestmark = pytest.mark.capability("figures 8, 9 and 14", scale="T")

SETTING = figure8.ConvergenceStudy(
    seeds=2,
    people=4,
    pictures_each=1,
    held_out=7,
    course=Course(steps=2, batch=2, rate=2e-3, warmup=1),
    looks=(0, 2),
)


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root of its own with the shipped weights and profiles."""
    place = tmp_path_factory.mktemp("tree")
    for name in ("weights", "profiles", "params.yaml"):
        (place / name).symlink_to(root / name)
    return place


@pytest.fixture(scope="module")
def eight(tree: Path) -> Shelf:
    return figure8.reproduce(tree, 0, SETTING)


def _said(shelf: Shelf) -> dict:
    return json.loads(shelf.numbers.read_text())


def _picture(shelf: Shelf) -> np.ndarray:
    return np.asarray(Image.open(shelf.plot).convert("RGB"))


def test_figure_8_has_every_curve_of_both_variants_and_a_plot(eight: Shelf) -> None:
    said = _said(eight)
    assert (said["command"], said["figure"]) == ("make figure8", "figure8")
    assert said["hardware"].endswith("cores")
    runs = {(run["variant"], run["seed"]) for run in said["runs"]}
    assert runs == {(v, s) for v in ("with CAN", "without CAN") for s in (0, 1)}
    for run in said["runs"]:
        assert run["step"] == [0, 2]
        assert all(np.isfinite(run[region]).all() for region in ("face", "hair", "stranger"))
    picture = _picture(eight)
    assert min(picture.shape[:2]) > 400 and picture.std() > 10


def test_both_variants_begin_alike_and_see_the_same_batches(eight: Shelf) -> None:
    first, second = ([r for r in _said(eight)["runs"] if r["seed"] == seed] for seed in (0, 1))
    for with_can, without in (first, second):
        assert with_can["batches"] == without["batches"]
        assert with_can["face"][0] == pytest.approx(without["face"][0], abs=1e-6)
        assert with_can["face"][1] != without["face"][1]
    assert first[0]["batches"] != second[0]["batches"]
    base = _said(eight)["base"]
    assert base["stranger"] == base["face"]


def test_without_can_there_is_none(eight: Shelf) -> None:
    with_can, without = _said(eight)["runs"][:2]
    state = files.load_tensors(eight.folder / "adapter" / files.WEIGHTS_NAME)
    can = sum(v.numel() for name, v in state.items() if ".can." in name or "can_proj" in name)
    assert with_can["parameters"] - without["parameters"] == can > 0


def test_a_second_run_trains_nothing_again(
    eight: Shelf, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _said(eight)
    (eight.folder / "parts" / "with-can-seed-1.json").unlink()
    asked = []

    def once(_bench: object, run: figure8.Run, **_: object) -> dict:
        asked.append(run.name)
        (found,) = (r for r in before["runs"] if (r["variant"], r["seed"]) == (run.variant, 1))
        return {k: v for k, v in found.items() if k not in ("variant", "seed")}

    monkeypatch.setattr(figure8, "trained", once)
    assert _said(figure8.reproduce(tree, 0, SETTING)) == before
    assert asked == ["with-can-seed-1"]


def test_the_step_at_which_a_curve_is_low_enough() -> None:
    steps, errors = [0, 10, 20], [1.0, 0.6, 0.5]
    assert figure8.first_below(steps, errors, 0.8) == 5.0
    assert figure8.first_below(steps, errors, 0.5) == 20.0
    assert figure8.first_below(steps, errors, 1.2) == 0.0
    assert figure8.first_below(steps, errors, 0.4) is None


def test_figure_9_is_made_from_the_adapter_that_figure_8_keeps(eight: Shelf, tree: Path) -> None:
    choice = figure9.ScaleStudy(timesteps=4, people=2, spans=2, perplexity=5)
    shelf = figure9.reproduce(tree, 0, choice)
    said = _said(shelf)
    assert said["adapter"]["from"] == "make figure8"
    assert said["adapter"]["step"] == 2
    assert said["points"] == {
        "face": 3 * 4,
        "text": 6 * 4,
        "video": 6 * 4,
        "text with CAN": 3 * 4 * 2,
        "video with CAN": 3 * 4 * 2,
    }
    for name in ("text", "video"):
        assert -1 <= said["silhouettes"][name]["timestep"] <= 1
        assert said["silhouettes"][name]["person"] is None
    assert said["shift"]["video"]["length"] > 0
    assert _picture(shelf).std() > 10


def test_a_point_is_what_the_block_s_own_norms_multiply_by() -> None:
    """diffusers' norm at a hidden state of ones: (1 + scale) times the norm, plus the shift."""
    torch.manual_seed(0)
    first, second = (CogVideoXLayerNormZero(6, 4) for _ in range(2))
    temb, ramp = torch.randn(1, 6), torch.arange(4.0)[None, None]
    made = torch.cat([norm.linear(norm.silu(temb)) for norm in (first, second)], dim=-1)[None]
    for place, modality in enumerate(("video", "text")):
        found = figure9._sigma(made, modality, 12)[0, 0].split(4)
        for norm, scale in zip((first, second), found, strict=True):
            there, back = norm(ramp, ramp, temb)[place], norm(-ramp, -ramp, temb)[place]
            assert torch.allclose((there - back) / 2, norm.norm(ramp) * (1 + scale), atol=1e-5)


def test_a_stranger_is_another_person_of_the_same_kind() -> None:
    own = [torch.arange(14.0)[:, None, None].expand(14, 2, 3)] * 2
    seen, stranger = (examination._features(own, shift) for shift in (0, examination.CATEGORIES))
    people = [int(one) for one in seen.x_id[:14, 0, 0]]
    others = [int(one) for one in stranger.x_id[:14, 0, 0]]
    assert people == list(range(14))
    assert others == [*range(7, 14), *range(7)], "none is the own one, all are seven apart"


def _made_up(by: str) -> figure9.ScalePoints:
    """Points that are clusters by layer, or by timestep."""
    rng = np.random.default_rng(0)
    layer, timestep = np.repeat(np.arange(4), 12), np.tile(np.arange(12) * 90, 4)
    centres = rng.normal(size=(1000, 8)) * 10
    where = layer if by == "layer" else timestep // 270
    points = centres[where] + 0.1 * rng.normal(size=(48, 8))
    names = np.array(["video"] * 48)
    return figure9.ScalePoints(points, names, layer, timestep, np.full(48, -1))


def test_a_silhouette_says_by_what_points_are_sorted() -> None:
    layered = figure9.silhouettes(_made_up("layer"), spans=4)
    timed = figure9.silhouettes(_made_up("timestep"), spans=4)
    assert layered["layer"] > 0.9 and layered["timestep"] < 0
    assert timed["timestep"] > 0.9 and timed["layer"] < 0
    assert layered["person"] is timed["person"] is None


def test_a_shift_that_is_the_same_for_everybody_is_called_shared() -> None:
    base = _made_up("layer")
    rng = np.random.default_rng(1)
    for name, change, shared in (
        ("constant", np.ones((48, 8)), 1.0),
        ("of everybody's own", rng.normal(size=(48, 8)), 1 / 12),
    ):
        parts = []
        for modality in ("video", "text"):
            parts += [(base.points, modality), (base.points + change, f"{modality} with CAN")]
        both = figure9.ScalePoints(
            np.concatenate([points for points, _ in parts]),
            np.repeat([modality for _, modality in parts], 48),
            *(np.tile(v, 4) for v in (base.layer, base.timestep, base.person)),
        )
        found = figure9.shifts(both)["video"]
        assert found["shared"] == pytest.approx(shared, abs=0.06), name


def test_figure_14_shows_each_adapter_between_the_two_worlds(tree: Path) -> None:
    scale = figure14.WorldStudy(
        people=2, shown=2, sampler_steps=1, course=Course(steps=1, batch=2, rate=1e-3, warmup=1)
    )
    shelf = figure14.reproduce(tree, 0, scale)
    said = _said(shelf)
    names = {"base", "modulation, day", "modulation, dusk", "all, dusk"}
    assert said["place"].keys() == names and said["measures"].keys() == names | {"day", "dusk"}
    assert said["measures"]["day"]["brightness"] > said["measures"]["dusk"]["brightness"]
    assert said["measures"]["day"]["motion"] > said["measures"]["dusk"]["motion"]
    assert said["layout"]["modulation, day to dusk"] > 0.5
    assert _picture(shelf).std() > 10


def test_figure_16_shows_every_use_and_measures_shots(eight: Shelf, tree: Path) -> None:
    study = figure16.UsesStudy(people=1, actions=("smiles", "nods"), steps=1)
    shelf = figure16.reproduce(tree, 0, study)
    said = _said(shelf)
    assert (said["command"], said["adapter"]["from"]) == ("make figure16", "make figure8")
    assert said["unknown"] == ["art", "nouveau", "style"]
    shots = said["shots"]
    assert shots["layout, one seed"] > shots["layout, own seeds"]
    assert all(np.isfinite(value) for value in shots.values())
    assert _picture(shelf).std() > 10


def test_the_noise_prior_is_swept_and_goes_on_where_it_was_cut_off(
    eight: Shelf, tree: Path
) -> None:
    study = gamma.PriorStudy(people=2, actions=("smiles",), gammas=(0.0, 1.0), steps=2)
    shelf = gamma.reproduce(tree, 0, study)
    said = _said(shelf)
    assert (said["command"], said["adapter"]["from"]) == ("make gamma", "make figure8")
    free, still = said["by_gamma"]
    assert still["motion"]["value"] < free["motion"]["value"]
    assert free["motion, change"]["value"] == 0 > still["motion, change"]["value"]
    assert _picture(shelf).std() > 5
    before = {path.name: path.stat().st_mtime_ns for path in (shelf.folder / "parts").iterdir()}
    gamma.reproduce(tree, 0, study)
    after = {path.name: path.stat().st_mtime_ns for path in (shelf.folder / "parts").iterdir()}
    assert before == after, "a person that was finished is not measured again"


def test_methods_are_compared_on_the_same_people(eight: Shelf, tree: Path) -> None:
    study = methods.MethodsStudy(people=(8,), sentences=("{} smiles",), steps=2)
    shelf = methods.reproduce(tree, 1, study)
    said = _said(shelf)
    assert (said["command"], said["adapter"]["from"]) == ("make methods", "make figure8")
    found = said["methods"]
    assert set(found) == set(methods.METHODS)
    motions = [row["motion"]["value"] for row in found.values()]
    assert len(set(motions)) == len(motions), "each method makes a clip of its own"
    for judge in said["judges"]:
        assert found[methods.BASE][judge]["gain"]["value"] in (0, None)
    assert len(said["seconds of learning"]) == 1 and _picture(shelf).std() > 5


def test_tokens_stand_before_the_class_word_and_its_place_moves() -> None:
    words = torch.arange(6.0)[None, :, None].repeat(1, 1, 2)
    mask = torch.tensor([[False, False, False, True, True, False]])
    vectors = torch.full((2, 2), 9.0)
    heard, moved = methods.before(words, mask, vectors, pieces=2)
    assert heard[0, :, 0].tolist() == [0, 1, 9, 9, 2, 3], "before both pieces; the end is cut"
    assert moved.tolist() == [[False, False, False, False, False, True]]


def test_shots_before_equal_ground_are_told_from_others() -> None:
    rng = np.random.default_rng(0)
    clip = np.full((9, 64, 64, 3), 90, np.uint8)
    clip[:, 16:, 8:-8] = rng.integers(0, 256, (9, 48, 48, 3))
    other = clip.copy()
    other[:, 16:, 8:-8] = rng.integers(0, 256, (9, 48, 48, 3))
    assert figure16.ground_apart(clip, other) == 0 < figure16.ground_apart(clip, clip + 20)
    assert figure16.layout_alike(clip, clip) == pytest.approx(1)
    assert abs(figure16.layout_alike(clip[:, 16:, 8:-8], other[:, 16:, 8:-8])) < 0.1


def test_people_of_figure_16_are_adults_whom_no_weight_saw() -> None:
    from mm_model.embedded.people.people import person
    from mm_model.embedded.people.split import HELD_OUT_PEOPLE

    found = figure16.adults(9)
    assert len(found) == 9 and set(found) <= set(HELD_OUT_PEOPLE)
    assert not {person(seed).category for seed in found} & {"boy", "girl", "baby"}
    assert len(figure16.photographs_of(found[0])) == 4


def test_dusk_is_dim_blurred_and_slow() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    assert np.array_equal(DAY.shown(frames), frames)
    found, before = figure14.measured(DUSK.shown(frames)[None]), figure14.measured(frames[None])
    assert found["brightness"] < before["brightness"] and found["blueness"] > before["blueness"]
    assert found["sharpness"] < before["sharpness"] / 2
    assert (DAY.order(9), DUSK.order(9)) == (list(range(9)), [0, 0, 1, 1, 2, 2, 3, 3, 4])


def test_layouts_are_alike_whatever_the_light() -> None:
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (2, 9, 16, 16, 3), dtype=np.uint8)
    assert figure14.alike(clips, (clips * 0.3).astype(np.uint8)) > 0.99
    assert abs(figure14.alike(clips, clips[::-1])) < 0.2


def test_an_adapter_without_can_makes_no_figure_9(
    tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mm_model.generation.backbone import load_backbone
    from mm_model.reproduce.learning import fresh_pair
    from mm_model.settings import load_profile

    run = load_profile(tree, "tiny").run
    backbone = load_backbone(tree / "weights" / "tiny" / "backbone", run)
    fresh_pair(backbone, 0, use_can=False).save_pretrained(tmp_path / "adapter")
    monkeypatch.setattr(figure9, "trained_adapter", lambda *_: (tmp_path, "make run"))
    with pytest.raises(UserError, match="an adapter without CAN"):
        figure9.reproduce(tree, 0)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (OSError(28, "No space left on device"), "the disk is full"),
        (PermissionError(13, "no"), "denied"),
    ],
)
def test_a_fault_of_the_machine_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, fault: OSError, said: str
) -> None:
    def reproduce(*_: object) -> None:
        raise fault

    monkeypatch.setattr(figure9, "reproduce", reproduce)
    assert commands.main(["figure9"]) == 1
    told = capsys.readouterr().err
    assert said in told and "make figure9" in told and told.count("\n") == 1


def test_a_part_of_another_setting_is_measured_again(tmp_path: Path) -> None:
    Shelf(tmp_path, "figure8", "this").keep("one", {"error": 1.0})
    assert Shelf(tmp_path, "figure8", "this").part("one") == {"error": 1.0}
    assert Shelf(tmp_path, "figure8", "another").part("one") is None


def test_a_course_warms_up_and_then_keeps_its_rate() -> None:
    course = Course(steps=5, batch=1, rate=2e-3, warmup=4)
    model, asked = torch.nn.Linear(1, 1, bias=False), []
    torch.nn.init.zeros_(model.weight)
    model.trained_parameters = lambda: dict(model.named_parameters())
    model.adapter = SimpleNamespace(project=lambda: asked.append(float(model.weight.detach())))
    plain = SimpleNamespace(x_id=torch.zeros(1))
    batch = SimpleNamespace(
        clean=torch.zeros(1), noise=torch.zeros(1), timestep=torch.zeros(1), features=plain
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "_loss", lambda model, *_: -model.weight.sum())
        learning.learn(model, None, SimpleNamespace(at=lambda step: batch), course)
    steps = np.diff([0.0, *asked])
    assert steps == pytest.approx([0.5e-3, 1e-3, 1.5e-3, 2e-3, 2e-3], rel=1e-3)


def test_layouts_of_figure_14_are_held_against_another_person_s() -> None:
    rng = np.random.default_rng(3)
    drawn = rng.integers(0, 255, (4, 3, 8, 8, 3)).astype(np.uint8)
    clips = dict.fromkeys(("modulation, day", "modulation, dusk", "all, dusk"), drawn)
    true = {DAY.name: drawn, DUSK.name: drawn // 2}
    layout = figure14.summary(clips, true)["layout"]
    assert layout["modulation, day to dusk"] == 1.0
    assert abs(layout["the same with another person's clip"]) < 0.5


@pytest.mark.parametrize("number", ["-1", "two", "1.5"])
def test_a_number_of_processes_that_is_none_is_refused(
    capsys: pytest.CaptureFixture, number: str
) -> None:
    with pytest.raises(SystemExit):
        commands.main(["figure8", "--processes", number])
    assert "--processes" in capsys.readouterr().err
