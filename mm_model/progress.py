"""Progress lines for long work: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

OnStep = Callable[[int, int], None]
"""Told after each step: how many are done, of how many. What it raises ends the work."""

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
            print(
                f"{label} {done}/{total}, {rate:.1f}/s, {(total - done) / rate:.0f} s left",
                flush=True,
            )
            spoken = now


class Steps:
    """Reports steps that are told one by one, as `each` does: `with Steps(label) as steps`.

    With `rate` it says how many there are a second, too.
    """

    def __init__(self, label: str, rate: bool = False) -> None:
        self._label, self._rate = label, rate
        self._bar: Any = None

    def __enter__(self) -> "Steps":
        self._started = self._spoken = time.monotonic()
        return self

    def told(self, done: int, total: int) -> None:
        """`done` of `total` steps are done."""
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=total, desc=self._label, leave=False)
            self._bar.update(done - self._bar.n)
            return
        now = time.monotonic()
        if now - self._spoken >= _QUIET_SECONDS and done < total:
            left = (total - done) * (now - self._started) / done
            rate = f"{done / (now - self._started):.1f}/s, " if self._rate else ""
            print(f"{self._label} {done}/{total}, {rate}{left:.0f} s left", flush=True)
            self._spoken = now

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
