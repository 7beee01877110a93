"""A training whose shards lie in an object store alone: stopped by one, resumed, the same bytes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mm_model.commands import cli
from mm_model.store import manifest
from tests.graph import stores
from tests.graph.stores import KEY, SECRET, Store
from tests.seams.facts import Chain

pytestmark = [pytest.mark.slow, pytest.mark.capability("shards from a store", scale="T")]

OUTPUT, SHARD = "data/tiny/precompute", "pictures/shard-000002.tar"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "server").mkdir()
    with stores.s3(tmp_path / "server", "faces") as running:
        yield running


def test_a_training_goes_on_after_a_fault_and_ends_as_if_its_shards_lay_here(
    chain: Chain,
    server: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    aside = shutil.ignore_patterns("work", "mlruns", "mlflow*", "reports")
    place = Path(shutil.copytree(chain.place, tmp_path / "root", ignore=aside))
    for later in ("pretrain", "finetune", "evaluate", "register"):
        shutil.rmtree(place / "data" / "tiny" / later, ignore_errors=True)
    lock = {"path": OUTPUT, "md5": stores.pushed(server, "faces", place / OUTPUT)}
    (place / "dvc.lock").write_text(yaml.safe_dump({"stages": {"p": {"outs": [lock]}}}))
    content = (place / OUTPUT / SHARD).read_bytes()
    for shard in (place / OUTPUT).rglob("*.tar"):
        shard.unlink()
    stores.be_user(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("MM_ROOT", str(place))

    assert cli.main(["run", "pretrain"]) == 1
    assert "is missing or differs from" in capfd.readouterr().err

    monkeypatch.setenv("MM_SHARDS", "s3://faces")
    digest = stores.put(server, "faces", content)
    damaged = content[:-20000] + bytes(100) + content[-19900:]
    server.client.put_object(Bucket="faces", Key=stores.key_of(digest), Body=damaged)
    assert cli.main(["run", "pretrain"]) == 1
    stopped = capfd.readouterr()
    assert stopped.err.count("Stopped: ") == 1 and "Traceback" not in stopped.err
    told = stopped.err.partition("Stopped: ")[2].strip()
    assert told.startswith(f"{SHARD} in s3://faces is damaged") and "\n" not in told
    assert not (place / "data" / "tiny" / "pretrain").exists()

    stores.put(server, "faces", content)
    assert cli.main(["run", "pretrain"]) == 0
    resumed = capfd.readouterr()
    assert "resuming after step 3 of 6" in resumed.out, "each finished step was kept"
    ended = manifest.verified(place / "data" / "tiny" / "pretrain")
    assert ended.digest == manifest.read(chain.output("pretrain")).digest
    assert not list((place / OUTPUT).rglob("*.tar"))

    said = (stopped.out + stopped.err + resumed.out + resumed.err).encode()
    written = [path for path in place.rglob("*") if path.is_file()]
    assert any("mlflow" in path.name for path in written)
    for content in (said, *(path.read_bytes() for path in written)):
        assert SECRET.encode() not in content and KEY.encode() not in content
