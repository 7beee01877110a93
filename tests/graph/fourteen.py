"""The story of fourteen nights: what happens to a tree that nobody watches, night by night.

`python -m tests.graph.fourteen FILE` lives through them and writes the page.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm_model.commands import cli
from orchestration import runs
from tests.graph import conftest, nights
from tests.graph.nights import Night, Watch, World, at

HEAD = """# Fourteen nights alone

What a tree does that nobody watches: the schedule `nightly` and the sensor `new_media` are on, and
things happen. The definitions, the daemon's loops, the code server, DVC, the registry and the rule
of promotion are the real ones; each run is a process. The clock is made up, and so is what the
stages compute: they hand the files' names on, and an evaluation finds what the story says.

`.venv/bin/python -m tests.graph.fourteen docs/fourteen-nights.md` lives through it and writes this
page. `files` are those that the champion was trained on, `told` is what stands in
`work/alerts.log`.

| night | what happened | runs | stages that worked | champion | challenger | files | told |
|---|---|---|---|---|---|---|---|
"""


def _quiet(world: World, *days: int) -> None:
    for day in days:
        world.daemon.tick(at(day, "02:00"))
        world.daemon.tick(at(day, "02:03"))


def _evening(world: World, day: int) -> None:
    """The sensor's hour: it looks twice, since what goes leaves no time behind."""
    for clock in ("18:00", "18:05", "18:10"):
        world.daemon.tick(at(day, clock))


def _crash(world: World, stage: str) -> None:
    """Kill the process of the run as soon as the stage is at work."""
    mark = world.tree.root / f"sleeping-{stage}"

    def kill() -> bool:
        if mark.exists():
            world.behave()
            world.daemon.kill_run()
            mark.unlink()
        return False

    world.behave(**{stage: "sleep"})
    world.daemon.tick(at(7, "18:00"), kill)


def _power_cut(world: World, stage: str) -> None:
    """The power fails while the stage is at work; the machine comes back with another name."""
    mark = world.tree.root / f"sleeping-{stage}"
    world.behave(**{stage: "sleep"})
    world.daemon.tick(at(8, "18:00"), mark.exists)
    world.daemon.power_cut()
    mark.unlink()
    world.behave()
    world.daemon.start()
    renamed = "the-name-before:" + world.daemon.instance.root_directory
    world.daemon.instance.add_run_tags(world.daemon.runs()[-1].run_id, {runs.HOME: renamed})


def _say(*words: str) -> None:
    assert cli.main(words) == 0


def live(world: World) -> list[Night]:
    """Fourteen nights, one after the other."""
    _first_week(world)
    _second_week(world)
    return world.nights


def _first_week(world: World) -> None:
    world.measure(0.3)
    _quiet(world, 2)
    world.morning("the first run")

    world.arrive("ann")
    world.measure(0.4)
    _evening(world, 2)
    _quiet(world, 3)
    world.morning("ten files of Ann arrived; the new model is better")

    _quiet(world, 4)
    world.morning("nothing")

    world.arrive("ben")
    world.measure(0.2)
    _evening(world, 4)
    _quiet(world, 5)
    world.morning("ten files of Ben arrived; the new model is worse")

    world.arrive("bad")
    _evening(world, 5)
    _quiet(world, 6)
    world.morning("a bad source arrived, which fails an audit")

    world.leave("bad")
    _evening(world, 6)
    _quiet(world, 7)
    world.morning("the bad source was taken away")

    world.arrive("cleo")
    world.measure(0.5)
    _crash(world, "pretrain")
    _quiet(world, 8)
    world.morning("files of Cleo arrived; the run was killed while it trained")


def _second_week(world: World) -> None:
    world.arrive("dora")
    world.measure(0.6)
    _power_cut(world, "finetune")
    _quiet(world, 9)
    world.morning("files of Dora arrived; the power failed, and the host has another name")

    _say("rollback", "--to", "4", "--reason", "worse hair")
    world.arrive("emil")
    world.measure(0.7)
    _evening(world, 9)
    _quiet(world, 10)
    world.morning("somebody went back to version 4; files of Emil arrived, the new model is better")

    _say("unpin")
    world.morning("the pin was lifted")

    world.leave("ben")
    world.measure(0.8)
    _evening(world, 10)
    _quiet(world, 11)
    world.morning("Ben's files were taken away")

    world.daemon.stop()
    world.daemon.start()
    world.daemon.tick(at(14, "10:00"))
    world.morning("the machine was off for three nights")

    world.tree.set("automation", "cron", "30 3 * * *")
    world.daemon.stop()
    world.daemon.start()
    world.daemon.tick(at(15, "02:01"))
    _later(world, 15)
    world.morning("the schedule was moved to half past three")

    world.arrive("finn")
    world.measure(0.9)
    world.behave(evaluate="full")
    _evening(world, 15)
    _later(world, 16)
    world.behave()
    _later(world, 17)
    world.morning("files of Finn arrived, and the disk was full for one night")


def _later(world: World, day: int) -> None:
    world.daemon.tick(at(day, "03:31"))
    world.daemon.tick(at(day, "03:34"))


@contextmanager
def lived(tree: conftest.Tree) -> Iterator[tuple[list[Night], World, Watch]]:
    """The nights, the world after them, and what somebody saw who asked for the champion always."""
    with nights.world(tree) as world:
        world.measure(0.3)
        watch = Watch(world.layout)
        try:
            live(world)
        finally:
            watch.end()
        yield world.nights, world, watch


def written(found: list[Night]) -> str:
    """The page."""
    rows = []
    for night in found:
        cells = (
            str(night.number),
            night.story,
            "<br>".join(night.runs) or "none",
            _stages(night.worked),
            str(night.champion),
            str(night.challenger or "none"),
            str(night.files),
            "<br>".join(night.told) or "nothing",
        )
        rows.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


def _stages(worked: tuple[str, ...]) -> str:
    if len(worked) == len(conftest.STAGES):
        return "all nine"
    return ", ".join(worked) or "none"


def main(page: Path) -> None:
    """Live through them in a tree of their own and write the page."""
    os.environ.pop("DAGSTER_HOME", None)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["PYTHONPATH"] = str(conftest.REPOSITORY)
    place, begun = Path(tempfile.mkdtemp()), time.monotonic()
    os.environ["MM_ROOT"] = str(place / "tree")
    conftest.plant(place / "tree")
    with lived(conftest.Tree(place / "tree")) as (found, _, watch):
        page.write_text(written(found))
        print(written(found), file=sys.stderr)
        print(f"served {watch.served} times, then refused: {watch.failed}", file=sys.stderr)
    print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
