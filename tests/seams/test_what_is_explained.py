"""`explain` tells of a sample what the tables say of it, and of a release what made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mm_model.commands import cli
from tests.seams.facts import Chain

pytestmark = [pytest.mark.slow, pytest.mark.capability("explain", scale="T")]


def _told(chain: Chain, monkeypatch: Any, capsys: Any, *words: str) -> str:
    monkeypatch.setenv("MM_ROOT", str(chain.place))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    capsys.readouterr()
    assert cli.main(["explain", *words]) == 0
    return capsys.readouterr().out


def _facts(chain: Chain, monkeypatch: Any, capsys: Any, what: str) -> dict[str, Any]:
    return json.loads(_told(chain, monkeypatch, capsys, what, "--json"))


def test_a_sample_that_trained(chain: Chain, monkeypatch: Any, capsys: Any) -> None:
    sample = chain.table("finetune", "targets")["sample_id"].iloc[0]
    faces = chain.table("faces", "samples").set_index("sample_id").loc[sample]
    pairs = chain.table("pairs", "pairs")
    mine = pairs[(pairs["target"] == sample) & (pairs["status"] == "kept")]
    said = _facts(chain, monkeypatch, capsys, sample)
    assert (said["faces"]["identity"], said["faces"]["split"]) == (faces["identity"], "train")
    assert said["pairs"]["target_of"] == len(mine) > 0
    assert said["finetune"]["target"] is True
    assert said["releases"] == {"trained": [1], "unknown": []}
    assert said["sources"]["sha256"].startswith(sample)

    inventory = chain.table("sources", "inventory").set_index("sha256")
    name = inventory.loc[said["sources"]["sha256"], "name"]
    for asked in (name, inventory.loc[said["sources"]["sha256"], "source_id"]):
        assert _facts(chain, monkeypatch, capsys, asked) == said, "it answers to each of its names"
    text = _told(chain, monkeypatch, capsys, sample)
    assert f"it shows {faces['identity']}, of the people in train" in text
    assert "it trained version 1" in text


def test_a_sample_that_was_left_out(chain: Chain, monkeypatch: Any, capsys: Any) -> None:
    samples = chain.table("ingest", "samples")
    left = samples[samples["status"] == "rejected"].iloc[0]
    said = _facts(chain, monkeypatch, capsys, left["sample_id"])
    assert said["ingest"]["reason"] == left["reason"]
    assert said["releases"]["trained"] == []
    assert left["reason"] in _told(chain, monkeypatch, capsys, left["sample_id"])


def test_who_is_held_out_trained_nothing(chain: Chain, monkeypatch: Any, capsys: Any) -> None:
    tested = chain.table("evaluate", "people")
    for picture in tested["picture"].head(3):
        said = _facts(chain, monkeypatch, capsys, Path(picture).stem)
        assert said["faces"]["split"] == "held_out"
        assert said["evaluate"]["roles"]
        assert not said["pretrain"]["target"] and not said["finetune"]["target"]
        assert said["releases"]["trained"] == []


def test_a_release(chain: Chain, monkeypatch: Any, capsys: Any) -> None:
    said = _facts(chain, monkeypatch, capsys, "1")
    (alias,) = said["standing"]["aliases"]
    assert _facts(chain, monkeypatch, capsys, alias) == said
    release = said["made by"]["tags"]["release_digest"]
    for asked in (release, release[:12]):  # as `releases` shows it
        assert _facts(chain, monkeypatch, capsys, asked) == said
    assert said["data"]["outputs"] == dict.fromkeys(said["data"]["outputs"], True)
    learned = set(chain.table("pretrain", "targets")["sample_id"])
    assert learned <= set(said["data"]["samples"])
    assert said["made by"]["tags"]["profile"] == "tiny"
    assert set(said["holds"]["parts"]) >= {"adapter", "backbone", "code", "evaluation"}
    text = _told(chain, monkeypatch, capsys, "1")
    assert text.startswith("magic-mirror version 1, release ")
    for heading in ("standing", "made by", "holds", "data", "owed", "serve"):
        assert f"\n{heading}:" in text


def test_what_there_is_not(chain: Chain, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("MM_ROOT", str(chain.place))
    for asked in ("999", "no-such-file.jpg", "0" * 12, ""):
        assert cli.main(["explain", asked]) == 1
        said = capsys.readouterr().err
        assert f"There is no release and no sample '{asked}' here" in said
