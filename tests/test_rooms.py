"""The rooms of the library: imports run down, and the page that shows them tells the truth."""

import ast
import re

import pytest

from mm_model.run import stages
from tests import rooms

ORDER = (
    {"errors", "environment", "progress", "decisions", "rows", "waiting"},
    {"diffusion", "lifeline", "pretrained", "records", "store"},
    {"facepack", "media", "settings", "tracking"},
    {
        "captioners",
        "classifiers",
        "embedded.people",
        "inputs",
        "judges",
        "metrics",
        "nn",
        "quality",
        "terms",
    },
    {"embedded.objects", "generation", "planning", "published", "run"},
    {"sources", "ingest", "faces", "precompute", "methods"},
    {"pairs", "serving", "train"},
    {"vcd"},
    {"consisid"},
    {"refine"},
    {"evaluate", "proving", "register", "embedded.training", "reproduce"},
    {"report", "doctor", "explain"},
    {"card"},
    {"commands"},
)
"""Floors, lowest first: a room may import what lies below its own."""

STAGES = {"sources", "ingest", "faces", "pairs", "precompute", "train", "evaluate", "register"}
BETWEEN_STAGES = {("pairs", "faces"), ("train", "precompute"), ("evaluate", "train")}
"""Pairs read what was seen of faces, training what was precomputed, an evaluation what a training
leaves."""

PLACE = {room: floor for floor, row in enumerate(ORDER) for room in row}


def test_every_room_has_its_floor() -> None:
    assert set(rooms.imports()) == set(PLACE), "place a new room in ORDER"


def test_a_room_imports_only_what_lies_below_it() -> None:
    upward = [
        example
        for room, taken in rooms.imports().items()
        for other, example in taken.items()
        if PLACE[other] >= PLACE[room]
    ]
    assert not upward


def test_imports_name_their_module_in_full() -> None:
    """A relative import is seen by none of the tests beside this one."""
    relative = [
        f"{path.relative_to(rooms.ROOT)}:{node.lineno}"
        for path in rooms.PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == [], "write the module in full: from mm_model.<room> import ..."


def test_a_stage_reads_another_one_s_code_in_three_places_only() -> None:
    known = rooms.imports()
    assert {(a, b) for a in STAGES for b in known[a] if b in STAGES} == BETWEEN_STAGES


def test_networks_and_generation_know_no_stage_and_no_tracking() -> None:
    known = rooms.imports()
    above = STAGES | {"run", "tracking", "report", "commands", "serving", "quality"}
    for room in ("nn", "diffusion", "generation", "methods", "facepack", "media"):
        assert not set(known[room]) & above, known[room]


@pytest.mark.parametrize("name", stages.NAMES)
def test_a_stage_lies_where_its_name_says(name: str) -> None:
    path = rooms.PACKAGE / stages.file_of(name)
    assert path.is_file()
    assert re.search(r"^STAGE = Stage\(", path.read_text(), re.M), path


def test_the_page_of_the_rooms_is_what_the_code_says() -> None:
    again = "write it again: python -m tests.rooms"
    assert rooms.PICTURE.read_text("utf-8") == rooms.picture(), again
    assert rooms.PAGE.read_text("utf-8") == rooms.page(rooms.PAGE.read_text("utf-8")), again


def test_the_page_names_only_what_there_is() -> None:
    text = rooms.PAGE.read_text("utf-8")
    for path in re.findall(r"`((?:mm_model|assets|orchestration|tests|docs)/[\w./-]+)`", text):
        assert (rooms.ROOT / path).exists(), path
    for path, name in re.findall(r"`(mm_model/[\w/]+\.py):(\w+)`", text):
        assert re.search(rf"^(def|class) {name}\b", (rooms.ROOT / path).read_text(), re.M), name


def test_a_circle_is_found() -> None:
    with pytest.raises(ValueError, match="circle"):
        rooms.floors({"a": {"b": ""}, "b": {"a": ""}, "c": {}})
    assert rooms.floors({"a": {"b": ""}, "b": {}}) == [["b"], ["a"]]
