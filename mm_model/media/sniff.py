"""What a file is, told from its first bytes; names and extensions are never believed.

Only the kinds named here are ever handed to a decoder, and each to its own decoder alone.
"""

from mm_model.media.failure import MediaError
from mm_model.records import Reason

HEAD_BYTES = 64
"""How many first bytes `kind_of` needs."""

IMAGE_KINDS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
"""Image kinds accepted, with the extension a kept copy gets."""

CLIP_KINDS = {"mp4": ".mp4", "matroska": ".mkv"}
"""Containers accepted (MP4 and QuickTime; Matroska and WebM), with a kept copy's extension."""

DEMUXERS = {"mp4": "mov", "matroska": "matroska"}
"""FFmpeg's demuxer for each container, so that a playlist or a script is never interpreted."""

_IMAGE_EXTENSIONS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"}
_CLIP_EXTENSIONS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_QUICKTIME_ATOMS = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def kind_of(head: bytes) -> str | None:
    """Name of the file kind that starts with `head`, or None.

    One of `IMAGE_KINDS`, `CLIP_KINDS`, or `gif`, `avif`, `heif`, `avi` (known, but not accepted).
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF":
        return {b"WEBP": "webp", b"AVI ": "avi"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _box_kind(head)
    return "mp4" if head[4:8] in _QUICKTIME_ATOMS else None


def _box_kind(head: bytes) -> str:
    """By the brands of an `ftyp` box: the major one, and where that only says HEIF, the others."""
    major, end = head[8:12], min(len(head), int.from_bytes(head[:4], "big"))
    if major not in _AVIF_BRANDS | _HEIF_BRANDS:
        return "mp4"
    others = {head[at : at + 4] for at in range(16, end - 3, 4)}
    return "avif" if _AVIF_BRANDS & {major, *others} else "heif"


def accepted_kind(head: bytes, extension: str) -> tuple[str, str | None]:
    """(kind, note) of a file that may be decoded; `extension` is lower case with its dot.

    An image under another image's extension is accepted with a note, likewise a clip.

    Raises:
        MediaError: FMT_UNKNOWN for other content, FMT_MISMATCH for an image posing as a clip or
            the reverse.
    """
    kind = kind_of(head)
    if kind not in {*IMAGE_KINDS, *CLIP_KINDS, "gif"}:  # a GIF is refused later, as animated
        what = f"is {kind.upper()}" if kind else "starts like no known image or clip"
        raise MediaError(
            Reason.FMT_UNKNOWN,
            f"content {what}: JPEG, PNG, WebP, MP4, QuickTime, Matroska and WebM are accepted",
        )
    image = kind not in CLIP_KINDS
    if extension in (_CLIP_EXTENSIONS if image else _IMAGE_EXTENSIONS):
        raise MediaError(Reason.FMT_MISMATCH, f"content is {kind}, but the name ends {extension}")
    return kind, _extension_note(kind, extension)


def _extension_note(kind: str, extension: str) -> str | None:
    usual = {
        "jpeg": {".jpg", ".jpeg", ".jpe", ".jfif"},
        "png": {".png"},
        "webp": {".webp"},
        "mp4": {".mp4", ".m4v", ".mov"},
        "matroska": {".mkv", ".webm"},
    }.get(kind)
    if usual is None or extension in usual:
        return None
    return f"content is {kind}, the name ends {extension or 'without extension'}"
