"""A learned subject on disk: its tokens, how they came to be, and a sheet to look at."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path

import torch

from mm_model.media import sheet
from mm_model.progress import OnStep
from mm_model.settings import Profile
from mm_model.store import digests
from mm_model.store.atomic import publish_folder, write_bytes, write_json
from mm_model.vcd import learn, masks
from mm_model.vcd.bases import open_base
from mm_model.vcd.photos import PhotoSet

METHOD = "vcd"
TOKENS, RECORD, SHEET = "tokens.safetensors", "subject.json", "photos.jpg"
_A_ROW = 5


@dataclass(frozen=True)
class LearningOrder:
    """What is to be learned: a subject of some kind (person, animal, object) and class word.

    weights: a Stable Diffusion checkpoint or a CogVideoX backbone, which the record calls `called`.
    masks: who made them. consent: the statement's id.
    """

    name: str
    kind: str
    word: str
    _: KW_ONLY
    weights: Path
    called: str
    masks: str
    consent: str | None


def learn_and_keep(
    order: LearningOrder,
    found: PhotoSet,
    profile: Profile,
    target: Path,
    *,
    say: Callable[[str], None],
    on_step: OnStep | None = None,
    on_loss: learn.OnLoss | None = None,
) -> None:
    """Learn a subject and publish `target` whole; what was cut off goes on from its checkpoint.

    Raises:
        UserError: the checkpoint cannot be used, or learning failed.
    """
    torch.set_num_threads(profile.run.threads)
    began = time.monotonic()
    opened = open_base(order.weights, profile)
    aside, work = (target.with_name(f".{target.name}.{part}") for part in ("aside", "work"))
    done = learn.learn(
        opened.base,
        learn.SubjectToLearn(order.name, order.word, found.photos),
        opened.settings,
        seed=profile.run.seed,
        work=work,
        base_digest=opened.digest,
        say=say,
        on_step=on_step,
        on_loss=on_loss,
    )
    done.tokens.save(aside / TOKENS)
    pictures = [masks.shown(photo.pixels, photo.mask) for photo in found.photos]
    write_bytes(aside / SHEET, sheet.jpeg_bytes(sheet.contact_sheet(pictures, found.names, _A_ROW)))
    said = asdict(order)
    weights = {"path": said.pop("called"), "sha256": opened.digest}
    write_json(
        aside / RECORD,
        {
            "method": METHOD,
            **said,
            "family": opened.base.family,
            "space": opened.space,
            "placeholder": done.tokens.placeholder,
            "photographs": dict(zip(found.names, found.sha256, strict=True)),
            "left_out": found.left_out,
            "learning_rate": done.learning_rate,
            "settings": opened.settings.model_dump(mode="json"),
            "seed": profile.run.seed,
            "weights": weights,
            "tokens_sha256": digests.of_file(aside / TOKENS),
            "losses": done.losses,
            "seconds": round(time.monotonic() - began, 2),
        },
    )
    publish_folder(aside, target)
    shutil.rmtree(work, ignore_errors=True)
