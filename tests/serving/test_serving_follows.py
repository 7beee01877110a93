"""`make serve` while releases are promoted and rolled back: real ones, asked without a pause."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_model.register import choice, served
from mm_model.serving import example
from mm_model.settings import load_profile
from mm_model.store import digests
from tests.serving.conftest import Server
from tests.serving.house import House, metrics, random_adapter

pytestmark = [pytest.mark.slow, pytest.mark.capability("serving follows the champion", scale="T")]
NAME = "magic-mirror"
MOVED_SECONDS = 180


@pytest.fixture(scope="module")
def house(tmp_path_factory: Any, pack_and_size: tuple[Path, int]) -> Iterator[House]:
    """A root with two releases of other weights, of which the second is champion."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        house = House(tmp_path_factory.mktemp("follows") / "root", *pack_and_size)
        house.real_weights()
        house.evaluated(metrics([0.3, 0.4, 0.5, 0.4]))
        house.register()
        adapter = house.layout.output("finetune") / "adapter"
        random_adapter(house.root / "weights" / "backbone", adapter, seed=1)
        house._seal("finetune")
        house.evaluated(metrics([0.4, 0.5, 0.6, 0.5]))
        assert house.register()["aliases"] == ["champion"]
        yield house


class Asking:
    """Somebody who asks without a pause and notes who answered."""

    def __init__(self, server: Server, record: dict[str, Any]) -> None:
        self._server, self._record = server, record
        self.statuses: set[int] = set()
        self.answered: list[str] = []
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._over:
            status, said = self._server.ask(self._record)
            with self._changed:
                self.statuses.add(status)
                if status == 200:
                    self.answered.append(json.loads(said)["predictions"][0]["adapter_digest"])
                self._changed.notify_all()

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    def until_answered_by(self, digest: str) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: self.answered[-1:] == [digest], MOVED_SECONDS)
        assert came, f"{digest[:12]} never answered"


def adapter_of(house: House, version: int) -> str:
    folder = served.checked_folder(house.layout, NAME, str(version))
    return digests.of_folder(folder / "artifacts" / "adapter")


@pytest.mark.minutes
def test_no_request_fails_while_releases_are_rolled_back_and_promoted(house: House) -> None:
    first, second = (adapter_of(house, number) for number in (1, 2))
    record = {**example.record(load_profile(house.root, "tiny")), "num_inference_steps": 2}
    server = Server(house.root, door=True)
    try:
        server.wait()
        with Asking(server, record) as one, Asking(server, record) as other:
            for asking in (one, other):
                asking.until_answered_by(second)
            choice.roll_back(house.layout, NAME, None, "worse hair")
            for asking in (one, other):
                asking.until_answered_by(first)
            choice.promote(house.layout, NAME, 2, "it was the light")
            for asking in (one, other):
                asking.until_answered_by(second)
        for asking in (one, other):
            assert asking.statuses == {200}, "nobody was sent away"
    finally:
        server.stop()
    log = server.log.read_text()
    assert "Version 1 (release " in log and "version 2 answers what it has and ends." in log
