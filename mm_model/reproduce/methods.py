"""Which method keeps a person best: an adapter that sees photographs, tokens that learn them, both?

The same held-out drawn people, sentences and noise for all: the plain base, Magic Mirror from one
photograph and from four, Magic-Me's tokens learned from eight, and those tokens on top of Magic
Mirror. Nobody has compared them on one backbone; the budget of each is stated.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mm_model.embedded.objects.example import PERSON, DrawnSubject
from mm_model.embedded.people.encode import encode_picture
from mm_model.generation.backbone import given_adapter, load_backbone
from mm_model.generation.clips import pipeline_of
from mm_model.generation.references import batch_references, inputs_of
from mm_model.metrics.intervals import mean_interval, paired_interval
from mm_model.metrics.pixels import frame_change
from mm_model.nn.injection import files
from mm_model.reproduce import plots, tiers
from mm_model.reproduce.alike import shipped_judges
from mm_model.reproduce.drawn_tokens import TokenLearning
from mm_model.reproduce.figure9 import trained_adapter
from mm_model.reproduce.figure16 import photographs_of
from mm_model.reproduce.people import weights_of
from mm_model.reproduce.results import Shelf
from mm_model.settings import Profile, load_profile
from mm_model.store import digests
from mm_model.store.atomic import Document
from mm_model.vcd.augment import plain
from mm_model.vcd.bases import open_base
from mm_model.vcd.tokens import placeholder_of

if TYPE_CHECKING:
    from mm_model.settings.subject import SubjectSettings
    from mm_model.vcd.cogvideox import CogVideoX
    from mm_model.vcd.tokens import IdTokens

NAME = "methods"
VERSION = 1
"""Raised when equal settings give another result."""

BASE, ONE, FOUR = "base", "magic mirror, one photograph", "magic mirror, four"
TOKENS, BOTH = "tokens of eight", "tokens on magic mirror of four"
METHODS = (BASE, ONE, FOUR, TOKENS, BOTH)

_SHOWN_OF = {ONE: 1, FOUR: 4, BOTH: 4}
"""Photographs that Magic Mirror sees."""

_PROFILE = "tiny"
_LEARNED, _ASIDE, _SIDE = 8, 4, 128


@dataclass(frozen=True)
class MethodsStudy:
    """Held-out adults by the seeds of `DrawnSubject`: none of those on whom the values of tokens
    were chosen. steps: of a learning; the profile's where it is None.
    """

    people: tuple[int, ...] = (8, 9, 10, 11, 12, 13)
    sentences: tuple[str, ...] = (
        "{} smiles",
        "{} nods",
        "{} turns the head to the left",
        "{} talks",
    )
    seed: int = 10
    steps: int | None = None


TIERS = {
    tiers.SMOKE: MethodsStudy((8, 9), ("{} smiles",), steps=2),
    tiers.QUICK: MethodsStudy(),
}


class _Bench:
    """One backbone, an adapter on it, and who judges."""

    def __init__(self, root: Path, folder: Path, study: MethodsStudy) -> None:
        self.study = study
        self.profile: Profile = load_profile(root, _PROFILE)
        backbone = load_backbone(root / "weights" / "tiny" / "backbone", self.profile.run)
        opened = open_base(root / "weights" / "tiny" / "backbone", self.profile)
        base: Any = opened.base
        self.base: CogVideoX = base
        self.weights, self.digest = weights_of(backbone), opened.digest
        self.pipe = pipeline_of(backbone, given_adapter(folder, backbone))
        self.likeness, self.judged = shipped_judges(root, self.profile)
        self.likeness.enrol({seed: self._aside(seed) for seed in study.people})

    def _aside(self, seed: int) -> list[np.ndarray]:
        """Photographs that no method sees, at the clips' size."""
        found = DrawnSubject(PERSON, seed).photographs(_LEARNED + _ASIDE, _SIDE)[_LEARNED:]
        return [plain(one.image, one.mask, self.base.size).pixels for one in found]

    @property
    def values(self) -> SubjectSettings:
        """By which a subject is learned."""
        known = self.profile.subject.for_backbone()
        steps = self.study.steps
        return known if steps is None else known.model_copy(update={"steps": steps})

    def learned(self, seed: int, work: Path) -> IdTokens:
        """The tokens of a person, by the values of the profile."""
        who, name = DrawnSubject(PERSON, seed), f"person-{seed}"
        shown = who.photographs(_LEARNED, _SIDE)
        by = TokenLearning(self.base, self.digest, self.values, self.profile.run.seed)
        return by.learned((name, who.word), shown, work, title=name).tokens

    @torch.no_grad()
    def clips(self, seed: int, method: str, tokens: IdTokens) -> list[np.ndarray]:
        """A clip a sentence, frames uint8 `[F,H,W,3]`, from the same noise for every method."""
        identity = self._identity(seed, _SHOWN_OF.get(method, 0))
        serve, found = self.profile.serve, []
        for place, sentence in enumerate(self.study.sentences):
            words, mask = self._words(seed, sentence, method, tokens, identity)
            made = self.pipe(
                prompt_embeds=words,
                identity=identity,
                identity_mask=mask,
                num_frames=self.profile.model.num_frames,
                height=self.base.size,
                width=self.base.size,
                num_inference_steps=serve.default_steps,
                guidance_scale=serve.default_guidance,
                face_guidance=self.profile.evaluate.face_guidance,
                generator=[torch.Generator().manual_seed(self.study.seed + place)],
                max_sequence_length=self.base.length,
                output_type="latent",
                return_dict=False,
            )[0]
            frames = np.nan_to_num(np.asarray(self.pipe.to_frames(made)[0])).clip(0, 1)
            found.append((frames * 255).round().astype(np.uint8))
        return found

    def _identity(self, seed: int, number: int) -> Any:
        if not number:
            return None
        person = DrawnSubject(PERSON, seed).person
        encoder, config = self.pipe.identity_encoder, self.pipe.adapter.config
        margin = config.reference_margin
        inputs = inputs_of(photographs_of(person, number), margin, encoder.image_size)
        features = encoder.features(*batch_references([inputs], encoder.embed))
        return self.pipe.adapter.encode_identity(features)

    def _words(
        self, seed: int, sentence: str, method: str, tokens: IdTokens, identity: Any
    ) -> tuple[Tensor, Tensor | None]:
        """What the transformer hears, `[1,L,D]`, and where the subject's word stands in it."""
        word = DrawnSubject(PERSON, seed).word
        article = "an" if word[0] in "aeiou" else "a"
        bare = sentence.format(f"{article} {word}")
        if identity is None:
            if method == BASE:
                return self.base.words([bare]), None
            said = sentence.format(f"{article} {placeholder_of(f'person-{seed}')} {word}")
            return self.base.words([said], tokens), None
        words, mask = self.pipe.encode_identity_prompt(bare, identity, self.base.length)
        if method != BOTH:
            return words, mask
        pieces = len(self.base.tokenizer(word, add_special_tokens=False).input_ids)
        return before(words, mask, tokens.vectors, pieces)


