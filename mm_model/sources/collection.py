"""The source that is several: a folder whose `source.yaml` lists what lies in it, each with terms.

An item's name begins with the name of its source, so that it is nobody else's; so does the folder
that says who is shown.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mm_model.media.consent import consents_of
from mm_model.media.names import shown
from mm_model.media.terms import NAME, parts_of, terms_of
from mm_model.run.stage import Job
from mm_model.sources.folder import Folder
from mm_model.sources.index import Index
from mm_model.sources.port import Item, Remarks, Source
from mm_model.sources.tars import Tars
from mm_model.sources.told import Told
from mm_model.store.consents import Statement

PARTS: dict[str, Callable[[Path, Told], Source]] = {
    "folder": Folder,
    "tars": Tars,
    "index": Index,
}
"""What a collection may hold, by the word for it in `source.yaml`."""


def fits(path: Path) -> bool:
    """A folder that lists its sources."""
    return path.is_dir() and terms_of(path).kind == "collection"


def opened(path: Path, job: Job) -> "Collection":
    """The sources of the collection; of each, nothing is listed without a record of consent.

    Raises:
        UserError: a source without a consent record, or one that cannot be read.
    """
    return Collection(path, job)


class Collection:
    """See `port.Source`: its sources one after the other, in the order of their names."""

    synthetic = False

    def __init__(self, path: Path, job: Job) -> None:
        named = job.profile.sources.consent
        parts = parts_of(path, terms_of(path))
        records = consents_of(path, Statement(named) if named else None)
        self._path = path
        self._parts: dict[str, Source] = {}
        for name, (place, terms) in parts.items():
            told = Told(place, terms, records[name], job.layout.root)
            self._parts[name] = PARTS[terms.kind](place, told)
        self._tops = {place.relative_to(path).parts[0] for place, _ in parts.values()}

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def items(self) -> Iterator[Item]:
        """Every item of every source, its name and subject with the source's name in front."""
        for name, source in self._parts.items():
            for item in source.items():
                yield replace(
                    item,
                    name=Path(f"{name}/{item.name}"),
                    subject=f"{name}/{item.subject}" if item.subject else None,
                    source=name,
                )

    def remarks(self) -> Remarks:
        """What each source remarks, and what lies beside them and belongs to none."""
        told = {name: source.remarks() for name, source in self._parts.items()}
        notes = [f"{name}: {note}" for name, remarks in told.items() for note in remarks.notes]
        usual = {NAME, "consent.yaml", "synthetic.json", "README.md"}
        left = {one.name for one in self._path.iterdir() if not one.name.startswith(".")}
        if others := sorted(left - self._tops - usual):
            notes.append(
                f"what lies in the collection and belongs to no source, and is not read: "
                f"{len(others)}, e.g. {shown(others[0])}"
            )
        return Remarks(tuple(notes), sum(remarks.captions_unused for remarks in told.values()))
