"""YAML that people write: every key once, and the line in which each value stands.

A key that stands twice would silently lose its first value; here it is an error.
"""

from dataclasses import dataclass
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"

Place = tuple[str, ...]
"""Where a value stands: the keys that lead to it, at most two."""


class Twice(yaml.YAMLError):
    """A key stands twice in one mapping: `key`, in the two `lines` (from 1)."""

    def __init__(self, key: str, lines: tuple[int, int]) -> None:
        super().__init__(f"{key} stands twice (lines {lines[0]} and {lines[1]})")
        self.key, self.lines = key, lines


@dataclass(frozen=True)
class Text:
    """What a text says, and the line (from 1) of each key of the outer two levels."""

    content: Any
    lines: dict[Place, int]


class _Loader(yaml.SafeLoader):
    """The safe loader, which takes no key twice."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        """The mapping, after a look at its keys as they were written."""
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(
                None, None, f"expected a mapping, not {node.tag}", node.start_mark
            )
        first: dict[tuple[str, str], yaml.Mark] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            before = first.setdefault((key.tag, key.value), key.start_mark)
            if before is not key.start_mark:
                raise Twice(key.value, (before.line + 1, key.start_mark.line + 1))
        return super().construct_mapping(node, deep)


def read(text: str) -> Text:
    """Read one document.

    Raises:
        yaml.YAMLError: it is not valid YAML, or a key stands twice in one mapping (`Twice`).
        RecursionError: it is nested without end.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Text(None, {})
        content = loader.construct_document(node)
        return Text(content, _lines(node, 2))
    except ValueError as error:  # a date or a number that looks like one and is none
        raise yaml.YAMLError(str(error)) from None
    finally:
        loader.dispose()


def _lines(node: yaml.Node, depth: int, above: Place = ()) -> dict[Place, int]:
    found: dict[Place, int] = {}
    if not isinstance(node, yaml.MappingNode) or depth == 0:
        return found
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            place = (*above, key.value)
            found[place] = key.start_mark.line + 1
            found |= _lines(value, depth - 1, place)
    return found
