"""What a training is given and what it leaves, from the pictures to the tensors of the adapter."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.seams.facts import Chain, face_in, film, overlap, pixels, sought
from tests.small_chain import FINETUNE, HEIGHT, OTHER, PRETRAIN, QUICK, WIDTH

pytestmark = pytest.mark.slow

TRAININGS = ("pretrain", "finetune")
RATES = {"pretrain": 2.0e-3, "finetune": 1.0e-3}
SUBJECTS = ("man", "woman", "boy", "girl", "baby", "person", "child", "lady")
UNREAD = {f"layers.4.face_norm2.{kind}" for kind in ("weight", "bias")}
"""The face stream ends in the last adapted layer: nothing reads what its feed-forward makes."""


def decoded(backbone: Any, latents: torch.Tensor) -> np.ndarray:
    """Frames uint8 [T, H, W, 3] of one target, by the VAE itself."""
    unscaled = latents[None].permute(0, 2, 1, 3, 4) / backbone.vae.config.scaling_factor
    with torch.no_grad():
        video = backbone.vae.decode(unscaled).sample[0]
    return ((video.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 3, 0).numpy()


def shown(chain: Chain, sample: str) -> np.ndarray:
    """What the raw sample shows: the photograph, or the middle frame of the clip."""
    fact = chain.truth[sample]
    return pixels(fact.file) if fact.media == "image" else film(fact.file)[6]


def test_the_latents_of_a_target_show_its_own_picture_in_its_own_colours(
    chain: Chain, training_set: Callable, backbone: Any
) -> None:
    data = training_set("pretrain")
    chosen = range(0, len(data.targets), 4)
    pictures = {row: shown(chain, data.targets[row].sample_id) for row in chosen}
    for row in chosen:
        frame = decoded(backbone, data.tensors["latents"][row])[0]
        assert frame.shape == (HEIGHT, WIDTH, 3)
        found = {other: sought(frame, picture) for other, picture in pictures.items()}
        assert max(found, key=found.get) == row and found[row] > 0.9, found
        turned = {
            name: sought(other, pictures[row])
            for name, other in (
                ("colours", frame[..., ::-1]),
                ("mirror", frame[:, ::-1]),
                ("head", frame[::-1]),
            )
        }
        assert all(found[row] > value for value in turned.values()), turned


@pytest.mark.capability("face-area loss", scale="T")
def test_masks_boxes_and_landmarks_lie_on_the_face_that_is_seen(
    chain: Chain, training_set: Callable, backbone: Any, pack: Any
) -> None:
    import cv2

    data, tracks, found = training_set("pretrain"), chain.table("faces", "tracks"), 0
    for row in range(0, len(data.targets), 3):
        frame = decoded(backbone, data.tensors["latents"][row])[0]
        large = cv2.resize(frame, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC)
        faces = pack.detect(large, 0.5)
        if not faces:
            continue  # the VAE may lose one
        found += 1
        box, marks = faces[0].box / 2, faces[0].landmarks / 2
        told = data.tensors["boxes"][row].numpy()
        assert overlap(box, told) > 0.6
        assert np.abs(data.tensors["landmarks"][row].numpy() - marks).mean() < 3
        (raw,) = tracks[tracks["sample_id"] == data.targets[row].sample_id].to_dict("records")[:1]
        face = raw["y2"] - raw["y1"]
        wanted = OTHER["model"]["crop_margin"] * face
        window = min(wanted, 128 * HEIGHT / WIDTH)  # as far as the picture goes
        assert (told[3] - told[1]) / HEIGHT == pytest.approx(face / window, abs=0.06)
        cells = data.tensors["masks"][row][0].numpy() > 0
        rows, columns = np.nonzero(cells)
        mask = 8 * np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert overlap(mask.astype(float), told) > 0.4
    assert found >= 5


@pytest.mark.parametrize("stage", TRAININGS)
def test_the_landmarks_of_a_target_are_those_of_its_first_frame(
    chain: Chain, training_set: Callable, stage: str
) -> None:
    """The identity loss cuts the first frame's face; its box carries them there."""
    data, tracks, moved = training_set(stage), chain.table("faces", "tracks"), 0
    for row, target in enumerate(data.targets):
        track = tracks[tracks["sample_id"] == target.sample_id].sort_values("frame")
        seen = [face_in(one) for one in track.to_dict("records")]
        place = 0 if data.tensors["latents"].shape[1] > 1 else len(seen) // 2
        told = data.tensors["boxes"][row].numpy()
        carried = [
            told[:2]
            + (one.landmarks - one.box[:2]) * (told[2:] - told[:2]) / (one.box[2:] - one.box[:2])
            for one in seen
        ]
        apart = np.abs(np.stack(carried) - data.tensors["landmarks"][row].numpy()).mean((1, 2))
        assert apart[place] < 0.1, target.sample_id
        moved += max(apart) > 0.5
    assert moved >= 3


