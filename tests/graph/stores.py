"""An object store of a test's own: a server on 127.0.0.1 that ends with the test."""

import contextlib
import hashlib
import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.process_group import ProcessGroup

KEY, SECRET = "AKIAWHOEVERSEESTHIS", "sesame-never-to-be-seen-93"


@dataclass
class Store:
    """A running server; `client` speaks to it as its owner."""

    endpoint: str
    client: Any

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Keys that lie in a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def be_user(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have a key in the environment, and no other word of AWS there or in files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))


def _wait(endpoint: str, log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=5).read()
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@contextlib.contextmanager
def s3(folder: Path, *buckets: str, strict: bool = False) -> Iterator[Store]:
    """A server with these buckets; it ends with the block, or with this process.

    A strict one knows nobody's key once its buckets are made.
    """
    for name in ("moto", "boto3", "dvc_s3"):
        pytest.importorskip(name, reason=f"no {name} here (make s3-test)")
    import importlib

    port, log = free_port(), folder / "server.log"
    endpoint = f"http://127.0.0.1:{port}"
    command = '"$0" -m moto.server -H 127.0.0.1 -p "$1" >"$2" 2>&1'
    words = ["/bin/sh", "-c", f"exec {command}", sys.executable, str(port), str(log)]
    asks = {"INITIAL_NO_AUTH_ACTION_COUNT": str(len(buckets))} if strict else {}
    with ProcessGroup(words, folder, os.environ | asks) as group:
        _wait(endpoint, log)
        client = importlib.import_module("boto3").client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)
        yield Store(endpoint, client)
        group._signal(15)


def pushed(store: Store, bucket: str, folder: Path) -> str:
    """Lay the files of an output down in a bucket as DVC does; the digest of their listing."""
    listed = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest = put(store, bucket, path.read_bytes())
        listed.append({"md5": digest, "relpath": path.relative_to(folder).as_posix()})
    return put(store, bucket, json.dumps(listed, sort_keys=True).encode(), ".dir")


def put(store: Store, bucket: str, content: bytes, ending: str = "") -> str:
    """One object by its digest, which comes back."""
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest() + ending
    store.client.put_object(Bucket=bucket, Key=key_of(digest), Body=content)
    return digest


def key_of(digest: str) -> str:
    """Where DVC keeps the object of a digest."""
    return f"files/md5/{digest[:2]}/{digest[2:]}"
