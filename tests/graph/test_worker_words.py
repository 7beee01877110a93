"""Which machine is meant, what the two ends say, and what two trees must hold alike."""

import dataclasses
import os
import shutil
import time
from pathlib import Path

import pytest
import yaml

from mm_model.errors import UserError
from mm_model.settings import load_params
from mm_model.store import closure
from orchestration import objects
from orchestration.worker import alike, client, named, serving, wire
from tests.graph.conftest import REPOSITORY, Tree

pytestmark = pytest.mark.capability("two machines, one graph", scale="T")


def _worker(monkeypatch: pytest.MonkeyPatch, **said: str) -> named.Worker | None:
    for name in (named.WORKER, named.STAGES, named.SSH):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    return named.read()


def test_the_worker_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _worker(monkeypatch) is None
    worker = _worker(monkeypatch, MM_WORKER="ssh://me@Box:2222/home/me/a%20clone")
    assert worker is not None and worker.stages == {*named.USUAL}
    assert worker.command[0] == "ssh" and worker.command[-4:-1] == ["-p", "2222", "me@Box"]
    assert worker.command[-1].startswith("cd -- '/home/me/a clone' && exec .venv/bin/python")
    home = _worker(
        monkeypatch,
        MM_WORKER="ssh://box/~/clone",
        MM_WORKER_STAGES="pretrain, ingest",
        MM_WORKER_SSH="ssh -F 'my file'",
    )
    assert home is not None and home.stages == {"pretrain", "ingest"}
    assert home.command[:3] == ["ssh", "-F", "my file"] and "-p" not in home.command
    assert home.command[-1].startswith("cd -- clone && ")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"MM_WORKER": "box:/clone"}, "no address"),
        ({"MM_WORKER": "ssh://box"}, "no address"),
        ({"MM_WORKER": "ssh://box/~/"}, "no address"),
        ({"MM_WORKER": "ssh://-oProxyCommand=date/clone"}, "no address"),
        ({"MM_WORKER": "ssh://-l@box/clone"}, "no address"),
        ({"MM_WORKER": "ssh://box:port/clone"}, "no address"),
        ({"MM_WORKER": "ssh://me:sesame@box/clone"}, "holds a password"),
        ({"MM_WORKER": "ssh://box/clone", "MM_WORKER_STAGES": "pretrian"}, "is no stage"),
        ({"MM_WORKER": "ssh://box/clone", "MM_WORKER_STAGES": "register"}, "leave it out"),
        ({"MM_WORKER": "ssh://box/my#clone"}, "no address"),
        ({"MM_WORKER": "ssh://box/clone%00"}, "no address"),
        ({"MM_WORKER": "ssh://box/clone", "MM_WORKER_SSH": "ssh -F 'mine"}, "is no command"),
    ],
)
def test_what_names_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError, match=words) as told:
        _worker(monkeypatch, **said)
    assert "sesame" not in str(told.value)


def test_what_was_asked_arrives() -> None:
    reading, writing = os.pipe()
    asked = wire.Request("pretrain", "laptop", "ab", chosen={"params.yaml": "profile: tiny\n"})
    os.write(writing, asked.line().encode() + b"\n\n")
    assert wire.receive(reading) == asked
    began = time.monotonic()
    wire.wanted(reading, patience=0.2)
    assert time.monotonic() - began >= 0.2, "two signs of life, and then none"
    os.close(writing)
    began = time.monotonic()
    wire.wanted(reading, patience=60)
    assert time.monotonic() - began < 5, "it ended"
    os.close(reading)


@pytest.mark.parametrize("line", [b"", b"hello\n", b"[]\n", b'{"protocol": 0}\n'])
def test_what_is_no_request_is_told(line: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, line)
    os.close(writing)
    with pytest.raises(UserError, match=r"orchestration\.worker is started|of other releases"):
        wire.receive(reading)
    os.close(reading)


def test_an_answer_is_told_from_other_lines() -> None:
    said = wire.Answer(1, audit={"sentence": "It failed.\n"})
    assert said.line().count("\n") == 1 and wire.answer(said.line()) == said
    assert wire.answer('{"status": 0}') is None


def test_what_a_stage_prints_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("\x1e", "\x1enoise", "\x1e[]", '\x1e{"said": 1}', wire.HEARD):
        assert wire.answer(line) is None, line
    assert wire.for_people('\x1e\x1e{"status": 0}') == '{"status": 0}'
    serving._say("at work")
    assert wire.answer(capsys.readouterr().out) is None


def test_what_says_what_runs_is_taken_over(fresh: Tree, tmp_path: Path) -> None:
    there = Path(shutil.copytree(fresh.root, tmp_path / "there", symlinks=True))
    fresh.set("pretrain", "steps", 7)
    (fresh.root / "profiles" / "mine.yaml").write_bytes(b"base: tiny\r\n")
    (there / "profiles" / "theirs.yaml").write_text("base: tiny\n")
    before = (there / "profiles" / "tiny.yaml").read_bytes()
    serving._choose(there, alike.chosen(fresh.root), "laptop")
    assert alike.chosen(there) == alike.chosen(fresh.root)
    assert (there / "profiles" / "mine.yaml").read_bytes() == b"base: tiny\r\n"
    kept = {path.read_bytes() for path in (there / "work" / "worker").iterdir()}
    assert kept == {before, b"base: tiny\n"}, "nothing is lost"
    (fresh.root / "profiles" / ".tiny.yaml.swp").write_bytes(b"\xff\xfe")
    (fresh.root / "profiles" / "tiny.yaml~").write_text("base: older\n")
    assert alike.chosen(there) == alike.chosen(fresh.root), "what an editor left says nothing"
    (fresh.root / "profiles" / "odd.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"odd\.txt is no text"):
        alike.chosen(fresh.root)


def test_what_must_be_alike_is_all_that_the_graph_reads() -> None:
    known = alike.facts(REPOSITORY, "pretrain").keys()
    graph = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]["pretrain"]["deps"]
    assert {"dvc.yaml", "requirements.lock", "mm_model/settings/load.py"} <= known
    assert {name for name in graph if name.endswith(".py")} <= known


