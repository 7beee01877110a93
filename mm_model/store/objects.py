"""Objects of a bucket of S3's kind, read in one stream each that goes on after a cut; read only.

Keys come from the environment or from AWS's own files, as boto3 finds them, in each process anew:
nothing here holds one, no sentence tells one. A fault that may pass is tried again after a pause.
"""

import hashlib
import importlib
import io
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from mm_model.errors import UserError
from mm_model.store.places import KEYS, BucketPlace

T = TypeVar("T")

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try; a read that brought anything begins them anew."""

ENDPOINT = "AWS_ENDPOINT_URL"
"""Environment variable of AWS's own: the server, where it is not that of AWS."""

_PACKAGES = ("boto3", "botocore.config", "botocore.exceptions", "urllib3.exceptions")
_ABSENT = {"NoSuchKey", "404"}
_REFUSED = {"403", "AccessDenied", "Forbidden", "AllAccessDisabled"}
_UNKNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
            "AuthFailure", "InvalidClientTokenId", "401"}  # fmt: skip
_BUSY = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "429"}


class ObjectName(NamedTuple):
    """What an object is called below its place, and which file it is for who reads a sentence."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.what} ({self.key})"


class ObjectStore:
    """A place in a bucket. `said` is the setting that named it, `pauses` as `PAUSES`."""

    def __init__(self, place: BucketPlace, said: str, pauses: tuple[float, ...] = PAUSES) -> None:
        self.place, self._said, self._pauses = place, said, pauses

    def __reduce__(self) -> tuple:
        """Another process makes a connection of its own: this one's, and its keys, stay here."""
        return ObjectStore, (self.place, self._said, self._pauses)

    @cached_property
    def _modules(self) -> tuple[Any, ...]:
        try:
            return tuple(map(importlib.import_module, _PACKAGES))
        except ImportError:
            raise UserError(
                f"{self._said} needs what speaks to an object store, which is not installed: "
                "make s3."
            ) from None

    @cached_property
    def _client(self) -> Any:
        boto3, settings, errors, _ = self._modules
        config = settings.Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"total_max_attempts": 1},  # those of `_patiently` are all
            response_checksum_validation="when_required",  # who reads compares digests
        )
        try:
            session = boto3.session.Session()
            if session.get_credentials() is None:
                raise UserError(f"There are no credentials for {self.place.url}: set {KEYS}.")
            return session.client("s3", config=config)
        except errors.PartialCredentialsError:
            raise UserError(f"The credentials are not whole: set {KEYS}.") from None
        except errors.ProfileNotFound:
            raise UserError("AWS_PROFILE names no profile of AWS's own files: mend it.") from None
        except ValueError:
            raise UserError(
                f"{ENDPOINT} is not an address: write {ENDPOINT}=https://host:port."
            ) from None

    def where(self) -> str:
        """The server's host and port."""
        address = urlsplit(self._client.meta.endpoint_url)
        return address.netloc.rpartition("@")[2]

    def read(self, name: ObjectName) -> bytes:
        """All of a small object.

        Raises:
            UserError: as `stream`.
        """
        with io.BufferedReader(self.stream(name)) as stream:
            return stream.read()

    def part(self, name: ObjectName, offset: int, size: int) -> bytes:
        """`size` bytes of an object from `offset` on.

        Raises:
            UserError: as `stream`, or the object ends before them.
        """

        def asked() -> bytes:
            bounds = f"bytes={offset}-{offset + size - 1}"
            return self.get(name, Range=bounds)["Body"].read()

        return self.patiently(name, asked)

    def stream(self, name: ObjectName) -> "ObjectStream":
        """The bytes of an object, in order.

        Raises:
            UserError: there are no credentials, or the packages are absent. Reading raises it too:
                the object is absent or may not be read, or nothing answers after all tries.
        """
        return ObjectStream(self, name)

    def get(self, name: ObjectName, **asked: Any) -> Any:
        """The store's answer to a request for an object, which the library may refuse."""
        return self._client.get_object(
            Bucket=self.place.bucket, Key=self.place.key(name.key), **asked
        )

    def patiently(self, name: ObjectName, ask: Callable[[], T]) -> T:
        """What `ask` says of the object `name`, asked again where a fault may pass.

        Raises:
            UserError: it failed for good; the sentence says why.
        """
        _, _, errors, below = self._modules
        pauses = iter(self._pauses)
        while True:
            try:
                return ask()
            except (errors.BotoCoreError, errors.ClientError, below.HTTPError, OSError) as error:
                fault = self._for_good(name, error, errors)
                if fault is not None or (pause := next(pauses, None)) is None:
                    raise fault or self._given_up(name, error) from None
            time.sleep(pause)

    def _for_good(self, name: ObjectName, error: Exception, errors: Any) -> UserError | None:
        """The sentence of a fault that does not pass; None of one that may."""
        if isinstance(error, errors.NoCredentialsError | errors.CredentialRetrievalError):
            return UserError(f"There are no credentials for {self.place.url}: set {KEYS}.")
        if not isinstance(error, errors.ClientError):
            return None
        code, status = _told(error)
        if code in _ABSENT:
            return UserError(
                f"{self.place.url} lacks {name}: make push again where it was made, or mend "
                f"{self._said}."
            )
        if code == "NoSuchBucket":
            return UserError(
                f"There is no bucket {self.place.bucket} at {self.where()}: mend {self._said} or "
                f"{ENDPOINT}."
            )
        if code in _UNKNOWN:
            return UserError(
                f"{self.where()} does not know these credentials ({code}): set {KEYS}."
            )
        if code in _REFUSED:
            return UserError(
                f"These credentials may not read {name} in {self.place.url} ({code}): ask its "
                "owner."
            )
        if code in _BUSY or status >= 500:
            return None
        return UserError(f"{self.place.url} does not give {name} ({code}).")

    def _given_up(self, name: ObjectName, error: Exception) -> UserError:
        times = len(self._pauses) + 1
        code = _told(error)[0] if hasattr(error, "response") else type(error).__name__
        return UserError(
            f"{self.place.url} at {self.where()} does not answer for {name} ({code}, asked {times} "
            f"times): see that the server is there and {ENDPOINT} right, then run again; finished "
            "steps are kept."
        )


