"""`make doctor`: the library's looks, and those at packages, DVC, Dagster's books and alerts."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mm_model.doctor.diagnosis import Diagnosis, Look, told


def _fit(_: Path) -> Iterator[Diagnosis]:
    from orchestration import consistent

    wrong = consistent.check()
    if wrong:
        yield Diagnosis("pip check", "bad", "; ".join(wrong), "remove .venv, then make setup")
    else:
        yield Diagnosis("pip check", "good", "the installed packages fit one another")


def _dvc(root: Path) -> Iterator[Diagnosis]:
    from mm_model.settings import load_params
    from orchestration import dvc_lock

    found = dvc_lock.entries(root, load_params(root).profile)
    yield Diagnosis("dvc.lock", "good", f"it knows {len(found)} outputs of this profile")
    torn = root / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(torn.read_text() if torn.is_file() else "{}")
    except ValueError:
        yield Diagnosis("DVC's locks", "note", f"{torn} is torn", "the next run removes it")


def _books(root: Path) -> Iterator[Diagnosis]:
    """Runs in Dagster's books whose process is gone; nothing is changed."""
    folder = Path(os.environ.get("DAGSTER_HOME") or root / "work" / "dagster")
    if not (folder / "dagster.yaml").is_file():
        yield Diagnosis("Dagster", "note", "it has no books here yet", "make run or make dev")
        return
    import dagster as dg

    from orchestration import runs

    with dg.DagsterInstance.from_config(str(folder)) as instance:
        dead, living = runs.told_apart(instance)
    for run in dead:
        said = f"run {run.run_id[:8]} of {run.job_name} is said to go on, and its process is gone"
        fix = "make run closes it, and so does the sensor outside_runs within half a minute"
        yield Diagnosis("Dagster", "bad", said, fix)
    for run in living:
        yield Diagnosis("Dagster", "note", f"run {run.run_id[:8]} of {run.job_name} goes on")
    if not dead and not living:
        yield Diagnosis("Dagster", "good", "no run is going on")


def _alerts(root: Path) -> Iterator[Diagnosis]:
    from orchestration import alerts

    if alerts.waiting(root):
        where = alerts.folder(root).relative_to(root)
        fix = "see its address by python -m orchestration.alerts"
        yield Diagnosis("alerts", "bad", f"some in {where} could not be sent", fix)
    else:
        yield Diagnosis("alerts", "good", "none is waiting to be sent")


def looks(root: Path) -> list[tuple[str, Look]]:
    """Each look around the library by its subject."""
    every = {"pip check": _fit, "dvc.lock": _dvc, "Dagster": _books, "alerts": _alerts}
    return [(subject, partial(look, root)) for subject, look in every.items()]


def main() -> int:
    """Print what is found; 1 where something is wrong."""
    from mm_model.doctor import looks as library
    from orchestration import home

    parser = argparse.ArgumentParser(prog="python -m orchestration.doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args()
    root = home.root()
    return int(not told([*library.of_tree(root), *looks(root)], options.json))


if __name__ == "__main__":
    from mm_model.environment import silence_telemetry

    silence_telemetry()
    sys.exit(main())
