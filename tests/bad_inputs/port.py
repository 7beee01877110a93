"""What a kind of bad input is: how its files are made, and what the stages must say of each."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILES, TARS, INDEX, SHEET = "files", "tars", "index", "sheet"
"""The sources of the collection that all kinds lie in together."""


@dataclass(frozen=True)
class Made:
    """One thing that lies in the folder.

    name: from the kind's own folder; it may hold bytes that are no text. content: its bytes, or
    what makes it at a path. reason: the code of its row, None: kept; also: another that is as
    right. says: words that the row's message must hold. rows: instead, of a thing that is several
    rows (or none), name to reason; the name "" is the thing's own, and "#" that of its line in an
    index. row: that line. size: of a kept one, its width and height. caption: of a kept one, where
    its caption comes from and what was wrong with its own.
    """

    name: bytes
    content: bytes | Callable[[Path], object]
    reason: str | None = None
    says: str = ""
    rows: dict[str, str | None] | None = None
    size: tuple[int, int] | None = None
    caption: tuple[str, str | None] | None = None
    row: dict[str, str | None] | None = None
    also: str | None = None


Maker = Callable[[int, int], "Made | Iterable[Made]"]


@dataclass(frozen=True)
class Kind:
    """One kind: `how` it is made, what `becomes` of it, and of how many files there are variants.

    make: number of the variant and a seed to the things of that variant. note: why it is so, where
    one might expect something else. between: what happens to a thing after stage `sources`.
    refused: way of asking, and error number of what this user may not do to things of this name.
    dear: takes seconds, and is left out where time is short.
    """

    name: str
    how: str
    becomes: str
    variants: int
    make: Maker = field(repr=False)
    note: str = ""
    source: str = FILES
    between: Callable[[Path], object] | None = None
    refused: tuple[str, int] | None = None
    dear: bool = False

    @property
    def slug(self) -> str:
        """The name of the folder that its files lie in."""
        return self.name.replace(" ", "-").replace("/", "-").lower()

    def things(self, variants: Iterable[int]) -> Iterator[Made]:
        """Of some variants, in order; equal every time."""
        for number in variants:
            made = self.make(number, seed_of(self.name, number))
            yield from ([made] if isinstance(made, Made) else made)


def seed_of(name: str, number: int) -> int:
    """A seed of its own for each variant of each kind: no two of them look alike by chance."""
    return zlib.crc32(f"{name}/{number}".encode())


KINDS: list[Kind] = []


def kind(
    name: str,
    how: str,
    becomes: str,
    variants: int,
    **more: object,
) -> Callable[[Maker], Maker]:
    """Put a kind on the list: `@kind(name, how, becomes, variants)` before the function."""

    def put(make: Maker) -> Maker:
        KINDS.append(Kind(name, how, becomes, variants, make, **more))  # type: ignore[arg-type]
        return make

    return put
