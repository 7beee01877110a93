"""Listed subjects: stages of DVC that no graph names one by one, and partitions in Dagster."""

import contextlib
import time
from pathlib import Path

import dagster as dg
import pytest
import yaml

from mm_model.errors import UserError
from mm_model.run import stages
from mm_model.settings.listed import SEGMENTERS
from orchestration import dvc_inputs, everything, forget, home, jobs, subjects
from orchestration.objects import Cache, outputs, plain, unlisted
from tests.graph.conftest import Tree

pytestmark = pytest.mark.capability("tokens of a subject", scale="L")


_ONE = (
    "subject_base: weights/backbone\nsubjects:\n"
    "  rex: {folder: subjects/rex, kind: animal, word: dog, "
)


def listing_of(tree: Tree, **listed: str) -> None:
    """List subjects of that kind and plant a photograph for each new one."""
    said = {
        name: {"folder": f"subjects/{name}", "kind": kind, "word": "thing"}
        for name, kind in listed.items()
    }
    text = yaml.safe_dump({"subject_base": "weights/backbone", "subjects": said})
    (tree.root / "subjects.yaml").write_text(text)
    for name in listed:
        photos = tree.root / "subjects" / name / "photos"
        if not photos.is_dir():
            photos.mkdir(parents=True)
            (photos / "0.jpg").write_text(name)


