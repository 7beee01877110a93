"""The configuration: one typed tree of settings, and the values in `profiles/*.yaml`."""

from mm_model.settings.bounds import Count, Share
from mm_model.settings.load import load_params, load_profile
from mm_model.settings.section import Section
from mm_model.settings.sections import (
    AutomationSettings,
    EvaluateSettings,
    FaceGuidance,
    FacesSettings,
    FollowSettings,
    IngestSettings,
    ModelSettings,
    PairsSettings,
    Params,
    PrecomputeSettings,
    Profile,
    RegisterSettings,
    RunSettings,
    ServeSettings,
    SourcesSettings,
    TrackingSettings,
    TrainSettings,
)

__all__ = [
    "AutomationSettings",
    "Count",
    "EvaluateSettings",
    "FaceGuidance",
    "FacesSettings",
    "FollowSettings",
    "IngestSettings",
    "ModelSettings",
    "PairsSettings",
    "Params",
    "PrecomputeSettings",
    "Profile",
    "RegisterSettings",
    "RunSettings",
    "Section",
    "ServeSettings",
    "Share",
    "SourcesSettings",
    "TrackingSettings",
    "TrainSettings",
    "load_params",
    "load_profile",
]
