"""A profile in one piece, for trees that hold nothing that it could build on."""

from pathlib import Path
from typing import Any

from mm_model.settings import load_profile


def whole(root: Path, name: str = "tiny") -> dict[str, Any]:
    """Every value of the profile `name` of the tree at `root`."""
    return load_profile(root, name).model_dump(mode="json", by_alias=True)
