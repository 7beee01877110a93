"""Code that changed since a stage ran is told by Dagster and by `make run`, and STRICT runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mm_model.store import manifest
from orchestration import by_code, definitions, jobs
from orchestration.dvc_client import DvcStageClient
from tests.graph.conftest import REPOSITORY, STAGES, Tree

pytestmark = [pytest.mark.slow, pytest.mark.capability("STRICT=1", scale="T")]

CHANGES = {
    "nn/magic_mirror/block.py": ("base + can_scale *", "base - 5 * can_scale *"),
    "media/sniff.py": ('_AVIF_BRANDS = {b"avif", ', "_AVIF_BRANDS = {"),
    "metrics/identity.py": ("mean(", "max("),
}

NOT_SERVED = {
    "nn/cogvideox/rotary.py": ('"max_size": base,', '"max_size": (*base,),'),
    "media/examine.py": ("pixels > limits.max_pixels", "pixels >= limits.max_pixels"),
    "metrics/identity.py": CHANGES["metrics/identity.py"],
}
"""Lines whose change neither runs an evaluation again nor stops a registration."""


def _run(tree: Tree, **tags: str) -> tuple[DvcStageClient, dict[str, dg.AssetCheckEvaluation]]:
    """A run of everything as `make run` makes it; the checks `code` by stage."""
    client = tree.client
    client.look()
    job = definitions.build(client).resolve_job_def(jobs.EVERYTHING)
    result: Any = job.execute_in_process(
        instance=tree.instance,
        raise_on_error=False,
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success
    checks = result.get_asset_check_evaluations()
    return client, {
        check.asset_key.to_user_string(): check for check in checks if check.check_name == "code"
    }


def _failed(checks: dict[str, dg.AssetCheckEvaluation]) -> set[str]:
    return {stage for stage, check in checks.items() if not check.passed}


def test_three_changed_lines_are_told_with_their_stages(done: Tree) -> None:
    for name, (old, new) in CHANGES.items():
        done.change_code(name, old, new)
    client, checks = _run(done)
    assert done.executed() == [], "a version counts, not every line"
    assert set(checks) == set(STAGES)
    assert _failed(checks) == {
        "ingest",
        "faces",
        "pairs",
        "precompute",
        "pretrain",
        "finetune",
        "evaluate",
    }
    assert all(check.severity is dg.AssetCheckSeverity.WARN for check in checks.values())
    assert "mm_model/media/sniff.py" in checks["ingest"].description
    assert "block.py" not in checks["ingest"].description, "it imports no network"
    assert "make run STRICT=1" in checks["ingest"].description
    assert "mm_model/nn/magic_mirror/block.py: " in checks["finetune"].metadata["files"].value
    assert "metrics/identity.py" not in checks["finetune"].description
    words = "\n".join(by_code.warning((one.stage, one.code) for one in client.finished))
    for name in CHANGES:
        assert f"mm_model/{name}" in words
    assert "  precompute, pretrain, finetune: made by other code than lies here now: " in words
    assert "'make run STRICT=1' makes them again" in words


def test_strict_runs_what_other_code_made_and_what_follows(done: Tree) -> None:
    before = manifest.read(done.root / "data/tiny/evaluate")
    done.change_code("metrics/identity.py", *CHANGES["metrics/identity.py"])
    client, checks = _run(done, **{by_code.STRICT_TAG: "1"})
    assert done.executed() == ["evaluate", "register"]
    assert _failed(checks) == set()
    assert {one.stage for one in client.finished if one.how == "computed"} == {
        "evaluate",
        "register",
    }
    after = manifest.read(done.root / "data/tiny/evaluate")
    assert (after.digest == before.digest) and after.code != before.code
    assert done.is_clean()


def test_what_the_run_cache_restores_is_judged_too(done: Tree) -> None:
    """DVC's run cache knows no code: it gives back the newest result of equal inputs."""
    old, new = CHANGES["metrics/identity.py"]
    done.change_code("metrics/identity.py", old, new)
    done.dagster("evaluate", **{by_code.STRICT_TAG: "1"})
    done.change_code("metrics/identity.py", new, old)
    done.set("evaluate", "people", 3)
    done.dagster("evaluate")
    shutil.copy(REPOSITORY / "profiles" / "tiny.yaml", done.root / "profiles")
    done.executed()
    result = done.dagster("evaluate")
    assert done.executed() == []
    (materialized,) = result.asset_materializations_for_node("evaluate")
    assert materialized.metadata["how"].value == "restored"
    (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == "code")
    assert not check.passed and "metrics/identity.py" in check.description
    result = done.dagster("evaluate", **{by_code.STRICT_TAG: "1"})
    assert done.executed() == ["evaluate"]
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_the_sensor_tells_a_change_once_without_a_run(done: Tree) -> None:
    done.tick_outside_runs()
    done.change_code("metrics/identity.py", *CHANGES["metrics/identity.py"])
    assert done.tick_outside_runs() == 1, "of all that it told before nothing is told again"
    key = dg.AssetCheckKey(dg.AssetKey("evaluate"), "code")
    record = done.instance.get_latest_asset_check_evaluation_record(key)
    assert "mm_model/metrics/identity.py" in record.event.asset_check_evaluation.description
    assert done.tick_outside_runs() == 0
    assert done.stale() == {}, "its version says that it counts as fresh"


