"""A tree of its own with drawn photographs, in which stages of the data run, for the benchmarks."""

import argparse
import contextlib
import io
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from benchmarks import varied
from mm_model.store.layout import Layout, repository_root

STAGES = ("sources", "ingest", "faces")
_PEOPLE = 40
_EACH = 12
"""Portraits drawn of each; the others are cut from these, a few pixels aside."""


def draw(folder: Path, first: int, count: int, size: int = 256) -> None:
    """Write `count` different photographs from number `first` on, of forty people in folders."""
    from mm_model.embedded.people.clips import photograph
    from mm_model.embedded.people.people import person
    from mm_model.media.sheet import jpeg_bytes

    drawn: dict[tuple[int, int], np.ndarray] = {}
    for number in range(first, first + count):
        who, take = number % _PEOPLE, number // _PEOPLE % _EACH
        if (who, take) not in drawn:
            rng = np.random.default_rng([who, take])
            drawn[who, take] = photograph(person(200 + who), rng, size + 16).image
        left, top = number // (_PEOPLE * _EACH) % 16, number // (_PEOPLE * _EACH * 16) % 16
        picture = drawn[who, take][top : top + size, left : left + size]
        path = folder / f"person_{200 + who}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg_bytes(np.ascontiguousarray(picture), 92))
    said = {"basis": "drawn for a benchmark", "adults": True}
    (folder / "consent.yaml").write_text(yaml.safe_dump(said))


def draw_clips(folder: Path, count: int, size: int = 256, num_frames: int = 49) -> None:
    """Write `count` clips at 8 frames a second, each of another person."""
    from mm_model.embedded.people.action import ACTIONS
    from mm_model.embedded.people.clips import clip
    from mm_model.embedded.people.people import person
    from mm_model.embedded.people.shot import shot
    from mm_model.media.encode import mp4_bytes

    for number in range(count):
        rng, action = np.random.default_rng([7, number]), list(ACTIONS)[number % len(ACTIONS)]
        made = clip(
            person(300 + number), action, shot(rng), num_frames=num_frames, size=size, rng=rng
        )
        path = folder / f"person_{300 + number}" / f"{number:07d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mp4_bytes(made.frames, 8))
    said = {"basis": "drawn for a benchmark", "adults": True}
    (folder / "consent.yaml").write_text(yaml.safe_dump(said))


def add_media(command: argparse.ArgumentParser) -> None:
    """Options that name real files and a real pack instead of drawn files and the shipped pack."""
    command.add_argument("--media", type=Path, help="a folder of photographs and clips to vary")
    command.add_argument("--facepack", type=Path, help="another pack than the shipped one")
    command.add_argument("--size", type=int, default=128, help="faces.detection_size")


def fill(options: argparse.Namespace, folder: Path, first: int, count: int) -> None:
    """Photographs from number `first` on: varied from those of `options.media`, else drawn."""
    if options.media is None:
        draw(folder, first, count)
    else:
        varied.photographs(options.media, folder, first, count)


def fill_clips(options: argparse.Namespace, folder: Path, count: int) -> None:
    """Clips, likewise."""
    if options.media is None:
        draw_clips(folder, count)
    else:
        varied.clips(options.media, folder, count)


class Tree:
    """A root with the profile `tiny`, the shipped weights, and `sources` as its raw files."""

    def __init__(self, root: Path) -> None:
        own = repository_root()
        self.root = root
        shutil.copytree(own / "profiles", root / "profiles", ignore=lambda *_: ["local.yaml"])
        self._params = yaml.safe_load((own / "params.yaml").read_text())
        for name in ("facepack", "judge", "backbone"):
            self._params[name] = str(own / self._params[name])
        for shelf in ("judges", "captioners", "classifiers", "synthesizer"):
            (root / self._params[shelf]).mkdir(parents=True)
        self._params["profile"] = "tiny"
        self._profile = yaml.safe_load((root / "profiles" / "tiny.yaml").read_text())
        for stage in ("ingest", "faces", "pairs"):
            self.set(stage, row_floor=1)
        self.set("ingest", alike_within=None)  # the pictures are cut from one another

    def look_with(self, options: argparse.Namespace) -> None:
        """Take the pack and the size of `add_media`; call it before `use`."""
        if options.facepack:
            self.facepack = options.facepack.resolve()
        self.set("faces", detection_size=options.size)

    def use(self, sources: Path) -> None:
        """Name the folder of raw files."""
        self._params["sources"] = str(sources)
        (self.root / "params.yaml").write_text(yaml.safe_dump(self._params))

    def set(self, section: str, **values: object) -> None:
        """Change values of the profile."""
        self._profile.setdefault(section, {}).update(values)
        (self.root / "profiles" / "tiny.yaml").write_text(
            yaml.safe_dump(self._profile, sort_keys=False)
        )

    def output(self, stage: str) -> Path:
        """The published output of a stage."""
        return Layout(self.root, "tiny").output(stage)

    def run(self, *stages: str) -> float:
        """Run stages in this process; CPU seconds of it and of the workers it started."""
        from mm_model.run import runner

        before = cpu()
        with quiet():
            for stage in stages or STAGES:
                runner.run(stage, self.root)
        return cpu() - before

    @property
    def facepack(self) -> Path:
        """The face pack's folder."""
        return Path(self._params["facepack"])

    @facepack.setter
    def facepack(self, folder: Path) -> None:
        self._params["facepack"] = str(folder)

    def forget(self, *stages: str) -> None:
        """Remove the outputs of `stages`, of all without any, and what is kept beside outputs."""
        shutil.rmtree(self.root / "work", ignore_errors=True)
        for stage in stages or ("sources", "ingest", "faces"):
            shutil.rmtree(self.output(stage), ignore_errors=True)


def cpu() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Standard output is the result's alone; what stages say is shown when one fails."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            yield
    except BaseException:
        print(said.getvalue(), file=sys.stderr)
        raise


def tell(*said: object) -> None:
    """Say something beside the result."""
    print(*said, file=sys.stderr, flush=True)


def alone() -> None:
    """One thread for each numeric library, so that CPU time is work."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
