"""What was made in one tree is pushed to an object store, pulled into another, and runs no more."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mm_model.store.streamed import StoredFiles
from orchestration.dvc_command import environment
from tests.graph import stores
from tests.graph.conftest import STAGES, Tree
from tests.graph.stores import SECRET, Store

pytestmark = [pytest.mark.slow, pytest.mark.capability("object store", scale="T")]
URL = "s3://people/work"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with stores.s3(tmp_path_factory.mktemp("server"), "people", "faces") as running:
        yield running


@pytest.fixture
def store(server: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """The running server with empty buckets, and a user who has a key."""
    for bucket in ("people", "faces"):
        for key in server.keys(bucket):
            server.client.delete_object(Bucket=bucket, Key=key)
    stores.be_user(monkeypatch, tmp_path)
    return server


def ask(tree: Tree, *words: str) -> tuple[int, str]:
    """One command of the object store as make calls it: its status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.remote", *words],
        cwd=tree.root,
        env=environment(tree.root) | {"DAGSTER_HOME": str(tree.root / "work" / "dagster")},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def named(tree: Tree, store: Store, url: str = URL) -> Tree:
    status, said = ask(tree, "set", f"--url={url}", f"--endpoint={store.endpoint}")
    assert status == 0, said
    return tree


def well(tree: Tree, *words: str) -> str:
    status, said = ask(tree, *words)
    assert status == 0, said
    return said


def stopped(tree: Tree, *words: str) -> str:
    status, said = ask(tree, *words)
    assert status == 1 and said.count("Stopped: ") == 1, said
    return said.split("Stopped: ")[1].strip()


def clone(tree: Tree, place: Path) -> Tree:
    """A second clone, as git makes it, with the inputs that git does not keep."""
    subprocess.run(["git", "clone", "-q", str(tree.root), str(place)], check=True)
    shutil.copytree(tree.root / "weights", place / "weights", dirs_exist_ok=True)
    return Tree(place)


def contents(tree: Tree) -> dict[str, bytes]:
    data = tree.root / "data"
    return {
        path.relative_to(data).as_posix(): path.read_bytes()
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.name != ".gitignore"
    }


