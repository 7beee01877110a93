"""CPU seconds of our data stages over those of py-data-juicer with the like operators.

Both work on the same files with two workers, each as a user starts it: `python -m mm_model run` of
the stages, and data-juicer's own executor on a recipe, in the environment of `--peer-python`.
Imports and starts of workers count on both sides; what a run of `--few` files costs is taken off
both sides for a second ratio, of what grows with the files.

`--of photographs`: stage `ingest` beside image_shape, image_aspect_ratio, image_size and
image_deduplicator (phash). `--of faces`: `ingest` and `faces` beside these and image_face_count
(OpenCV's Haar cascade; we detect with the face pack). `--of clips`: `ingest` beside
video_resolution, video_aspect_ratio, video_duration and video_motion_score (Farneback on two
frames a second, its default; we look at every frame). Ours does all else that the stages do too:
whole decoding in confined workers, lettering, near-duplicates, cuts, jitter, copies, tables, audit,
seal; of faces landmarks, tracks, embeddings and people.

The peer needs `pip install py-data-juicer==1.6.1 av 'opencv-contrib-python-headless<5' aiohttp
matplotlib scipy scikit-learn PyWavelets cloudpickle` and, with `--no-deps`, imagededup.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.kills import undisturbed
from benchmarks.result import Result
from benchmarks.tree import Tree, add_media, alone, fill, fill_clips, tell
from mm_model.errors import UserError

GOAL = 1.0
_WORKERS = 2
_IMAGES: list[dict[str, dict[str, Any]]] = [
    {"image_shape_filter": {"min_width": 64, "min_height": 64}},
    {"image_aspect_ratio_filter": {"min_ratio": 0.25, "max_ratio": 4.0}},
    {"image_size_filter": {"min_size": "1", "max_size": "1 GiB"}},
    {"image_deduplicator": {"method": "phash"}},
]
_FACES = [{"image_face_count_filter": {"min_face_count": 1, "max_face_count": 1}}]
_CLIPS: list[dict[str, dict[str, Any]]] = [
    {"video_resolution_filter": {"min_width": 64, "min_height": 64}},
    {"video_aspect_ratio_filter": {"min_ratio": "1/4", "max_ratio": "4/1"}},
    {"video_duration_filter": {"min_duration": 0.3, "video_backend": "av"}},
    {"video_motion_score_filter": {"min_score": 0.0}},
]
KINDS = {
    "photographs": (("ingest",), _IMAGES),
    "faces": (("ingest", "faces"), _IMAGES[:3] + _FACES + _IMAGES[3:]),
    "clips": (("ingest",), _CLIPS),
}
"""Kind to our stages and the peer's operators."""


def options(command: argparse.ArgumentParser) -> None:
    """Its arguments."""
    command.add_argument("--peer-python", type=Path, help="python of an environment with the peer")
    command.add_argument("--of", choices=tuple(KINDS), default="photographs")
    command.add_argument("--count", type=int, default=400, help="files")
    command.add_argument("--few", type=int, default=20, help="files of the run that is taken off")
    add_media(command)


def run(options: argparse.Namespace) -> Result:
    """The ratio of the whole runs; says that of what grows with the files, too.

    Raises:
        UserError: no environment with the peer is named, or a side failed.
    """
    if options.peer_python is None or not options.peer_python.is_file():
        raise UserError(
            "The peer py-data-juicer runs in an environment of its own: name that environment's "
            "python with --peer-python PATH."
        )
    alone()
    stages, operators = KINDS[options.of]
    cost: dict[int, tuple[float, float]] = {}
    for count in (options.few, options.few, options.count):  # the first turn warms up
        with tempfile.TemporaryDirectory() as name:
            cost[count] = _both(options, Path(name), count)
        ours, theirs = cost[count]
        tell(f"{count} files: ours ({', '.join(stages)}) {ours:.1f} s of CPU, peer {theirs:.1f} s")
    tell(f"the peer's operators: {', '.join(name for one in operators for name in one)}")
    grown = [many - few for few, many in zip(cost[options.few], cost[options.count], strict=True)]
    if grown[1] > 0:
        tell(f"without what {options.few} files cost: {grown[0] / grown[1]:.2f}")
    ours, theirs = cost[options.count]
    return Result(ours / theirs, GOAL, 1)


def _both(options: argparse.Namespace, place: Path, count: int) -> tuple[float, float]:
    files = place / "files"
    (fill_clips(options, files, count) if options.of == "clips" else fill(options, files, 0, count))
    (place / "tree").mkdir()
    tree = Tree(place / "tree" / "root")
    tree.look_with(options)
    tree.use(files)
    tree.run("sources")
    stages, operators = KINDS[options.of]
    ours = sum(undisturbed(tree.root, stage) for stage in stages)
    return ours, _theirs(options.peer_python, place / "peer", files, operators)


def _theirs(python: Path, place: Path, files: Path, operators: list[dict[str, Any]]) -> float:
    """CPU seconds of the peer on all files, its workers included."""
    recipe = written(place, files, operators)
    home = {"HOME": str(place), "HF_HOME": str(place / "hf"), "HF_HUB_OFFLINE": "1"}
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [str(python.absolute()), str(Path(__file__).with_name("peer_side.py")), str(recipe)],
        env=own | home,
        cwd=place,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode != 0 or not (place / "out" / "kept.jsonl").is_file():
        print(ran.stderr[-3000:], file=sys.stderr)
        raise UserError(f"The peer failed in the environment of {python}: see above.")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def written(place: Path, files: Path, operators: list[dict[str, Any]]) -> Path:
    """The peer's list of `files` and its recipe, in the folder `place`; the recipe's path."""
    place.mkdir(parents=True)
    paths = sorted(path for path in files.rglob("*") if path.suffix in (".jpg", ".mp4"))
    lines = []
    for path in paths:
        kind = "video" if path.suffix == ".mp4" else "image"
        lines.append(json.dumps({"text": f"<__dj__{kind}>", f"{kind}s": [str(path)]}))
    (place / "files.jsonl").write_text("\n".join(lines) + "\n")
    recipe = {
        "project_name": "peer",
        "dataset_path": str(place / "files.jsonl"),
        "export_path": str(place / "out" / "kept.jsonl"),
        "work_dir": str(place / "out"),
        "np": _WORKERS,
        "use_cache": False,
        "skip_op_error": False,
        "open_monitor": False,
        "process": operators,
    }
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return place / "recipe.yaml"
