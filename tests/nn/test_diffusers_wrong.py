"""An argument that cannot be is refused by its name before any work, never by a trace of ours."""

import math

import numpy as np
import pytest
import torch

from mm_model.errors import UserError
from mm_model.facepack.port import Face
from mm_model.generation.references import IdentityInput
from mm_model.nn.identity.align import template
from tests.nn.pipes import PLAIN, PROMPT, clip, mirror, subject

NUMBERS = ("guidance_scale", "eta", "id_scale", "ca_scale", "can_scale", "noise_prior_gamma")
WHOLE = (
    "num_inference_steps",
    "height",
    "width",
    "num_frames",
    "max_sequence_length",
    "face_start_step",
)
KINDS = (
    "latents",
    "generator",
    "callback_on_step_end",
    "attention_kwargs",
    "timesteps",
    "callback_on_step_end_tensor_inputs",
)


@pytest.fixture(scope="module")
def pipe():
    return mirror()


@pytest.fixture(scope="module")
def identity(pipe):
    return pipe.encode_references(subject())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in NUMBERS for value in ("6", math.nan, [1.0], {})),
        *((name, value) for name in WHOLE for value in ("9", 2.5, math.nan, [9])),
        *((name, value) for name in KINDS for value in ("x", 3, 2.5)),
        ("id_guidance_scale", "x"),
        ("id_guidance_scale", math.inf),
        ("face_start_step", -1),
        ("max_sequence_length", 0),
        ("id_scale", None),
        ("num_inference_steps", None),
        ("guidance_scale", None),
        ("face_start_step", None),
        ("prompt", []),
        ("prompt", [3]),
        ("prompt", [None]),
        ("prompt", (PROMPT,)),
        ("prompt", 3),
        ("generator", [1]),
        ("generator", []),
        ("latents", np.zeros((1, 3, 8, 8, 8))),
        ("callback_on_step_end_tensor_inputs", [1]),
        ("attention_kwargs", ["scale"]),
        ("identity_mask", [True]),
        ("detect", "mtcnn"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(pipe, identity, name, value):
    asked = {"prompt": PROMPT, "identity": identity, "num_frames": 9, name: value}
    if name == "id_guidance_scale":
        asked["face_guidance"] = "split"
    with pytest.raises(UserError, match=rf"^{name} is .*(; give .*|: leave it out)\.$"):
        pipe(**asked)


@pytest.mark.parametrize("value", [3, np.int64(3), torch.tensor(3), np.float32(3), True])
def test_numbers_of_numpy_and_torch_count_as_numbers(pipe, identity, value):
    asked = {"num_inference_steps": 1, "identity": identity}
    assert torch.equal(
        clip(pipe, ca_scale=value, **asked), clip(pipe, ca_scale=float(value), **asked)
    )


@pytest.mark.parametrize("name", ["prompt_embeds", "negative_prompt_embeds", "identity_mask"])
@pytest.mark.parametrize("value", ["x", 3, [[1.0]]])
def test_embeddings_that_are_no_tensors_are_refused_by_their_name(pipe, identity, name, value):
    embeds, mask = pipe.encode_identity_prompt(PROMPT, identity)
    given = {"prompt_embeds": embeds, "identity_mask": mask, name: value}
    with pytest.raises(UserError, match=f"^{name} is "):
        clip(pipe, None, identity=identity, **given)


def test_embeddings_of_another_width_are_refused(pipe, identity):
    embeds, mask = pipe.encode_identity_prompt(PROMPT, identity)
    with pytest.raises(UserError, match="5 wide, but this backbone reads texts of 32"):
        clip(pipe, None, prompt_embeds=embeds[..., :5], identity_mask=mask, identity=identity)


@pytest.mark.parametrize("id_scale", [0.0, 1.0])
def test_half_of_an_identity_is_never_left_out_silently(pipe, identity, id_scale):
    _, mask = pipe.encode_identity_prompt(PROMPT, identity)
    with pytest.raises(UserError, match="leave faces out"):
        clip(pipe, PLAIN, faces=[None], id_scale=id_scale)
    with pytest.raises(UserError, match="leave it out"):
        clip(pipe, identity=identity, identity_mask=mask, id_scale=id_scale)
    with pytest.raises(UserError, match="who is shown; give one"):
        clip(pipe, identity=identity, reference_images=subject(seed=9), id_scale=id_scale)


@pytest.mark.parametrize("name", ["id_scale", "face_start_step", "noise_prior_gamma"])
def test_our_arguments_are_held_to_it_without_identity_too(pipe, name):
    with pytest.raises(UserError, match=f"^{name} is 'x'; give "):
        clip(pipe, PLAIN, **{name: "x"})


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("latents", "gave back 'latents'; give back a dict"),
        (torch.zeros(1), "a dict of the tensors"),
        ({"latents": None}, "latents that is None; it must keep"),
        ({"latents": torch.zeros(1, 1)}, r"latents that is Tensor \[1, 1\]; it must keep \[1, 3"),
        ({"prompt_embeds": "a hat"}, "prompt_embeds that is 'a hat'; it must keep"),
        ({"negative_prompt_embeds": torch.zeros(1)}, "negative_prompt_embeds that is Tensor"),
    ],
)
def test_what_a_callback_cannot_give_back_is_refused(pipe, identity, given, hint):
    with pytest.raises(UserError, match=hint):
        clip(pipe, identity=identity, callback_on_step_end=lambda *_: given)


