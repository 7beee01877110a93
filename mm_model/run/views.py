"""Derived views: what is made again from published outputs, such as the catalogue and the page.

A view that cannot be made never fails a stage: one line says so, and the next run makes it. What
was made last is remembered by the digests of the published manifests. Which views there are is the
caller's to say (`mm_model.report.views`): nothing here knows one.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mm_model.errors import first_line
from mm_model.store import atomic, digests, documents, manifest
from mm_model.store.layout import Layout

_MADE = "views.json"
LATER = "nothing is lost, and the next run makes it"
WITHOUT = "the stage goes on without it"


@dataclass(frozen=True, kw_only=True)
class View:
    """Something shown of the published outputs: `make` writes the file at `place`.

    With `grows` it is also made while a stage is at work.
    """

    name: str
    place: Callable[[Layout], Path]
    make: Callable[[Layout], Any]
    grows: bool = False


Views = Sequence[View]


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


def rebuild(layout: Layout, views: Views) -> None:
    """Make every view again."""
    attempt("list of views", lambda: _make(layout, views, {}))


def refresh(layout: Layout, views: Views) -> None:
    """Make the views that are absent, or that show other outputs than those published now."""
    attempt("list of views", lambda: _make(layout, views, documents.read_or_empty(_place(layout))))


def grow(layout: Layout, views: Views) -> None:
    """Make those views again that grow while a stage is at work."""
    for view in views:
        if view.grows:
            attempt(view.name, partial(view.make, layout))


def _make(layout: Layout, views: Views, known: dict[str, str]) -> None:
    published = _published(layout)
    made = {
        view.name: published
        for view in views
        if (known.get(view.name) == published and view.place(layout).is_file())
        or attempt(view.name, partial(view.make, layout))
    }
    if made != known:
        with contextlib.suppress(OSError):  # then the next run makes them once more
            atomic.write_json(_place(layout), made)


def _place(layout: Layout) -> Path:
    return layout.root / "work" / layout.profile / _MADE


def _published(layout: Layout) -> str:
    """Digest of all published manifests, damaged or not."""
    found = sorted(layout.data.glob(f"[!.]*/{manifest.NAME}"))
    return digests.of_value([(path.parent.name, digests.of_file(path)) for path in found])
