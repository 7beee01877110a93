"""Files that can carry code where only weights are expected: by their ending and first bytes.

A pickle runs code when it is read, whatever it is called. Nothing here reads more than the start.
"""

from pathlib import Path

_ENDINGS = (
    ".pkl",
    ".pickle",
    ".pt",
    ".pth",
    ".bin",
    ".ckpt",
    ".joblib",
    ".dill",
    ".npz",
    ".py",
    ".pyc",
    ".pyo",
    ".pyd",
    ".pyz",
    ".so",
    ".dll",
    ".dylib",
    ".exe",
    ".sh",
)
_STARTS = (b"PK\x03\x04", b"\x7fELF", b"MZ", b"#!")
_PROTOCOLS = range(2, 6)


def may_carry_code(path: Path) -> bool:
    """Whether the file's ending or its first bytes are those of a pickle, archive or program.

    Raises:
        OSError: it cannot be read.
    """
    if path.name.lower().endswith(_ENDINGS):
        return True
    with path.open("rb") as handle:
        start = handle.read(16)
    return start.startswith(_STARTS) or _is_pickle(start)


def _is_pickle(start: bytes) -> bool:
    """Binary pickles begin with 0x80 and their protocol; so may the length of a safetensors header,
    which an opening brace follows."""
    if len(start) < 2 or start[0] != 0x80 or start[1] not in _PROTOCOLS:
        return False
    return not (len(start) > 8 and start[3:8] == bytes(5) and start[8:9] == b"{")
