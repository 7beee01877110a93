"""What is asked of an object store beside DVC: whether it answers, what lies there, the locks.

DVC moves the outputs. This looks first, so that what is wrong is one sentence before anything
begins, and afterwards, so that a lock never names what is absent.
"""

import contextlib
import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mm_model.errors import UserError
from mm_model.store import atomic
from mm_model.store.places import KEYS, BucketPlace
from orchestration.address import STORE, Remote

LOCKS = "locks"
"""Below it lies each profile's lock: `locks/<profile>/dvc.lock`."""
OBJECTS = "files/md5"
"""Below it lies what DVC keeps, by digest: two digits, a slash, thirty."""

_PACKAGES = ("boto3", "botocore.config", "botocore.exceptions", "boto3.exceptions")
_REFUSED = {"403", "AccessDenied", "Forbidden", "AllAccessDisabled"}
_UNKNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
            "AuthFailure", "InvalidClientTokenId", "401"}  # fmt: skip


class Bucket:
    """The two places of a remote, by one connection.

    Raises:
        UserError: the packages are not installed, or there are no credentials.
    """

    def __init__(self, remote: Remote) -> None:
        try:
            boto3, settings, errors, ours = map(importlib.import_module, _PACKAGES)
        except ImportError:
            raise UserError("What speaks to an object store is not installed: make s3.") from None
        self._remote, self._places = remote, remote.buckets
        self._botocore, self._ours = errors, ours
        config = settings.Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 3})
        with self._sentences(remote.buckets[STORE]):
            session = boto3.session.Session()
            if session.get_credentials() is None:
                raise UserError(f"There are no credentials for {self._where()}: set {KEYS}.")
            self._client = session.client("s3", endpoint_url=remote.endpoint, config=config)

    def _where(self) -> str:
        return self._remote.endpoint or "AWS"

    @contextlib.contextmanager
    def _sentences(self, place: BucketPlace) -> Iterator[None]:
        """Say in one sentence what the store or the way there did wrong; no key is in it."""
        exceptions = self._botocore
        try:
            yield
        except exceptions.ClientError as error:
            raise UserError(self._refusal(place, error)) from None
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError):
            said = f"There are no whole credentials for {self._where()}: set {KEYS}."
            raise UserError(said) from None
        except exceptions.ProfileNotFound:
            raise UserError("AWS_PROFILE names no profile of AWS's own files: mend it.") from None
        except (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.SSLError):
            raise UserError(
                f"Nothing answers for {place.url} at {self._where()}: is the server there, and "
                "ENDPOINT of make remote right? What was moved is kept: run again."
            ) from None
        except (exceptions.BotoCoreError, self._ours.Boto3Error) as error:
            raise UserError(f"{place.url} cannot be asked ({type(error).__name__}).") from None

    def _refusal(self, place: BucketPlace, error: Any) -> str:
        code = str(error.response.get("Error", {}).get("Code", "no reason"))
        if code in ("NoSuchBucket", "404"):
            return f"There is no bucket {place.bucket} at {self._where()}: make it, or mend URL."
        if code in _UNKNOWN:
            return f"{self._where()} does not know these credentials ({code}): set {KEYS}."
        if code in _REFUSED:
            return f"These credentials may not do this in {place.url} ({code}): ask its owner."
        return f"{place.url} refused ({code}): what was moved is kept, run again."

    def look(self) -> None:
        """See that both places answer.

        Raises:
            UserError: one does not; the sentence says why.
        """
        for one in self._places.values():
            with self._sentences(one):
                self._client.list_objects_v2(Bucket=one.bucket, Prefix=one.prefix, MaxKeys=1)

    def _listed(self, place: BucketPlace, below: str) -> Iterator[tuple[str, int]]:
        """Key after the folder `below` and size in bytes of everything there."""
        start = place.key(below) + "/"
        with self._sentences(place):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=place.bucket, Prefix=start):
                for one in page.get("Contents", []):
                    yield one["Key"].removeprefix(start), int(one["Size"])

    def objects(self, name: str) -> dict[str, int]:
        """Digest and size of everything that DVC keeps at the place `name`."""
        listed = self._listed(self._places[name], OBJECTS)
        return {key.replace("/", ""): size for key, size in listed}

    def put(self, name: str, digest: str, path: Path) -> None:
        """Put the object of a digest where DVC would, at the place `name`."""
        place = self._places[name]
        with self._sentences(place):
            key = place.key(f"{OBJECTS}/{digest[:2]}/{digest[2:]}")
            self._client.upload_file(str(path), place.bucket, key)

    def get(self, name: str, digest: str, path: Path) -> None:
        """Bring the small object of a digest here; nothing is written where it is absent or other
        than its digest says.
        """
        place = self._places[name]
        with self._sentences(place):
            key = place.key(f"{OBJECTS}/{digest[:2]}/{digest[2:]}")
            try:
                content = self._client.get_object(Bucket=place.bucket, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if md5 == digest.removesuffix(".dir"):
            atomic.write_bytes(path, content)

    def profiles(self) -> list[str]:
        """Profiles whose lock lies there."""
        listed = (key for key, _ in self._listed(self._places[STORE], LOCKS))
        return sorted(key.removesuffix("/dvc.lock") for key in listed if key.endswith("/dvc.lock"))

    def lock(self, profile: str) -> tuple[bytes, str] | None:
        """The lock of a profile and the commit it was pushed from ("" if not known), or None."""
        place = self._places[STORE]
        with self._sentences(place):
            try:
                got = self._client.get_object(Bucket=place.bucket, Key=self._lock_key(profile))
            except self._client.exceptions.NoSuchKey:
                return None
            return got["Body"].read(), got.get("Metadata", {}).get("commit", "")

    def put_lock(self, profile: str, content: bytes, commit: str) -> None:
        """Put the lock of a profile there: whoever reads gets the old one or this, whole."""
        place = self._places[STORE]
        named = {"Metadata": {"commit": commit}} if commit else {}
        with self._sentences(place):
            key = self._lock_key(profile)
            self._client.put_object(Bucket=place.bucket, Key=key, Body=content, **named)

    def _lock_key(self, profile: str) -> str:
        return self._places[STORE].key(f"{LOCKS}/{profile}/dvc.lock")

    def keeps_versions(self) -> list[str]:
        """Buckets that keep what is deleted or replaced, as far as that may be asked."""
        found = []
        for bucket in sorted({one.bucket for one in self._places.values()}):
            with contextlib.suppress(Exception):
                said = self._client.get_bucket_versioning(Bucket=bucket)
                found += [bucket] if said.get("Status") else []
        return found
