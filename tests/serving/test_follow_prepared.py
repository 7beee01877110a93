"""The process that waits for the next release, with doors and libraries of a few lines."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mm_model import environment
from mm_model.serving import doors, follow, handed
from mm_model.serving.__main__ import bound
from tests.lifeline.family import left
from tests.serving.doorway import until
from tests.serving.follower import release
from tests.serving.following import REPOSITORY, Following, crowd, running

SEEN = """
    import mm_model, os
    said = {
        "process": os.getpid(),
        "package": mm_model.__file__,
        "loaded": "insightface.app" in sys.modules,
        "torch": "torch" in sys.modules,
        "told": sys.argv[sys.argv.index("--folder"):],
        "path": sys.path,
        "environment": dict(os.environ),
        "input": sys.stdin.read(),
    }
    Path("seen").write_text(__import__("json").dumps(said))
""".strip()
PATIENT = ("prepare", "patient")


def libraries(place: Path, app: str = "") -> Path:
    """A folder with such as every door loads, which take no time; one does `app`."""
    (place / "insightface").mkdir(parents=True)
    for name in ("mlflow", "diffusers", "insightface/__init__"):
        (place / f"{name}.py").touch()
    (place / "insightface" / "app.py").write_text(app)
    return place


def seen(following: Following) -> dict[str, Any]:
    """What a door wrote down as it began."""
    return json.loads((following.place / "seen").read_text())


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Following]:
    """One that has a process ready for the next release, and looks long after a failure only."""
    searched = libraries(tmp_path / "libraries")
    with running(Following(tmp_path, *PATIENT, searched=searched)) as one:
        yield one


def waiting(following: Following) -> psutil.Process:
    """The process that was prepared first: the one that nobody is served by."""

    def found() -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            every = [one for one in following.doors() if one.status() != psutil.STATUS_ZOMBIE]
            return [one for one in every if "--folder" not in one.cmdline()]
        return []

    until(found)
    return found()[0]


def test_the_next_release_is_served_by_the_process_that_was_prepared(tmp_path: Path) -> None:
    with running(Following(tmp_path, "prepare")) as prepared:  # with the libraries of every door
        ready = waiting(prepared)
        release(prepared.place / "release-2", "two", first=SEEN)
        with crowd(prepared) as every:
            prepared.wants(2)
            until(lambda: all(said[-1] == "two" for said in every))
        said = seen(prepared)
        assert (said["process"], said["loaded"], said["torch"]) == (ready.pid, True, True)
        until(lambda: len(prepared.doors()) == 2)
        assert ready.pid in [one.pid for one in prepared.doors()], "the other is prepared anew"
        prepared.wants(1)
        until(lambda: prepared.asked() == "one")


def test_a_prepared_door_finds_what_one_finds_that_starts_from_nothing(tmp_path: Path) -> None:
    release(tmp_path / "release-1", "one", first=SEEN)
    start = Following(tmp_path, "prepare", searched=libraries(tmp_path / "libraries"))
    with running(start) as prepared:
        first = seen(prepared)
        ready = waiting(prepared)
        release(tmp_path / "release-2", "two", first=SEEN)
        prepared.wants(2)
        until(lambda: prepared.asked() == "two")
        second = seen(prepared)
    assert (second.pop("process"), second.pop("loaded")) == (ready.pid, True)
    assert (first.pop("process") != ready.pid, first.pop("loaded")) == (True, False)
    assert second["package"] == f"{tmp_path}/release-2/code/mm_model/__init__.py"
    more = {*environment.thread_limits(1), *environment._QUIET}  # the real door sets them itself
    second["environment"] = {
        name: value
        for name, value in second["environment"].items()
        if name not in more or name in first["environment"]
    }
    assert second == json.loads(json.dumps(first).replace("release-1", "release-2"))
    assert second["input"] == "", "what somebody types is for nobody here"
    script = str(REPOSITORY / "mm_model" / "serving")
    assert second["path"][0] == f"{tmp_path}/release-2/code" and script not in second["path"]
    assert list(tmp_path.glob("release-*/**/__pycache__")) == [], "a release is as it was made"


def test_what_is_loaded_before_a_release_is_known_is_installed() -> None:
    """A name that is gone would be passed over, and each move would take long again."""
    for name in handed._LIBRARIES:
        assert importlib.util.find_spec(name) is not None, name


def test_libraries_are_loaded_under_the_limits_of_what_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for name in ("MKL_NUM_THREADS", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    noted = (
        "import json, os, pathlib; pathlib.Path('limits').write_text(json.dumps({**os.environ}))"
    )
    release(tmp_path / "release-1", "one", threads=3)
    start = Following(tmp_path, *PATIENT, searched=libraries(tmp_path / "libraries", app=noted))
    with running(start):
        until(
            lambda: (tmp_path / "limits").exists() and (tmp_path / "limits").read_text()[-1:] == "}"
        )
        limits = json.loads((tmp_path / "limits").read_text())
    assert limits["MKL_NUM_THREADS"] == "3"
    assert limits["OMP_NUM_THREADS"] == "7", "what somebody set wins, as at a plain start"
    assert limits["HF_HUB_OFFLINE"] == "1", "nothing is asked of others"


def test_nobody_is_prepared_while_two_releases_are_in_memory(prepared: Following) -> None:
    waiting(prepared)
    release(prepared.place / "release-2", "two")
    with contextlib.closing(prepared.connected()) as held:
        held.request("GET", "/slow")
        until((prepared.place / "under-way").exists)
        prepared.wants(2)
        until(lambda: "is served now" in prepared.log)
        time.sleep(1)
        assert len(prepared.doors()) == 2
        (prepared.place / "go-on").touch()
        assert held.getresponse().read() == b"one"
    until(lambda: prepared.asked() == "two")


def test_ctrl_c_in_a_terminal_reaches_who_follows_alone(prepared: Following) -> None:
    """A terminal tells a whole group of processes; told twice, a door cuts its replies off."""
    waiting(prepared)
    groups = [os.getpgid(one.pid) for one in prepared.doors()]
    assert groups == [one.pid for one in prepared.doors()]


@pytest.mark.parametrize("why", ["it has died", "it has other threads", "nobody knows its threads"])
def test_where_the_prepared_process_cannot_be_used_another_is_started(
    prepared: Following, why: str
) -> None:
    ready = waiting(prepared)
    if why == "it has died":
        ready.kill()
    threads = 3 if why == "it has other threads" else 1
    folder = release(prepared.place / "release-2", "two", first=SEEN, threads=threads)
    if why == "nobody knows its threads":
        (folder / "MLmodel").write_text("{}")
    prepared.wants(2)
    until(lambda: prepared.asked() == "two")
    said = seen(prepared)
    assert said["process"] != ready.pid and not said["loaded"]
    until(lambda: ready not in prepared.doors())
    assert "cannot be served" not in prepared.log
    prepared.wants(1)
    until(lambda: prepared.asked() == "one")


def test_a_prepared_process_that_dies_once_it_was_told_costs_no_release_its_turn(
    prepared: Following,
) -> None:
    ready = waiting(prepared)
    begun = "Path('begun').touch(); time.sleep(0 if Path('killed').exists() else 600)"
    release(prepared.place / "release-2", "two", first=begun)
    prepared.wants(2)
    until((prepared.place / "begun").exists)
    (prepared.place / "killed").touch()
    ready.kill()
    until(lambda: prepared.asked() == "two")
    assert "cannot be served" not in prepared.log


def test_a_release_that_does_not_start_is_told_of_and_the_next_finds_a_prepared_process(
    prepared: Following,
) -> None:
    waiting(prepared)
    release(prepared.place / "release-2", "two", first="raise SystemExit(3)")
    prepared.wants(2)
    sentence = "Version 2 (release 2222) is wanted and cannot be served (its process ended with"
    until(lambda: f"{sentence} status 3)" in prepared.log)
    assert prepared.log.count("cannot be served") == 1
    prepared.wants(1)
    ready = waiting(prepared)
    release(prepared.place / "release-3", "three", first=SEEN)
    prepared.wants(3)
    until(lambda: prepared.asked() == "three")
    assert seen(prepared)["process"] == ready.pid


def test_a_plug_in_that_loads_this_trees_code_does_not_serve_it(tmp_path: Path) -> None:
    searched = libraries(tmp_path / "libraries", app="import mm_model.errors")
    with running(Following(tmp_path, *PATIENT, searched=searched)) as prepared:
        release(tmp_path / "release-2", "two", first=SEEN)
        prepared.wants(2)
        until(lambda: prepared.asked() == "two")
        package = seen(prepared)["package"]
    assert package == f"{tmp_path}/release-2/code/mm_model/__init__.py"


def test_what_libraries_say_comes_not_amid_the_work_of_another_release(tmp_path: Path) -> None:
    noise = "import os, sys; print('noise'); print('noise', file=sys.stderr); os.write(2, b'noise')"
    searched = libraries(tmp_path / "libraries", app=noise)
    with running(Following(tmp_path, *PATIENT, searched=searched)) as prepared:
        ready = waiting(prepared)
        told = "print('told', flush=True); print('warned', file=sys.stderr)"
        release(tmp_path / "release-2", "two", first=f"{SEEN}\n    {told}")
        prepared.wants(2)
        until(lambda: prepared.asked() == "two")
        assert seen(prepared)["process"] == ready.pid
        assert "told\n" in prepared.log and "warned\n" in prepared.log
        assert "noise" not in prepared.log


def test_many_moves_leave_nothing_open_and_nobody_unburied(prepared: Following) -> None:
    release(prepared.place / "release-2", "two")
    release(prepared.place / "release-3", "three", first="raise SystemExit(3)", threads=2)
    waiting(prepared)
    time.sleep(0.5)  # who starts a process has more open until that has begun
    before = prepared.open_files()
    for turn in range(6):
        wanted, mark = ((2, "two"), (1, "one"))[turn % 2]
        prepared.wants(wanted)
        until(lambda mark=mark: prepared.asked() == mark)
    prepared.wants(3)
    until(lambda: "cannot be served" in prepared.log)
    prepared.wants(1)
    until(lambda: prepared.open_files() <= before)
    until(lambda: len(prepared.doors()) == 2)
    assert psutil.STATUS_ZOMBIE not in [one.status() for one in prepared.doors()]


def test_after_packages_were_installed_the_prepared_process_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(packages))
    folder = release(tmp_path / "release", "one")
    with bound("127.0.0.1", 0) as listening:
        searched = str(libraries(tmp_path / "libraries"))
        front = follow.Front(listening, "127.0.0.1", [], {**os.environ, "PYTHONPATH": searched})
        used, unused = (doors.PreparedProcess.like(folder, front) for _ in range(2))
        try:
            assert used.becomes(folder, front) is used.door
            until(used.door.is_ready)
            time.sleep(0.02)  # beyond the clock of file systems
            (packages / "torch-9.dist-info").mkdir()
            assert unused.becomes(folder, front) is None
            assert unused.door.process.returncode == -signal.SIGKILL
        finally:
            used.door.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("serves", [False, True], ids=["waiting", "serving"])
def test_the_prepared_process_ends_with_whoever_prepared_it(
    prepared: Following, number: signal.Signals, serves: bool
) -> None:
    waiting(prepared)
    if serves:
        release(prepared.place / "release-2", "two")
        prepared.wants(2)
        until(lambda: prepared.asked() == "two")
    family = prepared.doors()
    prepared.process.send_signal(number)
    prepared.process.wait(30)
    assert left(family) == []


def test_a_release_that_is_no_more_wanted_gives_its_place_to_another(prepared: Following) -> None:
    ready = waiting(prepared)
    release(prepared.place / "release-2", "two", first="Path('begun').touch(); time.sleep(600)")
    prepared.wants(2)
    until((prepared.place / "begun").exists)
    prepared.wants(1)
    until(lambda: ready not in prepared.doors())
    assert waiting(prepared).pid != ready.pid
    assert prepared.asked() == "one"
