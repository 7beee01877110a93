"""On what terms an adapter may be used: by all weights and pictures that it comes from."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from mm_model.settings import Params
from mm_model.store import documents, manifest, tables
from mm_model.store.layout import Layout
from mm_model.terms import licences
from mm_model.terms.weights import Use, UseTerms, of_folder, strictest

_GONE = UseTerms(Use.UNKNOWN, "the sources that it was made of are no longer here")


@dataclass(frozen=True)
class UsedPart:
    """Something that an adapter comes from, and its terms."""

    name: str
    terms: UseTerms


def of_adapter(layout: Layout, params: Params) -> UseTerms:
    """The verdict on an adapter trained in this tree, and because of what.

    The dataset's own are read from the output of `sources`, where it is still the one that the
    dataset was made of.
    """
    parts = [
        UsedPart("the backbone", of_folder(layout.root / params.backbone)),
        UsedPart("the face pack", of_folder(layout.root / params.facepack)),
        UsedPart("the dataset", _of_dataset(layout)),
        *(UsedPart(name, of_folder(path)) for name, path in of_words_and_pictures(layout, params)),
    ]
    use = strictest(part.terms.use for part in parts)
    why = "; ".join(f"{part.name}: {part.terms.because}" for part in parts if part.terms.use is use)
    return UseTerms(use, why)


def of_words_and_pictures(layout: Layout, params: Params) -> list[tuple[str, Path]]:
    """Weights whose captions or painted references stand in the dataset, or whose verdict kept
    files out of it, and where they lie.
    """
    found = []
    for kind, shelf in (("captioner", params.captioners), ("classifier", params.classifiers)):
        said = documents.read_or_empty(layout.output("ingest") / f"{kind}s.json")
        names = {str(one.get("name")) for one in said.values() if isinstance(one, dict)}
        found += [(f"{kind} {name}", layout.root / shelf / name) for name in sorted(names)]
    if (layout.output("pairs") / "made.parquet").is_file():  # references were painted
        found.append(("synthesiser", layout.root / params.synthesizer))
    return found


def _of_dataset(layout: Layout) -> UseTerms:
    """What cannot be read is unknown: it must not keep a model from being registered."""
    ingest, sources = layout.output("ingest"), layout.output("sources")
    unreadable = UseTerms(Use.UNKNOWN, "its sources cannot be read")
    try:
        taken = manifest.read(ingest).inputs.get("sources")
        if manifest.read(sources).digest == taken:
            return of_inventory(sources / "inventory.parquet")
    except UserError:  # damage there is no verdict on a release, nor are our folders told in one
        return unreadable if (sources / manifest.NAME).is_file() else _GONE
    except (OSError, LookupError, ValueError, TypeError):
        return unreadable
    return _GONE


def of_inventory(path: Path) -> UseTerms:
    """The terms of the files in a table of stage `sources` that were not refused there.

    Raises:
        UserError: the table cannot be read.
    """
    table = tables.columns(path, ("licence", "synthetic", "status")).to_pydict()
    rows = list(zip(table["licence"], table["synthetic"], table["status"], strict=True))
    kept = [(licence, drawn) for licence, drawn, status in rows if status == "kept"]
    named = Counter(licence for licence, drawn in kept if not drawn)
    return licences.of_licences(named, sum(bool(drawn) for _, drawn in kept))
