"""Progress lines for long work: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_QUIET_SECONDS = 5.0


def each(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Yield `items`, reporting how many of `total` are done, the rate and the time left."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=label, leave=False)
        return
    started = spoken = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - spoken >= _QUIET_SECONDS and done < total:
            rate = done / (now - started)
            print(f"{label} {done}/{total}, {rate:.1f}/s, {(total - done) / rate:.0f} s left",
                  flush=True)  # fmt: skip
            spoken = now
