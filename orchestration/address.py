"""Where this tree's data goes: two addresses of a store, kept in DVC's own local file.

A store is a bucket, or a folder on a disk or share.

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
class FolderPlace:
    """A folder by its absolute path."""

    path: str

    @property
    def url(self) -> str:
        """The address as people write it."""
        return self.path

    def key(self, name: str) -> str:
        """The path of what is called `name` here."""
        return f"{self.path}/{name}"


Places = dict[str, BucketPlace] | dict[str, FolderPlace]


@dataclass(frozen=True)
class Remote:
    """The two places by name, and the server's address where it is not that of AWS."""

    places: Places
    endpoint: str | None

    @property
    def is_folder(self) -> bool:
        """Whether the store is a folder."""
        return isinstance(self.places[STORE], FolderPlace)

    @property
    def buckets(self) -> dict[str, BucketPlace]:
        """The places of a store that is none of folders."""
        return {name: one for name, one in self.places.items() if isinstance(one, BucketPlace)}


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


def is_path(url: str) -> bool:
    """Whether a store's address is that of a folder; a bare word may be a bucket half written."""
    return "://" not in url and url[:1] in ("/", ".", "~")


def _folders(root: Path, url: str, likeness: str | None) -> dict[str, FolderPlace]:
    main = (root / Path(url).expanduser()).resolve()
    if likeness and not is_path(likeness):
        raise UserError("LIKENESS is a bucket, and URL is a folder: name two of one kind.")
    own = (root / Path(likeness).expanduser()).resolve() if likeness else main / LIKENESS
    if main == root or root.is_relative_to(main):
        raise UserError(f"URL: {main} holds the tree itself: name a folder of its own.")
    return {STORE: FolderPlace(str(main)), LIKENESS: FolderPlace(str(own))}


def _buckets(url: str, likeness: str | None) -> dict[str, BucketPlace]:
    main = place(url)
    own = place(likeness, "LIKENESS") if likeness else BucketPlace(main.bucket, main.key(LIKENESS))
    return {STORE: main, LIKENESS: own}


def write(root: Path, url: str, likeness: str | None = None, endpoint: str | None = None) -> Remote:
    """Name the places from now on: `likeness` lies below `url` unless it is given.

    Raises:
        UserError: as `place` and `server`, or both are one place.
    """
    if "://" not in url and not is_path(url):
        raise UserError(
            "URL is not the address of a bucket: write URL=s3://bucket/prefix, or the path of a "
            "folder, which begins with /, . or ~."
        )
    places = _folders(root, url, likeness) if is_path(url) else _buckets(url, likeness)
    if places[STORE] == places[LIKENESS]:
        raise UserError("LIKENESS is the place that URL names: leave it out, or name another.")
    if endpoint and is_path(url):
        raise UserError("ENDPOINT is a server's address, and URL is a folder: leave it out.")
    remote = Remote(places, server(endpoint) if endpoint else None)
    config = _config(root)
    config.setdefault("core", {})["remote"] = STORE
    for name, one in remote.places.items():
        # what arrives from a bucket is digested again before it is believed
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
        raise UserError(
            "No store is named: make remote URL=s3://bucket/prefix, or a folder's path."
        )
    said = ".dvc/config.local"
    urls = {name: str(one["url"]) for name, one in sections.items()}
    if is_path(urls[STORE]):
        return Remote({name: FolderPlace(url) for name, url in urls.items()}, None)
    endpoint = sections[STORE].get("endpointurl")
    return Remote({name: place(one["url"], said) for name, one in sections.items()}, endpoint)
