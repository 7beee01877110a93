"""docs/status.md, the README and the paper's column say what tests and record say."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import capabilities, status
from tests.conftest import pytest_collection_modifyitems

MARK = "@pytest.mark.capability"
PROVEN = f'{MARK}("CAN", scale="T")\ndef test_it(): ...\n'


def test_every_page_says_what_the_tests_say() -> None:
    for path, text in status.pages().items():
        assert path.read_text("utf-8") == text, "write it again: python -m tests.status"


def test_a_capability_has_a_test_or_says_what_is_missing() -> None:
    assert sum(map(len, capabilities.GROUPS.values())) == len(capabilities.ALL), "a name twice"
    for name, capability in capabilities.ALL.items():
        assert (name in status.claimed()) != bool(capability.missing), name


def test_what_is_claimed_of_real_files_is_on_record() -> None:
    claimed = {name: set(s["R"]) for name, s in status.claimed().items() if "R" in s}
    record = status.recorded()
    passed = {entry["capability"]: set(entry["tests"]) for entry in record["passed"]}
    assert passed == claimed, "where the real files are: python -m tests.status record"
    used = [on for entry in record["passed"] for on in entry["tests"].values()]
    assert all(used) and {name for on in used for name in on} == set(record["files"])


def test_the_record_is_of_the_files_that_are_here(real_media: Path, real_facepack: Path) -> None:
    files = status.recorded()["files"]
    assert files["real_media"] == status.digest(real_media)
    assert files["real_facepack"] == status.digest(real_facepack)


def test_nothing_is_real_without_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor when one of its tests is not on it."""
    assert status.scale("strangers' files") == "T, R"
    record = status.recorded()
    entry = next(e for e in record["passed"] if e["capability"] == "strangers' files")
    entry["tests"].popitem()
    monkeypatch.setattr(status, "recorded", lambda: record)
    assert status.scale("strangers' files") == "T"
    monkeypatch.setattr(status, "recorded", lambda: {"files": {}, "passed": []})
    assert status.scale("face filters") == "T"


def test_markers_are_read_off_a_test_and_off_its_file() -> None:
    assert list(status.marks_in(PROVEN)) == [("test_it", "CAN", "T")]
    whole = 'pytestmark = [pytest.mark.slow, pytest.mark.capability("CAN", scale="L")]\n'
    assert list(status.marks_in(whole + PROVEN + "def test_too(): ...\n")) == [
        ("test_it", "CAN", "L"),
        ("test_it", "CAN", "T"),
        ("test_too", "CAN", "L"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PROVEN.replace("CAN", "CANN"), "is no capability"),
        (PROVEN.replace('"T"', '"X"'), "not T, L or R"),
        (PROVEN.replace(', scale="T"', ""), "not T, L or R"),
        (f"{MARK}\ndef test_it(): ...\n", "is no capability"),
        ("@pytest.mark.skip\n" + PROVEN, "never runs"),
        ("pytestmark = pytest.mark.xfail(reason='no')\n" + PROVEN, "never runs"),
        (PROVEN.replace("test_it", "helper"), "something else"),
        ('CASE = pytest.param(1, marks=pytest.mark.capability("CAN", scale="T"))\n', "something"),
        ('class TestIt:\n    pytestmark = pytest.mark.capability("CAN", scale="T")\n', "something"),
    ],
)
def test_a_marker_that_proves_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(status.marks_in(text))


def test_a_row_of_the_paper_names_a_capability_and_gets_its_scale() -> None:
    assert status.paper("| 3.2 CAN | `can.py` | CAN: R; CUDA |") == (
        "| 3.2 CAN | `can.py` | CAN: T, L; CUDA: not yet |"
    )
    with pytest.raises(ValueError, match="is no capability"):
        status.paper("| 3.2 CAN | `can.py` | tiny |")


def test_the_paper_s_page_may_say_that_no_published_weights_have_run() -> None:
    names = [c.name for c in capabilities.GROUPS["Published weights"]]
    assert {status.scale(name) for name in names} == {status.NOT_YET}
    assert "No row has run on real weights" in status.PAPER.read_text("utf-8")


def test_a_result_counts_when_all_its_cases_passed() -> None:
    watch = status.Watch()
    for case, when, passed in (
        ("a[1]", "call", True),
        ("a[2]", "call", True),
        ("b[1]", "call", True),
        ("b[2]", "call", False),
        ("c", "setup", False),
        ("d", "call", True),
        ("d", "teardown", False),
    ):
        watch.pytest_runtest_logreport(SimpleNamespace(nodeid=case, when=when, passed=passed))
    assert watch.passed == {"a": True, "b": False, "c": False, "d": False}


@pytest.mark.parametrize("arguments", [(("CANN",), {"scale": "T"}), (("CAN",), {"size": 1})])
def test_an_unknown_name_stops_the_collection(arguments: tuple) -> None:
    marker = SimpleNamespace(args=arguments[0], kwargs=arguments[1])
    item = SimpleNamespace(nodeid="a", iter_markers=lambda _: [marker])
    with pytest.raises(pytest.UsageError, match="a: "):
        pytest_collection_modifyitems([item])
