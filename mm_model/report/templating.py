"""Fills the page's templates: every value is escaped, a missing one is an error."""

import functools
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("mm_model.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["spec"] = format  # {{ 0.5 | spec(".2f") }}, as Python's f-strings say it
    return made


def fill(name: str, **values: Any) -> Markup:
    """The template `name` of `templates/` with `values`, as HTML.

    Raises:
        jinja2.UndefinedError: the template names a value that is not there.
    """
    return Markup(_environment().get_template(name).render(values))
