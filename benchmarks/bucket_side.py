"""The other side of `streaming --from s3`: a server of S3's kind that holds a set's shards.

It runs on 127.0.0.1 with keys of its own and ends with the benchmark.
"""

import contextlib
import hashlib
import importlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from mm_model.errors import UserError
from mm_model.store.objects import ENDPOINT, ObjectStore
from mm_model.store.places import place
from mm_model.store.streamed import StoredFiles
from mm_model.train.shards import ShardSet
from mm_model.train.source import StoredShards

_BUCKET = "benchmark"
_START = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p"]


@contextlib.contextmanager
def served(data: ShardSet) -> Iterator[ShardSet]:
    """The same set, its shards in a bucket and nowhere else.

    Raises:
        UserError: the server is not installed.
    """
    try:
        importlib.import_module("moto.server")
        boto3 = importlib.import_module("boto3")
    except ImportError:
        raise UserError("--from s3 needs a server and what speaks to it: make s3-test.") from None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        ENDPOINT: f"http://127.0.0.1:{port}",
    }
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*_START, port], stdout=quiet, stderr=quiet) as server:
        try:
            _wait(server)
            client = boto3.client("s3")
            client.create_bucket(Bucket=_BUCKET)
            yield _moved(data, client)
        finally:
            server.terminate()


def _wait(server: subprocess.Popen) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{os.environ[ENDPOINT]}/moto-api/data.json", timeout=5).close()
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise UserError("The server of S3's kind did not start: make s3-test, then run again.")


def _moved(data: ShardSet, client: Any) -> ShardSet:
    listed = []
    for file in data.files:
        with file.open("rb") as opened:
            said = hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False))
        digest = said.hexdigest()
        key = f"files/md5/{digest[:2]}/{digest[2:]}"
        client.upload_file(str(file), _BUCKET, key)
        file.unlink()
        listed.append({"md5": digest, "relpath": f"{data.name}/{file.name}"})
    content = json.dumps(listed).encode()
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"
    client.put_object(Bucket=_BUCKET, Key=f"files/md5/{digest[:2]}/{digest[2:]}", Body=content)
    store = ObjectStore(place(f"s3://{_BUCKET}", "MM_SHARDS"), "MM_SHARDS")
    files = StoredFiles.listed(store, "the benchmark's set", digest)
    return ShardSet(data.folder, data.name, StoredShards(files.below(data.name), data.name))
