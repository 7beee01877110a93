"""What the pipeline is given: the raw media and the weights that `params.yaml` names.

Observed, never made: an observation records the version that lies there. Each run observes what
its stages read, so that a changed input shows as such.
"""

import warnings

import dagster as dg

from assets.wiring import Stages


def _given(name: str, description: str) -> dg.SourceAsset:
    def observe(stages: Stages) -> dg.DataVersion:
        return stages.input_version(name)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.observable_source_asset(name=name, group_name="inputs", description=description)(
            observe
        )


raw = _given("raw", "Photographs and clips as they were given, or the recipe that draws people.")
facepack = _given("facepack", "Face pack that filters, pairs and gives evaluation landmarks.")
judge = _given("judge", "The house's judge: a recogniser that no training used.")
judges = _given("judges", "Shelf of outside recognisers that judge as well; may be empty.")
captioners = _given("captioners", "Shelf of models that caption pictures; may be empty.")
classifiers = _given("classifiers", "Shelf of models that find watermarks; may be empty.")
synthesizer = _given("synthesizer", "SDXL and PhotoMaker-V2, which paint references; may be empty.")
backbone = _given("backbone", "Frozen video pipeline with its identity encoder.")
photographs = dg.AssetSpec(
    "photographs",
    group_name="inputs",
    description="Folders of subjects and what they are learned on, as subjects.yaml names them.",
)
