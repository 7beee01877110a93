"""What keeps an object store from being used is told in one sentence; no key is ever written."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mm_model.errors import UserError
from orchestration import address
from orchestration.bucket import Bucket
from orchestration.transfer import Transfer
from tests.graph import stores
from tests.graph.conftest import Tree
from tests.graph.stores import KEY, SECRET, Store

URL = "s3://people/work"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with stores.s3(tmp_path_factory.mktemp("server"), "people") as running:
        yield running


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Somebody with a key in the environment and no files of AWS."""
    stores.be_user(monkeypatch, tmp_path)
    return monkeypatch


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / ".dvc").mkdir(parents=True)
    return tmp_path / "tree"


@pytest.mark.parametrize(
    "url",
    [
        f"s3://{KEY}:{SECRET}@people/work",
        f"s3://{KEY}:sesame/never@people/work",
        f"s3://people/work?AWSAccessKeyId={KEY}&Signature={SECRET}",
        f"https://{KEY}:{SECRET}@host/people",
    ],
)
@pytest.mark.parametrize("name", ["url", "likeness", "endpoint"])
def test_an_address_with_a_key_is_refused_and_not_repeated(tree: Path, url: str, name: str) -> None:
    with pytest.raises(UserError) as told:
        address.write(tree, **({"url": URL} | {name: url}))
    assert KEY not in str(told.value) and "sesame" not in str(told.value)
    assert not (tree / ".dvc" / "config.local").exists()


@pytest.mark.parametrize(
    "url", ["people/work", "gs://people/work", "s3://", "s3://P_eople/x", "work"]
)
def test_what_is_no_bucket_is_refused(tree: Path, url: str) -> None:
    with pytest.raises(UserError, match=r"is not the address of a bucket: write URL=s3://bucket"):
        address.write(tree, url)


def test_what_stood_in_the_local_file_stays(tree: Path) -> None:
    (tree / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
    address.write(tree, f"{URL}/", endpoint="http://127.0.0.1:9000/")
    found = address.read(tree)
    assert {name: one.url for name, one in found.places.items()} == {
        "store": URL,
        "likeness": f"{URL}/likeness",
    }
    assert found.endpoint == "http://127.0.0.1:9000"
    assert "no_scm = true" in (tree / ".dvc" / "config.local").read_text()
    address.write(tree, URL)
    assert address.read(tree).endpoint is None
    with pytest.raises(UserError, match="the place that URL names"):
        address.write(tree, URL, likeness=URL)


def test_no_store_is_named(tree: Path) -> None:
    with pytest.raises(UserError, match="No store is named: make remote URL="):
        address.read(tree)


def look(tree: Path, server: Store, url: str = URL, endpoint: str | None = None) -> str:
    remote = address.write(tree, url, endpoint=endpoint or server.endpoint)
    with pytest.raises(UserError) as told:
        Bucket(remote).look()
    assert SECRET not in str(told.value)
    return str(told.value)


def test_what_is_wrong_is_one_sentence(tree: Path, server: Store, user: pytest.MonkeyPatch) -> None:
    Bucket(address.write(tree, URL, endpoint=server.endpoint)).look()
    assert look(tree, server, "s3://nobody/x").startswith("There is no bucket nobody at http://")
    nowhere = f"http://127.0.0.1:{stores.free_port()}"
    assert look(tree, server, endpoint=nowhere).startswith(
        f"Nothing answers for {URL} at {nowhere}"
    )
    user.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no whole credentials" in look(tree, server)
    user.delenv("AWS_ACCESS_KEY_ID")
    assert look(tree, server).startswith("There are no credentials for http://")
    user.setenv("AWS_PROFILE", "nobody")
    assert look(tree, server).startswith("AWS_PROFILE names no profile")


@pytest.mark.parametrize("ending", ["", ".dir"])
def test_an_object_that_is_another_is_not_brought_here(
    tree: Path, server: Store, user: pytest.MonkeyPatch, ending: str
) -> None:
    content = b'[{"md5": "0", "relpath": "a"}]'
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest() + ending
    bucket = Bucket(address.write(tree, URL, endpoint=server.endpoint))
    key = f"work/files/md5/{digest[:2]}/{digest[2:]}"
    target = tree / "brought"
    bucket.get(address.STORE, digest, target)
    assert not target.exists(), "there is none"
    server.client.put_object(Bucket="people", Key=key, Body=content.replace(b"a", b"b"))
    bucket.get(address.STORE, digest, target)
    assert not target.exists(), "it is another"
    server.client.put_object(Bucket="people", Key=key, Body=content)
    bucket.get(address.STORE, digest, target)
    assert target.read_bytes() == content


def test_a_key_that_the_server_does_not_know(tree: Path, tmp_path: Path, user) -> None:
    with stores.s3(tmp_path, "people", strict=True) as own:
        assert "does not know these credentials (InvalidAccessKeyId)" in look(tree, own)


@pytest.mark.slow
def test_no_key_is_left_anywhere(done: Tree, server: Store, user, tmp_path: Path, capfd) -> None:
    user.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    user.setenv("MLFLOW_TRACKING_URI", "")
    other = Tree(Path(shutil.copytree(done.root, tmp_path / "other", symlinks=True)))
    shutil.rmtree(other.root / "data")
    shutil.rmtree(other.root / ".dvc" / "cache")
    said: list[str] = []
    for tree in (done, other):
        address.write(tree.root, URL, endpoint=server.endpoint)
    Transfer(done.root, said.append, views=()).push()
    Transfer(other.root, said.append, views=()).pull()
    home = other.root / "work" / "dagster"
    home.mkdir(parents=True)
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        (other.root / "raw" / "more").write_text("more")
        assert Tree(other.root, instance).dagster("sources").success
        assert other.executed() == ["sources"] and list(home.rglob("*.db"))
    read = 0
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file() and path.name != "server.log":
            content = path.read_bytes()
            assert SECRET.encode() not in content and KEY.encode() not in content, path
            read += 1
    assert read > 100 and len(said) > 1
    out, err = capfd.readouterr()
    assert SECRET not in "".join(said) + out + err and KEY not in "".join(said) + out + err
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
