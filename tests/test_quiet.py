"""What the stack says of itself without need is not shown; what else it says is."""

import enum
import logging

import pytest
import torch

from mm_model import environment

ENUM = "%s is an Enum subclass and is now natively supported by torch.compile"


@pytest.mark.parametrize(("cuda", "shown"), [(None, False), ("13.0", True)])
def test_missing_kernels_of_torchao_are_told_where_torch_has_cuda_alone(
    cuda: str | None,
    shown: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    environment.silence_telemetry()
    logging.getLogger("torchao").warning("Failed to load /lib/torchao/_C.so: no such symbol")
    logging.getLogger("torchao").warning("another thing")
    assert ("Failed to load" in caplog.text) is shown
    assert "another thing" in caplog.text


def test_the_enumerations_of_torchao_alone_are_not_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.silence_telemetry()
    logger = logging.getLogger("torch.utils._pytree")
    monkeypatch.setattr(logger, "disabled", False)
    caplog.set_level(logging.WARNING, logger.name)
    logger.addHandler(caplog.handler)  # torch's loggers hand nothing on
    try:
        for module in ("torchao.quantization", "mine"):
            logger.warning(ENUM, enum.Enum(f"Of_{module[:4]}", ["A"], module=module))
    finally:
        logger.removeHandler(caplog.handler)
    assert "Of_mine" in caplog.text and "Of_torc" not in caplog.text
