"""Masked velocity loss, face masks, condition drops, identity loss and the VAE's frame facts."""

import pytest
import torch

from mm_model.diffusion.face_mask import latent_face_mask
from mm_model.diffusion.frames import legal_frame_counts
from mm_model.diffusion.objective import draw_drops, draw_face_samples, velocity_loss
from mm_model.diffusion.schedule import NoiseSchedule, build_scheduler
from mm_model.nn.identity.align import align_faces
from mm_model.nn.injection.model import MagicMirrorModel
from mm_model.train.identity_loss import cosine_loss, decode_window, identity_loss, identity_window
from tests.nn import tiny

SHARES = {"text": 0.10, "identity": 0.10, "both": 0.05}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(seed=0):
    g = seeded(seed)
    return torch.randn(3, 2, 4, 6, 6, generator=g), torch.randn(3, 2, 4, 6, 6, generator=g)


def test_mask_of_ones_equals_the_plain_loss():
    v_hat, v = pair()
    plain = velocity_loss(v_hat, v)
    full = velocity_loss(v_hat, v, torch.ones(3, 2, 6, 6), torch.ones(3, dtype=torch.bool))
    assert torch.allclose(plain.loss, (v_hat - v).square().mean())
    assert torch.allclose(full.per_sample, plain.per_sample)
    assert full.masked.all()


@pytest.mark.capability("face-area loss", scale="T")
def test_outside_the_mask_there_is_no_gradient_and_faces_weigh_alike():
    v_hat, v = pair()
    mask = torch.zeros(3, 2, 6, 6)
    mask[0, :, :2, :2] = 1
    mask[1, 0, 3, 3] = 1
    v_hat.requires_grad_()
    chosen = torch.tensor([True, True, False])
    out = velocity_loss(v_hat, v, mask, chosen)
    out.loss.backward()
    for row in (0, 1):
        outside = v_hat.grad[row].masked_select(mask[row][:, None] == 0)
        assert outside.abs().max() == 0
        inside = (v_hat - v)[row].square().masked_select(mask[row][:, None] > 0)
        assert torch.allclose(out.per_sample[row], inside.mean())
    assert v_hat.grad[2].abs().min() > 0
    assert out.masked.tolist() == [True, True, False]


def test_an_empty_mask_falls_back_to_the_plain_mean():
    v_hat, v = pair()
    out = velocity_loss(v_hat, v, torch.zeros(3, 2, 6, 6), torch.ones(3, dtype=torch.bool))
    assert torch.equal(out.per_sample, velocity_loss(v_hat, v).per_sample)
    assert not out.masked.any()


def test_face_mask_geometry_and_time():
    boxes = torch.zeros(9, 4)
    boxes[0] = torch.tensor([16.0, 16.0, 32.0, 40.0])
    boxes[7] = torch.tensor([0.0, 0.0, 7.0, 7.0])
    valid = torch.zeros(9, dtype=torch.bool)
    valid[[0, 7]] = True
    mask = latent_face_mask(boxes, valid, (8, 8), grow=0.0)
    assert mask.shape == (3, 8, 8)
    expected = torch.zeros(8, 8)
    expected[2:5, 2:4] = 1
    assert torch.equal(mask[0], expected)
    assert mask[1].sum() == 0
    assert mask[2].nonzero().tolist() == [[0, 0]]
    grown = latent_face_mask(boxes, valid, (8, 8), grow=0.1)
    assert grown[0].sum() == 5 * 4  # half a cell's share on each side touches the neighbours
    assert latent_face_mask(boxes + 1000, valid, (8, 8)).sum() == 0


