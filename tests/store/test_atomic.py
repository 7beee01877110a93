"""Write aside, then rename: what a reader can see."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mm_model.errors import UserError
from mm_model.store import atomic, digests, manifest


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    atomic.write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), atomic.written_aside(target) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert json.loads(target.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_nan_never_reaches_a_json_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_publishing_replaces_the_whole_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "out", tmp_path / "work"
    old.mkdir()
    (old / "stale").write_text("x")
    new.mkdir()
    (new / "fresh").write_text("y")
    atomic.publish_folder(new, old)
    assert [p.name for p in old.iterdir()] == ["fresh"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that lies on another file system than the rest of `tmp_path`."""
    place, plain = tmp_path / "elsewhere", Path.rename
    place.mkdir()

    def rename(self: Path, target: Path) -> Path:
        if self.is_relative_to(place) != Path(target).is_relative_to(place):
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(self))
        return plain(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    return place


def test_a_folder_of_another_file_system_is_published_too(tmp_path: Path, elsewhere: Path) -> None:
    """As where `work` and `data` are volumes of their own."""
    out, new = tmp_path / "out", elsewhere / "out"
    for folder, name in ((out, "stale"), (new / "files", "fresh")):
        folder.mkdir(parents=True)
        (folder / name).write_text("x")
    atomic.publish_folder(new, out)
    assert [p.relative_to(out).as_posix() for p in out.rglob("*")] == ["files", "files/fresh"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "out"]
    assert not list(elsewhere.iterdir())


def test_a_disk_that_fills_meanwhile_leaves_the_old_folder(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, new = tmp_path / "out", elsewhere / "out"
    for folder in (out, new):
        folder.mkdir()
        (folder / folder.parent.name).write_text("x")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(out))

    monkeypatch.setattr("shutil.copytree", full)
    with pytest.raises(OSError, match="No space"):
        atomic.publish_folder(new, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "out"]
    assert [p.name for p in out.iterdir()] == [tmp_path.name] and new.is_dir()


def test_what_a_kill_left_beside_an_output_is_swept(tmp_path: Path) -> None:
    for name in ("out", ".out.0a1b2c3d.old", ".out.0a1b2c3d.new", ".outer.0a1b2c3d.old", ".out.d"):
        (tmp_path / name).mkdir()
    atomic.sweep(tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".out.d", ".outer.0a1b2c3d.old", "out"]


def _sealed(folder: Path) -> manifest.Manifest:
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    return manifest.seal(folder, manifest.Manifest("faces", 1, "f", {}, "s", {"line": ""}))


def test_a_changed_file_is_noticed_by_name(tmp_path: Path) -> None:
    _sealed(tmp_path / "faces")
    (tmp_path / "faces" / "a.txt").write_text("b")
    with pytest.raises(UserError, match=r"a\.txt is missing or differs"):
        manifest.verified(tmp_path / "faces")


def test_a_missing_output_says_which_stage_makes_it(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    with pytest.raises(UserError, match="mm_model run faces"):
        manifest.verified(tmp_path / "faces")


def test_equal_folders_have_equal_manifests(tmp_path: Path) -> None:
    assert _sealed(tmp_path / "a").digest == _sealed(tmp_path / "b").digest


def test_folder_digest_sees_names_and_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = digests.of_folder(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = digests.of_folder(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, renamed, digests.of_folder(tmp_path)}) == 3


def test_the_command_line_prints_one_sentence_and_no_traceback(tmp_path: Path, root: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "mm_model", "figures"],
        env={**os.environ, "MM_ROOT": str(tmp_path), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert said.returncode == 1
    assert said.stderr.startswith("Stopped: ")
    assert "Traceback" not in said.stderr
