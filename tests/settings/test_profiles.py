"""Profiles: complete, lawful, and wrong ones refused with the field's name."""

from pathlib import Path

import pytest
import yaml

from mm_model.errors import UserError
from mm_model.nn.magic_mirror.presets import PRESETS
from mm_model.run import stages
from mm_model.settings import load_params, load_profile
from tests.profiles import whole

SHIPPED = ("tiny", "tiny-long", "real-small", "paper", "workstation")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_load(root: Path, name: str) -> None:
    assert load_profile(root, name).title


def test_the_long_run_differs_from_the_embedded_default_where_length_asks_for_it(
    root: Path,
) -> None:
    lengths = {
        "steps",
        "warmup_steps",
        "identity_loss_from_step",
        "log_every",
        "sample_every",
        "checkpoint_every",
        "milestones",
    }
    short, long = (load_profile(root, name).model_dump() for name in ("tiny", "tiny-long"))
    differ = {
        (part, field)
        for part in short
        if part != "title"
        for field in short[part]
        if short[part][field] != long[part][field]
    }
    allowed = {(part, field) for part in ("pretrain", "finetune") for field in lengths}
    allowed |= {(part, "sample_face_guidance") for part in ("pretrain", "finetune")}
    allowed |= {("evaluate", "face_guidance"), ("evaluate", "clips_per_person")}
    assert differ <= allowed | {("finetune", "learning_rate")}
    assert long["pretrain"]["steps"] > short["pretrain"]["steps"]


def test_the_paper_profile_holds_the_numbers_of_the_paper(root: Path) -> None:
    paper = load_profile(root, "paper")
    assert (paper.pretrain.steps, paper.pretrain.batch_size) == (30_000, 64)
    assert (paper.finetune.steps, paper.finetune.batch_size) == (5_000, 8)
    assert paper.pretrain.learning_rate == 1e-5
    assert paper.pairs.cosine_above == 0.65
    assert paper.pretrain.face_loss_probability == 0.5
    assert (paper.model.height, paper.model.width, paper.model.num_frames) == (480, 720, 49)


def test_the_crop_of_targets_is_called_a_choice(root: Path) -> None:
    lines = (root / "profiles" / "paper.yaml").read_text().splitlines()
    (crop,) = [line for line in lines if line.strip().startswith("crop_margin:")]
    assert "# choice" in crop


def test_the_profile_for_one_small_card_keeps_to_it(root: Path) -> None:
    """CAN of at most 256 hidden numbers, moments in 8 bits, checkpointing, latents made before."""
    small = load_profile(root, "workstation")
    assert PRESETS[small.model.preset]["can_hidden"] <= 256
    assert (small.run.device, small.run.dtype) == ("cuda", "bfloat16")
    for rules in small.trainings.values():
        assert rules.optimizer == "adamw8bit" and rules.gradient_checkpointing
    assert "precompute" in stages.NAMES
    assert small.finetune.sample_frames <= small.model.num_frames == small.serve.max_frames


def _broken(root: Path, tmp_path: Path, change) -> Path:
    values = whole(root)
    change(values)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


def test_a_missing_value_names_its_field(root: Path, tmp_path: Path) -> None:
    broken = _broken(root, tmp_path, lambda v: v["pairs"].pop("cosine_above"))
    with pytest.raises(UserError, match=r"tiny\.yaml: pairs\.cosine_above is missing: give it"):
        load_profile(broken, "tiny")


def test_an_unknown_key_is_refused(root: Path, tmp_path: Path) -> None:
    broken = _broken(root, tmp_path, lambda v: v["faces"].update(min_fase=3))
    with pytest.raises(UserError, match=r"faces\.min_fase"):
        load_profile(broken, "tiny")


@pytest.mark.parametrize(
    ("size", "above", "said"),
    [
        (64, None, "go together"),
        (None, 0.1, "go together"),
        (70, 0.1, "multiple of 32"),
        (128, 0.1, "under detection_size, 128"),
    ],
)
def test_a_cheap_look_that_is_none_is_refused(
    root: Path, tmp_path: Path, size: int | None, above: float | None, said: str
) -> None:
    values = {"prescreen_size": size, "prescreen_above": above}
    broken = _broken(root, tmp_path, lambda v: v["faces"].update(values))
    with pytest.raises(UserError, match=rf"tiny\.yaml.*{said}"):
        load_profile(broken, "tiny")


@pytest.mark.parametrize("frames", [0, 2, 8, 10, 48])
def test_frame_counts_that_the_vae_cannot_return_are_refused(
    root: Path, tmp_path: Path, frames: int
) -> None:
    broken = _broken(root, tmp_path, lambda v: v["model"].update(num_frames=frames))
    with pytest.raises(UserError, match=r"num_frames|model"):
        load_profile(broken, "tiny")


def test_an_unknown_profile_lists_the_known_ones(root: Path) -> None:
    with pytest.raises(UserError, match=r"may name one of .*paper.*tiny"):
        load_profile(root, "huge")


def test_params_name_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run from the repository root"):
        load_params(tmp_path)


def test_another_stages_section_does_not_change_a_stages_part(root: Path) -> None:
    profile = load_profile(root, "tiny")
    faster = profile.model_copy(
        update={"pretrain": profile.pretrain.model_copy(update={"steps": 7})}
    )
    assert profile.part("run", "faces") == faster.part("run", "faces")
    assert profile.part("pretrain") != faster.part("pretrain")
