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
from mm_model.store import digests, lock
from mm_model.store.atomic import Document, publish_folder, write_bytes, write_json
from mm_model.vcd import learn, masks
from mm_model.vcd.bases import OpenedBase, open_base
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


@dataclass(frozen=True)
class Listeners:
    """Who hears of a learning: lines, steps of all, and the loss of each step."""

    say: Callable[[str], None]
    on_step: OnStep | None = None
    on_loss: learn.OnLoss | None = None


def learn_and_keep(
    order: LearningOrder,
    found: PhotoSet,
    profile: Profile,
    target: Path,
    told: Listeners,
    *,
    look: Callable[[], None],
) -> None:
    """Learn a subject and publish `target` whole; what was cut off goes on from its checkpoint.

    look: refuses a target that must stay. It is called when nobody else can learn into it any more.

    Raises:
        BusyError: another process learns into `target`.
        UserError: the checkpoint cannot be used, or learning failed.
    """
    began = time.monotonic()
    aside, work = (target.with_name(f".{target.name}.{part}") for part in ("aside", "work"))
    opened = open_base(order.weights, profile)
    with lock.held(work, f"it learns {order.name}"):
        look()
        record = learned_into(
            aside, order, found, profile, opened=opened, work=work / "checkpoints", told=told
        )
        write_json(aside / RECORD, {**record, "seconds": round(time.monotonic() - began, 2)})
        publish_folder(aside, target)
        shutil.rmtree(work, ignore_errors=True)


def learned_into(
    folder: Path,
    order: LearningOrder,
    found: PhotoSet,
    profile: Profile,
    *,
    opened: OpenedBase,
    work: Path,
    told: Listeners,
) -> Document:
    """Learn a subject and write tokens, record and sheet into `folder`; the record, without a time.

    Raises:
        UserError: learning failed.
    """
    torch.set_num_threads(profile.run.threads)
    done = learn.learn(
        opened.base,
        learn.SubjectToLearn(order.name, order.word, found.photos),
        opened.settings,
        seed=profile.run.seed,
        work=work,
        base_digest=opened.digest,
        say=told.say,
        on_step=told.on_step,
        on_loss=told.on_loss,
    )
    done.tokens.save(folder / TOKENS)
    pictures = [masks.shown(photo.pixels, photo.mask) for photo in found.photos]
    sheet_bytes = sheet.jpeg_bytes(sheet.contact_sheet(pictures, found.names, _A_ROW))
    write_bytes(folder / SHEET, sheet_bytes)
    said = asdict(order)
    weights = {"path": said.pop("called"), "sha256": opened.digest}
    record: Document = {
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
        "tokens_sha256": digests.of_file(folder / TOKENS),
        "losses": done.losses,
    }
    write_json(folder / RECORD, record)
    return record
