"""Inputs that cannot be read or digested: listings and sensors live, DVC is not let near them."""

import errno
import os
from pathlib import Path

import dagster as dg
import pytest

from mm_model.errors import UserError
from orchestration import dvc_inputs, listing, sensors
from tests.forbidden import Forbidden
from tests.graph.conftest import Tree


def test_a_listing_names_what_it_cannot_see(tmp_path: Path, forbidden: Forbidden) -> None:
    for name in ("ada/1.jpg", "bob/2.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).touch()
    seen = [listing.of(tmp_path)]
    forbidden.listing = {"ada": errno.EACCES}
    seen.append(listing.of(tmp_path))
    forbidden.listing, forbidden.looking = {}, {"1.jpg": errno.EACCES}
    seen.append(listing.of(tmp_path))
    assert [len(one.arrivals) for one in seen] == [3, 2, 2]
    forbidden.looking = {tmp_path.name: errno.EACCES}
    seen.append(listing.of(tmp_path))
    assert len({one.digest for one in seen}) == 4
    assert listing.of(tmp_path / "absent").arrivals == ()


def test_the_sensor_says_that_it_may_not_look(fresh: Tree, forbidden: Forbidden) -> None:
    def tick() -> str:
        with dg.build_sensor_context(
            fresh.instance, resources={"stages": fresh.client}, definitions=definitions
        ) as context:
            told = sensors.new_media.evaluate_tick(context)
        assert not told.run_requests
        return told.skip_message

    definitions = fresh.definitions()
    forbidden.looking = {"raw": errno.EACCES}
    assert "raw cannot be looked at: permission denied" in tick()
    forbidden.looking, forbidden.listing = {}, {"raw": errno.EACCES}
    assert "0 new files" in tick()


def _broken(folder: Path) -> None:
    (folder / "broken.jpg").symlink_to("nowhere.jpg")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp4")


def _latin(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.jpg")).touch()


def test_what_dvc_cannot_digest_beside_the_profiles_is_named_too(done: Tree) -> None:
    _pipe(done.root / "profiles")
    with pytest.raises(UserError, match=r"1 entries of profiles: pipe\.mp4 \(a pipe"):
        dvc_inputs.check(done.root)
    (done.root / "profiles" / "pipe.mp4").unlink()
    (done.root / "profiles" / ".#tiny.yaml").symlink_to("somebody@somewhere.1")
    dvc_inputs.check(done.root)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_broken, "broken.jpg (a link: no such file or directory)"),
        (_pipe, "pipe.mp4 (a pipe, socket or device)"),
        (_latin, "caf\\xe9.jpg (its name is not UTF-8)"),
    ],
)
def test_what_dvc_cannot_digest_stops_the_stage_that_reads_it_by_name(
    done: Tree, spoil: object, said: str
) -> None:
    spoil(done.root / "raw")
    result = done.dagster("sources")
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    words = event.step_failure_data.user_failure_data.description
    assert words == (
        f"DVC cannot digest 1 entries of raw (params.yaml: sources): {said}: mend or remove them "
        "there and run again."
    )
    assert done.executed() == []
    done.set("pairs", "per_target", 7)
    assert done.dagster("pairs").success, "it reads no raw media"
    assert done.tick_outside_runs() == 0


def test_rights_that_dvc_lacks_are_counted(
    fresh: Tree, forbidden: Forbidden, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside = tmp_path / "elsewhere"
    for folder in (fresh.root / "raw", outside):
        (folder / "ada").mkdir(parents=True)
        (folder / "ada" / "1.jpg").touch()
    dvc_inputs.check(fresh.root)
    forbidden.listing = {"ada": errno.EACCES}
    with pytest.raises(UserError, match=r"1 entries of raw .*: ada \(permission denied\)"):
        dvc_inputs.check(fresh.root)
    dvc_inputs.check(fresh.root, ["judge", "backbone"])
    forbidden.listing, forbidden.looking = {}, {"1.jpg": errno.EACCES}
    with pytest.raises(UserError, match=r"ada/1\.jpg \(permission denied\)"):
        dvc_inputs.check(fresh.root)
    forbidden.looking = {}
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, *a: path.name != "1.jpg" and real(path, *a))
    with pytest.raises(UserError, match=r"ada/1\.jpg \(no permission to read it\)"):
        dvc_inputs.check(fresh.root)
    monkeypatch.setattr(os, "access", real)
    params = fresh.root / "params.yaml"
    params.write_text(params.read_text().replace("sources: raw", f"sources: {outside}"))
    forbidden.listing = {"ada": errno.EACCES}
    dvc_inputs.check(fresh.root)
