"""The wheel, alone in an empty environment: it generates, and what was released is served by it."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import av
import pytest

from mm_model.serving import example
from tests.serving.house import House

pytestmark = [pytest.mark.slow, pytest.mark.capability("wheel", scale="T")]

_SERVE = """
import json, sys
import mlflow.pyfunc
model = mlflow.pyfunc.load_model("models:/magic-mirror@champion")
import mm_model, pandas
reply = model.predict(pandas.DataFrame([json.load(open(sys.argv[1]))]))
print(json.dumps({"reply": reply[0], "library": mm_model.__file__, "path": sys.path}))
"""
_GENERATE = """
import json, sys
import mm_model, torch
from mm_model.generation.pipeline import MagicMirrorPipeline
pipe = MagicMirrorPipeline.from_pretrained(sys.argv[1], sys.argv[2])
pipe.set_progress_bar_config(disable=True)
size = dict(height=64, width=64, num_frames=9, num_inference_steps=2, output_type="pt")
frames = pipe("a man walks", generator=torch.Generator().manual_seed(0), **size).frames
print(json.dumps({"shape": list(frames.shape), "library": mm_model.__file__}))
"""


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left beside the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(
        root / "mm_model", source / "mm_model", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    subprocess.run(
        [
            *[sys.executable, *"-m pip wheel --quiet --no-deps --no-build-isolation".split()],
            *["--wheel-dir", str(target), str(source)],
        ],
        check=True,
        capture_output=True,
    )
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that holds the wheel and borrows the other packages.

    A folder that a `.pth` file names is searched, but its own `.pth` files are not read: the
    editable installation of this checkout stays out of sight.
    """
    place = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / "bin" / "python"
    subprocess.run(
        [
            *[sys.executable, "-m", "pip", f"--python={python}"],
            *"install --quiet --no-deps --no-index --ignore-installed".split(),
            str(wheel),
        ],
        check=True,
        capture_output=True,
        cwd=place,
    )
    own = next((place / "lib").glob("python*")) / "site-packages"
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert str(own) not in site.getsitepackages()
    return python


def alone(python: Path, folder: Path, *command: str) -> str:
    """What a command prints there, with nothing of this process's environment but its home."""
    done = subprocess.run(
        [str(python), *command],
        cwd=folder,
        capture_output=True,
        text=True,
        env={
            "HOME": os.environ["HOME"],
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1] if done.stdout else ""


def test_the_library_comes_from_the_wheel_and_generates(
    empty: Path, served_house: House, tmp_path: Path
) -> None:
    adapter = served_house.layout.output("finetune") / "adapter"
    backbone = served_house.root / "weights" / "backbone"
    said = json.loads(alone(empty, tmp_path, "-c", _GENERATE, str(backbone), str(adapter)))
    assert Path(said["library"]).is_relative_to(empty.parent.parent)
    assert said["shape"] == [1, 9, 3, 64, 64]


def test_the_page_s_templates_are_in_the_wheel(root: Path, empty: Path, tmp_path: Path) -> None:
    rooms = ("mm_model.report", "mm_model.card")
    code = (
        "import json; from mm_model.report.templating import _environment\n"
        f"print(json.dumps(sorted(_environment({rooms}).list_templates())))"
    )
    said = json.loads(alone(empty, tmp_path, "-c", code))
    folders = [root / room.replace(".", "/") / "templates" for room in rooms]
    assert said == sorted({path.name for folder in folders for path in folder.iterdir()})
    code = "from mm_model.report.templating import fill; print(fill('damage.html', why='<a>'))"
    assert alone(empty, tmp_path, "-c", code).endswith("could not be made: &lt;a&gt;</div>")


def test_a_released_model_is_served_there(
    root: Path, empty: Path, served_house: House, tmp_path: Path
) -> None:
    written = example.write(tmp_path / "request.json", served_house.layout)
    record = json.loads(written.read_text())["dataframe_records"][0] | {"num_inference_steps": 2}
    written.write_text(json.dumps(record))
    said = json.loads(alone(empty, served_house.root, "-c", _SERVE, str(written)))
    assert not Path(said["library"]).is_relative_to(root)
    assert str(root) not in said["path"]
    video = base64.b64decode(said["reply"]["video_mp4"])
    with av.open(io.BytesIO(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == record["num_frames"]


def test_the_command_line_says_what_it_needs_instead_of_a_trace(
    empty: Path, tmp_path: Path
) -> None:
    """The small weights are no part of the wheel, and neither is a profile."""
    done = subprocess.run(
        [str(empty), "-m", "mm_model", "run", "sources"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "params.yaml" in done.stderr
