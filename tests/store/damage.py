"""What can happen to a file that lies about: the damage that the tests do to it."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


def flipped(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """`count` copies of `content` with one bit flipped: the head, the tail, and random places."""
    rng = random.Random(seed)
    bits = len(content) * 8
    head = list(range(0, min(bits, 512), 13))[: count // 3]
    places = [*head, bits - 1]
    places += [rng.randrange(bits) for _ in range(count - len(places))]
    for place in places[:count]:
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        yield bytes(damaged)


def other_damage(path: Path, other: Path) -> dict[str, Callable[[], object]]:
    """Damage by name: truncated at several places, emptied, deleted, replaced by `other`."""
    content = path.read_bytes()
    parts = {
        f"cut at {share:.0%}": lambda share=share: path.write_bytes(
            content[: int(len(content) * share)]
        )
        for share in (0.01, 0.5, 0.99)
    }
    return parts | {
        "one byte more": lambda: path.write_bytes(content + b"\0"),
        "empty": lambda: path.write_bytes(b""),
        "deleted": path.unlink,
        "swapped": lambda: shutil.copyfile(other, path),
    }
