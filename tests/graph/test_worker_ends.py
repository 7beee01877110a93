"""What both ends of a stage on another machine look at, without that machine.

What stands for ssh is a script, and what stands for the store a bucket in memory.
"""

import dataclasses
import os
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.store import digests
from orchestration import dvc_client, views
from orchestration.transfer import Transfer
from orchestration.worker import client, named, serving, wire
from tests.graph.conftest import Tree
from tests.graph.test_runs import _failures, _metadata
from tests.graph.test_worker_words import _order

pytestmark = pytest.mark.capability("two machines, one graph", scale="T")
ASKED = wire.Request("pretrain", "laptop", "ab")


class MemoryBucket:
    """Holds one lock, as somebody pushed it."""

    def __init__(self, lock: bytes) -> None:
        self._lock = lock

    def lock(self, profile: str) -> tuple[bytes, str]:
        return self._lock, ""


class NearTransfer(Transfer):
    """Pushes nothing, and pulls from a bucket in memory."""

    pushed = b"stages: {}\n"

    def __post_init__(self) -> None:
        self.profile, self.bucket = "tiny", MemoryBucket(self.pushed)

    def push(self, *, partly: bool = False) -> str:
        return digests.of_bytes(b"what lay here")

    def _urls(self) -> str:
        return "s3://people/tree"


def test_a_lock_that_the_worker_did_not_push_is_not_taken(
    fresh: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else pushed between the worker's push and our pull."""
    monkeypatch.setattr(client, "Transfer", NearTransfer)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    said = wire.Answer(0, digests.of_bytes(b"what the worker pushed")).line().removesuffix("\n")
    order = _order(fresh, tmp_path / "bin", f"read asked; echo '{said}'")
    before = (fresh.root / "dvc.lock").read_bytes()
    with pytest.raises(UserError, match="Somebody else pushed profile tiny"):
        client.bring_up(order, lambda _: None)
    assert (fresh.root / "dvc.lock").read_bytes() == before


def test_the_worker_has_a_moment_for_its_end(fresh: Tree, tmp_path: Path) -> None:
    """Who leaves ends the worker's input first, and only then its connection."""
    last = tmp_path / "last"
    script = f"echo at work; while read beat; do :; done; sleep 0.2; echo ended > '{last}'"
    with pytest.raises(KeyboardInterrupt):
        client._asked(_order(fresh, tmp_path / "bin", script), ASKED, _leave)
    assert last.is_file()


def _leave(line: str) -> None:
    if line == "at work":
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_dvc_cannot_digest_there_is_named(fresh: Tree, kind: str) -> None:
    odd = fresh.root / "weights" / "backbone" / "odd"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("nowhere")
    request = dataclasses.replace(ASKED, inputs={"backbone": ""})
    with pytest.raises(UserError, match=r"cannot digest 1 entries of .*odd"):
        serving._made(fresh.root, request)
    assert fresh.executed() == []


def test_other_settings_there_are_told_before_work(done: Tree) -> None:
    done.set("pretrain", "steps", 7)
    with pytest.raises(UserError, match="What the profile says on the worker"):
        serving._made(done.root, ASKED)
    assert done.executed() == []


def test_what_came_from_the_worker_is_shown(done: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had run there before: nothing is computed, and yet outputs changed here."""
    monkeypatch.setenv(named.WORKER, "ssh://box/clone")
    monkeypatch.setattr(dvc_client.client, "needed", lambda root, stage: stage == "pretrain")
    monkeypatch.setattr(dvc_client.client, "bring_up", lambda *_: wire.Answer(0))
    shown: list[Path] = []
    monkeypatch.setattr(views, "rebuild", lambda root, *_: shown.append(root))
    result = done.dagster("pretrain", "finetune")
    assert result.success, _failures(result)
    told = _metadata(result, "pretrain")
    assert (told["how"], told["worker"]) == ("restored", "ssh://box/clone")
    assert shown == [done.root], "once, for the stage that came"
    other = _metadata(result, "finetune")
    assert other["how"] == "unchanged" and "worker" not in other
