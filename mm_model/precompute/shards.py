"""Shards: tars of samples in WebDataset's layout, each committed by one rename.

`<id>.json` and `<id>.safetensors` follow each other, without times or owners, so equal samples give
equal bytes. Where a sample lies is told by the index, so that one can be read alone. No pickles.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.precompute.sample import TENSORS, WORDS, TrainingSample
from mm_model.rows import Row
from mm_model.store import digests, sealed
from mm_model.store.atomic import written_aside

Entry = tuple[str, Row, bytes]
"""A sample's id, its words (JSON-able) and its safetensors."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of the parts of a sample: what each has, a text, a reference."""

    fixed: int
    text: int
    reference: int

    @classmethod
    def of(cls, sample: TrainingSample) -> "Sizes":
        """As they are in `sample`; all samples of a set are alike in this."""
        texts = [sample.text, sample.text_mask]
        per = [sample.x_id, sample.clip_tokens, sample.embeddings]
        fixed = [sample.mean, sample.logvar, sample.mask, sample.landmarks, sample.box]
        return cls(
            sum(t.nbytes for t in fixed),
            sum(t.nbytes // len(t) for t in texts),
            sum(t.nbytes // len(t) for t in per),
        )

    def of_sample(self, texts: int, references: int) -> int:
        """Bytes of the tensors of a sample."""
        return self.fixed + texts * self.text + references * self.reference


def plan(sizes: Sequence[int], most: int) -> Iterator[range]:
    """Places of the samples of each shard: as many as fit into `most` bytes, one at least."""
    start = held = 0
    for place, size in enumerate(sizes):
        if place > start and held + size > most:
            yield range(start, place)
            start, held = place, 0
        held += size
    if start < len(sizes):
        yield range(start, len(sizes))


def name_of(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:06d}.tar"


def write(path: Path, entries: Iterable[Entry], origin: str) -> None:
    """Write and seal one shard; `origin` names the work it belongs to."""
    with written_aside(path) as aside:
        with tarfile.open(aside, "w", format=tarfile.USTAR_FORMAT) as tar:
            for sample_id, words, tensors in entries:
                said = {**words, "digest": digests.of_bytes(tensors)}
                text = json.dumps(said, sort_keys=True, allow_nan=False).encode()
                for ending, content in ((WORDS, text), (TENSORS, tensors)):
                    member = tarfile.TarInfo(f"{sample_id}.{ending}")
                    member.size, member.mode = len(content), 0o644
                    tar.addfile(member, io.BytesIO(content))
        sealed.seal(path, origin, aside)


def words_in(path: Path) -> Iterator[Row]:
    """What a shard says of its samples, in their order, and where their tensors lie.

    Each row has what `write` was given, `digest`, `shard`, `offset` and `bytes`. Tensors are passed
    over, not read.

    Raises:
        UserError: it is no shard, or a damaged one.
    """
    try:
        with tarfile.open(path) as tar:
            words: Row = {}
            for member in tar:
                sample_id, _, ending = member.name.partition(".")
                if ending == WORDS and (file := tar.extractfile(member)):
                    words = {"sample_id": sample_id, **json.load(file)}
                elif ending == TENSORS and words.get("sample_id") == sample_id:
                    place = {"offset": member.offset_data, "bytes": member.size}
                    yield {**words, "shard": path.name, **place}
                else:
                    raise ValueError(f"{member.name} stands alone")
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise UserError(f"{path} is no shard of samples ({error}): run precompute again.") from None


@dataclass(frozen=True)
class SamplePlace:
    """Where the tensors of a sample lie in its shard, and their digest."""

    shard: str
    offset: int
    size: int
    digest: str

    @classmethod
    def of(cls, row: Row) -> "SamplePlace":
        """The place that a row of the index tells."""
        return cls(row["shard"], int(row["offset"]), int(row["bytes"]), row["digest"])

    def read(self, folder: Path) -> bytes | None:
        """The bytes, or None where they are not there whole."""
        try:
            with (folder / self.shard).open("rb") as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except OSError:
            return None
        return content if digests.of_bytes(content) == self.digest else None
