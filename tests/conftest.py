"""Fixtures every area shares: real test media, quiet libraries, one torch thread."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

if threading.current_thread() is threading.main_thread():
    # A shell hands its background jobs SIGINT ignored, nohup SIGHUP; what is started here would
    # inherit that, and tests of Ctrl-C and of a closed terminal would wait for ever.
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)

from tests import capabilities
from tests.forbidden import Forbidden

ROOT = Path(__file__).resolve().parent.parent
READ_THE_CHAIN = (
    "tests/seams/",
    "tests/card/test_card_chain.py",
    "tests/report/test_browser.py",
    "tests/test_end_to_end.py",
)
SHARED = Path(os.environ.get("MM_TEST_MEDIA", ROOT.parent / "shared"))


@pytest.hookimpl(trylast=True)  # when what is not asked for is gone
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A marker that names no known capability or scale stops the collection.

    Who reads the small chain comes first, and so to one worker: another need not wait for it. Who
    takes minutes begins the second worker's half: at the end the others would wait for it.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(READ_THE_CHAIN))
    long = [item for item in items if any(item.iter_markers("minutes"))]
    items[:] = [item for item in items if item not in long]
    half = (len(items) - len(long)) // 2
    items[half:half] = long
    for item in items:
        for marker in item.iter_markers("capability"):
            try:
                capabilities.check(*marker.args, **marker.kwargs)
            except (TypeError, ValueError) as error:
                raise pytest.UsageError(f"{item.nodeid}: {error}") from error


@pytest.fixture(autouse=True)
def consents_aside(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tests state is recorded below a folder of theirs."""
    folder = tmp_path_factory.getbasetemp() / "likeness"
    monkeypatch.setenv("MM_CONSENTS", str(folder / "consents.jsonl"))


@pytest.fixture(autouse=True)
def everybody_has_a_turn() -> Iterator[None]:
    """A test that puts this process before all others would starve what comes after it."""
    if not hasattr(os, "sched_getscheduler"):  # macOS
        yield
        return
    before = os.sched_getscheduler(0)
    yield
    assert os.sched_getscheduler(0) == before


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository root."""
    return ROOT


@pytest.fixture(scope="session")
def real_media() -> Path:
    """Folder of real photographs and clips."""
    folder = SHARED / "media"
    if not folder.is_dir():
        pytest.skip("no real test media (set MM_TEST_MEDIA to a folder that holds media/)")
    return folder


@pytest.fixture(scope="session")
def real_facepack() -> Path:
    """A real InsightFace pack folder, <root>/models/real."""
    folder = SHARED / "facepack" / "models" / "real"
    if not folder.is_dir():
        pytest.skip("no real face pack (set MM_TEST_MEDIA to a folder that holds facepack/)")
    return folder


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Forbidden:
    """What this user may not list, look at or open; empty at first."""
    return Forbidden(monkeypatch)


@pytest.fixture(scope="session")
def tiny_facepack() -> Path:
    """The shipped tiny pack."""
    return ROOT / "weights" / "tiny" / "facepack" / "models" / "tiny"


@pytest.fixture(scope="session")
def tiny_backbone() -> Path:
    """The shipped tiny backbone."""
    return ROOT / "weights" / "tiny" / "backbone"