def test_an_output_from_before_is_of_unknown_code(done: Tree) -> None:
    folder = done.root / "data/tiny/register"
    known = manifest.read(folder)
    manifest.seal(
        folder,
        manifest.Manifest(
            known.stage,
            known.version,
            known.fingerprint,
            known.inputs,
            known.settings_digest,
            known.report,
        ),
    )
    assert by_code.warning([("register", _look(done, "register"))])[1] == (
        "  register: made before its code was recorded"
    )


def _look(tree: Tree, stage: str) -> Any:
    from mm_model.store.layout import Layout

    return by_code.look(Layout(tree.root, "tiny"), stage, tree.package)


@pytest.mark.parametrize("word", ["yes", "2"])
def test_a_word_that_means_nothing_is_refused_before_anything_runs(done: Tree, word: str) -> None:
    result = done.dagster("sources", **{by_code.STRICT_TAG: word})
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    said = event.step_failure_data.user_failure_data.description
    assert said == f"{by_code.STRICT_TAG}={word} means nothing: give 1, or leave it out."


def _front_door(tree: Tree, home: Path, **environment: str) -> str:
    """What `make run` starts, from a checkout whose code the tree's stages run."""
    checkout = tree.package.parent
    for name in ("assets", "orchestration"):
        shutil.copytree(
            REPOSITORY / name,
            checkout / name,
            dirs_exist_ok=True,
            ignore=lambda *_: ["__pycache__"],
        )
    shutil.copy(REPOSITORY / "dvc.yaml", checkout)
    ran = subprocess.run(
        [sys.executable, "-m", "orchestration.run"],
        cwd=checkout,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "MM_ROOT": str(tree.root),
            "DAGSTER_HOME": str(home),
            "PYTHONPATH": str(checkout),
            **environment,
        },
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.minutes
def test_make_run_warns_and_strict_mends(done: Tree, tmp_path: Path) -> None:
    done.behave(register="real")
    for name, (old, new) in NOT_SERVED.items():
        done.change_code(name, old, new)
    said = _front_door(done, tmp_path / "home")
    assert done.executed() == ["register"], "what the toy registered stands in no registry"
    assert said.count("unchanged") == 8
    warning = said[said.index("Warning: ") :]
    for name in NOT_SERVED:
        assert f"mm_model/{name}" in warning
    assert "'make run STRICT=1' makes them again" in warning
    said = _front_door(done, tmp_path / "home", MM_STRICT="1")
    assert done.executed() == list(STAGES[1:])
    assert "Warning" not in said
    assert "[ingest] made by other code than lies here now: mm_model/media/examine.py" in said
