"""The views that are made again after every stage: the catalogue and the report page."""

from typing import Any

from mm_model.run.views import View
from mm_model.store.layout import Layout


def _catalogue(layout: Layout) -> Any:
    from mm_model.report import catalogue

    return catalogue.rebuild(layout)


def _page(layout: Layout) -> Any:
    from mm_model.report import page

    return page.build(layout)


VIEWS = (
    View(name="catalogue", place=lambda layout: layout.catalogue, make=_catalogue),
    View(name="report page", place=lambda layout: layout.page, make=_page, grows=True),
)
