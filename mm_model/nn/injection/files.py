"""Adapter files on disk: `magic_mirror_config.json` and `magic_mirror_adapter.safetensors`.

The names are those of every way in; the configuration's field `class` says which it is.

safetensors only; the configuration records the SHA-256 of the tensor file and is written last, so a
folder with a configuration is complete. A digest that does not match is refused before loading.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from mm_model.errors import UserError
from mm_model.nn.injection.config import InjectionConfig
from mm_model.store import atomic

CONFIG_NAME = "magic_mirror_config.json"
WEIGHTS_NAME = "magic_mirror_adapter.safetensors"
DIGEST_FIELD = "weights_sha256"
DTYPE_FIELD = "weights_dtype"


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_tensors(path: Path, state: dict[str, Tensor]) -> str:
    """Write tensors aside, rename, and return the digest of the file."""
    plain = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    with atomic.written_aside(path) as aside:
        save_file(plain, aside)
    return sha256_file(path)


def save_json(path: Path, data: dict) -> None:
    """Write JSON aside and rename."""
    atomic.write_text(path, json.dumps(data, indent=2) + "\n")


def load_json(path: Path) -> dict:
    """Read a JSON object; raises `UserError` naming the file when it is absent or not JSON."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; name a folder that holds it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); restore the file.") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} does not hold a JSON object; restore the file.")
    return data


def load_tensors(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read a safetensors file after checking its digest (when one is given)."""
    if path.suffix != ".safetensors":
        raise UserError(f"{path} is not a .safetensors file; only that format is loaded.")
    if not path.is_file():
        raise UserError(f"{path} is missing; name a folder that holds it.")
    if sha256 is not None and sha256_file(path) != sha256:
        raise UserError(
            f"{path} does not have the recorded SHA-256 {sha256[:12]}...; the file is damaged or "
            "was replaced: fetch it again."
        )
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own class for damaged headers
        raise UserError(
            f"{path} cannot be read as safetensors ({error}); fetch it again."
        ) from error


def write_adapter(folder: str | Path, config: InjectionConfig, state: dict[str, Tensor]) -> Path:
    """Write tensors, then the configuration with their digest and dtype."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    digest = save_tensors(folder / WEIGHTS_NAME, state)
    dtypes = sorted({str(value.dtype).removeprefix("torch.") for value in state.values()})
    said = {DIGEST_FIELD: digest, DTYPE_FIELD: " and ".join(dtypes)}
    save_json(folder / CONFIG_NAME, {**config.to_dict(), **said})
    return folder


def read_description(folder: str | Path) -> tuple[dict[str, object], str]:
    """Configuration as it was written, and the recorded digest of the weights."""
    data = load_json(Path(folder) / CONFIG_NAME)
    digest = data.pop(DIGEST_FIELD, None)
    data.pop(DTYPE_FIELD, None)  # the tensor file says it too; this one is for readers
    if not isinstance(digest, str):
        raise UserError(
            f"{Path(folder) / CONFIG_NAME} records no {DIGEST_FIELD}; save the adapter again."
        )
    return data, digest
