"""The chain and what reads it, once a session."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_model.facepack.port import FacePack, open_judge, open_pack
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
def training_set(
    chain: Chain, backbone: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Any]:
    """`training_set("pretrain")`: what that stage trains on, read from the chain as it does."""
    from mm_model.nn.injection.table import read_config
    from mm_model.train import dataset

    made: dict[str, Any] = {}

    def get(stage: str) -> Any:
        if stage not in made:
            margin = read_config(chain.output(stage) / "adapter").reference_margin
            job = chain.job(stage, tmp_path_factory.mktemp(stage))
            frames, media = {"pretrain": (1, ("image", "clip")), "finetune": (9, ("clip",))}[stage]
            made[stage] = dataset.build(job, backbone, frames, media, margin)
        return made[stage]

    return get
