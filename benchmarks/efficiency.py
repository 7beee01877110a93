"""A stage of the data over a bare loop: CPU seconds of decoding, detecting and embedding alone.

The bare loop has the stage's decoders and its face pack, as many processes, one thread each, and
does nothing else: no decision, no table, no audit, no seal. Both sides take turns over the same
files. `--stage ingest` is held against decoding alone. The fastest turn of each side counts. The
shipped pack takes a few milliseconds a picture; `--facepack DIR --size 640` shows a real one.
"""

import argparse
import tempfile
from contextlib import closing
from pathlib import Path

from benchmarks import bare
from benchmarks.result import Result
from benchmarks.tree import Tree, alone, cpu, draw, draw_clips, tell

GOAL = 0.85
GOALS = {"photographs": GOAL, "clips": 0.90}
_PROCESSES = 2


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--stage", choices=("faces", "ingest"), default="faces")
    command.add_argument("--media", choices=tuple(GOALS), default="photographs")
    command.add_argument("--count", type=int, help="files; 2,000 photographs or 100 clips")
    command.add_argument("--repeats", type=int, default=3, help="turns of each side")
    command.add_argument("--facepack", type=Path, help="another pack than the shipped one")
    command.add_argument("--size", type=int, default=128, help="faces.detection_size")


def run(options: argparse.Namespace) -> Result:
    """CPU seconds of the bare loop over those of the stage."""
    alone()
    count = options.count or {"photographs": 2000, "clips": 100}[options.media]
    with tempfile.TemporaryDirectory() as place:
        files = Path(place) / "files"
        if options.media == "clips":
            draw_clips(files, count)
        else:
            draw(files, 0, count)
        (Path(place) / "tree").mkdir()
        tree = Tree(Path(place) / "tree" / "root")
        if options.facepack:
            tree.facepack = options.facepack.resolve()
        tree.use(files)
        tree.set("faces", detection_size=options.size)
        tree.run("sources", "ingest")
        if options.stage == "faces":
            paths = sorted((tree.output("ingest") / "files").iterdir())
        else:
            paths = [path for path in sorted(files.rglob("*")) if path.suffix in (".jpg", ".mp4")]
        bare_seconds, stage_seconds = [], []
        for repeat in range(options.repeats):
            bare_seconds.append(_bare(tree.facepack, options.size, paths, options.stage))
            tree.forget("faces", *(("ingest",) if options.stage == "ingest" else ()))
            stage_seconds.append(tree.run(options.stage))
            tell(
                f"turn {repeat + 1}: bare {bare_seconds[-1]:.1f} s of CPU, "
                f"{options.stage} {stage_seconds[-1]:.1f} s, {len(paths)} {options.media}"
            )
    ratio = min(bare_seconds) / min(stage_seconds)
    return Result(ratio, GOALS[options.media], options.repeats, at_most=False)


def _bare(pack: Path, size: int, paths: list[Path], stage: str) -> float:
    before = cpu()
    with closing(bare.pool(pack, size, _PROCESSES)) as pool:
        for _ in pool.map(bare.look if stage == "faces" else bare.decode, paths):
            pass
    return cpu() - before