def run(tree: Tree, name: str) -> dg.ExecuteInProcessResult:
    subjects.listed(tree.root, tree.instance)
    return (
        tree.definitions()
        .resolve_job_def(jobs.SUBJECTS)
        .execute_in_process(
            instance=tree.instance,
            partition_key=name,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    )


def test_only_the_subject_whose_photographs_changed_is_learned_again(done: Tree) -> None:
    listing_of(done, rex="animal", cup="object")
    done.dvc("repro")
    assert sorted(done.executed()) == ["subject@cup", "subject@rex"] and done.is_clean()
    assert (done.root / "data/tiny/subject/rex/manifest.json").is_file()
    (done.root / "subjects/cup/photos/1.jpg").write_text("another")
    done.dvc("repro")
    assert done.executed() == ["subject@cup"]
    listing_of(done, rex="person", cup="object")
    done.dvc("repro")
    assert done.executed() == ["subject@rex"], "its kind was changed"
    (done.root / SEGMENTERS / "matte.tflite").write_text("weights")
    done.dvc("repro", "subject@cup")
    assert done.executed() == ["subject@cup"], "another network lies on the shelf"


def test_a_partition_is_learned_recorded_and_not_learned_twice(done: Tree) -> None:
    listing_of(done, rex="animal", cup="object")
    result = run(done, "rex")
    assert result.success and done.executed() == ["subject@rex"]
    made = done.instance.get_materialized_partitions(dg.AssetKey("subject"))
    assert made == {"rex"}
    assert run(done, "rex").success and done.executed() == []
    assert run(done, "cup").success and done.executed() == ["subject@cup"]


def test_one_that_fails_keeps_no_other_from_its_turn(
    done: Tree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listing_of(done, bad="animal", cup="object")
    done.behave(**{"subject@bad": "audit"})
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    home.prepare(done.root)
    with pytest.raises(UserError, match="The audit of subject@bad failed"):
        everything.run(done.root, time.monotonic())
    lines = capsys.readouterr().out.splitlines()
    told = {line.split()[0]: line.split()[1] for line in lines if line.startswith("  ")}
    assert told["subject@cup"] == "computed" and "register" in told
    assert "subject@bad" not in told
    assert not (done.root / "data/tiny/subject/bad").exists()
    assert (done.root / "data/tiny/subject/cup/manifest.json").is_file()


def test_a_plain_repro_is_recorded_subject_by_subject(done: Tree) -> None:
    listing_of(done, rex="animal", cup="object")
    done.dvc("repro")
    subjects.listed(done.root, done.instance)
    assert done.tick_outside_runs()
    made = done.instance.get_materialized_partitions(dg.AssetKey("subject"))
    assert made == {"rex", "cup"}


def tick(tree: Tree, name: str) -> dg.SensorResult | dg.SkipReason:
    sensor = tree.definitions().resolve_sensor_def(name)
    with dg.build_sensor_context(tree.instance, resources={"stages": tree.client}) as context:
        return sensor(context)


def test_the_list_makes_and_takes_partitions(done: Tree) -> None:
    listing_of(done, rex="animal", cup="object")
    (asked,) = tick(done, "listed_subjects").dynamic_partitions_requests
    assert set(asked.partition_keys) == {"rex", "cup"}
    subjects.listed(done.root, done.instance)
    assert isinstance(tick(done, "listed_subjects"), dg.SkipReason)
    listing_of(done, cup="object")
    (asked,) = tick(done, "listed_subjects").dynamic_partitions_requests
    assert isinstance(asked, dg.DeleteDynamicPartitionsRequest)
    assert list(asked.partition_keys) == ["rex"]
    (done.root / "subjects.yaml").write_text("subjects: 3\n")
    assert "subjects.yaml" in str(tick(done, "listed_subjects").skip_message)


def test_new_photographs_are_learned_when_they_lie_still(
    done: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing_of(done, rex="animal", cup="object")
    assert run(done, "rex").success
    assert "arrive" in str(tick(done, "new_photographs").skip_message), "they came just now"
    later = subjects.runs.now() + 301
    monkeypatch.setattr(subjects.runs, "now", lambda: later)
    asked = {one.partition_key for one in tick(done, "new_photographs").run_requests}
    assert asked == {"cup"}
    (done.root / "subjects/rex/photos/0.jpg").unlink()  # a removal counts too
    asked = {one.partition_key for one in tick(done, "new_photographs").run_requests}
    assert asked == {"rex", "cup"}
    monkeypatch.setattr(subjects.runs, "under_way", lambda _: True)
    assert "Another run" in str(tick(done, "new_photographs").skip_message)


def test_a_store_takes_only_what_is_listed(done: Tree) -> None:
    listing_of(done, rex="animal")
    done.dvc("repro", "subject@rex")
    lock = (done.root / "dvc.lock").read_bytes()
    (rex,) = (one for one in outputs(lock) if one.stage == "subject@rex")
    assert rex.remote == "likeness"
    assert unlisted(outputs(lock), ["subject@rex"]) == []
    assert unlisted(outputs(lock), ["subject@cup"]) == [rex]
    assert "subject-of-rex" in yaml.safe_load(plain(lock))["stages"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("subject_base: weights/backbone\nsubjects: {Rex: {}}\n", "subjects.Rex"),
        ("subject_base: weights/backbone\nsubjects: {R\u00e9x: {}}\n", "small letters, digits"),
        ("subject_base: weights/backbone\nsubjects:\n  12: {}\n", "subjects.12: it should be text"),
        ("subjects: {}\n", "subject_base is missing"),
        (
            "subject_base: weights/backbone\nsubjects:\n"
            "  rex: {folder: subjects/rex, kind: dog, word: dog}\n",
            "subjects.rex.kind",
        ),
        (_ONE + "segment: sam}\n", "subjects.rex.segment: "),
        (_ONE + "segment: face}\n", "segment: face is for persons"),
        (
            _ONE + "segment: grounded-sam, sam: weights/segmenters/sam}\n",
            "grounded-sam and detector",
        ),
        (_ONE + "matte: weights/segmenters/a.tflite}\n", "segment: matte and matte go together"),
        (
            _ONE + "segment: grounded-sam, detector: weights/segmenters/d, sam: /models/sam}\n",
            "sam lies outside weights/segmenters: put it there",
        ),
    ],
)
def test_a_wrong_list_is_one_sentence(fresh: Tree, said: str, told: str) -> None:
    (fresh.root / "subjects.yaml").write_text(said)
    with pytest.raises(UserError, match=told.replace(".", r"\.")) as error:
        stages.listed(fresh.root)
    assert "subjects.yaml" in str(error.value)
    Path(fresh.root / "subjects.yaml").unlink()
    assert stages.listed(fresh.root) == ()


@pytest.mark.parametrize("name", ["", ".", "..", "*", "../pairs", "rex/..", "re?"])
def test_what_is_no_name_forgets_nobody(tmp_path: Path, name: str) -> None:
    """A name looks for folders, so that a slip of it would take everybody's."""
    tokens = tmp_path / "data/tiny/subject/rex/tokens.safetensors"
    tokens.parent.mkdir(parents=True)
    tokens.write_text("tokens")
    with pytest.raises(UserError, match="nothing was removed"):
        list(forget.subject(tmp_path, name))
    assert tokens.read_text() == "tokens"


def test_what_is_forgotten_is_nowhere(done: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    listing_of(done, rex="animal", cup="object")
    done.dvc("repro")
    other = {one.digest for one in outputs((done.root / "dvc.lock").read_bytes())}
    (done.root / "subjects/rex/photos/1.jpg").write_text("another")
    done.dvc("repro")
    with pytest.raises(UserError, match="take it out there"):
        list(forget.subject(done.root, "rex"))
    listing_of(done, cup="object")
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: contextlib.nullcontext(done.instance))
    told = list(forget.subject(done.root, "rex"))
    assert "Forgot rex" in told[0]
    left = [path for path in done.root.rglob("*rex*") if "subjects" not in path.parts]
    assert not left
    text = b"".join(p.read_bytes() for p in (done.root / ".dvc/cache").rglob("*") if p.is_file())
    assert b"subject@rex" not in text, "neither of the two learnings stays in the cache"
    assert b"subject@cup" in text and other
    assert b"rex" not in (done.root / "dvc.lock").read_bytes()
    assert done.is_clean()
    cache, lock = Cache(done.root / ".dvc/cache/files/md5"), (done.root / "dvc.lock").read_bytes()
    named = [one for out in outputs(lock) for one, _ in cache.objects(out)]
    assert len(named) > 20 and all(map(cache.holds, named)), "what others share with it stays"
    assert list(forget.subject(done.root, "rex")) == ["Nothing of rex lay here."]


def test_a_folder_that_is_gone_is_told_before_dvc_meets_it(fresh: Tree) -> None:
    listing_of(fresh, rex="animal")
    dvc_inputs.check(fresh.root, subjects=("subject@rex",))
    (fresh.root / "subjects" / "rex").rename(fresh.root / "elsewhere")
    with pytest.raises(UserError, match=r"subjects/rex \(subjects.yaml: folder\) does not exist"):
        dvc_inputs.check(fresh.root, subjects=("subject@rex",))
    dvc_inputs.check(fresh.root)  # keeps no other stage from its turn
