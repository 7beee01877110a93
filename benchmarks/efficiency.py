"""A stage of the data over a bare loop: CPU seconds of decoding, detecting and embedding alone.

The bare loop has the stage's decoders and its face pack, as many processes, one thread each, and
does nothing else: no decision, no table, no audit, no seal. All take turns over the same files, and
the fastest turn of each counts. Of `faces` a second loop, which looks again with borders where the
stage would, tells what rules cost that ask for more than one look from what all else costs; the
ratio is that of the first. `--stage ingest` is held against decoding alone. The shipped pack takes
a few milliseconds a picture; `--facepack DIR --size 640` shows a real one, and `--media DIR` real
photographs and clips (`varied.py`).
"""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import bare
from benchmarks.result import Result
from benchmarks.tree import Tree, add_media, alone, cpu, fill, fill_clips, tell
from mm_model.settings import load_profile

GOAL = 0.85
GOALS = {"photographs": GOAL, "clips": 0.90}
_PROCESSES = 2


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--stage", choices=("faces", "ingest"), default="faces")
    command.add_argument("--of", choices=tuple(GOALS), default="photographs")
    command.add_argument("--count", type=int, help="files; 2,000 photographs or 100 clips")
    command.add_argument("--repeats", type=int, default=3, help="turns of each side")
    add_media(command)


def run(options: argparse.Namespace) -> Result:
    """CPU seconds of the bare loop over those of the stage."""
    alone()
    count = options.count or {"photographs": 2000, "clips": 100}[options.of]
    with tempfile.TemporaryDirectory() as place:
        files = Path(place) / "files"
        if options.of == "clips":
            fill_clips(options, files, count)
        else:
            fill(options, files, 0, count)
        (Path(place) / "tree").mkdir()
        tree = Tree(Path(place) / "tree" / "root")
        tree.look_with(options)
        tree.use(files)
        tree.run("sources", "ingest")
        if options.stage == "faces":
            paths = sorted((tree.output("ingest") / "files").iterdir())
        else:
            paths = [path for path in sorted(files.rglob("*")) if path.suffix in (".jpg", ".mp4")]
        works = _works(tree, options.stage)
        bare_seconds: dict[str, list[float]] = {name: [] for name in works}
        stage_seconds = []
        for repeat in range(options.repeats):
            for name, work in works.items():
                bare_seconds[name].append(_bare(tree.facepack, options.size, paths, work))
                tell(f"turn {repeat + 1}: {name} {bare_seconds[name][-1]:.1f} s of CPU")
            tree.forget("faces", *(("ingest",) if options.stage == "ingest" else ()))
            stage_seconds.append(tree.run(options.stage))
            tell(
                f"turn {repeat + 1}: {options.stage} {stage_seconds[-1]:.1f} s of CPU, "
                f"{len(paths)} {options.of}"
            )
    ratios = {name: min(found) / min(stage_seconds) for name, found in bare_seconds.items()}
    tell(", ".join(f"{name} over {options.stage} {ratio:.3f}" for name, ratio in ratios.items()))
    return Result(next(iter(ratios.values())), GOALS[options.of], options.repeats, at_most=False)


def _works(tree: Tree, stage: str) -> dict[str, Callable[[Any, Path], int]]:
    """What the bare loop does with a file; the first is the one the goal is of."""
    if stage == "ingest":
        return {"bare decoding": bare.decode}
    rules = load_profile(tree.root, "tiny").faces
    return {"one bare look": bare.look, "bare looks as the rules ask": bare.LookAsRules(rules)}


def _bare(pack: Path, size: int, paths: list[Path], work: Callable[[Any, Path], int]) -> float:
    before = cpu()
    with closing(bare.pool(pack, size, _PROCESSES)) as pool:
        for _ in pool.map(work, paths):
            pass
    return cpu() - before
