"""`make weights`: train every shipped weight of the embedded default again; it resumes.

Face pack and judge first, then the backbone, which needs the recogniser. Some hours on a CPU.
"""

import argparse
import sys
from pathlib import Path

from mm_model.environment import bound_threads, keep_freed_memory, silence_telemetry


def main() -> int:
    """Train and publish into `weights/tiny/`; intermediate files lie below `work/weights/`."""
    parser = argparse.ArgumentParser(
        prog="python -m mm_model.embedded.training", description=__doc__
    )
    parser.add_argument("--threads", type=int, default=2, help="threads and rendering processes")
    parser.add_argument(
        "--random-perceiver",
        type=Path,
        metavar="FOLDER",
        help="train nothing: write the shipped backbone with an untrained identity perceiver",
    )
    options = parser.parse_args()
    silence_telemetry()
    keep_freed_memory()
    bound_threads(options.threads)

    from mm_model.embedded.training.backbone.build import build
    from mm_model.embedded.training.facepack.pack import build_pack
    from mm_model.errors import UserError
    from mm_model.store.layout import repository_root

    root = repository_root()
    weights, work = root / "weights" / "tiny", root / "work" / "weights"
    try:
        if options.random_perceiver is not None:
            from mm_model.embedded.training.backbone.ablate import with_random_perceiver

            print(with_random_perceiver(weights / "backbone", options.random_perceiver))
            return 0
        build_pack(weights, work / "facepack", threads=options.threads)
        build(
            work / "backbone",
            weights / "backbone",
            weights / "recognizer",
            weights / "facepack" / "models" / "tiny",
            processes=options.threads,
        )
    except UserError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "Interrupted; the next 'make weights' goes on from the last checkpoint.",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
