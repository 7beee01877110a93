"""Memory of one large picture in the faces stage, in pairs and in serving, measured in a child.

Every picture is as large as profiles allow (89 million pixels) and of a kind that once cost most:
transparent, 16 bits, turned, a face that fills it, a panorama, a line of one pixel.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.profiles import whole

LIMIT_MIB = 1536

DRAW = """
import sys
import numpy as np
from PIL import Image

kind, path = sys.argv[1:]
size = {"panorama": (16_000, 3_600), "line": (89_000_000, 1), "wide": (37_000, 2_400)}.get(
    kind, (10_000, 8_900))
if kind == "sixteen":
    Image.fromarray(np.full(size[::-1], 30_000, np.uint16)).save(
        path, "PNG", compress_level=1)
elif kind == "turned":
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", size, (120, 90, 60)).save(path, "JPEG", exif=exif)
elif kind == "face":
    from mm_model.embedded.people.clips import photograph
    from mm_model.embedded.people.people import person
    small = photograph(person(10_004), np.random.default_rng(0), 128).image
    Image.fromarray(small).resize((8_900, 8_900)).save(path, "JPEG", quality=60)
else:
    mode = "RGBA" if kind == "transparent" else "RGB"
    Image.new(mode, size, (120, 90, 60, 99)[: len(mode)]).save(path, "PNG", compress_level=1)
"""

LOOK = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
import cv2, numpy as np
import PIL.Image, PIL.ImageCms, PIL.ImageOps
from mm_model.facepack.detect import chosen_faces
from mm_model.facepack.port import open_pack
from mm_model.faces.row import TRACK_FIELDS, SampleTask, look, tracks_of
from mm_model.facepack.port import face_of
from mm_model.media.images import load_image
from mm_model.pairs import make as making
from mm_model.pairs.synthesizer import Identity, IdentityPicture
from mm_model.serving import gate
from mm_model.serving.refusal import Refusal
from mm_model.settings import load_profile

root, path, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
PIL.Image.preinit()
profile = load_profile(root, "tiny")
rules = profile.faces
pack = open_pack(root / "weights/tiny/facepack/models/tiny", rules.detection_size)
PIL.Image.MAX_IMAGE_PIXELS = None
width, height = PIL.Image.open(path).size

def mib(name):
    text = Path("/proc/self/status").read_text()
    return int(text.split(name + ":")[1].split()[0]) / 1024

idle = mib("VmRSS")
row = look(pack, SampleTask("ab" * 8, path, "image", 1, width, height, rules))
said = {"status": row["status"], "reason": row["reason"], "message": row["message"]}
if row["status"] == "kept":
    entry = dict(zip(TRACK_FIELDS, tracks_of(row)[0].tolist()))
    portrait = IdentityPicture("ab" * 8, path, None, width, height, face_of(entry))
    order = making.Order("made", Identity("id", None, False, (portrait,)), "augment", 3,
                         path.parent, rules)
    said["made"] = making.make(pack, order)
try:
    admitted = gate.admit((path.read_bytes(),) * number,
                          lambda pixels: chosen_faces(pack, pixels, rules),
                          profile.ingest.max_pixels, profile.ingest.max_aspect)
    said["admitted"] = len(admitted)
except Refusal as refusal:
    said["refused"] = [refusal.code, refusal.sentence]
said["above_idle"] = mib("VmHWM") - idle
print(json.dumps(said))
"""


def _child(root: Path, code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _looked_at(root: Path, folder: Path, kind: str, number: int = 1) -> dict:
    path = folder / "picture"
    _child(root, DRAW, kind, path)
    return json.loads(_child(root, LOOK, root, path, number))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "transparent", "sixteen", "turned", "panorama", "wide"])