def before(words: Tensor, mask: Tensor, vectors: Tensor, pieces: int) -> tuple[Tensor, Tensor]:
    """`words [1,L,D]` with `vectors [n,D]` before the class word, of so many pieces, whose last one
    stands where `mask [1,L]` is; both keep their length.
    """
    at = int(mask[0].nonzero()[0]) - (pieces - 1)
    length, number = words.shape[1], len(vectors)
    row = vectors.to(words.device, words.dtype)
    heard = torch.cat([words[0, :at], row, words[0, at:]])[:length]
    room = mask.new_zeros(number)
    return heard[None], torch.cat([mask[0, :at], room, mask[0, at:]])[:length][None]


def reproduce(root: Path, processes: int = 2, study: MethodsStudy | None = None) -> Shelf:
    """Write `methods.json` and `methods.png` from a trained adapter; returns where they lie.

    It is that of `make run` (profile tiny), else the one that `make figure8` keeps. Resumes by
    person.
    """
    study = study or TIERS[tiers.QUICK]
    folder, whose = trained_adapter(root, processes)
    torch.set_num_threads(max(1, processes))
    bench = _Bench(root, folder, study)
    made_by = files.sha256_file(folder / "adapter" / files.WEIGHTS_NAME)
    values = bench.values.model_dump(mode="json", exclude={"on_backbone"})
    setting: Document = {"study": asdict(study), "subject": values}
    judges = [bench.likeness.judges[name].digest for name in sorted(bench.likeness.judges)]
    origin = digests.of_value([VERSION, setting, bench.weights, made_by, judges])
    tier = next((name for name, one in TIERS.items() if one == study), "own")
    shelf = Shelf(tiers.folder_of(root, NAME, tier), NAME, origin)
    parts = [_part(bench, shelf, seed) for seed in study.people]
    said = {
        **({"command": f"make {NAME} TIER={tier}"} if tier == tiers.SMOKE else {}),
        "profile": _PROFILE,
        **setting,
        "adapter": {"from": whose, "sha256": made_by},
        "judges": {one.name: one.title for one in bench.judged.judges},
        "notes": bench.judged.notes,
        "methods": _figures(parts),
        "seconds of learning": [part["seconds"] for part in parts],
        "parts": [{k: v for k, v in part.items() if k != "shown"} for part in parts],
    }
    shelf.write(said, plots.methods(parts))
    return shelf


