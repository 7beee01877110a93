"""The finished face pack: files, digests, figures and recommendations in one manifest.

Lays out two InsightFace packs (pipeline and judge) and the torch recogniser, and measures them on
people of no training. Refuses to state a figure it did not measure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_model.embedded.people import split
from mm_model.embedded.training.facepack import export, measure, photo_cache, train
from mm_model.embedded.training.facepack.detector import Detector
from mm_model.embedded.training.facepack.photo_cache import Photos
from mm_model.nn.identity.face_recognizer import FaceRecognizer
from mm_model.store import atomic, digests
from mm_model.store.atomic import Document

DET_SIZE = 128
"""Recommended side of the detector's input for the tiny profile, in pixels."""

DET_THRESHOLD = 0.5
"""Recommended detection threshold; ``DET_THRESHOLD_PADDED`` where a padded frame is tried."""

DET_THRESHOLD_PADDED = 0.65

MEASURED_PEOPLE = split.HELD_OUT_PEOPLE[:100]
"""People whose photographs give the manifest's figures."""

FACEPACK, JUDGE, TORCH = Path("facepack"), Path("judge"), Path("recognizer")
PACK_NAME, JUDGE_NAME = "tiny", "judge"
MANIFEST = FACEPACK / "manifest.json"

_SIDES = (64, 96, 128)
_SMALL = (16, 20, 24, 32)


@dataclass(frozen=True)
class Trained:
    """The three networks, in evaluation mode, and the record of each one's training."""

    detector: Detector
    recognizer: FaceRecognizer
    judge: FaceRecognizer
    records: Document


def train_all(
    work: Path,
    *,
    seed: int = 2501,
    detector_steps: int = 1000,
    recognizer_steps: int = 1200,
    judge_steps: int = 800,
    threads: int = 1,
    resume: bool = True,
) -> Trained:
    """Train detector, recogniser and judge in the work folder, one after the other, resumable."""
    ours = photo_cache.photos(work, split.WEIGHTS_PEOPLE)
    detector, first = train.train_detector(
        work, seed=seed, steps=detector_steps, photos=ours, threads=threads, resume=resume
    )
    recognizer, second = train.train_recognizer(
        work,
        people=split.WEIGHTS_PEOPLE,
        seed=seed + 1,
        steps=recognizer_steps,
        photos=ours,
        threads=threads,
        resume=resume,
    )
    del ours
    judge, third = train.train_recognizer(
        work,
        people=split.JUDGE_PEOPLE,
        seed=seed + 2,
        steps=judge_steps,
        name="judge",
        architecture=train.RECOGNIZER_B,
        threads=threads,
        resume=resume,
    )
    records = {"detector": first, "recognizer": second, "judge": third}
    return Trained(detector, recognizer, judge, records)


def write_files(weights: Path, trained: Trained) -> dict[str, str]:
    """Write both packs and the torch recogniser below ``weights``; digest of each file by path.

    Rounds the networks' weights to half precision in place first.
    """
    for net in (trained.detector, trained.recognizer, trained.judge):
        export.round_to_half(net)
    for root, name, net in (
        (FACEPACK, PACK_NAME, trained.recognizer),
        (JUDGE, JUDGE_NAME, trained.judge),
    ):
        folder = weights / root / "models" / name
        export.export_detector(trained.detector, folder / "detector.onnx")
        export.export_recognizer(net, folder / "recognizer.onnx")
    trained.recognizer.save_pretrained(weights / TORCH, half=True)
    files = [
        weights / folder / name
        for folder in (FACEPACK, JUDGE, TORCH)
        for name in digests.files_below(weights / folder)
        if weights / folder / name != weights / MANIFEST
    ]
    return {f.relative_to(weights).as_posix(): digests.of_file(f) for f in files}


def measure_pack(root: Path, name: str, photos: Photos, *, detection: bool) -> Document:
    """Figures of one pack on ``photos``, per side of the photographs in pixels."""
    pack = measure.load_pack(root, name, DET_SIZE, DET_THRESHOLD)
    figures: Document = {"recognition": {}}
    found: Document = {}
    for side in _SIDES:
        seen = measure.look(pack, photos, side)
        found[f"{side}px"] = measure.detection_figures(seen)
        embeddings = seen.embeddings
        figures["recognition"][f"{side}px"] = measure.recognition_figures(embeddings, photos.seeds)
    if detection:
        found |= measure.small_face_figures(pack, photos, _SMALL)
        found |= measure.empty_figures(pack, photos)
        figures["detection"] = found
    return figures


def build_pack(
    weights: Path,
    work: Path,
    *,
    seed: int = 2501,
    detector_steps: int = 1000,
    recognizer_steps: int = 1200,
    judge_steps: int = 800,
    threads: int = 1,
    resume: bool = True,
) -> Document:
    """Train (or continue), export and measure everything; returns the manifest it writes last.

    ``weights`` is the folder of the tiny weights, ``work`` an ignored folder for photographs and
    checkpoints (about 2 GB).
    """
    trained = train_all(
        work,
        seed=seed,
        detector_steps=detector_steps,
        recognizer_steps=recognizer_steps,
        judge_steps=judge_steps,
        threads=threads,
        resume=resume,
    )
    files = write_files(weights, trained)
    held_out = photo_cache.photos(work, MEASURED_PEOPLE, count=4)
    ours = measure_pack(weights / FACEPACK, PACK_NAME, held_out, detection=True)
    judge = measure_pack(weights / JUDGE, JUDGE_NAME, held_out, detection=False)
    manifest = {
        "files_sha256": files,
        "renderer_sha256_12": photo_cache.renderer_digest(),
        "people": {
            "detector": _range(split.WEIGHTS_PEOPLE),
            "recognizer": _range(split.WEIGHTS_PEOPLE),
            "judge": _range(split.JUDGE_PEOPLE),
            "measured": _range(MEASURED_PEOPLE),
        },
        "training": trained.records,
        "recommended": {
            "det_size": DET_SIZE,
            "det_threshold": DET_THRESHOLD,
            "det_threshold_padded": DET_THRESHOLD_PADDED,
            "pair_threshold": measure.pair_threshold(ours["recognition"]["64px"]),
            "pair_threshold_judge": measure.pair_threshold(judge["recognition"]["64px"]),
            "embedding_width": trained.recognizer.width,
        },
        "figures": {"pack": _rounded(ours), "judge": _rounded(judge)},
    }
    atomic.write_json(weights / MANIFEST, manifest)
    return manifest


def read_manifest(weights: Path) -> Document:
    """The manifest of the packs below ``weights``."""
    return json.loads((weights / MANIFEST).read_text(encoding="utf-8"))


def _range(people: range) -> list[int]:
    return [people.start, people.stop]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return round(value, 4) if isinstance(value, float) else value
