"""The three champions before the present one stay loadable, whatever was made or removed since."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mm_model.register import choice, pins, served
from mm_model.serving import example
from mm_model.settings import load_profile
from mm_model.store import digests
from mm_model.tracking import store
from tests.serving.conftest import Server
from tests.serving.house import House, metrics, random_adapter

pytestmark = [pytest.mark.slow, pytest.mark.capability("promotion, pins, rollback", scale="T")]
NAME = "magic-mirror"
PROMOTIONS = 5


def grown(house: House) -> None:
    """Five promotions, each of other weights, by the rule."""
    house.real_weights()
    for number in range(PROMOTIONS):
        adapter = house.layout.output("finetune") / "adapter"
        random_adapter(house.root / "weights" / "backbone", adapter, seed=number)
        house._seal("finetune")
        house.evaluated(metrics([0.1 * number + one for one in (0.1, 0.2, 0.3, 0.2)]))
        assert house.register()["aliases"] == ["champion"]


def answered_by(house: House, version: int, record: dict[str, Any]) -> str:
    """The digest of the adapter that answers where that version is served."""
    server = Server(house.root, door=True, words=["--alias", str(version)])
    try:
        server.wait()
        status, said = server.ask(record)
    finally:
        server.stop()
    assert status == 200, said[:300]
    return json.loads(said)["predictions"][0]["adapter_digest"]


@pytest.mark.minutes
def test_the_previous_three_load_and_answer(
    tmp_path: Path, monkeypatch: Any, pack_and_size: tuple[Path, int]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    house = House(tmp_path / "root", *pack_and_size)
    grown(house)
    record = {**example.record(load_profile(house.root, "tiny")), "num_inference_steps": 2}
    before = pins.standing(store.open_client(house.layout), NAME).earlier[-3:]
    assert before == (2, 3, 4)
    for gone in ("data", "weights", "work"):  # outputs, inputs, and all that is kept for speed
        shutil.rmtree(house.root / gone, ignore_errors=True)
    found = set()
    for version in before:
        folder = served.checked_folder(house.layout, NAME, str(version))
        adapter = digests.of_folder(folder / "artifacts" / "adapter")
        assert answered_by(house, version, record) == adapter
        found.add(adapter)
    assert len(found) == 3
    for expected in reversed(before):
        choice.roll_back(house.layout, NAME, None, "")
        assert served.chosen(house.layout, NAME).version == expected