def test_a_lock_is_of_one_profile() -> None:
    out = "  {0}: {{cmd: a, outs: [{{path: data/{1}/{0}, md5: ab}}]}}\n"
    lock = ("schema: '2.0'\nstages:\n" + out.format("ingest", "tiny")).encode()
    both = lock + out.format("faces", "old").encode()
    own, others = objects.of_profile(objects.outputs(both), "tiny")
    assert [one.stage for one in own] == ["ingest"]
    assert yaml.safe_load(objects.without(both, others)) == yaml.safe_load(lock)


def test_inputs_are_alike_by_names_and_sizes(fresh: Tree, tmp_path: Path) -> None:
    there = Path(shutil.copytree(fresh.root, tmp_path / "there", symlinks=True))
    params = load_params(fresh.root)
    asked = alike.inputs(fresh.root, "pretrain", params)
    alike.compare_inputs(alike.inputs(there, "pretrain", params), asked, params)
    elsewhere = tmp_path / "elsewhere"
    (there / "weights" / "backbone").rename(elsewhere)
    (there / "weights" / "backbone").symlink_to(elsewhere)
    alike.compare_inputs(alike.inputs(there, "pretrain", params), asked, params)
    (elsewhere / "first").rename(elsewhere / "second")
    with pytest.raises(UserError, match=r"weights/backbone .*copy it there"):
        alike.compare_inputs(alike.inputs(there, "pretrain", params), asked, params)


def _order(tree: Tree, folder: Path, script: str) -> client.Order:
    """Asks, by what stands for ssh, a script instead of a machine."""
    folder.mkdir()
    (folder / "ssh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ssh").chmod(0o755)
    place = named.Worker("ssh://box/clone", "box", None, "/clone", frozenset({"pretrain"}))
    worker = dataclasses.replace(place, ssh=(str(folder / "ssh"),))
    return client.Order(worker, tree.root, "pretrain", force=True, variables={"MM_STRICT": "1"})


def test_how_the_other_end_ended_is_told(fresh: Tree, tmp_path: Path) -> None:
    asked, answer = (
        wire.Request("pretrain", "laptop", "ab"),
        wire.Answer(3).line().removesuffix("\n"),
    )
    heard: list[str] = []

    def ends(name: str, script: str) -> wire.Answer:
        return client._asked(_order(fresh, tmp_path / name, script), asked, heard.append)

    said = f"echo '{wire.HEARD}'; echo '\x1enoise'; echo at work;"
    assert ends("well", f"{said} echo '{answer}'") == wire.Answer(3)
    assert heard[1:] == ["\x1enoise", "at work"]
    with pytest.raises(UserError, match=r"went away in the middle .*at work\): what it finished"):
        ends("gone", said)
    with pytest.raises(UserError, match=r"did not answer \(no route\): see that .* ssh"):
        ends("unreached", "echo no route.; exit 255")
    with pytest.raises(UserError, match=r"^On the worker: Somebody is at work\.$"):
        ends("refused", f"{said} echo 'Stopped: Somebody is at work.'")


def test_the_work_is_shown_to_be_wanted(
    fresh: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "BEAT", 0.1)
    order = _order(fresh, tmp_path / "bin", "read asked && read one && read two && echo beats")
    with pytest.raises(UserError, match=r"did not answer \(beats\)"):
        client._asked(order, wire.Request("pretrain", "laptop", "ab"), lambda _: None)


def test_what_is_asked_for_is_all_there(
    fresh: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("MM_CATALOGUE_URL", "not for others")
    fresh_order = _order(fresh, tmp_path / "bin", "")
    asked = client._request(fresh_order, Nowhere(), "ab12", closure.PACKAGE)
    assert (asked.stage, asked.force, asked.commit) == ("pretrain", True, "abc")
    assert asked.lock == "ab12"
    assert asked.environment["AWS_PROFILE"] == "mine" and asked.environment["MM_STRICT"] == "1"
    assert "MM_CATALOGUE_URL" not in asked.environment
    assert {"dvc.yaml", "mm_model/train/pretrain.py (code)"} <= asked.alike.keys()
    assert "backbone" in asked.inputs and "profiles/tiny.yaml" in asked.chosen


class Nowhere:
    """Stands for a transfer: no store is asked."""

    def commit(self) -> str:
        return "abc"


def test_a_tree_of_other_code_is_told_by_file() -> None:
    here = {"dvc.yaml": "1", "mm_model/train/pretrain.py (code)": "2"}
    alike.compare(here, dict(here), "")
    with pytest.raises(
        UserError, match=r"dvc\.yaml and 1 more on the worker .*git checkout abcdef"
    ):
        alike.compare({"mm_model/train/pretrain.py (code)": "3"}, here, "abcdef")
