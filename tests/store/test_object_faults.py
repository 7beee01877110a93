"""Which faults of an object store are waited for, and which end a reading at once."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from mm_model.errors import UserError
from mm_model.store.objects import ObjectName, ObjectStore
from mm_model.store.places import BucketPlace

exceptions = pytest.importorskip("botocore.exceptions")
pytest.importorskip("boto3")
NAME = ObjectName("files/md5/ab/cd", "pictures/shard-000000.tar")


class Server:
    """Stands for boto3's client: gives one answer, or raises it, a request."""

    meta = SimpleNamespace(endpoint_url="http://127.0.0.1:9")

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.ranges: list[str] = []

    def get_object(self, **asked: Any) -> dict:
        self.ranges.append(asked.get("Range", ""))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        length, content = answer
        return {"Body": io.BytesIO(content), "ContentLength": length}


def reading(server: Server) -> bytes:
    store = ObjectStore(BucketPlace("shards", ""), "MM_SHARDS", pauses=(0.0, 0.0))
    store.__dict__["_client"] = server
    return store.read(NAME)


def refused(code: str, status: int) -> Exception:
    said = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    fault: Exception = exceptions.ClientError(said, "GetObject")
    return fault


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 400), ("429", 429), ("Odd", 503)])
def test_a_busy_store_is_asked_again(code: str, status: int) -> None:
    server = Server(refused(code, status), refused(code, status), (3, b"abc"))
    assert reading(server) == b"abc" and len(server.ranges) == 3


def test_what_does_not_pass_is_asked_once() -> None:
    for code in ("NoSuchKey", "AccessDenied", "ExpiredToken", "Odd"):
        server = Server(refused(code, 400))
        with pytest.raises(UserError):
            reading(server)
        assert len(server.ranges) == 1, code


def test_an_object_that_is_replaced_while_it_is_read_is_told() -> None:
    assert reading(server := Server((6, b"abc"), (3, b"def"))) == b"abcdef"
    assert server.ranges == ["", "bytes=3-"]
    with pytest.raises(UserError, match=r"shard-000000\.tar .* was replaced while it was read"):
        reading(Server((6, b"abc"), (4, b"defg")))
