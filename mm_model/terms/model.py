"""On what terms an adapter may be used: by all weights and pictures that it comes from."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mm_model.store import manifest, tables
from mm_model.store.layout import Layout
from mm_model.terms import licences
from mm_model.terms.weights import Terms, Use, of_folder, strictest


@dataclass(frozen=True)
class Part:
    """Something that an adapter comes from, and its terms."""

    name: str
    terms: Terms


def of_adapter(layout: Layout, facepack: Path, backbone: Path) -> Terms:
    """The verdict on an adapter trained in this tree, and because of what.

    The dataset's own are read from the output of `sources`, where it is still the one that the
    dataset was made of.
    """
    parts = (
        Part("the backbone", of_folder(backbone)),
        Part("the face pack", of_folder(facepack)),
        Part("the dataset", _of_dataset(layout)),
    )
    use = strictest(part.terms.use for part in parts)
    why = "; ".join(f"{part.name}: {part.terms.because}" for part in parts if part.terms.use is use)
    return Terms(use, why)


def _of_dataset(layout: Layout) -> Terms:
    ingest, sources = layout.output("ingest"), layout.output("sources")
    try:
        taken = json.loads((ingest / manifest.NAME).read_bytes())["inputs"]["sources"]
        same = manifest.read(sources).digest == taken
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    except Exception as error:  # what a damaged output is told by is no verdict on a release
        return Terms(Use.UNKNOWN, f"its sources cannot be read ({error})")
    if not same:
        return Terms(Use.UNKNOWN, "the sources that it was made of are no longer here")
    return of_inventory(sources / "inventory.parquet")


def of_inventory(path: Path) -> Terms:
    """The terms of the files in a table of stage `sources` that were not refused there.

    Raises:
        UserError: the table cannot be read.
    """
    table = tables.columns(path, ("licence", "synthetic", "status")).to_pydict()
    rows = list(zip(table["licence"], table["synthetic"], table["status"], strict=True))
    kept = [(licence, drawn) for licence, drawn, status in rows if status == "kept"]
    named = Counter(licence for licence, drawn in kept if not drawn)
    return licences.of_licences(named, sum(bool(drawn) for _, drawn in kept))
