"""Perceivers, PhotoMaker files, the identity encoder on disk, alignment and reference pictures."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mm_model.errors import UserError
from mm_model.facepack.port import Face
from mm_model.generation.references import (
    IdentityInput,
    batch_references,
    prepare_references,
)
from mm_model.nn.identity.align import align_faces, similarity_transform, template, warp
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.photomaker import (
    DROPPED_KEYS,
    convert_photomaker_v2,
    from_photomaker_v2,
    meta_parts,
)
from mm_model.nn.identity.recognizer import recognizer_digest, unit
from mm_model.nn.identity.resampler import IdPerceiver
from mm_model.nn.injection.condition import IdentityFeatures
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import CLIP_VIT_L14, ID_PERCEIVER_V2, adapter_config
from tests.nn import tiny


def adapter():
    _, made = tiny.with_adapter()
    tiny.shake(made, scale=0.05)
    return made.eval()


@pytest.mark.capability("face perceiver", scale="T")
def test_order_of_references_does_not_matter_to_face_and_can():
    made, features = adapter(), tiny.features(refs=3)
    order = torch.tensor([2, 0, 1])
    swapped = IdentityFeatures(
        features.x_id[:, order], features.clip_tokens[:, order], features.mask
    )
    first, second = made.encode_identity(features), made.encode_identity(swapped)
    assert torch.allclose(first.x_face, second.x_face, atol=1e-5)
    assert torch.allclose(first.id_code, second.id_code, atol=1e-6)


def test_the_same_reference_twice_leaves_the_can_input_unchanged():
    made, one = adapter(), tiny.features(refs=1)
    twice = IdentityFeatures(
        one.x_id.repeat(1, 2, 1, 1), one.clip_tokens.repeat(1, 2, 1, 1), one.mask.repeat(1, 2)
    )
    assert torch.allclose(
        made.encode_identity(one).id_code, made.encode_identity(twice).id_code, atol=1e-6
    )
    assert made.encode_identity(twice).references == [2, 2]


@pytest.mark.capability("face perceiver", scale="T")
@pytest.mark.parametrize("junk", [0.0, 50.0, float("nan")])
def test_padded_references_change_nothing(junk):
    made, real = adapter(), tiny.features(refs=1)
    padded = IdentityFeatures(
        torch.cat([real.x_id, torch.full_like(real.x_id, junk)], dim=1),
        torch.cat([real.clip_tokens, torch.full_like(real.clip_tokens, min(junk, 50.0))], dim=1)
        if junk == junk
        else torch.cat([real.clip_tokens, torch.zeros_like(real.clip_tokens)], dim=1),
        torch.tensor([[True, False]] * 2),
    )
    first, second = made.encode_identity(real), made.encode_identity(padded)
    assert torch.allclose(first.x_face, second.x_face, atol=1e-6)
    assert torch.allclose(first.id_code, second.id_code, atol=1e-6)


def test_warm_start_copies_the_identity_perceiver():
    transformer = tiny.transformer()
    sizes = {"face_dim": 32, "face_depth": 2, "face_heads": 2, "face_head_dim": 16}
    config = adapter_config("tiny", transformer.config, 24, 32, **sizes)
    source = tiny.identity_encoder().id_perceiver.perceiver_resampler
    made = MagicMirrorAdapter.create(transformer, config, id_resampler=source)
    for name, value in source.state_dict().items():
        assert torch.equal(made.face_perceiver.state_dict()[name], value)


def reference_perceiver(state, embedding, context, heads):
    """Direct transcription of the published formula on raw tensors."""

    def linear(x, name):
        out = x @ state[name + ".weight"].T
        return out + state[name + ".bias"] if name + ".bias" in state else out

    def norm(x, name):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        return x * state[name + ".weight"] + state[name + ".bias"]

    def gelu(x):
        return 0.5 * x * (1 + torch.erf(x / 2**0.5))

    tokens = linear(gelu(linear(embedding, "token_proj.0")), "token_proj.2")
    start = norm(tokens.reshape(len(embedding), 2, -1), "token_norm")
    p, x = "perceiver_resampler.", start
    context = linear(context, p + "proj_in")
    for i in range(2):
        a, f = f"{p}layers.{i}.0.", f"{p}layers.{i}.1."
        c, y = norm(context, a + "norm1"), norm(x, a + "norm2")
        q, kv = linear(y, a + "to_q"), linear(torch.cat([c, y], 1), a + "to_kv")
        k, v = kv.chunk(2, -1)
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        weight = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1)
        x = x + linear((weight @ v).transpose(1, 2).flatten(2), a + "to_out")
        x = x + linear(gelu(linear(norm(x, f + "0"), f + "1")), f + "3")
    return start + norm(linear(x, p + "proj_out"), p + "norm_out")


@pytest.mark.capability("identity perceiver", scale="T")
def test_identity_perceiver_equals_the_formula():
    with tiny.forked(0):
        perceiver = IdPerceiver(**tiny.PERCEIVER)
        embedding, context = torch.randn(3, 16) * 5, torch.randn(3, 5, 24)
    with torch.no_grad():
        out = perceiver(embedding, context)
        expected = reference_perceiver(perceiver.state_dict(), embedding, context, 2)
    assert out.shape == (3, 2, 32)
    assert torch.allclose(out, expected, atol=1e-5)


def test_raw_vectors_not_unit_vectors_feed_the_perceiver():
    encoder = tiny.identity_encoder()
    pixels, raw = torch.randn(1, 1, 3, 28, 28), torch.randn(1, 1, 16) * 20
    features = encoder.features(pixels, raw)
    assert torch.equal(features.embedding, raw)
    assert not torch.allclose(features.x_id, encoder.features(pixels, unit(raw)).x_id, atol=1e-2)


@pytest.mark.capability("identity perceiver", scale="T")
def test_both_clip_taps_are_the_stated_ones():
    encoder = tiny.identity_encoder()
    pixels = torch.randn(1, 1, 3, 28, 28)
    seen = {}
    encoder.id_perceiver.register_forward_pre_hook(lambda _, args: seen.update(context=args[1]))
    features = encoder.features(pixels, torch.randn(1, 1, 16))
    with torch.no_grad():
        hidden = encoder.vision_model.embeddings(pixels[0])
        hidden = encoder.vision_model.pre_layrnorm(hidden)
        layers = encoder.vision_model.encoder.layers
        for layer in layers[:-1]:
            hidden = layer(hidden, attention_mask=None)
        last = layers[-1](hidden, attention_mask=None)
    assert torch.allclose(features.clip_tokens[0], hidden, atol=1e-6)
    assert torch.allclose(seen["context"], last, atol=1e-6)


@pytest.mark.capability("PhotoMaker-V2's layout", scale="L")
def test_real_photomaker_sizes():
    clip, tau_id = meta_parts(CLIP_VIT_L14, ID_PERCEIVER_V2)
    names = len(clip.state_dict()) + len(tau_id.state_dict()) + len(DROPPED_KEYS)
    numbers = sum(p.numel() for m in (clip, tau_id) for p in m.parameters())
    dropped = 2_097_152 + 20_996_096
    assert names == 463
    assert numbers + dropped == 543_395_840


def photomaker_state():
    encoder = tiny.identity_encoder()
    state = {f"vision_model.{k}": v for k, v in encoder.vision_model.state_dict().items()}
    state |= {f"qformer_perceiver.{k}": v for k, v in encoder.id_perceiver.state_dict().items()}
    return encoder, state | {key: torch.zeros(2) for key in DROPPED_KEYS}


@pytest.mark.capability("PhotoMaker-V2's layout", scale="L")
def test_photomaker_file_loads_strictly_after_conversion(tmp_path):
    encoder, state = photomaker_state()
    pickled = tmp_path / "photomaker-v2.bin"
    torch.save({"id_encoder": state, "lora_weights": {"x": torch.ones(1)}}, pickled)
    converted = tmp_path / "photomaker-v2.safetensors"
    digest = convert_photomaker_v2(pickled, converted)
    sizes = {"clip": tiny.CLIP, "perceiver": tiny.PERCEIVER}
    loaded = from_photomaker_v2(converted, tiny.recognizer(), digest, **sizes)
    pixels, raw = torch.randn(1, 2, 3, 28, 28), torch.randn(1, 2, 16)
    assert torch.equal(loaded.features(pixels, raw).x_id, encoder.features(pixels, raw).x_id)
    with pytest.raises(UserError, match="safetensors"):
        from_photomaker_v2(pickled, **sizes)
    with pytest.raises(UserError, match="SHA-256"):
        from_photomaker_v2(converted, sha256="0" * 64, **sizes)


@pytest.mark.capability("PhotoMaker-V2's layout", scale="L")
@pytest.mark.parametrize("change", ["unknown", "missing", "misshapen"])
def test_photomaker_file_with_other_keys_is_refused(tmp_path, change):
    _, state = photomaker_state()
    if change == "unknown":
        state["text_model.weight"] = torch.zeros(1)
    elif change == "missing":
        del state["qformer_perceiver.token_norm.bias"]
    else:
        state["qformer_perceiver.token_norm.bias"] = torch.zeros(3)
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "p.safetensors")
    with pytest.raises(UserError, match=r"Unknown tensor|missing, unknown or misshapen"):
        from_photomaker_v2(tmp_path / "p.safetensors", clip=tiny.CLIP, perceiver=tiny.PERCEIVER)


def test_encoder_survives_the_disk_bit_for_bit(tmp_path):
    encoder = tiny.identity_encoder()
    encoder.save_pretrained(tmp_path)
    loaded = IdentityEncoder.from_pretrained(tmp_path)
    pixels, faces = torch.randn(1, 2, 3, 28, 28), torch.rand(1, 2, 3, 112, 112) * 2 - 1
    raw = encoder.embed(faces)
    assert torch.equal(raw, loaded.embed(faces))
    assert torch.equal(encoder.features(pixels, raw).x_id, loaded.features(pixels, raw).x_id)
    assert loaded.recognizer_sha256 == encoder.recognizer_sha256
    assert not any(p.requires_grad for p in loaded.parameters())
    assert not loaded.train().training
    perceiver = tmp_path / "perceiver.safetensors"
    perceiver.write_bytes(perceiver.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(UserError, match="perceiver"):
        IdentityEncoder.from_pretrained(tmp_path)


def test_digest_names_the_weights_not_the_object():
    assert tiny.identity_encoder().recognizer_sha256 == tiny.identity_encoder().recognizer_sha256
    assert tiny.identity_encoder(1).recognizer_sha256 != tiny.identity_encoder().recognizer_sha256


def test_similarity_recovers_a_known_transform_and_refuses_mirrors():
    angle, scale = 0.4, 1.7
    rotation = scale * torch.tensor(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float64
    )
    target = template() @ rotation.T + torch.tensor([5.0, -3.0], dtype=torch.float64)
    matrix = similarity_transform(template()[None], target)[0]
    assert torch.allclose(matrix[:, :2], rotation)
    assert torch.allclose(matrix[:, 2], torch.tensor([5.0, -3.0], dtype=torch.float64))
    mirrored = template() * torch.tensor([-1.0, 1.0], dtype=torch.float64)
    assert torch.linalg.det(similarity_transform(mirrored[None], template())[0, :, :2]) > 0


def test_aligned_landmarks_land_on_the_template():
    points = template() * 0.8 + torch.tensor([30.0, 20.0])
    image = torch.zeros(1, 1, 160, 160)
    for x, y in points.round().long().tolist():
        image[0, 0, y - 1 : y + 2, x - 1 : x + 2] = 1.0
    face = align_faces(image, points.round()[None])[0, 0]
    for x, y in template().round().long().tolist():
        assert face[y - 2 : y + 3, x - 2 : x + 3].max() > 0.5


def test_identity_warp_returns_the_picture_and_gradients_flow():
    image = torch.rand(1, 3, 20, 20, requires_grad=True)
    eye = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    out = warp(image, eye, 20)
    assert torch.allclose(out, image, atol=1e-5)
    out.sum().backward()
    assert torch.allclose(image.grad, torch.ones_like(image), atol=1e-4)


def picture(size=(90, 60)):
    return Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    )


def test_reference_pictures_need_faces_or_a_detector():
    face = Face(np.array([20, 5, 60, 55], np.float32), 0.9, template().numpy().astype(np.float32))
    found = prepare_references([picture()], [face], 1.6, 28)
    assert found.pixels.shape == (1, 3, 28, 28)
    assert found.aligned.shape == (1, 3, 112, 112)
    detected = prepare_references([picture()], None, 1.6, 28, detect=lambda _: face)
    assert torch.equal(found.aligned, detected.aligned)
    assert torch.equal(found.pixels, detected.pixels)
    with pytest.raises(UserError, match="pass faces or a detector"):
        prepare_references([picture()], None, 1.6, 28)
    with pytest.raises(UserError, match="No face was found in reference picture 2 of 2"):
        prepare_references([picture(), picture()], [face, None], 1.6, 28)
    with pytest.raises(UserError, match="No face was found in reference picture 1 of 1"):
        prepare_references([picture()], None, None, 28, detect=lambda _: None)
    with pytest.raises(UserError, match="2 reference pictures, but faces for 1"):
        prepare_references([picture(), picture()], [face], 1.6, 28)
    with pytest.raises(UserError, match="No reference"):
        prepare_references([], [], 1.6, 28)
    with pytest.raises(UserError, match="uint8"):
        prepare_references([np.zeros((8, 8), np.uint8)], [face], 1.6, 28)


def test_a_picture_turned_by_its_exif_data_is_looked_at_upright():
    face = Face(np.array([20, 5, 60, 55], np.float32), 0.9, template().numpy().astype(np.float32))
    lying = picture().transpose(Image.Transpose.ROTATE_90)
    lying.getexif()[0x0112] = 6
    upright, turned = (prepare_references([one], [face], 1.6, 28) for one in (picture(), lying))
    assert torch.equal(upright.pixels, turned.pixels)
    assert torch.equal(upright.aligned, turned.aligned)


def test_subjects_with_different_numbers_of_references_are_padded():
    encoder = tiny.identity_encoder()
    one = IdentityInput(torch.randn(1, 3, 28, 28), torch.rand(1, 3, 112, 112))
    two = IdentityInput(torch.randn(2, 3, 28, 28), None, torch.randn(2, 16))
    pixels, raw, mask = batch_references([one, two], encoder.embed)
    assert pixels.shape == (2, 2, 3, 28, 28)
    assert mask.tolist() == [[True, False], [True, True]]
    assert torch.equal(raw[1], two.embedding)
    assert torch.equal(raw[0, :1], encoder.embed(one.aligned))


def test_a_recogniser_with_nothing_to_be_known_by_is_refused_in_words():
    class Bare:
        width = 4

        def embed(self, aligned):
            return torch.zeros(len(aligned), self.width)

    with pytest.raises(UserError, match="A Bare has neither a file nor tensors"):
        recognizer_digest(Bare())
    assert recognizer_digest(tiny.recognizer()) == recognizer_digest(tiny.recognizer())
