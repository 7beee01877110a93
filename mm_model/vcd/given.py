"""What a learning is given: whose consent covers which photographs, and where masks come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mm_model.errors import UserError
from mm_model.facepack.port import open_pack
from mm_model.media import consent as records
from mm_model.settings import Profile
from mm_model.settings.listed import NAME as LIST
from mm_model.store import consents
from mm_model.vcd import masks

if TYPE_CHECKING:
    from mm_model.vcd.masks import Segmenter

PERSON = "person"
Covered = Callable[[str], bool]
"""Whether a photograph of this name may be learned from."""


def consent_of(
    kind: str, photos: Path, said: consents.Statement | None, root: Path, *, option: str = ""
) -> tuple[str | None, Covered]:
    """The id of the statement on a person's photographs, and which files it covers.

    It is put into the tree's file of consents. Of animals and objects none is asked. `option` is
    how else than by a file it can be given, for the refusal.

    Raises:
        UserError: there is none, or the folder states it file by file.
    """
    if kind != PERSON:
        return None, lambda _: True
    how = records.RECORD_HOW + (f", or give {option}" if option else "")
    record = records.consent_for(photos, said, how=how)
    statement = said or record.statement
    if statement is None:
        raise UserError(f"{photos} states its consent file by file and not as a whole: {how}.")
    consents.record(consents.path_below(root), statement)
    return statement.id, record.covers


@dataclass(frozen=True, kw_only=True)
class SubjectFinding:
    """How a subject is found: by which `segment` (None: by what there is), of its class `word`, in
    the pictures of `masks`, or by networks where they lie.
    """

    segment: str | None = None
    word: str = ""
    masks: Path | None = None
    matte: Path | None = None
    detector: Path | None = None
    sam: Path | None = None


def finder_of(kind: str, how: SubjectFinding, facepack: Path, profile: Profile) -> Segmenter:
    """Who says where the subject is, as `how` names it; its networks are loaded.

    Raises:
        UserError: a folder is none, or a network cannot be opened.
    """
    if how.segment == "none":
        return masks.Everything()
    if how.segment == "matte" and how.matte is not None:
        from mm_model.vcd.matte import PersonMatte

        return PersonMatte(how.matte)
    if how.segment == "grounded-sam" and how.detector is not None and how.sam is not None:
        from mm_model.vcd.grounded_sam import GroundedSam

        return GroundedSam(how.detector, how.sam, how.word, profile.run.device)
    supplied = None if how.segment == "face" else how.masks
    return segmenter_of(kind, supplied, facepack, profile)


def listed_finding(
    told: Mapping[str, str], supplied: Path, networks: Mapping[str, Path]
) -> SubjectFinding:
    """How a listed subject is found: `told` holds its word, and `segment` where the list says it.

    Raises:
        UserError: the list says masks, and there is no folder of them.
    """
    there, segment = supplied.is_dir(), told.get("segment")
    if segment == supplied.name and not there:
        raise UserError(
            f"{supplied.parent} holds no folder {supplied.name}, which {LIST} names as what finds "
            "the subject (segment): put masks there, or choose another."
        )
    return SubjectFinding(
        segment=segment, word=told["word"], masks=supplied if there else None, **networks
    )


def segmenter_of(kind: str, supplied: Path | None, facepack: Path, profile: Profile) -> Segmenter:
    """Who says where the subject is: the masks that are `supplied`, of a person without them the
    face that the pack finds, and of anything else the whole picture.

    Raises:
        UserError: the folder of masks is none, or the pack cannot be opened.
    """
    if supplied is not None:
        if not supplied.is_dir():
            raise UserError(f"{supplied} is no folder: name a folder of masks.")
        return masks.Supplied(supplied)
    if kind == PERSON:
        pack = open_pack(facepack, profile.faces.detection_size, profile.run.threads)
        return masks.FaceEllipse(pack, profile.faces)
    return masks.Everything()
