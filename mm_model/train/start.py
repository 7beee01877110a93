"""The adapter that pretraining starts with: of the profile's preset, seeded by the profile."""

import torch

from mm_model.errors import UserError
from mm_model.generation.backbone import Backbone
from mm_model.nn.magic_mirror.adapter import MagicMirrorAdapter
from mm_model.nn.magic_mirror.presets import adapter_config
from mm_model.run.stage import Job


def fresh_adapter(job: Job, backbone: Backbone) -> MagicMirrorAdapter:
    """A new adapter of the profile's preset, seeded.

    Raises:
        UserError: `face_perceiver: id_perceiver` asks for a copy whose sizes differ.
    """
    sizes, encoder = job.profile.model, backbone.identity_encoder
    config = adapter_config(
        sizes.preset,
        backbone.transformer.config,
        encoder.clip_dim,
        encoder.id_dim,
        attention_mode=sizes.attention,
        ca_out_proj=sizes.ca_out_proj,
        backbone_id=backbone.folder.name,
        recognizer_sha256=encoder.recognizer_sha256,
        reference_margin=sizes.reference_margin,
    )
    copied = None
    if sizes.face_perceiver == "id_perceiver":
        copied = encoder.id_perceiver.perceiver_resampler
    seed = job.profile.run.seed
    try:
        return MagicMirrorAdapter.create(
            backbone.transformer, config, seed, copied, dtype=torch.float32
        )
    except ValueError as error:
        raise UserError(
            f"model.face_perceiver is id_perceiver, but {error} in preset {sizes.preset!r}: set it "
            "to random, or choose a preset of the identity perceiver's sizes."
        ) from error