def _told(error: Any) -> tuple[str, int]:
    """Code and HTTP status of a refusal."""
    said = error.response
    status = said.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(said.get("Error", {}).get("Code", "no reason")), int(status)


class ObjectStream(io.RawIOBase):
    """One object from its first byte on. After a cut it goes on where it was; `digest` is the MD5
    of what was read.
    """

    def __init__(self, store: ObjectStore, name: ObjectName) -> None:
        self._store, self._name = store, name
        self._body: Any = None
        self._size: int | None = None
        self._at = 0
        self.digest = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read up to as many bytes as `buffer` holds; how many, 0 at the end.

        Raises:
            UserError: as `ObjectStore.stream`.
        """
        target = memoryview(buffer)
        content = self._store.patiently(self._name, lambda: self._some(len(target)))
        target[: len(content)] = content
        self.digest.update(content)
        self._at += len(content)
        return len(content)

    def _some(self, most: int) -> bytes:
        if self._at == self._size:
            return b""
        try:
            if self._body is None:
                self._begin()
            content = self._body.read(most)
            if not content and self._at != self._size:
                raise ConnectionResetError  # the answer ended before the object
            return content
        except Exception:
            self._leave()
            raise

    def _begin(self) -> None:
        asked = {"Range": f"bytes={self._at}-"} if self._at else {}
        said = self._store.get(self._name, **asked)
        self._body, size = said["Body"], self._at + int(said["ContentLength"])
        if self._size is None:
            self._size = size
        elif size != self._size:
            raise UserError(
                f"{self._name} in {self._store.place.url} was replaced while it was read: run "
                "again; finished steps are kept."
            )

    def _leave(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def close(self) -> None:
        """Let the connection go."""
        self._leave()
        super().close()
