"""The adapter that pretraining starts with: of the profile's preset, seeded by the profile."""

import torch

from mm_model.generation.backbone import Backbone
from mm_model.nn.injection import table as injections
from mm_model.nn.injection.port import IdentityInjection, Wanted
from mm_model.run.stage import Job


def fresh_adapter(job: Job, backbone: Backbone) -> IdentityInjection:
    """A new adapter of the profile's preset, seeded.

    Raises:
        UserError: what the profile wants does not fit the backbone.
    """
    sizes = job.profile.model
    wanted = Wanted(
        preset=sizes.preset,
        attention=sizes.attention,
        ca_out_proj=sizes.ca_out_proj,
        face_perceiver=sizes.face_perceiver,
        reference_margin=sizes.reference_margin,
        backbone_id=backbone.folder.name,
    )
    return injections.of_preset(sizes.preset).fresh(
        backbone.transformer,
        backbone.identity_encoder,
        wanted,
        seed=job.profile.run.seed,
        dtype=torch.float32,
    )
