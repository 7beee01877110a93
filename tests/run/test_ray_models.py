"""Stages that compute with models, on a Ray cluster of two nodes: the bytes of one machine."""

import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.tree import Tree
from mm_model.evaluate.examination import ClipBatch, Examination, controls, examine
from mm_model.precompute import workers
from mm_model.quality import audit
from mm_model.run.pools.table import VARIABLE, open_heavy
from mm_model.settings import load_params, load_profile
from mm_model.store import digests
from tests.run.ray_tree import run_alone

pytest.importorskip("ray", reason="no ray here (make ray)")
pytestmark = [
    pytest.mark.capability("Ray", scale="T"),
    pytest.mark.usefixtures("on_ray"),
    pytest.mark.slow,
]


def test_what_training_reads_is_encoded_on_nodes_with_the_same_bytes(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run on the cluster is cut off at its end; one machine goes on with the nodes' shards."""
    tree.set("run", threads=1)
    tree.set("pairs", synthesizer="none", kinds=["self_reference"])
    tree.set("precompute", shard_mb=1, row_floor=1)
    run_alone(tree, "sources", "ingest", "faces", "pairs", "precompute")
    alone = tree.output("precompute").rename(tree.root / "alone")
    shutil.rmtree(tree.root / "work")
    with monkeypatch.context() as far:
        far.setattr(workers, "load_backbone", lambda *_: pytest.fail("loaded here"))
        far.setattr(audit, "audit", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            tree.run("precompute")
    (work,) = (tree.root / "work" / "tiny" / "precompute").iterdir()
    files = [path.relative_to(work / "out") for path in (work / "out").rglob("*")]
    assert {str(path.parent) for path in files if path.suffix == ".tar"} == {"pictures", "clips"}
    shards = [path for path in files if path.suffix == ".tar"]
    assert (
        len(shards) > 2 and Path("sheet.jpg") in files and Path("empty_text.safetensors") in files
    )
    for file in files:
        if (alone / file).is_file():
            assert (work / "out" / file).read_bytes() == (alone / file).read_bytes(), file
    monkeypatch.setattr(workers.shards, "write", lambda *_: pytest.fail("made again"))
    run_alone(tree, "precompute")
    assert digests.of_folder(tree.output("precompute")) == digests.of_folder(alone)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_cells_of_an_evaluation_are_made_and_judged_on_nodes_with_the_same_bytes(
    tree: Tree, tmp_path: Path
) -> None:
    tree.set("run", threads=1)
    tree.set("evaluate", people=2, clips_per_person=1, inference_steps=2)
    run_alone(tree, "sources", "ingest", "faces")
    profile, params = load_profile(tree.root, "tiny"), load_params(tree.root)
    trained = _fresh(profile, tree.root / params.backbone, tmp_path / "trained")
    folders = {stage: tree.output(stage) for stage in ("ingest", "faces")}
    told = {}
    for name in ("local", "ray"):
        job: Any = SimpleNamespace(
            profile=profile,
            inputs=folders | dict.fromkeys(("pretrain", "finetune"), trained),
            out=tmp_path / name,
            model=lambda part: tree.root / getattr(params, part),
        )
        with pytest.MonkeyPatch.context() as chosen:
            chosen.setenv(VARIABLE, name)
            told[name] = _examined(Examination(job), profile.run)
    assert told["ray"] == told["local"] and "finetune/" in told["ray"]
    assert digests.of_folder(tmp_path / "ray") == digests.of_folder(tmp_path / "local")
    assert len(list((tmp_path / "ray" / "videos").iterdir())) >= 5


def _fresh(profile: Any, backbone: Path, folder: Path) -> Path:
    """An adapter as a training starts with it, where one would have left its own."""
    from mm_model.generation.backbone import load_backbone
    from mm_model.train.start import fresh_adapter

    job: Any = SimpleNamespace(profile=profile)
    loaded = load_backbone(backbone, profile.run)
    fresh_adapter(job, loaded).save_pretrained(folder / "adapter")
    return folder


def _examined(exam: Examination, run: Any) -> str:
    """All that comes back of some batches: two models, and the controls."""
    people = exam.held_out[0]
    each = [tuple((place, 0) for place in range(len(people)))]
    wanted = [ClipBatch(model, model, clips) for model in ("base", "finetune") for clips in each]
    with closing(open_heavy(exam, run)) as pool:
        found = [one for part in pool.map(examine, [*wanted, *controls(people)]) for one in part]
    return "\n".join(
        f"{cell} {digests.of_bytes(one.stills.tobytes())}" for one in found for cell in one.cells
    )