def _part(bench: _Bench, shelf: Shelf, seed: int) -> Document:
    """One person by every method; from the shelf where it was finished before."""
    name = f"person-{seed}"
    if (kept := shelf.part(name)) is not None:
        return kept
    began = time.monotonic()
    tokens = bench.learned(seed, shelf.folder / "learning" / name)
    part: Document = {"name": name, "seconds": round(time.monotonic() - began, 1), "methods": {}}
    row = [photo.pixels for photo in photographs_of(DrawnSubject(PERSON, seed).person, 2)]
    for method in METHODS:
        began = time.monotonic()
        clips = bench.clips(seed, method, tokens)
        seconds = (time.monotonic() - began) / len(clips)
        cosines = bench.likeness.of(clips)
        part["methods"][method] = {
            "identity": {judge: found[str(seed)] for judge, found in cosines.items()},
            "named": {judge: _named(found) for judge, found in cosines.items()},
            "motion": float(np.mean([frame_change(clip) for clip in clips])),
            "seconds a clip": round(seconds, 2),
        }
        row.append(clips[0][len(clips[0]) // 2])
    part["shown"] = base64.b64encode(encode_picture(_strip(row), ".png")).decode()
    shelf.keep(name, part)
    return part


def _named(cosines: dict[str, float | None]) -> str | None:
    """Whom of all people a judge names; nobody where no face was found."""
    known = {who: cosine for who, cosine in cosines.items() if cosine is not None}
    return max(known, key=lambda who: known[who]) if known else None


def _strip(pictures: Sequence[np.ndarray]) -> np.ndarray:
    import cv2

    side = max(len(one) for one in pictures)
    cells = [cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC) for one in pictures]
    return np.concatenate(cells, axis=1)


def _figures(parts: Sequence[Document]) -> Document:
    """Per method its means over people, and how far they are from the base's and from those of
    Magic Mirror of four photographs, with intervals.
    """
    found: Document = {}
    for method in METHODS:
        own, base, mirror = (
            [part["methods"][one] for part in parts] for one in (method, BASE, FOUR)
        )
        row: Document = {"motion": mean_interval([one["motion"] for one in own])}
        for judge in own[0]["identity"]:
            values = [one["identity"][judge] for one in own]
            plainly, mirrored = (
                [one["identity"][judge] for one in ones] for ones in (base, mirror)
            )
            row[judge] = {
                "cosine": mean_interval(values),
                "gain": paired_interval(values, plainly),
                "over magic mirror": paired_interval(values, mirrored),
                "named right": sum(
                    one["named"][judge] == part["name"].rpartition("-")[2]
                    for one, part in zip(own, parts, strict=True)
                ),
            }
        row["seconds a clip"] = round(float(np.median([one["seconds a clip"] for one in own])), 2)
        found[method] = row
    return found
