"""A disk that is full, read-only or closed to us: one sentence, nothing half written, work kept."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mm_model.commands import cli
from mm_model.errors import MachineError, UserError, of_machine
from mm_model.media.encode import write_mp4
from mm_model.media.sheet import picture_bytes
from mm_model.nn.injection import files
from mm_model.store import atomic, sealed, tables
from tests.train import kept

pytestmark = pytest.mark.capability("killed, moved, full disk", scale="T")

NOISE = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
LIMIT = 2000


def _aside(write: Callable[[Path], object]) -> Callable[[Path], None]:
    def do(target: Path) -> None:
        with atomic.written_aside(target) as aside:
            write(aside)

    return do


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.bin": lambda target: atomic.write_bytes(target, NOISE.tobytes()),
    "a.json": lambda target: atomic.write_json(target, list(range(9999))),
    "a.safetensors": _aside(lambda aside: save_file({"x": torch.from_numpy(NOISE)}, aside)),
    "a.jpg": lambda target: atomic.write_bytes(target, picture_bytes(NOISE, 92)),
    "a.npy": _aside(lambda aside: np.save(aside, NOISE)),
    "a.parquet": lambda target: tables.write(
        target, [{"x": float(v)} for v in NOISE.ravel()[:60000] / 7], ["x"], {"x": "number"}
    ),
    "a.mp4": lambda target: write_mp4(target, np.stack([NOISE] * 9), 8),
    "weights.safetensors": lambda target: files.save_tensors(
        target, {"x": torch.from_numpy(NOISE)}
    ),
}


@pytest.fixture
def small_files() -> Any:
    """Lets no file of this process grow past `LIMIT` bytes while it holds."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Small:
        def __enter__(self) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))

        def __exit__(self, *_: object) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return Small()


@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_written_names_its_file_and_leaves_the_old_one(
    tmp_path: Path, name: str, small_files: Any
) -> None:
    target = tmp_path / name
    target.write_bytes(b"old")
    with small_files, pytest.raises(OSError) as caught:
        WRITERS[name](target)
    said = of_machine(caught.value)
    assert isinstance(said, MachineError)
    assert str(said).startswith(str(target)) and "run again" in str(said)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/a"), "/x/a: the disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "/x/a"), "/x/a: the file system is read-on"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/a"), "/x/a: permission is denied"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "your disk quota is used up"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (OSError("12000 requested and 3 written"), "the disk is full"),
    ],
)
def test_the_command_line_says_a_machine_s_fault_in_one_sentence(
    error: Exception, words: str, monkeypatch: Any, capsys: Any
) -> None:
    def stop(*_: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "_layout", stop)
    assert cli.main(["figures"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Stopped: {words}") and said.count("\n") == 1


def test_a_machine_s_fault_is_known_behind_a_library_s_own_exception() -> None:
    inner = OSError(errno.ENOSPC, "No space left on device", "/x/a")
    outer = RuntimeError("the writer stopped")
    try:
        raise ValueError("no checkpoint") from inner
    except ValueError as error:
        outer.__cause__ = error
    assert str(of_machine(outer)).startswith("/x/a: the disk is full")
    assert of_machine(RuntimeError("the writer stopped")) is None


@pytest.mark.parametrize("defect", [FileNotFoundError(2, "x"), KeyError("x"), OSError("odd")])
def test_a_defect_keeps_its_traceback(defect: Exception, monkeypatch: Any) -> None:
    def stop(*_: Any) -> None:
        raise defect

    monkeypatch.setattr(cli, "_layout", stop)
    with pytest.raises(type(defect)):
        cli.main(["figures"])


def test_a_checkpoint_that_did_not_fit_leaves_the_one_before(
    tmp_path: Path, small_files: Any
) -> None:
    weights = {"w": torch.nn.Parameter(torch.zeros(40, 40))}
    optimizer = torch.optim.AdamW(weights.values())
    kept.save(tmp_path, 2, "work", parameters=weights, optimizer=optimizer, curve=[])
    with torch.no_grad():
        weights["w"].fill_(4)
    with small_files, pytest.raises(OSError, match="step_00000004"):
        kept.save(tmp_path, 4, "work", parameters=weights, optimizer=optimizer, curve=[])
    said: list[str] = []
    found = kept.restore(tmp_path, "work", weights, optimizer, said.append)
    assert found is not None and found.step == 2 and not said
    assert (weights["w"] == 0).all()
    kept.save(tmp_path, 4, "work", parameters=weights, optimizer=optimizer, curve=[])
    assert sealed.flaw(tmp_path / "step_00000004.safetensors", "work") is None


def test_an_output_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: Any
) -> None:
    target, candidate = tmp_path / "out", tmp_path / "new"
    for folder in (target, candidate):
        folder.mkdir()
        (folder / folder.name).write_text("x")
    real = Path.rename

    def rename(self: Path, other: Path) -> Path:
        if self == candidate:
            raise OSError(errno.EROFS, "Read-only file system", str(other))
        return real(self, other)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError):
        atomic.publish_folder(candidate, target)
    assert [path.name for path in target.iterdir()] == ["out"]
    assert (candidate / "new").is_file()


def test_a_stage_on_a_full_disk_stops_with_a_sentence_and_goes_on_later(
    small_root: Path, root: Path, use_sources: Callable
) -> None:
    """The whole command, under a limit that its first file meets."""
    raw = small_root / "raw"
    raw.mkdir()
    (raw / "one.jpg").write_bytes(picture_bytes(NOISE, 50))
    (raw / "consent.yaml").write_text("basis: written consent\nadults: true\n")
    use_sources(small_root, "raw")

    def run(limit: int | None) -> subprocess.CompletedProcess:
        def bound() -> None:
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        nobody = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
        return subprocess.run(
            [sys.executable, "-m", "mm_model", "run", "sources"],
            preexec_fn=bound,
            text=True,
            env={**os.environ, **nobody, "MM_ROOT": str(small_root), "PYTHONPATH": str(root)},
            capture_output=True,
            check=False,
        )

    stopped = run(1500)
    assert stopped.returncode == 1
    assert stopped.stderr.count("\n") == 1 and "Traceback" not in stopped.stderr
    assert stopped.stderr.startswith(f"Stopped: {small_root}")
    assert "the system lets no file grow that large" in stopped.stderr
    assert not (small_root / "data" / "tiny" / "sources").exists()
    again = run(None)
    assert again.returncode == 0, again.stderr
    assert (small_root / "data" / "tiny" / "sources" / "manifest.json").is_file()


def test_a_contact_sheet_never_fails_a_stage(
    small_root: Path, use_sources: Callable, run_stage: Callable, monkeypatch: Any, capsys: Any
) -> None:
    raw = small_root / "raw"
    raw.mkdir()
    (raw / "one.jpg").write_bytes(picture_bytes(NOISE, 50))
    (raw / "consent.yaml").write_text("basis: written consent\nadults: true\n")
    use_sources(small_root, "raw")
    run_stage(small_root, "sources")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mm_model.ingest.report.contact_sheet", full)
    report = run_stage(small_root, "ingest")
    assert report.counts.total == 1 and report.pictures == ()
    said = capsys.readouterr().out
    assert "The contact sheet was not made" in said and "goes on without it" in said


def test_a_wrapped_user_error_is_no_fault_of_the_machine() -> None:
    assert of_machine(UserError("the errno 28 of somebody")) is None
