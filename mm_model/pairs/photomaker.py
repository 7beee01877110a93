"""The synthesiser of the paper: PhotoMaker-V2 on SDXL, one photograph or clip after another.

What a picture is made from decides its name in the gallery, so nothing is painted twice, and the
weights are loaded when the first picture is missing. The vectors that steer it are the face pack's
own, not brought to length 1: PhotoMaker-V2 was trained on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mm_model.errors import UserError
from mm_model.facepack.port import Face, FacePack
from mm_model.faces.track import spread
from mm_model.pairs import prompts
from mm_model.pairs.augment import picture_of
from mm_model.pairs.sdxl import Painter, Photo, Recipe, load_painter, load_tokenizers
from mm_model.pairs.synthesizer import Identity, IdentityPicture, SynthesisedPicture
from mm_model.settings import PairsSettings, RunSettings
from mm_model.settings.device import device_of
from mm_model.store import digests

MARGIN = 2.0
"""Side of what the encoder sees over that of the face: as in a portrait (design choice; the
published scripts show it pictures that are portraits already)."""

SCHEMA = 1
"""Raised when equal inputs would be painted otherwise."""


@dataclass(frozen=True)
class SynthesizerWeights:
    """What lies in the synthesiser's folder: its digest, and the width of a face vector."""

    folder: Path
    digest: str
    face_width: int


def weights_in(folder: Path) -> SynthesizerWeights:
    """The weights of `folder`, looked at and not loaded.

    Raises:
        UserError: a file is missing or is none of PhotoMaker-V2.
    """
    from mm_model.nn.identity import stacked
    from mm_model.nn.identity.shelf import checkpoint_in, photomaker_in

    file, place = photomaker_in(folder), checkpoint_in(folder)
    width = stacked.face_width_of(stacked.read(file)[0], file)
    digest = digests.of_value([digests.of_folder(place), digests.of_file(file)])
    return SynthesizerWeights(folder, digest, width)


class PhotoMakerSynthesizer:
    """Paints who is shown, as a prompt of the pool asks. Lives in one process, on one device."""

    name = "photomaker"

    def __init__(
        self,
        weights: SynthesizerWeights,
        pool: Sequence[prompts.Prompt],
        rules: PairsSettings,
        run: RunSettings,
        pack: FacePack,
    ) -> None:
        """`pool` is drawn from; `pack` gives the face vectors.

        Raises:
            UserError: the pack's vectors are of another width than PhotoMaker takes.
        """
        if pack.width != weights.face_width:
            raise UserError(
                f"The face pack's vectors have {pack.width} numbers, but PhotoMaker-V2 was trained "
                f"on {weights.face_width} (InsightFace's recognisers of 512): name such a pack "
                "(params.yaml: facepack), or set pairs.synthesizer to augment."
            )
        self.weights, self._pool, self._run, self._pack = weights, pool, run, pack
        self._most = rules.synthetic_references
        self.recipe = Recipe(
            steps=rules.synthetic_steps,
            guidance=rules.synthetic_guidance,
            merge_after=rules.synthetic_merge_after,
            size=rules.synthetic_size,
            negative=rules.synthetic_negative,
        )
        self._painter: Painter | None = None

    def prompt_for(self, identity: Identity, seed: int) -> str:
        """The prompt that `seed` draws for this person."""
        return prompts.drawn(self._pool, identity.word or "person", seed).text

    def key(self, identity: Identity, seed: int) -> str:
        """Digest of all that decides how the picture looks."""
        shown = [
            [one.content, one.frame, one.face.box.tolist(), one.face.landmarks.tolist()]
            for one in self._shown(identity)
        ]
        device = device_of(self._run).type  # another kind of device rounds otherwise
        made_with = [self.weights.digest, self._pack.digest, self._run.dtype, device]
        return digests.of_value(
            [
                SCHEMA,
                shown,
                self.prompt_for(identity, seed),
                seed,
                asdict(self.recipe),
                made_with,
            ]
        )

    def make(self, identity: Identity, seed: int) -> SynthesisedPicture | None:
        """A picture of `identity`, whose portraits are of one sample; None without any.

        Raises:
            UserError: the weights cannot be loaded.
        """
        shown = self._shown(identity)
        if not shown:
            return None
        if self._painter is None:
            self._painter = load_painter(self.weights.folder, self._run)
        painter = self._painter
        seen = [self._seen(one, painter.image_size) for one in shown]
        prompt = self.prompt_for(identity, seed)
        return SynthesisedPicture(
            painter.paint(prompt, seen, seed, self.recipe), shown[0].sample_id
        )

    def _shown(self, identity: Identity) -> list[IdentityPicture]:
        portraits = identity.portraits
        return [portraits[place] for place in spread(len(portraits), self._most)]

    def _seen(self, one: IdentityPicture, side: int) -> Photo:
        from mm_model.generation.references import clip_pixels
        from mm_model.nn.identity.portrait import portrait

        image = picture_of(one)
        face: Face = one.face
        vector = np.asarray(self._pack.embed(image, face), np.float32)
        if not np.isfinite(vector).all():
            raise ValueError(f"the face vector of {one.sample_id} is not finite")
        return Photo(clip_pixels(portrait(image, face, MARGIN).image, side), vector)


def pool_of(path: Path, folder: Path, references: int) -> list[prompts.Prompt]:
    """The prompts of a file, held to what SDXL's own tokenizers read.

    Raises:
        UserError: a line is wrong; it is named.
    """
    both = load_tokenizers(folder)

    def count(text: str) -> int:
        return max(len(one(text, add_special_tokens=False)["input_ids"]) for one in both)

    return prompts.read(path, references, count)