def test_a_clip_is_learned_at_the_model_s_rate_not_at_its_own(
    chain: Chain, training_set: Callable, backbone: Any
) -> None:
    """Raw clips have 13 frames at 12 a second; nine at 8 a second span all of them."""
    data = training_set("finetune")
    assert data.tensors["latents"].shape[1] == 3
    for row in range(2):
        frames = decoded(backbone, data.tensors["latents"][row])
        raw = film(chain.truth[data.targets[row].sample_id].file)
        first, last = (sought(frames[i], raw[i if i == 0 else 12]) for i in (0, 8))
        assert min(first, last) > 0.9
    moved = np.abs(frames[8].astype(int) - frames[0].astype(int)).mean()
    assert moved > 1


@pytest.mark.parametrize("stage", TRAININGS)
def test_the_text_of_a_row_is_its_caption_with_the_subject_once_for_each_identity_token(
    chain: Chain, shard_set: Callable, backbone: Any, stage: str
) -> None:
    from transformers import AutoTokenizer

    from mm_model.train.feed import Feed

    folder = backbone.folder / "tokenizer"
    plain = AutoTokenizer.from_pretrained(str(folder))
    rules = getattr(chain.profile, stage).model_copy(
        update={
            "streams": 1,
            "batch_size": 8,
            "drop_text": 0.4,
            "drop_both": 0.0,
            "drop_face": 0.0,
        }
    )
    batch = next(Feed(shard_set(stage), backbone, rules, 5).from_step(2))
    dropped = 0
    for place, name in enumerate(batch.sample_ids):
        words = chain.truth[name].caption.split()
        references = int(batch.features.mask[place].sum())
        mask = batch.text_mask[place]
        if not mask.any():
            words, dropped = [], dropped + 1
        else:
            at = next(i for i, word in enumerate(words) if word in SUBJECTS)
            words = [*words[:at], *[words[at]] * 2 * references, *words[at + 1 :]]
        ids = plain(" ".join(words), padding="max_length", max_length=32, truncation=True)
        with torch.no_grad():
            expected = backbone.text_encoder(torch.tensor([ids["input_ids"]]))[0][0]
        assert torch.allclose(batch.text_embeds[place], expected, atol=1e-4), words
        if words:
            assert mask.nonzero().flatten().tolist() == list(range(at, at + 2 * references))
    assert 0 < dropped < 8


@pytest.mark.parametrize(
    ("stage", "step"), [("pretrain", 1), ("pretrain", 4), ("finetune", 1), ("finetune", 3)]
)
def test_the_losses_of_the_curve_are_the_library_s_own(
    chain: Chain, shard_set: Callable, backbone: Any, stage: str, step: int, tmp_path: Path
) -> None:
    """A step once more from the adapter that lies there of before: the first, and the one after
    the milestone. Noise, time and target come from diffusers' scheduler, the face from its VAE.
    """
    from mm_model.store import digests
    from mm_model.train.feed import Feed

    rules = getattr(chain.profile, stage)
    adapter = adapter_before(chain, backbone, stage, step, tmp_path)
    seed = int(digests.of_value([chain.profile.run.seed, stage])[:12], 16)
    batch = next(Feed(shard_set(stage), backbone, rules, seed).from_step(step))
    noisy = backbone.scheduler.add_noise(batch.clean, batch.noise, batch.timestep)
    target = backbone.scheduler.get_velocity(batch.clean, batch.noise, batch.timestep)
    assert batch.drop_identity.any() and not batch.drop_identity.all(), "both kinds are asked"
    losses, cosines, weights = [], [], []
    for row in range(len(batch)):
        predicted = conditioned(backbone, adapter, batch, row, noisy[row : row + 1])
        error = (predicted[0] - target[row]).square().mean(dim=1)
        region = batch.masks[row] > 0 if bool(batch.face_loss[row]) else torch.ones_like(error) > 0
        losses.append(float(error[region].mean()))
        bar = backbone.scheduler.alphas_cumprod[batch.timestep[row]]
        if bar < 0.5 or bool(batch.drop_identity[row]):
            continue
        clean = bar.sqrt() * noisy[row] - (1 - bar).sqrt() * predicted[0]
        marks = batch.landmarks[row]
        cosines.append(likeness(backbone, clean, marks, batch.reference_embeddings[row]))
        weights.append(float(bar))
    curve = chain.table(stage, "curve").set_index("step").loc[step]
    assert curve["loss_velocity"] == pytest.approx(np.mean(losses), rel=1e-3)
    if step <= rules.identity_loss_from_step:
        assert curve["loss_identity"] == 0 and np.isnan(curve["identity_cosine"])
        return
    most = rules.identity_loss_samples
    assert curve["identity_cosine"] == pytest.approx(np.mean(cosines[:most]), abs=0.03)
    weighed = np.average(1 - np.array(cosines[:most]), weights=weights[:most])
    assert curve["loss_identity"] == pytest.approx(weighed, abs=0.03)