def read_there(tree: Tree, store: Store, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bytes of the tree's shard as a training finds them in the store."""
    monkeypatch.setenv("MM_SHARDS", f"{URL}/likeness")
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    files = StoredFiles.of(tree.root, tree.root / "data" / "tiny" / "precompute")
    monkeypatch.delenv("MM_SHARDS")
    return files.store.read(files.object_of("pictures/shard-000000.tar"))


def test_what_one_tree_made_another_has(
    done: Tree, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = well(named(done, store), "push")
    assert "Pushed profile tiny" in said
    settings = f"MM_SHARDS={URL}/likeness AWS_ENDPOINT_URL={store.endpoint}"
    assert f"A training may read its shards there: {settings}." in said
    assert read_there(done, store, monkeypatch) == b"toy shard"
    other = named(clone(done, tmp_path / "other"), store)
    assert not (other.root / "data").exists()
    well(other, "pull")
    assert contents(other) == contents(done) and len(contents(other)) > len(STAGES)
    assert (other.root / "dvc.lock").read_bytes() == (done.root / "dvc.lock").read_bytes()
    assert other.is_clean()
    other.dvc("repro")
    assert other.executed() == []
    assert set(other.stale()) == set(STAGES), "Dagster has not looked yet"
    other.tick_outside_runs()
    assert other.stale() == {}
    assert other.dagster().success and other.executed() == []
    git = ["git", "-C", str(other.root), "status", "--porcelain"]
    assert subprocess.run(git, capture_output=True, text=True).stdout == " M dvc.lock\n"


@pytest.mark.endurance
@pytest.mark.capability("shards from a store", scale="T")
def test_shards_may_stay_in_the_store(
    done: Tree, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well(named(done, store), "push")
    other = named(clone(done, tmp_path / "other"), store)
    said = well(other, "pull", "--without-shards")
    settings = f"MM_SHARDS={URL}/likeness AWS_ENDPOINT_URL={store.endpoint}"
    assert f"The shards of training stay there: read them with {settings}." in said
    whole = contents(done)
    shard = whole.pop("tiny/precompute/pictures/shard-000000.tar")
    assert contents(other) == whole
    assert read_there(other, store, monkeypatch) == shard
    well(other, "pull")
    assert contents(other) == contents(done) and other.is_clean()


def test_each_output_has_its_place(done: Tree, store: Store) -> None:
    apart = ["set", f"--url={URL}", "--likeness=s3://faces/likeness"]
    well(done, *apart, f"--endpoint={store.endpoint}")
    well(done, "push")
    held = {path.name for path in (done.root / ".dvc/cache/files/md5").glob("*/*")}
    faces = [key for key in store.keys("faces") if key.startswith("likeness/files/md5/")]
    people = [key for key in store.keys("people") if key.startswith("work/files/md5/")]
    assert {key.rsplit("/")[-1] for key in faces + people} == held
    lock = (done.root / "dvc.lock").read_text()
    folders = {"".join(key.split("/")[-2:]) for key in faces if key.endswith(".dir")}
    for stage in ("faces", "precompute"):
        place = f"data/tiny/{stage}\n      hash: md5\n      md5: "
        assert lock.partition(place)[2].split()[0] in folders
    assert store.keys("people", "work/locks") == ["work/locks/tiny/dvc.lock"]


@pytest.mark.endurance
def test_push_and_pull_go_on_where_they_were_broken_off(
    done: Tree, store: Store, tmp_path: Path
) -> None:
    named(done, store)
    for name in ("settings", "sources", "faces"):
        done.dvc("push", name)
    sent = store.keys("people")
    assert sent and not store.keys("people", "work/locks")
    other = named(clone(done, tmp_path / "other"), store)
    assert "Nothing of profile tiny lies in s3://people/work" in stopped(other, "pull")
    well(done, "push")
    keys = store.keys("people", "work/files")
    folder = next(key for key in keys if key.endswith(".dir"))
    file = next(key for key in keys if not key.endswith(".dir"))
    store.client.delete_object(Bucket="people", Key=folder)
    store.client.put_object(Bucket="people", Key=file, Body=b"not what it was")
    assert "lacks 1 objects that its lock names, first that of data/tiny/" in stopped(other, "pull")
    well(done, "push")
    store.client.put_object(Bucket="people", Key=file, Body=b"not what it was")
    assert f"delete {file.removeprefix('work/')} in the store" in stopped(other, "pull")
    assert not (other.root / "data").exists(), "nothing changes before all is there"
    assert (other.root / "dvc.lock").read_text() == "schema: '2.0'\nstages: {}\n"
    well(done, "push")
    well(other, "pull")
    assert contents(other) == contents(done)


@pytest.mark.endurance
def test_a_tree_that_ran_otherwise_loses_nothing(done: Tree, store: Store, tmp_path: Path) -> None:
    well(named(done, store), "push")
    pushed = contents(done)
    other = named(clone(done, tmp_path / "other"), store)
    other.set("evaluate", "inference_steps", 3)
    other.dvc("repro")
    before, lock = contents(other), (other.root / "dvc.lock").read_bytes()
    assert before != pushed
    loose = other.root / "data" / "tiny" / "pairs" / "mine.txt"
    loose.write_text("written by hand")
    assert "data/tiny/pairs/mine.txt is not what any run" in stopped(other, "pull")
    assert (other.root / "dvc.lock").read_bytes() == lock and loose.is_file()
    loose.unlink()
    assert contents(other) == before
    said = well(other, "pull")
    assert contents(other) == pushed
    kept = next(word for word in said.split() if word.startswith("work/locks/"))
    shutil.copy(other.root / kept, other.root / "dvc.lock")
    other.dvc("checkout")
    assert contents(other) == before


def test_what_is_withdrawn_leaves_the_store(done: Tree, store: Store, tmp_path: Path) -> None:
    well(named(done, store), "push")
    other_profile = named(clone(done, tmp_path / "other"), store)
    shutil.copy(done.root / "profiles/tiny.yaml", other_profile.root / "profiles/second.yaml")
    params = (other_profile.root / "params.yaml").read_text()
    (other_profile.root / "params.yaml").write_text(params.replace("tiny", "second"))
    assert "there are tiny" in stopped(other_profile, "pull")
    first = set(store.keys("people")) | set(store.keys("faces"))
    done.set("evaluate", "inference_steps", 3)
    done.dvc("repro")
    assert "make push" in stopped(done, "prune"), "the lock there is another"
    well(done, "push")
    assert first < set(store.keys("people"))
    said = well(done, "prune")
    after = set(store.keys("people"))
    assert f"Deleted from {URL}: " in said and first - after
    named_now = {path.name for path in (done.root / ".dvc/cache/files/md5").glob("*/*")}
    assert {key.rsplit("/")[-1] for key in after if "/files/" in key} == named_now
    well(named(clone(done, tmp_path / "third"), store), "pull")
    assert contents(Tree(tmp_path / "third")) == contents(done)
