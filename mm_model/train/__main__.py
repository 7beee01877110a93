"""One process of a training that several share: `accelerate launch --module mm_model.train FILE`.

FILE is what the stage wrote down for them (`launch.py`); they end with the stage that started them.
"""

import os
import sys
from pathlib import Path

from mm_model.environment import keep_freed_memory, silence_telemetry
from mm_model.errors import UserError, first_line, of_machine
from mm_model.store.atomic import write_json
from mm_model.train.launch import FAILURE, UNREACHED, Launch

_KEPT = "finished steps are kept and the next run resumes"


def main(file: Path) -> int:
    """Take part; returns the exit status."""
    silence_telemetry()
    keep_freed_memory()
    launch = Launch.read(file)
    from mm_model import lifeline

    lifeline.follow_process(*launch.starter)
    from accelerate import PartialState

    try:
        _learn(launch)
    except Exception as error:
        said = error if isinstance(error, UserError) else of_machine(error, _KEPT)
        known = str(
            said
            or f"A process of the training failed ({type(error).__name__}: "
            f"{first_line(error)}); {launch.log} holds its traceback, and {_KEPT}."
        )
        rank = int(os.environ.get("RANK", "0"))  # also before there is a process group
        write_json(launch.folder / f"{FAILURE}.{rank:04d}.json", {"sentence": known})
        if said is None:
            raise
        return 1
    PartialState().destroy_process_group()
    return 0


def _learn(launch: Launch) -> None:
    from mm_model.run import stages
    from mm_model.run.stage import Job
    from mm_model.settings import load_params, load_profile
    from mm_model.settings.device import device_of
    from mm_model.store.layout import Layout
    from mm_model.tracking.tracker import Tracker
    from mm_model.train.learn import learn
    from mm_model.train.processes import Processes
    from mm_model.train.shards import ShardSet
    from mm_model.train.source import source_of

    profile = load_profile(launch.root, launch.profile)
    processes = Processes(device_of(profile.run), launch.sharding)
    layout, stage = Layout(launch.root, launch.profile), stages.load(launch.stage)
    job = Job(
        stage=stage,
        params=load_params(launch.root),
        profile=profile,
        layout=layout,
        fingerprint=launch.fingerprint,
        inputs=launch.inputs,
        work=launch.work,
        out=launch.work / "out",
        tracker=Tracker(layout.books, stage.name, launch.spool if processes.is_first else None),
    )
    folder = job.inputs["precompute"]
    data = ShardSet(folder, launch.samples, source_of(layout.root, folder, launch.samples))
    settings = getattr(profile, stage.name)
    unreached = learn(job, settings, data, launch.start, processes)
    if processes.is_first:
        write_json(launch.folder / UNREACHED, {"names": unreached})
    processes.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
