"""Shards are read from an object store: the same batches, and one sentence for every fault."""

import contextlib
import pickle
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from mm_model.errors import UserError
from mm_model.store import streamed
from mm_model.store.objects import ObjectStore
from mm_model.store.places import BucketPlace
from mm_model.store.streamed import StoredFiles
from mm_model.train.loading import Loader
from mm_model.train.shards import ShardSet
from mm_model.train.source import StoredShards, source_of
from tests.graph import stores
from tests.graph.stores import KEY, SECRET, Store
from tests.precompute.test_sample_shards import sample
from tests.precomputed import Made, written

pytestmark = [pytest.mark.slow, pytest.mark.capability("shards from a store", scale="T")]

SAMPLES, PER_SHARD = 48, 4
OUTPUT = "data/tiny/precompute"
NAME = "pictures"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with stores.s3(tmp_path_factory.mktemp("server"), "shards") as running:
        yield running


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    """All of it, on disk."""
    made = [Made(f"{i:03d}", sample(i)) for i in range(SAMPLES)]
    folder = tmp_path_factory.mktemp("tree") / OUTPUT
    return written(folder, made, torch.zeros(8, 16), per_shard=PER_SHARD)


@pytest.fixture(scope="module")
def digest(server: Store, local: ShardSet) -> str:
    """That of the listing of what was pushed."""
    return stores.pushed(server, "shards", local.folder)


