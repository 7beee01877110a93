"""`dvc.yaml`, the stages and the assets tell one story, and loading it is light."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget

from assets import graph
from mm_model.run import stages
from mm_model.serving import code
from orchestration.definitions import defs

pytestmark = pytest.mark.capability("Dagster over DVC", scale="T")

LIKENESS = {"faces", "precompute", "subject"}
"""Stages whose outputs hold faces as numbers."""
GROUPS = {
    "inputs": {
        *("raw", "facepack", "judge", "judges", "captioners", "classifiers", "synthesizer"),
        *("backbone", "photographs", "drop"),
    },
    "data": {"sources", "ingest", "faces", "pairs"},
    "training": {"precompute", "pretrain", "finetune"},
    "release": {"evaluate", "register"},
    "subjects": {"subject"},
    "studies": {"study"},
}

GPU = {"precompute", "pretrain", "finetune", "evaluate", "subject", "study"}


def test_dvc_lists_the_stages_in_order() -> None:
    assert tuple(graph.nodes()) == stages.NAMES


@pytest.mark.parametrize("name", [*stages.NAMES, stages.SUBJECT])
def test_a_stage_is_described_alike_everywhere(name: str) -> None:
    node, stage = graph.node(name), stages.load(name)
    assert node.takes == stage.takes
    assert set(node.models) == set(stage.models)
    assert set(node.sections) == set(stage.sections)
    one = "@${key}" if name == stages.SUBJECT else ""
    assert node.command == f"python -m mm_model run {name}{one}"
    assert node.code[0] == f"mm_model/{stages.file_of(name)}"
    served = {f"mm_model/{module}" for module in code.modules()} if stage.code else set()
    missing, surplus = served - set(node.code[1:]), set(node.code[1:]) - served
    assert len(set(node.code)) == len(node.code), f"dvc.yaml: {name} lists a file twice"
    assert not missing, f"dvc.yaml: {name} must list what is served: {sorted(missing)}"
    assert not surplus, f"dvc.yaml: {name} lists what is not served: {sorted(surplus)}"
    spec = defs.resolve_asset_graph().get(dg.AssetKey(name))
    assert {key.to_user_string() for key in spec.parent_keys} == set(node.parents)
    assert spec.description == stage.title
    assert spec.code_version.startswith(f"{stage.version}+")
    goals = {"goals"} if name == "evaluate" else set()
    assert {key.name for key in spec.check_keys} == {"audit", "code"} | goals


def test_dvc_reads_and_writes_only_what_it_can_restore(root: Path) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    settings = stages.pop(graph.SETTINGS)
    assert settings["cmd"] == "python -m mm_model config write"
    assert settings["outs"] == ["data/${profile}/settings.json"]
    listed = stages["subject"]
    assert set(listed) == {"foreach", "do"}
    stages["subject"] = listed["do"]
    for name, entry in stages.items():
        files = [file for one in entry["params"] for file in one]
        assert files == settings["outs"] + ["subjects.yaml"] * (name == "subject")
        place = f"data/${{profile}}/{name}" + "/${key}" * (name == "subject")
        # embeddings go to a place of their own, where an object store is named
        assert entry["outs"] == ([{place: {"remote": "likeness"}}] if name in LIKENESS else [place])
        assert set(entry) == {"cmd", "deps", "params", "outs"}


def test_groups_and_the_gpu_pool() -> None:
    assets = defs.resolve_asset_graph()
    for group, names in GROUPS.items():
        for name in names:
            node = assets.get(dg.AssetKey(name))
            assert node.group_name == group
            assert (node.pools or set()) == ({"gpu"} if name in GPU else set())
    assert len(assets.get_all_asset_keys()) == sum(map(len, GROUPS.values()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", {*stages.NAMES, stages.SUBJECT, "study"}),
        ("group:data", GROUPS["data"]),
        ("key:finetune+", {"finetune", "evaluate", "register", "study"}),
        ("+key:ingest and not group:inputs", {"sources", "ingest"}),
        (
            'kind:"pytorch" or key:register',
            {"precompute", "pretrain", "finetune", "evaluate", "register", "subject", "study"},
        ),
    ],
)
def test_string_selections_parse_beside_dvc(text: str, expected: set[str]) -> None:
    chosen = dg.AssetSelection.from_string(text).resolve(defs.resolve_asset_graph())
    assert {key.to_user_string() for key in chosen} == expected


def test_every_launcher_uses_one_location_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    by_module = ModuleTarget("orchestration.definitions", None, str(root), None)
    by_file = WorkspaceFileTarget(["workspace.yaml"])
    names = [
        origin.location_name
        for target in (by_module, by_file)
        for origin in target.create_origins()
    ]
    assert names == ["orchestration.definitions"] * 2


def test_loading_the_definitions_is_light(root: Path) -> None:
    heavy = [
        "torch",
        "mlflow",
        "great_expectations",
        "diffusers",
        "transformers",
        "insightface",
        "onnxruntime",
        "decord",
        "av",
        "dvc",
    ]
    code = (
        "import json, sys, orchestration.definitions;"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
    assert "Warning" not in done.stderr
