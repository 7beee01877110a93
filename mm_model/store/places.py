"""Places in buckets of S3's kind, as people write them: s3://bucket/prefix, never with a key."""

import re
from dataclasses import dataclass

from mm_model.errors import UserError

KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
"""How a user says who he is; the names are those of AWS."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.()/=+-]*")


@dataclass(frozen=True)
class BucketPlace:
    """A bucket, and what the keys in it begin with (no slash at either end; may be empty)."""

    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """The address as people write it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, name: str) -> str:
        """The key of what is called `name` here."""
        return f"{self.prefix}/{name}" if self.prefix else name


def place(text: str, said: str = "URL") -> BucketPlace:
    """The place that `text` names.

    Raises:
        UserError: it is no address of a bucket, or holds a key; the text is then not repeated.
    """
    scheme, _, rest = text.strip().partition("://")
    bucket, _, prefix = rest.partition("/")
    if "@" in rest or ":" in bucket or "?" in rest:
        raise UserError(
            f"{said} holds more than a bucket and a prefix: write s3://bucket/prefix, and give "
            f"keys by {KEYS}."
        )
    prefix = prefix.strip("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix):
        raise UserError(f"{said} is not the address of a bucket: write {said}=s3://bucket/prefix.")
    return BucketPlace(bucket, prefix)