def test_a_picture_at_the_limit_costs_at_most_a_gigabyte_and_a_half(
    root: Path, tmp_path: Path, kind: str
) -> None:
    said = _looked_at(root, tmp_path, kind)
    assert said["above_idle"] < LIMIT_MIB
    assert (said["status"], said["reason"]) == ("rejected", "FACE_NONE")
    strip = kind in ("panorama", "wide")
    assert said["refused"][0] == ("not_a_picture" if strip else "no_face")
    assert ("strip" in said["refused"][1]) == strip


@pytest.mark.slow
def test_four_faces_that_fill_pictures_at_the_limit_cost_no_more(
    root: Path, tmp_path: Path
) -> None:
    """Looked at, embedded, varied, and sent as the four references of one request."""
    said = _looked_at(root, tmp_path, "face", 4)
    assert said["status"] == "kept", said
    assert (said["made"]["flaw"], said["admitted"]) == (None, 4)
    assert said["above_idle"] < LIMIT_MIB


@pytest.mark.slow
def test_a_line_of_one_pixel_is_a_row_and_a_refusal(root: Path, tmp_path: Path) -> None:
    said = _looked_at(root, tmp_path, "line")
    assert (said["status"], said["reason"]) == ("rejected", "FACE_NONE")
    assert said["refused"][0] == "not_a_picture"
    assert said["above_idle"] < LIMIT_MIB


@pytest.mark.parametrize("size", [(64, 20_000), (1, 300_000), (5_000, 20)])
def test_a_strip_is_a_row(root: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    from PIL import Image

    from mm_model.facepack.port import open_pack
    from mm_model.faces.row import SampleTask, look
    from mm_model.settings import load_profile

    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(tmp_path / "strip.png")
    rules = load_profile(root, "tiny").faces
    pack = open_pack(root / "weights" / "tiny" / "facepack" / "models" / "tiny", 128)
    row = look(
        pack, SampleTask("ab" * 8, tmp_path / "strip.png", "image", 1, size[1], size[0], rules)
    )
    assert (row["status"], row["reason"]) == ("rejected", "FACE_NONE")


STAGES = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
sys.path.insert(0, "tests/stages")
from drawn_ingest import Sample, people, write_ingest
from tests.stages.conftest import run_stage

def enlarged(sample, number):
    large = np.array(Image.fromarray(sample.frames[0]).resize((3_600, 3_400)))
    large[:40, : 90 * (number + 1)] = 200
    return Sample(sample.name, large[None], sample.subject, "train", synthetic=False)

def mib(name):
    text = Path("/proc/self/status").read_text()
    return int(text.split(name + ":")[1].split()[0]) / 1024

place, action = Path(sys.argv[1]), sys.argv[2]
if action == "write":
    drawn = people([10_001, 10_002], photos=int(sys.argv[3]) // 2, clips=0)
    write_ingest(place / "data/tiny/ingest", [enlarged(s, n) for n, s in enumerate(drawn)])
else:
    import cv2, onnxruntime, faiss, pyarrow.parquet
    from mm_model.facepack.port import open_pack
    open_pack(Path("weights/tiny/facepack/models/tiny"), 128)
    idle = mib("VmRSS")
    report = run_stage(place, action)
    assert report.counts.kept, report.counts.line()
    print(mib("VmHWM") - idle)
"""


@pytest.mark.slow
def test_sheets_hold_no_large_pictures(root: Path, tmp_path: Path) -> None:
    """Twenty photographs of 12 million pixels (37 MB each) cost no more than a few of them."""
    content = whole(root)
    content["pairs"] |= {"synthesizer": "augment", "cosine_above": 0.0}
    params = yaml.safe_load((root / "params.yaml").read_text()) | {"profile": "tiny"}
    places = ("facepack", "judge", "backbone", "captioners", "classifiers", "synthesizer")
    params |= {name: str(root / params[name]) for name in places}
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    _child(root, STAGES, tmp_path, "write", 20)
    for stage in ("faces", "pairs"):
        said = _child(root, STAGES, tmp_path, stage).split()
        assert float(said[-1]) < 450, stage