@pytest.mark.capability("face-area loss", scale="T")
def test_a_face_in_one_frame_marks_its_latent_frame_alone():
    for frame in range(49):
        valid = torch.zeros(49, dtype=torch.bool)
        valid[frame] = True
        mask = latent_face_mask(torch.tensor([[0.0, 0.0, 8.0, 8.0]] * 49), valid, (2, 2), grow=0.0)
        marked = mask.flatten(1).any(1).nonzero().flatten().tolist()
        assert marked == [(frame + 3) // 4]


def test_drops_exclude_each_other_and_keep_their_rates():
    drops = draw_drops(20000, seeded(), **SHARES)
    both = (drops.text & drops.identity).float().mean().item()
    assert both == pytest.approx(0.05, abs=0.01)
    assert drops.text.float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert drops.identity.float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert draw_face_samples(20000, seeded(), 0.5).float().mean().item() == pytest.approx(
        0.5, abs=0.02
    )
    assert torch.equal(*(draw_drops(8, seeded(1), **SHARES).text for _ in range(2)))


def test_cosine_loss_range():
    a = torch.randn(5, 8, generator=seeded())
    assert cosine_loss(a, 3 * a).abs().max() < 1e-6
    assert torch.allclose(cosine_loss(a, -a), torch.full((5,), 2.0))


@pytest.mark.parametrize("box", [(0, 0, 10, 10), (100, 200, 180, 300), (700, 400, 719, 479)])
def test_identity_window_is_even_large_enough_and_covers_the_face(box):
    left, top, right, bottom = identity_window(torch.tensor(box), (60, 90))
    for low, high, limit in ((left, right, 90), (top, bottom, 60)):
        assert 0 <= low < high <= limit
        assert (high - low) % 2 == 0
        assert high - low >= 16
    assert left * 8 <= box[0] and top * 8 <= box[1]
    assert right * 8 >= box[2] and bottom * 8 >= box[3]


def loss_setup():
    transformer, adapter = tiny.with_adapter()
    model = MagicMirrorModel(transformer, adapter)
    vae = tiny.vae().requires_grad_(False)
    recognizer = tiny.recognizer().requires_grad_(False)
    schedule = NoiseSchedule.from_scheduler(build_scheduler())
    inputs = tiny.inputs()
    mask = torch.zeros(2, tiny.MAX_LENGTH, dtype=torch.bool)
    mask[:, 1:5] = True
    text, noisy = inputs["encoder_hidden_states"], inputs["hidden_states"]
    faces = {
        "landmarks": torch.tensor([[20.0, 20], [40, 20], [30, 30], [22, 42], [38, 42]]).repeat(
            2, 1, 1
        ),
        "boxes": torch.tensor([[10.0, 10.0, 50.0, 50.0]] * 2),
        "reference": torch.randn(2, 16, generator=seeded()),
        "vae": vae,
        "recognizer": recognizer,
    }

    def run(t):
        t = torch.tensor(t)
        v_hat = model(noisy, t, text, mask, tiny.features())
        return schedule.x0_hat(noisy, v_hat, t), schedule.alpha_bar(t)

    return model, faces, run


@pytest.mark.capability("identity loss", scale="T")
def test_identity_loss_reaches_the_adapter_and_no_frozen_tensor():
    model, faces, run = loss_setup()
    out = identity_loss(*run([20, 900]), valid=torch.tensor([True, True]), **faces)
    assert out.used.tolist() == [True, False]
    assert 0 <= out.loss.item() <= 2
    out.loss.backward()
    assert model.adapter.layers["0"].can.fc2.weight.grad.abs().max() > 0
    frozen = [*model.transformer.base_parameters(), *faces["vae"].parameters()]
    assert all(p.grad is None for p in [*frozen, *faces["recognizer"].parameters()])


def test_identity_loss_skips_noisy_and_unlocated_samples_without_decoding():
    _, faces, run = loss_setup()

    class Never:
        config = faces["vae"].config

        def decode(self, *_):
            raise AssertionError("decoded")

    faces["vae"] = Never()
    for t, valid in (([337, 999], [True, True]), ([20, 20], [False, False])):
        out = identity_loss(*run(t), valid=torch.tensor(valid), **faces)
        assert out.loss.item() == 0.0
        assert not out.used.any()


def test_identity_loss_is_zero_when_the_decoded_face_is_the_reference():
    _, faces, run = loss_setup()
    x0, bar = run([20, 20])
    with torch.no_grad():
        window = identity_window(faces["boxes"][0], (8, 8))
        images = torch.cat([decode_window(faces["vae"], row[0], window) for row in x0])
        aligned = align_faces(images, faces["landmarks"]).clamp(-1, 1)
        faces["reference"] = faces["recognizer"].embed(aligned)
        out = identity_loss(x0, bar, valid=torch.tensor([True, True]), **faces)
    assert out.loss.item() == pytest.approx(0.0, abs=1e-5)
    assert out.cosine.tolist() == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.capability("identity loss", scale="T")
def test_the_identity_loss_looks_where_the_face_is():
    """A face low on the right of a large picture: what is decoded of it lies where it was."""
    vae, recognizer = tiny.vae(), tiny.recognizer()
    latents = torch.randn(1, 1, 8, 40, 40, generator=seeded())
    points = torch.tensor([[[216.0, 190], [244, 192], [230, 206], [219, 222], [242, 222]]])
    box = torch.tensor([[200.0, 172.0, 262.0, 240.0]])
    window = identity_window(box[0], (40, 40))
    assert min(window[:2]) > 0
    picture = torch.zeros(1, 3, 320, 320)
    left, top, right, bottom = (8 * side for side in window)
    with torch.no_grad():
        picture[..., top:bottom, left:right] = decode_window(vae, latents[0, 0], window)
        known = recognizer.embed(align_faces(picture, points).clamp(-1, 1))
        found = identity_loss(
            latents,
            torch.ones(1),
            landmarks=points,
            boxes=box,
            valid=torch.tensor([True]),
            reference=known,
            vae=vae,
            recognizer=recognizer,
        )
    assert found.cosine.item() > 0.999


def test_vae_prefixes_and_frame_counts():
    vae = tiny.vae()
    clip = torch.rand(1, 3, 17, 32, 32, generator=seeded()) * 2 - 1
    with torch.no_grad():
        whole = vae.encode(clip).latent_dist.mean
        assert torch.equal(vae.encode(clip[:, :, :9]).latent_dist.mean, whole[:, :, :3])
        decoded = vae.decode(whole).sample
        assert torch.equal(vae.decode(whole[:, :, :3]).sample, decoded[:, :, :9])
        for frames in legal_frame_counts(17):
            latents = vae.encode(clip[:, :, :frames]).latent_dist.mean
            assert vae.decode(latents).sample.shape[2] == frames
        bad = vae.encode(clip[:, :, :5]).latent_dist.mean
        assert vae.decode(bad).sample.shape[2] != 5
