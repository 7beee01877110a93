"""The derived views: catalogue and report page, made again from what is published.

A view that cannot be made never fails a stage: one line says so, and the next run makes it. What
was made last is remembered by the digests of the published manifests.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mm_model.errors import first_line
from mm_model.store import atomic, digests, documents, manifest
from mm_model.store.layout import Layout

_MADE = "views.json"


def _catalogue(layout: Layout) -> None:
    from mm_model.store import catalogue

    catalogue.rebuild(layout)


def _page(layout: Layout) -> None:
    from mm_model.report import page

    page.build(layout)


_VIEWS: dict[str, Callable[[Layout], Any]] = {"catalogue": _catalogue, "report page": _page}


LATER = "nothing is lost, and the next run makes it"
WITHOUT = "the stage goes on without it"


def attempt(name: str, make: Callable[[], Any], then: str = LATER) -> bool:
    """Whether `make` made the view `name`; when not, one line says why and the work goes on.

    `then` ends that line.
    """
    try:
        make()
    except Exception as error:  # a view shows what is kept elsewhere: no fault of it is worth a run
        print(f"The {name} was not made ({first_line(error)}); {then}.", flush=True)
        return False
    return True


def rebuild(layout: Layout) -> None:
    """Make every view again."""
    attempt("list of views", lambda: _make(layout, dict.fromkeys(_VIEWS)))


def refresh(layout: Layout) -> None:
    """Make the views that are absent, or that show other outputs than those published now."""
    attempt("list of views", lambda: _make(layout, documents.read_or_empty(_place(layout))))


def grow_page(layout: Layout) -> None:
    """Make the page again while a stage is at work."""
    attempt("report page", lambda: _page(layout))


def _make(layout: Layout, known: dict[str, str | None]) -> None:
    published = _published(layout)
    present = {"catalogue": layout.catalogue.is_file(), "report page": layout.page.is_file()}
    made = {
        name: published
        for name, view in _VIEWS.items()
        if (known.get(name) == published and present[name])
        or attempt(name, lambda view=view: view(layout))
    }
    if made != known:
        with contextlib.suppress(OSError):  # then the next run makes them once more
            atomic.write_json(_place(layout), made)


def _place(layout: Layout) -> Path:
    return layout.root / "work" / layout.profile / _MADE


def _published(layout: Layout) -> str:
    """Digest of all published manifests, damaged or not."""
    found = sorted(layout.data.glob(f"*/{manifest.NAME}"))
    return digests.of_value([(path.parent.name, digests.of_file(path)) for path in found])
