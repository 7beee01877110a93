"""Source drops: what came into the source folder together, and what the stages made of it."""

import hashlib
import json
import time
from pathlib import Path

import dagster as dg
import pytest

from mm_model.commands import cli
from mm_model.records import FACES_COLUMNS, INGEST_COLUMNS, SOURCES_COLUMNS
from mm_model.store import manifest, tables
from mm_model.store.layout import Layout
from orchestration import drops
from tests.graph.conftest import Tree

pytestmark = pytest.mark.capability("Dagster over DVC", scale="T")


def arrive(tree: Tree, *names: str) -> None:
    """Files come together, longer after those before than the profile's time of quiet."""
    time.sleep(1.5)
    for name in names:
        path = tree.root / "raw" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)


def decided(tree: Tree, **fates: str) -> None:
    """The tables of the three stages: a file's stem to `kept`, or to stage, status and reason."""
    rows = [dict(zip(("stage", "status", "reason"), said.split(), strict=False), stem=stem)
            for stem, said in fates.items()]  # fmt: skip
    for stage, table, columns in (
        ("sources", "inventory.parquet", SOURCES_COLUMNS),
        ("ingest", "samples.parquet", INGEST_COLUMNS),
        ("faces", "samples.parquet", FACES_COLUMNS),
    ):
        here = []
        for row in rows:
            name = f"ann/{row['stem']}.jpg"
            known = {"source_id": hashlib.sha256(name.encode()).hexdigest()[:16]}
            known["sample_id"] = f"sample of {row['stem']}"
            said = {"status": "kept", "reason": None}
            if row["stage"] == stage:
                said = {"status": row["status"], "reason": row["reason"]}
            here.append({k: v for k, v in (known | said).items() if k in columns})
        rows = [row for row in rows if row["stage"] != stage]
        folder = Layout(tree.root, "tiny").output(stage)
        tables.write(folder / table, here, columns, tables.DECISION_TYPES)
        (folder / manifest.NAME).write_text(f"{stage} of {fates}")


def tick(tree: Tree, cursor: str | None = None) -> dg.SensorResult:
    """One tick, carried out as the daemon would."""
    with dg.build_sensor_context(
        tree.instance,
        cursor=cursor,
        resources={"stages": tree.client},
        definitions=tree.definitions(),
    ) as context:
        said = drops.source_drops.evaluate_tick(context)
    for request in said.dynamic_partitions_requests or ():
        if isinstance(request, dg.AddDynamicPartitionsRequest):
            tree.instance.add_dynamic_partitions("drops", list(request.partition_keys))
        else:
            for key in request.partition_keys:
                tree.instance.delete_dynamic_partition("drops", key)
    for event in said.asset_events:
        tree.instance.report_runless_asset_event(event)
    return said


def told(tree: Tree, key: str) -> dict[str, object]:
    """What Dagster's page says of a drop."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey("drop"), asset_partitions=[key])
    (record,) = tree.instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    return {name: one.value for name, one in record.asset_materialization.metadata.items()}


@pytest.fixture
def dropped(fresh: Tree) -> Tree:
    """A tree with an older file and two drops, of which the stages decided."""
    fresh.set("automation", "quiet_seconds", 1.0)
    arrive(fresh, "ann/a.jpg", "ann/b.jpg", "ann/b.txt")
    arrive(fresh, "ann/c.jpg", "ann/d.jpg", "ann/e.jpg")
    decided(
        fresh,
        a="nowhere",
        b="faces rejected FACE_NONE",
        c="ingest failed SYS_TIMEOUT",
        d="sources rejected IO_UNREADABLE",
        e="nowhere",
    )
    return fresh


def test_each_arrival_is_a_partition_that_says_what_became_of_it(dropped: Tree) -> None:
    first = tick(dropped)
    assert first.skip_message == "3 arrivals have another account than before."
    before, ann, more = dropped.instance.get_dynamic_partitions("drops")
    assert before < ann < more
    assert told(dropped, before)["not read yet"] == 1, "no stage knows of it"
    said = told(dropped, ann)
    assert [said[name] for name in ("files", "kept", "rejected", "failed")] == [3, 1, 1, 0]
    assert (said["not read yet"], said["beside (captions, lists, archives)"]) == (0, 1)
    assert "| rejected | FACE_NONE | 1 |" in str(said["reasons"])
    said = told(dropped, more)
    assert (said["kept"], said["rejected"], said["failed"]) == (1, 1, 1)
    assert "| failed | SYS_TIMEOUT | 1 |" in str(said["reasons"])
    assert not tick(dropped, first.cursor).asset_events, "it looks again when a stage has run"


def test_only_what_is_otherwise_is_told_again_and_what_went_is_gone(dropped: Tree) -> None:
    first = tick(dropped)
    _, ann, _ = dropped.instance.get_dynamic_partitions("drops")
    decided(dropped, a="nowhere", b="nowhere", e="nowhere")
    (dropped.root / "raw" / "first").unlink()
    (dropped.root / "raw/ann/c.jpg").unlink()
    second = tick(dropped, first.cursor)
    keys = dropped.instance.get_dynamic_partitions("drops")
    assert ann in keys and len(keys) == 2, "the arrival of which nothing is left has no partition"
    assert told(dropped, ann)["kept"] == 2
    assert ann in [event.partition for event in second.asset_events]
    assert not tick(dropped).asset_events, "a lost cursor tells nothing twice"


def test_the_command_says_the_same(
    dropped: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MM_ROOT", str(dropped.root))
    assert cli.main(["drops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "3 files = 1 kept + 1 rejected (FACE_NONE 1) + 0 failed + 0 not read yet" in lines[1]
    assert lines[1].endswith(" + 1 beside (captions, lists, archives)")
    assert cli.main(["drops", "--json"]) == 0
    assert [one["files"] for one in json.loads(capsys.readouterr().out)] == [1, 3, 3]


def test_a_recipe_has_no_arrivals(fresh: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    params: Path = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("sources: raw", "sources: profiles/tiny.yaml"))
    assert "not a folder" in str(tick(fresh).skip_message)
