"""A backbone folder put together from published checkpoints, as `params.yaml` may name it.

CogVideoX as diffusers lays it out comes first, then PhotoMaker-V2's encoder, then a recogniser.
Each part is written aside and moved into place whole; nothing that is there is replaced, and
nothing is fetched.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm_model.errors import UserError
from mm_model.nn.cogvideox.backbone import PARTS
from mm_model.nn.cogvideox.tokenizer import FILES as TOKENIZERS
from mm_model.nn.identity.encoder import IdentityEncoder
from mm_model.nn.identity.photomaker import DROPPED_KEYS, ENCODER, read_pickle
from mm_model.nn.identity.recognizer import recognizer_digest
from mm_model.nn.identity.stacked import stacked_identity
from mm_model.nn.injection.files import load_json, load_tensors, save_json
from mm_model.nn.magic_mirror.config import IDENTITY_DESCRIPTION, IDENTITY_FOLDER
from mm_model.nn.parts import check_kind
from mm_model.published.arcface import read_recognizer
from mm_model.published.fitting import require_fit
from mm_model.published.weights import WeightFiles, files_of, weights_in
from mm_model.store import atomic

WEIGHTY = ("transformer", "vae", "text_encoder")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_BESIDE = (".json", ".model", ".txt")
"""Files of a part that are taken along with its weights: configurations and the tokenizer."""


def check_backbone(folder: Path) -> dict[str, WeightFiles]:
    """The weights of a CogVideoX folder by part, all of them whole.

    Raises:
        UserError: it is no text-to-video CogVideoX 1.0 in diffusers' layout, a file of it is
            missing or cut short, or tensors that its configurations promise are.
    """
    missing = [name for name in PARTS if not (folder / name).is_dir()]
    if not (folder / "model_index.json").is_file():
        missing.insert(0, "model_index.json")
    if missing:
        raise UserError(
            f"{folder} is no CogVideoX folder in diffusers' layout, {missing[0]} is missing: name "
            "one that holds " + ", ".join(("model_index.json", *PARTS)) + "."
        )
    check_kind(folder)
    if not any((folder / "tokenizer" / name).is_file() for name in TOKENIZERS):
        raise UserError(f"{folder / 'tokenizer'} has no {' or '.join(TOKENIZERS)}: fetch it again.")
    found = {name: weights_in(folder / name) for name in WEIGHTY}
    require_fit(folder)
    return found


def link_cogvideox(source: str | Path, target: Path) -> dict[str, WeightFiles]:
    """Make `target` a backbone folder with the files of a CogVideoX checkpoint, linked to them.

    `source` is a diffusers folder, or a name such as CogVideoX's `owner/name` whose files lie in
    the library's local cache. Hard links take no room; where the file system has none, files are
    copied. Returns the weights by part.

    Raises:
        UserError: the source is none, not whole, or of another kind, or `target` holds something.
    """
    folder = _found(source)
    weights = check_backbone(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} holds something already: name a new folder with --to.")
    with _aside(target) as made:
        atomic.link((folder / "model_index.json").resolve(), made / "model_index.json")
        for part in PARTS:
            for path in _of_part(folder / part, part in WEIGHTY):
                atomic.link(path.resolve(), made / part / path.name)
    return weights


def _of_part(folder: Path, weighty: bool) -> list[Path]:
    found = [path for path in sorted(folder.iterdir()) if path.suffix in _BESIDE]
    return found + (files_of(folder) if weighty else [])


def _found(source: str | Path) -> Path:
    """The folder itself, or where the library's cache holds the files of a name on the Hub."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    if not isinstance(source, str) or not _HUB_ID.fullmatch(source):
        raise UserError(
            f"{source} is no folder: name a CogVideoX folder in diffusers' layout, or the "
            "owner/name of one that lies in the local cache."
        )
    from transformers.utils import cached_file

    try:
        index = cached_file(source, "model_index.json", local_files_only=True)
    except (OSError, ValueError):  # its words are of a fetch, which nobody asked for
        raise UserError(
            f"{source} is no folder here and not in the local cache, and nothing is fetched: fetch "
            "CogVideoX yourself and name its folder."
        ) from None
    return Path(str(index)).parent


def put_photomaker(source: Path, backbone: Path) -> IdentityEncoder:
    """Convert PhotoMaker-V2's file into the `identity_encoder/` of a backbone folder, once.

    `source` is the published `photomaker-v2.bin` (read with `weights_only=True`) or that converted
    to safetensors. All its 463 names and shapes are held to; of them the networks that Magic Mirror
    uses are written.

    Raises:
        UserError: the file or the folder is another, or an identity encoder is there already.
    """
    check_backbone(backbone)
    target = backbone / IDENTITY_FOLDER
    if target.exists():
        raise UserError(
            f"{target} is there already, and adapters may have been trained with it: move it away "
            "first, or make another folder (import cogvideox)."
        )
    if source.suffix == ".safetensors":
        state = load_tensors(source)
        own = {k.removeprefix(f"{ENCODER}."): v for k, v in state.items() if k.startswith(ENCODER)}
        state = own or state  # converted with its LoRA, both stand under a prefix
    else:
        state = read_pickle(source)[ENCODER]
    lacking = [key for key in DROPPED_KEYS if key not in state]
    if lacking:
        raise UserError(f"{source} lacks {lacking[0]!r}: it is not PhotoMaker-V2's whole file.")
    encoder = stacked_identity(state, source).encoder
    with _aside(target) as made:
        encoder.save_pretrained(made)
    return encoder


def put_recognizer(source: Path, backbone: Path) -> str:
    """Put a recogniser into the `identity_encoder/` of a backbone folder; returns its digest.

    It conditions the model and is what the identity loss is differentiated through.

    Raises:
        UserError: the file is no IResNet, its vectors are of another width than the encoder takes,
            or there is no encoder yet, or one with a recogniser.
    """
    folder = backbone / IDENTITY_FOLDER
    path = folder / IDENTITY_DESCRIPTION
    if not path.is_file():
        raise UserError(
            f"{folder} holds no identity encoder yet: import PhotoMaker-V2's file first (import "
            "photomaker)."
        )
    said = load_json(path)
    if said.get("recognizer") is not None:
        raise UserError(
            f"{folder} has a recogniser already, and adapters may have been trained with it: make "
            "another folder (import cogvideox) for another one."
        )
    model = read_recognizer(source)
    width = said["perceiver"]["embedding_dim"]
    if model.width != width:
        raise UserError(
            f"{source} gives vectors of {model.width} numbers, but the identity encoder of "
            f"{backbone} takes {width}: name a recogniser of that width."
        )
    digest = recognizer_digest(model)
    with _aside(folder / "recognizer") as made:
        model.save_pretrained(made)
    said["recognizer"] = {"kind": "torch"}
    said["sha256"] = {**said["sha256"], "recognizer": digest}
    save_json(path, said)  # last: what it does not name is not read
    return digest


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A new folder beside `target` that takes its place whole, or is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    made.chmod(0o755)
    try:
        yield made
        atomic.publish_folder(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