def adapter_before(
    chain: Chain, backbone: Any, stage: str, step: int, tmp_path: Path
) -> torch.nn.Module:
    """The adapter that a step of a training began with."""
    from mm_model.generation.backbone import given_adapter
    from mm_model.train.start import fresh_adapter

    backbone.transformer.detach_layers()
    if (stage, step) == ("pretrain", 1):
        return fresh_adapter(chain.job(stage, tmp_path), backbone)
    kept = f"milestones/step_{step - 1:06d}"
    folder = chain.output("pretrain") if step == 1 else chain.output(stage) / kept
    return given_adapter(folder, backbone)


def likeness(
    backbone: Any, clean: torch.Tensor, marks: torch.Tensor, reference: torch.Tensor
) -> float:
    """Cosine of the face in the first latent frame, decoded whole, and a reference's vector."""
    from mm_model.nn.identity.align import align_faces

    with torch.no_grad():
        first = clean[None, :1].permute(0, 2, 1, 3, 4) / backbone.vae.config.scaling_factor
        picture = backbone.vae.decode(first).sample[:, :, 0].clamp(-1, 1)
        face = align_faces(picture, marks[None])
        vector = backbone.identity_encoder.recognizer.embed(face)[0]
    return float(torch.cosine_similarity(vector, reference, dim=0))


def conditioned(
    backbone: Any, adapter: Any, batch: Any, row: int, noisy: torch.Tensor
) -> torch.Tensor:
    """The prediction for one row alone, its identity dropped by hand where the batch says so."""
    from mm_model.nn.cogvideox.rotary import rotary_table
    from mm_model.nn.injection.condition import IdentityFeatures

    one = slice(row, row + 1)
    real = batch.features.mask[row]
    features = IdentityFeatures(
        batch.features.x_id[one][:, real],
        batch.features.clip_tokens[one][:, real],
        batch.features.mask[one][:, real],
    )
    with torch.no_grad():
        condition = adapter.encode_identity(features)
        text = batch.text_embeds[one]
        if bool(batch.drop_identity[row]):
            condition = adapter.null_condition(1)
        elif batch.text_mask[row].any():
            text = adapter.fuse_text(text, batch.text_mask[one], condition)
        rotary = rotary_table(backbone.transformer.config, noisy.shape[1], *noisy.shape[-2:])
        return backbone.transformer(
            noisy,
            text,
            batch.timestep[one],
            image_rotary_emb=rotary,
            return_dict=False,
            face_tokens=condition.x_face,
            id_code=condition.id_code,
        )[0]


@pytest.mark.parametrize(("stage", "given"), [("pretrain", PRETRAIN), ("finetune", FINETUNE)])
def test_the_curve_tells_the_steps_and_rates_that_the_profile_asks_for(
    chain: Chain, stage: str, given: dict
) -> None:
    curve = chain.table(stage, "curve")
    assert curve["step"].tolist() == list(range(1, given["steps"] + 1))
    peak, warm = RATES[stage], given["warmup_steps"]
    share = np.clip((curve["step"] - warm) / (given["steps"] - warm), 0, 1)
    low = OTHER[stage]["final_lr_share"]
    falling = peak * (low + (1 - low) * 0.5 * (1 + np.cos(np.pi * share)))
    expected = np.where(curve["step"] <= warm, peak * curve["step"] / warm, falling)
    assert curve["learning_rate"].to_numpy() == pytest.approx(expected)
    used = curve["identity_cosine"].notna()
    assert not used[curve["step"] <= QUICK["identity_loss_from_step"]].any() and used.any()
    weight = OTHER[stage]["identity_loss_weight"]
    weighed = curve["loss"] - curve["loss_velocity"] - weight * curve["loss_identity"]
    assert np.abs(weighed).max() < 1e-5


