"""Tars for tests, good ones and such as nobody should trust."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

TERMS = {"kind": "tars", "licence": "CC-BY-4.0", "adults": True}


def picture(shade: int, size: int = 80) -> bytes:
    """A grey picture as bytes."""
    content = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), shade, np.uint8)).save(content, "PNG")
    return content.getvalue()


def member(name: str, content: bytes = b"", **values: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member; `values` are attributes of its header."""
    head = tarfile.TarInfo(name)
    head.size = len(content)
    for key, value in values.items():
        setattr(head, key, value)
    return head, content


def sample(key: str, shade: int, caption: str | None = None, **known: Any) -> list:
    """The members of one sample: a picture, its caption, its JSON."""
    found = [member(f"{key}.png", picture(shade))]
    if caption is not None:
        found.append(member(f"{key}.txt", caption.encode()))
    if known:
        found.append(member(f"{key}.json", json.dumps(known).encode()))
    return found


def tar(path: Path, members: Iterable, form: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar of these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for head, content in members:
            archive.addfile(head, io.BytesIO(content) if head.isreg() else None)
    return path


def say(folder: Path, **terms: Any) -> None:
    """Write the folder's source.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.yaml").write_text(yaml.safe_dump(terms, sort_keys=False))
