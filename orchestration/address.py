"""Where this tree's data goes in an object store: two addresses, kept in DVC's own local file.

`store` holds every output but those that `dvc.yaml` sends to `likeness`, where faces are numbers.
Written to `.dvc/config.local`, which git ignores. Never a key: those come from the environment or
from the user's own profile of AWS.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from configobj import ConfigObj

from mm_model.errors import UserError
from mm_model.store import atomic
from mm_model.store.places import KEYS, BucketPlace, place

STORE, LIKENESS = "store", "likeness"


@dataclass(frozen=True)
class Remote:
    """The two places by name, and the server's address where it is not that of AWS."""

    places: dict[str, BucketPlace]
    endpoint: str | None


def server(text: str) -> str:
    """The address of an S3 server.

    Raises:
        UserError: it is none, or holds a key; the text is then not repeated.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
        raise UserError("ENDPOINT is not an address: write ENDPOINT=https://host:port.")
    if "@" in text or parts.query:
        raise UserError(f"ENDPOINT holds more than host and port: give keys by {KEYS}.")
    return f"{parts.scheme}://{parts.netloc}"


def _file(root: Path) -> Path:
    return root / ".dvc" / "config.local"


def _section(name: str) -> str:
    return f'remote "{name}"'


def _config(root: Path) -> ConfigObj:
    path = _file(root)
    return ConfigObj(path.read_text().splitlines() if path.is_file() else [])


def write(root: Path, url: str, likeness: str | None = None, endpoint: str | None = None) -> Remote:
    """Name the places from now on: `likeness` lies below `url` unless it is given.

    Raises:
        UserError: as `place` and `server`, or both are one place.
    """
    main = place(url)
    own = place(likeness, "LIKENESS") if likeness else BucketPlace(main.bucket, main.key(LIKENESS))
    if own == main:
        raise UserError("LIKENESS is the place that URL names: leave it out, or name another.")
    remote = Remote({STORE: main, LIKENESS: own}, server(endpoint) if endpoint else None)
    config = _config(root)
    config.setdefault("core", {})["remote"] = STORE
    for name, one in remote.places.items():
        # what arrives is digested again before it is believed
        config[_section(name)] = {"url": one.url, "verify": "true"}
        if remote.endpoint:
            config[_section(name)]["endpointurl"] = remote.endpoint
    atomic.write_text(_file(root), "".join(f"{line}\n" for line in config.write()))
    return remote


def read(root: Path) -> Remote:
    """The places that were named.

    Raises:
        UserError: none was, or what stands in the file is no address of a bucket.
    """
    config = _config(root)
    sections = {name: config.get(_section(name), {}) for name in (STORE, LIKENESS)}
    if not all("url" in section for section in sections.values()):
        raise UserError("No object store is named: make remote URL=s3://bucket/prefix.")
    said = ".dvc/config.local"
    endpoint = sections[STORE].get("endpointurl")
    return Remote({name: place(one["url"], said) for name, one in sections.items()}, endpoint)