def test_a_callback_may_give_back_nothing(pipe, identity):
    usual = clip(pipe, identity=identity)
    for given in (None, {}, {"negative_prompt_embeds": None}):
        back = dict(given) if given is not None else None
        made = clip(pipe, identity=identity, callback_on_step_end=lambda *_, b=back: b)
        assert torch.equal(made, usual)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"prompt": 3}, "^prompt is 3; give a text"),
        ({"prompt": []}, "^prompt is an empty list; give a text"),
        ({"identity": subject()}, "^identity is IdentityInput; give what encode_references"),
        ({"identity": None}, "^identity is NoneType; give what encode_references"),
        ({"max_sequence_length": "16"}, "^max_sequence_length is '16'; give a whole number"),
    ],
)
def test_what_cannot_be_encoded_is_refused_by_its_name(pipe, identity, asked, hint):
    with pytest.raises(UserError, match=hint):
        pipe.encode_identity_prompt(**{"prompt": PROMPT, "identity": identity, **asked})


def test_a_prompt_is_encoded_with_a_transformer_only(identity):
    bare = mirror()
    bare.transformer = None
    with pytest.raises(UserError, match="no transformer"):
        bare.encode_identity_prompt(PROMPT, identity)


FACE = Face(np.array([20, 5, 60, 55], np.float32), 0.9, template().numpy().astype(np.float32))
PICTURE = np.full((112, 112, 3), 90, np.uint8)


@pytest.mark.parametrize("given", ["me.png", 3, {"a": PICTURE}, torch.zeros(3, 8, 8), b"png"])
def test_a_reference_that_is_no_picture_is_refused_by_its_kind(pipe, given):
    for references in (given, [given], [PICTURE, given], [[given]]):
        with pytest.raises(UserError, match=f"not {type(given).__name__}: load it with"):
            pipe.encode_references(references, detect=lambda _: FACE)
    with pytest.raises(UserError, match="load it with"):
        clip(pipe, reference_images=given, detect=lambda _: FACE)


@pytest.mark.parametrize(
    ("pictures", "asked", "hint"),
    [
        ([PICTURE], {"faces": FACE}, "faces holds Face where a list belongs"),
        ([[PICTURE], [PICTURE]], {"faces": [FACE, FACE]}, "faces holds Face where a list"),
        ([[PICTURE]], {"faces": FACE}, "faces holds Face where a list"),
        (PICTURE, {"faces": FACE.landmarks}, "picture 1 is ndarray; give one mm_model.facepack"),
        (PICTURE, {"detect": lambda _: [FACE]}, "picture 1 is list; give one mm_model.facepack"),
        (PICTURE, {"detect": "insightface"}, "detect is str; give a function"),
        ([subject(), PICTURE], {}, "mixes IdentityInput with ndarray"),
        ([PICTURE, subject()], {"detect": lambda _: FACE}, "not IdentityInput: load it"),
    ],
)
def test_faces_that_do_not_fit_the_pictures_are_refused(pipe, pictures, asked, hint):
    with pytest.raises(UserError, match=hint):
        pipe.encode_references(pictures, **asked)


def test_an_input_of_another_shape_is_refused(pipe):
    with pytest.raises(UserError, match=r"pixels of an IdentityInput is \[3, 28, 28\]; give"):
        IdentityInput(torch.zeros(3, 28, 28), torch.zeros(1, 3, 112, 112))
    with pytest.raises(UserError, match="pixels of an IdentityInput is list; give"):
        IdentityInput([PICTURE], torch.zeros(1, 3, 112, 112))
    with pytest.raises(UserError, match="pixels of 2 references, but embedding of 1"):
        IdentityInput(torch.zeros(2, 3, 28, 28), None, torch.zeros(1, 16))
    with pytest.raises(UserError, match="pixels of 30, but this identity encoder sees 28"):
        pipe.encode_references(
            IdentityInput(torch.zeros(1, 3, 30, 30), torch.zeros(1, 3, 112, 112))
        )
    with pytest.raises(UserError, match="have 3 values, but this identity encoder takes 16"):
        pipe.encode_references(IdentityInput(torch.zeros(1, 3, 28, 28), None, torch.zeros(1, 3)))
