"""A tree and its books are saved by one command, and restored whole into an empty clone."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mm_model.errors import BusyError, UserError
from mm_model.store import lease
from mm_model.store.consents import Statement, find, path_below, record
from mm_model.store.layout import Layout
from orchestration import alerts, home
from orchestration.backup import books, databases, inventory, restoring, saving
from orchestration.team import settings as team
from tests.graph import stores
from tests.graph.conftest import REPOSITORY, Tree, _git
from tests.report import servers

pytestmark = pytest.mark.capability("backup", scale="T")
SAID = Statement("written:box-7", "I agree")


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def lived_in(grown: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree that ran on a file git does not keep, also through Dagster, and was told things."""
    root = tmp_path_factory.mktemp("lived") / "tree"
    shutil.copytree(grown, root, symlinks=True)
    _git(root, "rm", "-q", "--cached", "raw/first")
    _git(root, "commit", "-qm", "my media are not for git")
    (root / "profiles" / "local.yaml").write_text("# mine\n")
    record(path_below(root), SAID)
    alerts.tell(root, alerts.Alert("one", "Something was wrong."))
    (team.private_folder(root) / "passwords").write_text("ada:digest\n")
    team.secrets(root).write_text("A_SECRET=hidden-word\n")
    team.secrets(root).chmod(0o600)
    (root / "work" / "measured").mkdir()
    (root / "work" / "measured" / "ingest.db").write_text("made again")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        home.prepare(root)
        with dg.DagsterInstance.get() as instance:
            assert Tree(root, instance).dagster("sources", "ingest").success
    with sqlite3.connect(root / "mlflow.db") as opened:
        opened.execute("CREATE TABLE runs (name TEXT)")
        opened.execute("INSERT INTO runs VALUES ('a run')")
    (root / "mlruns" / "models").mkdir(parents=True)
    (root / "mlruns" / "models" / "MLmodel").write_text("a model")
    return Tree(root)


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "MM_CONSENTS", home.BOOKS):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def kept(lived_in: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it, by the command."""
    place = tmp_path_factory.mktemp("backups")
    done = told(lived_in.root, "save", "--to", str(place))
    assert done.returncode == 0, done.stderr
    (folder,) = [path for path in place.iterdir() if not path.name.startswith(".")]
    assert done.stdout.splitlines()[-1] == f"Saved: {folder}"
    return folder


def told(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a tree."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration.backup", *words],
        cwd=REPOSITORY,
        env=os.environ | {"MM_ROOT": str(root), "DAGSTER_HOME": str(root / "work" / "dagster")},
        capture_output=True,
        text=True,
        check=False,
    )


def clone_of(tree: Tree, target: Path) -> Path:
    """An empty clone, as git makes one."""
    subprocess.run(["git", "clone", "-q", tree.root, target], check=True)
    return target


def here(root: Path, folder: Path) -> None:
    """Restore in this process, without pages of a toy."""
    home.prepare(root)
    restoring.restore(root, folder, quiet, shown=())


def test_an_empty_clone_is_the_tree_again(lived_in: Tree, kept: Path, tmp_path: Path) -> None:
    root = clone_of(lived_in, tmp_path / "clone")
    done = told(root, "restore", "--from", str(kept))
    assert done.returncode == 0, done.stderr
    assert Tree(root).is_clean(), "nothing is to be run"
    assert (root / "raw" / "first").read_text() == "raw"
    assert (root / "profiles" / "local.yaml").read_text() == "# mine\n"
    for path in sorted((lived_in.root / "data").rglob("*")):
        if path.is_file():
            again = root / path.relative_to(lived_in.root)
            assert again.read_bytes() == path.read_bytes(), again
    assert find(path_below(root), SAID.id) == SAID
    assert stat.S_IMODE(path_below(root).stat().st_mode) == 0o600
    assert (alerts.folder(root) / "one.json").is_file() and alerts.log(root).is_file()
    with sqlite3.connect(root / "mlflow.db") as opened:
        assert opened.execute("SELECT name FROM runs").fetchall() == [("a run",)]
    assert (root / "mlruns" / "models" / "MLmodel").read_text() == "a model"
    assert stat.S_IMODE(team.folder(root).stat().st_mode) == 0o700
    assert [path.name for path in team.folder(root).iterdir()] == ["passwords"], "no secret"
    assert not (root / "work" / "measured").exists(), "what is made again stays out"
    with dg.DagsterInstance.from_config(str(root / "work" / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert run.is_finished and instance.all_logs(run.run_id)
        assert instance.get_latest_materialization_event(dg.AssetKey("ingest")) is not None


def test_a_backup_is_for_its_owner_alone(kept: Path) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_a_list_that_leads_out_of_the_backup_is_refused(
    lived_in: Tree, kept: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path / "kept"))
    said = json.loads((folder / inventory.NAME).read_text())
    del said["own_digest"]
    for name in ("tree/../../out", "/etc/out"):
        inventory.write(folder, inventory.Inventory(**said | {"files": {name: "0"}}))
        with pytest.raises(UserError, match="no place in a backup"):
            here(clone_of(lived_in, tmp_path / f"clone{len(name)}"), folder)


def test_an_object_of_the_cache_that_is_damaged_is_named(lived_in: Tree, tmp_path: Path) -> None:
    root = Path(shutil.copytree(lived_in.root, tmp_path / "tree", symlinks=True))
    objects = sorted((root / ".dvc" / "cache" / "files").rglob("*"))
    one = next(path for path in objects if path.is_file())
    one.chmod(0o644)
    one.write_bytes(b"flipped")
    home.prepare(root)
    said: list[str] = []
    (tmp_path / "to").mkdir()
    saving.save(root, tmp_path / "to", said.append)
    assert f"Damaged in DVC's cache, and saved as it is: {one}." in said


@pytest.mark.parametrize("what", ["a byte", "a file", "the list", "the end"])
def test_a_damaged_backup_is_refused_by_name_and_changes_nothing(
    lived_in: Tree, kept: Path, tmp_path: Path, what: str
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path / "kept"))
    name = "tree/mlflow.db"
    if what == "a byte":
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(content)
    elif what == "a file":
        (folder / name).unlink()
    elif what == "the list":
        name = inventory.NAME
        text = (folder / name).read_text().replace("mlruns/models", "mlruns/../up", 1)
        (folder / name).write_text(text)
    else:
        name = inventory.NAME
        (folder / name).unlink()
    root = clone_of(lived_in, tmp_path / "clone")
    with pytest.raises(UserError, match=r"whole backup|damaged") as said:
        here(root, folder)
    assert name in str(said.value)
    assert not (root / "mlflow.db").exists() and not (root / "data").exists()
    here(root, kept)


def test_it_goes_into_an_empty_clone_only(lived_in: Tree, kept: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="into an empty clone only"):
        here(lived_in.root, kept)
    root = clone_of(lived_in, tmp_path / "clone")
    (root / "mlflow.db").write_text("somebody's")
    with pytest.raises(UserError, match=r"clone/mlflow\.db is there"):
        here(root, kept)
    assert (root / "mlflow.db").read_text() == "somebody's"


def test_the_folder_of_backups_is_told_from_a_backup(kept: Path, lived_in: Tree, tmp_path: Path):
    root = clone_of(lived_in, tmp_path / "clone")
    with pytest.raises(UserError, match=f"the newest one in it is {kept}"):
        here(root, kept.parent)


def test_one_that_was_cut_off_goes_on_with_the_same_backup(
    lived_in: Tree, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = clone_of(lived_in, tmp_path / "clone")
    put, left = restoring._put, [40]

    def cut_off(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        put(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_put", cut_off)
        with pytest.raises(KeyboardInterrupt):
            here(root, kept)
    assert (root / "work" / "restore.json").is_file() and not Tree(root).is_clean()
    here(root, kept)
    assert Tree(root).is_clean() and not (root / "work" / "restore.json").exists()


def test_a_backup_that_was_cut_off_looks_like_none(
    lived_in: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.prepare(lived_in.root)
    code = (
        "import os, signal; from pathlib import Path\n"
        "from orchestration import home\n"
        "from orchestration.backup import inventory, saving\n"
        "inventory.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"root = Path({str(lived_in.root)!r}); home.prepare(root)\n"
        f"saving.save(root, Path({str(tmp_path)!r}), print)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True)
    assert killed.returncode == -9
    (left,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert left.name.startswith(".")
    with pytest.raises(UserError, match="no whole backup"):
        here(clone_of(lived_in, tmp_path / "clone"), left)
    shutil.rmtree(tmp_path / "clone")
    whole = saving.save(lived_in.root, tmp_path, quiet)
    assert inventory.whole(whole).files
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [whole]


def test_nothing_is_saved_while_somebody_is_at_work(lived_in: Tree, tmp_path: Path) -> None:
    with lease.held(Layout(lived_in.root, "").lease, "make run"):
        done = told(lived_in.root, "save", "--to", str(tmp_path))
    assert done.returncode == os.EX_TEMPFAIL
    assert "make run is at work here since" in done.stderr
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_are_named(lived_in: Tree, tmp_path: Path) -> None:
    home.prepare(lived_in.root)
    with pytest.raises(UserError, match="There is no folder"):
        saving.save(lived_in.root, tmp_path / "absent", quiet)
    with pytest.raises(UserError, match="lies in the tree"):
        saving.save(lived_in.root, lived_in.root / "work", quiet)


def test_what_lies_elsewhere_is_said(
    lived_in: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.prepare(lived_in.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:secret-word@127.0.0.1:5001")
    monkeypatch.setenv("MM_CONSENTS", str(tmp_path / "elsewhere.jsonl"))
    record(tmp_path / "elsewhere.jsonl", SAID)
    said: list[str] = []
    (tmp_path / "to").mkdir()
    folder = saving.save(lived_in.root, tmp_path / "to", said.append)
    (line,) = [one for one in said if one.startswith("Not in it")]
    assert "http://127.0.0.1:5001" in line and "secret-word" not in line
    assert "secret-word" not in (folder / inventory.NAME).read_text()
    assert find(folder / "consents" / "consents.jsonl", SAID.id) == SAID


def test_a_team_s_services_are_stopped_first(lived_in: Tree, kept: Path, tmp_path: Path) -> None:
    root = clone_of(lived_in, tmp_path / "clone")
    with (
        lease.held(root / "work" / "team.lease", "make team"),
        pytest.raises(BusyError, match="make team is at work here"),
    ):
        here(root, kept)


def test_artifacts_in_a_bucket_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores.be_user(monkeypatch, tmp_path)
    with stores.s3(tmp_path, "old", "new") as store:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", store.endpoint)
        for name in ("mlflow/1/models/m-1/MLmodel", "mlflow/notes.txt"):
            store.client.put_object(Bucket="old", Key=name, Body=name.encode())
        books.fetch_artifacts("s3://old/mlflow", tmp_path / "kept")
        books.bring_artifacts(tmp_path / "kept", "s3://new/mlflow")
        assert store.keys("new") == store.keys("old")
        found = store.client.get_object(Bucket="new", Key="mlflow/1/models/m-1/MLmodel")
        assert found["Body"].read() == b"mlflow/1/models/m-1/MLmodel"
    with pytest.raises(UserError, match="s3://old/mlflow could not be read"):
        books.fetch_artifacts("s3://old/mlflow", tmp_path / "again")


@pytest.mark.slow
def test_databases_on_postgresql_come_back_whole(
    lived_in: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    psycopg = pytest.importorskip("psycopg", reason="no psycopg here (make postgres)")
    pytest.importorskip("dagster_postgres", reason="no dagster-postgres here (make cluster)")
    home.prepare(lived_in.root)
    root = clone_of(lived_in, tmp_path / "clone")
    (tmp_path / "to").mkdir()
    with servers.postgres() as url:
        before, _, where = url.partition("/postgres?")
        urls = {}
        for name in ("old_books", "old_runs", "new_books", "new_runs"):
            with psycopg.connect(url, autocommit=True) as opened:
                opened.execute(f"CREATE DATABASE {name}")
            urls[name] = f"{before}/{name}?{where}"
        for name in ("old_books", "old_runs"):
            with psycopg.connect(urls[name]) as opened:
                opened.execute("CREATE TABLE kept AS SELECT 'of ' || current_database() AS word")

        def named(kind: str) -> None:
            books = urls[f"{kind}_books"].replace("postgresql:", "postgresql+psycopg2:", 1)
            monkeypatch.setenv(home.BOOKS, books)
            runs = urls[f"{kind}_runs"].replace("postgresql:", "postgresql+psycopg2:", 1)
            monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", runs)

        named("old")
        monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", str(tmp_path / "artifacts"))
        (tmp_path / "artifacts" / "1").mkdir(parents=True)
        (tmp_path / "artifacts" / "1" / "MLmodel").write_text("a server's model")
        folder = saving.save(lived_in.root, tmp_path / "to", quiet)
        shutil.rmtree(tmp_path / "artifacts")
        with pytest.raises(UserError, match="MM_DAGSTER_URL names is not empty"):
            here(root, folder)
        named("new")
        here(root, folder)
        for name in ("books", "runs"):
            with psycopg.connect(urls[f"new_{name}"]) as opened:
                assert opened.execute("SELECT word FROM kept").fetchall() == [(f"of old_{name}",)]
    assert (tmp_path / "artifacts" / "1" / "MLmodel").read_text() == "a server's model"
    assert servers.PASSWORD not in json.dumps(json.loads((folder / inventory.NAME).read_text()))
    assert Tree(root).is_clean()


def test_a_database_is_saved_while_somebody_writes_to_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE t (n)")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        writer.execute("INSERT INTO t VALUES (2)")  # not committed
        databases.copy_sqlite(tmp_path / "a.db", tmp_path / "b.db")
    with sqlite3.connect(tmp_path / "b.db") as copy:
        assert copy.execute("SELECT n FROM t").fetchall() == [(1,)]
    assert sorted(path.name for path in tmp_path.glob("b.db*")) == ["b.db"]


def test_a_database_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE t (n TEXT)")
        made.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"c\.db (is damaged|could not be saved)"):
        databases.copy_sqlite(path, tmp_path / "d.db")