def adapter_of(chain: Chain, stage: str, milestone: int | None = None) -> dict[str, torch.Tensor]:
    folder = chain.output(stage)
    if milestone is not None:
        folder = folder / "milestones" / f"step_{milestone:06d}"
    return load_file(folder / "adapter" / "magic_mirror_adapter.safetensors")


def learned(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether a tensor went anywhere but towards zero, where weight decay alone would take it."""
    before, after = before.double().flatten(), after.double().flatten()
    size = before.square().sum()
    along = (before @ after) / size if size > 0 else 0.0
    return float((after - along * before).norm()) > 1e-6 * float(1 + size.sqrt())


@pytest.fixture(scope="module")
def fresh(chain: Chain, backbone: Any, tmp_path_factory: Any) -> dict[str, torch.Tensor]:
    """The adapter as pretraining began with it."""
    from mm_model.train.start import fresh_adapter

    backbone.transformer.detach_layers()
    job = chain.job("pretrain", tmp_path_factory.mktemp("fresh"))
    return {k: v.clone() for k, v in fresh_adapter(job, backbone).state_dict().items()}


@pytest.mark.capability("stage 2, on clips", scale="T")
@pytest.mark.capability("stage 1, on pictures", scale="T")
@pytest.mark.parametrize("stage", TRAININGS)
def test_every_tensor_of_the_adapter_was_learned(
    chain: Chain, fresh: dict[str, torch.Tensor], stage: str
) -> None:
    before = fresh if stage == "pretrain" else adapter_of(chain, "pretrain")
    after = adapter_of(chain, stage)
    assert set(after) == set(before)
    still = {name for name, value in after.items() if not learned(before[name], value)}
    assert still == UNREAD
    for layer in (0, 2, 4):
        assert after[f"layers.{layer}.can.fc2.weight"].abs().max() > 0


@pytest.mark.capability("stage 2, on clips", scale="T")
def test_fine_tuning_goes_on_from_pretraining(chain: Chain, fresh: dict[str, torch.Tensor]) -> None:
    ours, theirs = adapter_of(chain, "finetune"), adapter_of(chain, "pretrain")
    for name, value in ours.items():
        if learned(fresh[name], theirs[name]):
            assert (value - theirs[name]).norm() < 2 * (theirs[name] - fresh[name]).norm(), name
    matrices = [name for name, value in ours.items() if value.ndim > 1 and fresh[name].any()]
    nearer = [(ours[n] - theirs[n]).norm() < (ours[n] - fresh[n]).norm() for n in matrices]
    assert sum(nearer) > 0.9 * len(nearer)


@pytest.mark.parametrize(("stage", "step", "last"), [("pretrain", 3, 6), ("finetune", 2, 4)])
def test_a_milestone_is_the_adapter_of_its_own_step(
    chain: Chain, fresh: dict[str, torch.Tensor], stage: str, step: int, last: int
) -> None:
    begun = fresh if stage == "pretrain" else adapter_of(chain, "pretrain")
    kept, end = adapter_of(chain, stage, step), adapter_of(chain, stage)
    for name in set(kept) - UNREAD:
        assert not torch.equal(kept[name], end[name]) and not torch.equal(kept[name], begun[name])
    for folder, number in ((f"milestones/step_{step:06d}/adapter", step), ("adapter", last)):
        path = chain.output(stage) / folder / "magic_mirror_config.json"
        said = json.loads(path.read_text())
        sizes = chain.profile.model
        assert sizes.reference_margin == OTHER["model"]["reference_margin"]
        assert (said["stage"], said["step"]) == (stage, number)
        assert said["reference_margin"] == sizes.reference_margin
        assert said["weights_dtype"] == "float32"
        assert (said["attention_mode"], said["ca_out_proj"]) == (
            sizes.attention,
            sizes.ca_out_proj,
        )
