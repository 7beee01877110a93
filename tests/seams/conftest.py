"""The chain and what reads it, once a session."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mm_model.facepack.port import FacePack, open_judge, open_pack
from mm_model.precompute.names import CLIPS, PICTURES
from mm_model.train.shards import ShardSet
from tests.precomputed import Read, read
from tests.seams.facts import Chain
from tests.small_chain import built


@pytest.fixture(scope="session")
def chain(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(built(root, tmp_path_factory))


@pytest.fixture(scope="session")
def pack(root: Path, chain: Chain) -> FacePack:
    """The pipeline's pack, from where the repository keeps it."""
    folder = root / "weights" / "tiny" / "facepack" / "models" / "tiny"
    return open_pack(folder, chain.profile.faces.detection_size)


@pytest.fixture(scope="session")
def judge(root: Path, chain: Chain) -> FacePack:
    """The recogniser that no training used, from where the repository keeps it."""
    folder = root / "weights" / "tiny" / "judge" / "models" / "judge"
    return open_judge(folder, chain.profile.faces.detection_size)


@pytest.fixture(scope="session")
def backbone(root: Path, chain: Chain) -> Any:
    """The frozen backbone as a training has it."""
    from mm_model.generation.backbone import load_backbone

    return load_backbone(root / "weights" / "tiny" / "backbone", chain.profile.run)


@pytest.fixture(scope="session")
def shard_set(chain: Chain) -> Callable[[str], ShardSet]:
    """`shard_set("pretrain")`: the set of `precompute` that this stage reads."""
    sets = {"pretrain": PICTURES, "finetune": CLIPS}
    return lambda stage: ShardSet(chain.output("precompute"), sets[stage])


@pytest.fixture(scope="session")
def training_set(shard_set: Callable[[str], ShardSet], backbone: Any) -> Callable[[str], Read]:
    """`training_set("pretrain")`: all that this stage learns from."""
    return cache(lambda stage: read(shard_set(stage), backbone.vae.config.scaling_factor))