@pytest.fixture
def user(server: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    stores.be_user(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    return server


def indexed(local: ShardSet, folder: Path) -> Path:
    """The output without its shards."""
    folder.mkdir(parents=True)
    for name in (f"{NAME}.parquet", "empty_text.safetensors"):
        (folder / name).write_bytes((local.folder / name).read_bytes())
    return folder


def stored(
    local: ShardSet, digest: str, tmp_path: Path, pauses: tuple[float, ...] = (0.05,)
) -> ShardSet:
    """The set with its index here and its shards in the store."""
    store = ObjectStore(BucketPlace("shards", ""), "MM_SHARDS", pauses)
    files = StoredFiles.listed(store, OUTPUT, digest).below(NAME)
    return ShardSet(indexed(local, tmp_path / OUTPUT), NAME, StoredShards(files, NAME))


def seen(data: ShardSet, first: int = 1, **given: int) -> Iterator[list[tuple[str, bytes]]]:
    """Ids and bytes of the samples of step `first` and of those after it."""
    for parts in Loader(data, data.streams(4, 2, 5), 8, **given).steps(first):
        yield [
            (name, one.to_bytes())
            for part in parts
            for name, one in zip(part.sample_ids, part.samples, strict=True)
        ]


@pytest.mark.parametrize("given", [{}, {"first": 7}, {"rank": 1, "ranks": 2}])
def test_the_batches_are_those_from_disk_bit_for_bit(
    given: dict[str, int], local: ShardSet, digest: str, user: Store, tmp_path: Path
) -> None:
    there = stored(local, digest, tmp_path)
    assert not list(there.folder.rglob("*.tar"))
    assert there.latent_shape == local.latent_shape
    assert list(islice(seen(there, **given), 8)) == list(islice(seen(local, **given), 8))
    assert not list(there.folder.rglob("*.tar"))


def test_readers_change_nothing_and_a_killed_one_is_one_sentence(
    local: ShardSet, digest: str, user: Store, tmp_path: Path
) -> None:
    before = set(psutil.Process().children())
    steps = seen(stored(local, digest, tmp_path), first=5, workers=2)
    assert list(islice(steps, 8)) == list(islice(seen(local, first=5), 8))
    for one in set(psutil.Process().children()) - before:
        if "spawn_main" in " ".join(one.cmdline()):
            one.kill()
    with pytest.raises(UserError, match="lower loader_workers") as told:
        list(islice(steps, 100))
    assert "\n" not in str(told.value)


class Wire:
    """Stands before a server on a port of its own and cuts its next `cuts` answers after `after`
    bytes. `ranges` holds what each request asked for.
    """

    def __init__(self, endpoint: str) -> None:
        self._to = int(endpoint.rpartition(":")[2])
        self.cuts, self.after = 0, 0
        self.ranges: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                threading.Thread(target=self._one, args=(here,), daemon=True).start()

    def _one(self, here: socket.socket) -> None:
        with here, socket.create_connection(("127.0.0.1", self._to)) as there:
            request = here.recv(1 << 16)
            self.ranges += re.findall(r"(?i)range: (\S+)", request.decode())
            there.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            cut = self.cuts > 0
            self.cuts -= cut
            passed = 0
            while answer := there.recv(512):
                here.sendall(answer)
                passed += len(answer)
                if cut and passed > self.after:
                    return

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def wire(user: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    made = Wire(user.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.endpoint)
    yield made
    made.close()


def test_a_cut_connection_goes_on_where_it_was(
    local: ShardSet, digest: str, wire: Wire, tmp_path: Path
) -> None:
    there = stored(local, digest, tmp_path, pauses=(0.01, 0.01))
    wire.cuts, wire.after = 7, 4096
    assert list(islice(seen(there), 6)) == list(islice(seen(local), 6))
    assert wire.cuts == 0 and len(wire.ranges) == 7
    assert len({said for said in wire.ranges if said != "bytes=0-"}) > 2


def sentence(data: ShardSet, **given: int) -> str:
    """What a user is told; all of it."""
    with pytest.raises(UserError) as told:
        list(islice(seen(data, **given), 6))
    said = str(told.value)
    assert "\n" not in said and "Traceback" not in said and said.endswith(".")
    assert KEY not in said and SECRET not in said
    return said


def test_a_connection_that_is_cut_each_time_is_given_up(
    local: ShardSet, digest: str, wire: Wire, tmp_path: Path
) -> None:
    there = stored(local, digest, tmp_path, pauses=(0.01, 0.01))
    wire.cuts, wire.after = 1000, 100
    said = sentence(there)
    assert "does not answer for pictures/shard-0000" in said and "asked 3 times" in said
    assert "finished steps are kept" in said


FAULTS = {
    "absent": "lacks pictures/shard-000005.tar",
    "shorter": "pictures/shard-000005.tar in s3://shards is damaged",
    "longer": "pictures/shard-000005.tar in s3://shards is damaged (its digest is another)",
    "a bit": "pictures/shard-000005.tar in s3://shards is damaged (its digest is another)",
    "no tar": "pictures/shard-000005.tar in s3://shards is damaged",
}


@pytest.mark.parametrize(("fault", "workers"), [*((fault, 0) for fault in FAULTS), ("a bit", 1)])
def test_a_fault_of_a_shard_is_one_sentence_also_from_a_reader(
    fault: str, workers: int, local: ShardSet, digest: str, user: Store, tmp_path: Path
) -> None:
    there = stored(local, digest, tmp_path)
    content = local.files[5].read_bytes()
    key = there.source.files.object_of("pictures/shard-000005.tar").key
    middle = len(content) // 2
    other = {
        "shorter": content[:middle],
        "longer": content + b"\0" * 10240,
        "a bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "no tar": b"x" * len(content),
    }
    user.client.delete_object(Bucket="shards", Key=key)
    if fault in other:
        user.client.put_object(Bucket="shards", Key=key, Body=other[fault])
    try:
        assert FAULTS[fault] in sentence(there, workers=workers)
    finally:
        user.client.put_object(Bucket="shards", Key=key, Body=content)


@pytest.mark.parametrize("other", ["two exchanged", "cut"])
def test_a_listing_that_is_another_is_told(
    other: str, local: ShardSet, digest: str, user: Store, tmp_path: Path
) -> None:
    """Exchanged digests are good JSON, and would give the samples of another shard."""
    key = f"files/md5/{digest[:2]}/{digest[2:]}"
    content = user.client.get_object(Bucket="shards", Key=key)["Body"].read()
    first, second = (one.encode() for one in re.findall(r"[0-9a-f]{32}", content.decode())[:2])
    changed = content.replace(first, b"-").replace(second, first).replace(b"-", second)
    user.client.put_object(
        Bucket="shards", Key=key, Body=changed if other == "two exchanged" else content[:-9]
    )
    try:
        with pytest.raises(UserError, match=r"the listing of .*its digest is another"):
            stored(local, digest, tmp_path)
    finally:
        user.client.put_object(Bucket="shards", Key=key, Body=content)


def test_a_damaged_shard_on_disk_is_one_sentence_from_a_reader(
    local: ShardSet, tmp_path: Path
) -> None:
    shutil.copytree(local.folder, tmp_path / "set")
    data = ShardSet(tmp_path / "set", NAME)
    shard = data.files[5]
    content = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(content[:1000])
    said = sentence(data, workers=1)
    assert said.startswith("shard-000005.tar of precompute cannot be read (")
    assert said == sentence(data)


def fails(monkeypatch: pytest.MonkeyPatch, **environment: str | None) -> str:
    """What `read` says with another environment."""
    for name, value in environment.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as told:
        StoredFiles.listed(
            ObjectStore(BucketPlace("shards", ""), "MM_SHARDS", ()), OUTPUT, "0" * 32
        )
    said = str(told.value)
    assert "\n" not in said and KEY not in said and SECRET not in said
    return said


def test_what_is_wrong_with_the_way_to_the_store_is_one_sentence(
    user: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"127.0.0.1:{stores.free_port()}"
    said = fails(monkeypatch, AWS_ENDPOINT_URL=f"http://me:{SECRET}@{away}")
    assert f"s3://shards at {away} does not answer for the listing of {OUTPUT}" in said
    assert "is not an address" in fails(monkeypatch, AWS_ENDPOINT_URL=SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", user.endpoint)
    assert f"lacks the listing of {OUTPUT}" in fails(monkeypatch)
    assert "There are no credentials" in fails(monkeypatch, AWS_ACCESS_KEY_ID=None)
    assert "AWS_PROFILE names no profile" in fails(monkeypatch, AWS_PROFILE="nobody")


def test_nothing_that_goes_to_a_reader_holds_a_key(
    local: ShardSet, digest: str, user: Store, tmp_path: Path
) -> None:
    there = stored(local, digest, tmp_path)
    assert there.latent_shape  # it has asked the store, so it holds a connection
    said = pickle.dumps(there.source)
    assert KEY.encode() not in said and SECRET.encode() not in said
    assert pickle.loads(said) and SECRET not in repr(there)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("s3://me:secret@shards/x", "holds more than a bucket and a prefix"),
        ("/mnt/shards", "MM_SHARDS is not the address of a bucket"),
        ("s3://shards", "dvc.lock names no data/tiny/precompute"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(
    said: str, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(streamed.VARIABLE, said)
    with pytest.raises(UserError, match=sentence) as told:
        source_of(tmp_path, tmp_path / OUTPUT, NAME)
    assert "secret" not in str(told.value)


def test_shards_of_another_index_are_refused(
    local: ShardSet, digest: str, user: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = indexed(local, tmp_path / OUTPUT)
    lock = {"stages": {"precompute": {"outs": [{"path": OUTPUT, "md5": digest}]}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
    monkeypatch.setenv(streamed.VARIABLE, "s3://shards")
    assert isinstance(source_of(tmp_path, folder, NAME), StoredShards)
    with (folder / f"{NAME}.parquet").open("ab") as index:
        index.write(b"x")
    with pytest.raises(UserError, match="belongs to another pictures"):
        source_of(tmp_path, folder, NAME)
