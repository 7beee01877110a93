"""A backbone folder put together by the commands from random checkpoints of the real layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mm_model.commands.cli import main
from tests.nn import layout
from tests.pairs import tiny_sdxl
from tests.published import public_iresnet


def photomaker_bin(path: Path, dtype: torch.dtype = torch.float16) -> Path:
    """`photomaker-v2.bin` with all published names, small and random."""
    state = {name: value.to(dtype) for name, value in tiny_sdxl.id_encoder(512).items()}
    torch.save({"id_encoder": state, "lora_weights": {"unet.x.down": torch.ones(2)}}, path)
    return path


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What somebody has on disk: CogVideoX, PhotoMaker-V2's file, a recogniser."""
    root = tmp_path_factory.mktemp("shelf")
    (root / "CogVideoX-5b").mkdir()
    layout.write(root / "CogVideoX-5b", torch.bfloat16)
    photomaker_bin(root / "photomaker-v2.bin")
    torch.save(public_iresnet.small().state_dict(), root / "backbone.pth")
    return root


@pytest.fixture(scope="session")
def imported(shelf: Path) -> Path:
    """The folder that three commands make of it."""
    folder = shelf / "backbone"
    assert main(["import", "cogvideox", str(shelf / "CogVideoX-5b"), "--to", str(folder)]) == 0
    assert (
        main(["import", "photomaker", str(shelf / "photomaker-v2.bin"), "--to", str(folder)]) == 0
    )
    assert main(["import", "arcface", str(shelf / "backbone.pth"), "--to", str(folder)]) == 0
    return folder
