"""Every value of a profile is read by somebody, and by nobody who does not say so."""

import pytest

from mm_model.run import stages
from mm_model.run.stages import NAMES
from mm_model.settings import Profile, Section
from tests.seams.facts import Chain

pytestmark = pytest.mark.slow

PARALLEL = {"run.threads"}
"""How many work at once changes no result."""
INHERITED = {"evaluate": {"pretrain.steps", "finetune.steps"}}
"""Read of a stage before, whose output changes with them."""
OF_REAL_PEOPLE = {
    "sources.consent",
    "faces.doubtful_score",
    "faces.doubtful_norm",
    "faces.redundant",
}
"""Read for folders of files that nobody drew, or where a profile sets another bound."""
WHERE_A_MODEL_PAINTS = {
    "pairs.prompts",
    "pairs.prompts_digest",
    "pairs.synthetic_guidance",
    "pairs.synthetic_merge_after",
    "pairs.synthetic_negative",
    "pairs.synthetic_per_clip",
    "pairs.synthetic_per_still",
    "pairs.synthetic_references",
    "pairs.synthetic_size",
    "pairs.synthetic_steps",
}
"""Read where `pairs.synthesizer` is photomaker (tests/stages/test_painted_pairs.py)."""
WHERE_A_MODEL_CLASSIFIES = {"ingest.watermark_label"}
"""Read where `ingest.watermark_model` names one (tests/stages/test_watermark.py)."""
OTHERWISE_UNREAD = {"ingest": {"classifiers"}, "pairs": {"synthesizer"}}
"""Weights that only such a profile reads."""
READ_BY_NO_STAGE = {"serve", "subject", "automation", "follow"}
"""Sections of a running server, which reads its release, of `learn-subject`
(tests/vcd/test_id_tokens.py), of what starts runs (tests/graph/test_automation.py) and of what
follows an alias (tests/serving/test_follow.py)."""


def fields(profile: Profile) -> set[str]:
    found = set()
    for name, field in Profile.model_fields.items():
        value = getattr(profile, name)
        inner = type(value).model_fields if isinstance(value, Section) else [None]
        found |= {".".join(filter(None, (field.alias or name, key))) for key in inner}
    return found


def test_every_value_is_read_while_the_chain_runs(chain: Chain) -> None:
    read = {name for reads in chain.reads.values() for name in reads["anywhere"]}
    unread = fields(chain.profile) - read - OF_REAL_PEOPLE - WHERE_A_MODEL_PAINTS
    unread -= WHERE_A_MODEL_CLASSIFIES
    unread = {name for name in unread if name.partition(".")[0] not in READ_BY_NO_STAGE}
    assert unread == set()


@pytest.mark.parametrize("stage", NAMES)
def test_a_stage_reads_only_what_makes_it_run_again(chain: Chain, stage: str) -> None:
    """A value that is read and not declared would change and leave the old result in place."""
    known, reads = stages.load(stage), chain.reads[stage]
    allowed = PARALLEL | INHERITED.get(stage, set())
    undeclared = {
        name
        for name in reads.get("settings", [])
        if name.partition(".")[0] not in known.sections and name not in allowed
    }
    assert undeclared == set()
    assert set(reads.get("models", [])) <= set(known.models)


@pytest.mark.parametrize("stage", NAMES)
def test_a_stage_declares_no_weights_that_it_never_reads(chain: Chain, stage: str) -> None:
    declared = set(stages.load(stage).models) - OTHERWISE_UNREAD.get(stage, set())
    assert declared == set(chain.reads[stage].get("models", []))


def test_each_training_reads_its_own_section(chain: Chain) -> None:
    for stage, other in (("pretrain", "finetune"), ("finetune", "pretrain")):
        read = chain.reads[stage]["settings"]
        assert f"{stage}.learning_rate" in read
        assert not [name for name in read if name.startswith(f"{other}.")]
