"""The command `measure`: Magic-Me's metrics of any clip, against photographs and a sentence."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.commands.refine import read_clip
from mm_model.errors import UserError
from mm_model.store import named
from mm_model.store.layout import repository_root

if TYPE_CHECKING:
    import numpy as np

    from mm_model.store.atomic import Document


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `measure` to the command line."""
    command = commands.add_parser(
        "measure", help="say how a clip shows a subject: identity, words, smoothness, motion"
    )
    command.add_argument("clips", nargs="+", type=named.path, help="the .mp4 files to measure")
    command.add_argument(
        "--photos", type=named.path, metavar="DIR", help="photographs of the subject"
    )
    command.add_argument("--prompt", help="the sentence that the clips were made from")
    command.add_argument(
        "--clip",
        type=named.path,
        metavar="DIR",
        help="a folder with CLIP (as clip-vit-base-patch32)",
    )
    command.add_argument(
        "--dino",
        type=named.path,
        metavar="DIR",
        help="a folder with DINO (as dino-vits16) or DINOv2",
    )
    command.set_defaults(act=_measure)


def _measure(options: argparse.Namespace) -> None:
    from mm_model.metrics import embedders
    from mm_model.metrics.subject import SubjectClip, measured
    from mm_model.settings import load_params, load_profile

    root = repository_root()
    profile = load_profile(root, load_params(root).profile)
    photographs, left_out = _photographs(options.photos)
    networks = embedders.open_networks(options.clip, options.dino, profile.run.device)
    clips: Document = {}
    unavailable: dict[str, str] = {}
    for path in options.clips:
        frames, fps = read_clip(path, profile)
        seen = SubjectClip(
            frames=frames, fps=fps, photographs=tuple(photographs), prompt=options.prompt
        )
        found = measured(seen, networks)
        clips[str(path)] = {"frames": len(frames), "fps": fps, **found.values}
        unavailable |= found.unavailable
    said: Document = {"photographs": len(photographs), "left_out": left_out, "clips": clips}
    said |= {"unavailable": unavailable, "weights": networks.weights}
    print(json.dumps(said, indent=1))


def _photographs(folder: Path | None) -> tuple[list[np.ndarray], dict[str, str]]:
    """Those that lie in `folder`, and by name why others were left out."""
    from mm_model.media.failure import MediaError
    from mm_model.media.folder import media_below
    from mm_model.media.images import load_image

    if folder is None:
        return [], {}
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name a folder of photographs.")
    kept, left_out = [], {}
    for file in media_below(folder):
        if file.subject is not None:  # a listed subject's folder holds its masks too
            left_out[file.relative.as_posix()] = "it lies in a folder of its own"
            continue
        try:
            if file.problem is not None:
                raise file.problem
            kept.append(load_image(file.path))
        except MediaError as error:
            left_out[file.relative.as_posix()] = str(error)
    if not kept:
        raise UserError(
            f"{folder} holds no photograph that can be read: name the folder that they lie in."
        )
    return kept, left_out
