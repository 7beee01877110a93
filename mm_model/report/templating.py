"""Fills the page's templates: every value is escaped, a missing one is an error."""

import functools
import re
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

_HERE = "mm_model.report"


@functools.cache
def _environment(rooms: tuple[str, ...]) -> Environment:
    made = Environment(
        loader=ChoiceLoader([PackageLoader(room) for room in rooms]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["spec"] = format  # {{ 0.5 | spec(".2f") }}, as Python's f-strings say it
    made.filters["named"] = _named
    return made


def _named(text: str) -> Markup:
    """A sentence in which a name between backticks is shown as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def fill(name: str, **values: Any) -> Markup:
    """The template `name` of `templates/` with `values`, as HTML.

    Raises:
        jinja2.UndefinedError: the template names a value that is not there.
    """
    return fill_from((_HERE,), name, **values)


def fill_from(rooms: tuple[str, ...], name: str, /, **values: Any) -> Markup:
    """As `fill`, with a template of the first of `rooms` that has one; ours may be included."""
    return Markup(_environment((*rooms, _HERE)).get_template(name).render(values))
