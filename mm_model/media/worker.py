"""The child that decodes untrusted files: one request a line in, one reply a line out.

Plain JSON both ways, so that a child taken over by a hostile file cannot make its parent run
anything. It cannot write files, has a memory limit, and is killed by its own alarm clocks, of
processor time and of wall time, when a decoder hangs, and by the kernel when its parent is gone.
"""

import json
import os
import resource
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm_model import lifeline
from mm_model.media.patience import longest

if TYPE_CHECKING:
    from mm_model.media.failure import MediaError

_GRACE_SECONDS = 5
_OPEN_FILES = 64


def confine(memory_mb: int) -> None:
    """Limit this process: address space (what it has now plus `memory_mb`), no written files."""
    limits = {
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_AS: _address_space() + (memory_mb << 20),
    }
    for which, value in limits.items():
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def _address_space() -> int:
    statm = Path("/proc/self/statm")
    if not statm.is_file():  # another system: allow what imports usually take
        return 2 << 30
    return int(statm.read_text().split()[0]) * resource.getpagesize()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Facts of one file, or its failure, as a JSON-able reply."""
    from mm_model.media.examine import Limits, examine
    from mm_model.media.failure import MediaError
    from mm_model.records import Reason

    limits = Limits(request["max_pixels"], request["max_frames"], request["max_aspect"])
    try:
        path = Path(os.fsdecode(bytes.fromhex(request["path"])))
        return {"facts": examine(path, limits, request["thumbnail"])}
    except MediaError as error:
        return _failure(error)
    except MemoryError:
        said = "decoding needs more memory than allowed (ingest.decode_memory_mb)"
        return _failure(MediaError(Reason.FMT_BOMB, said, None, request["memory_mb"]))
    except Exception as error:
        # Damaged data can surprise any library: the file fails, the batch goes on.
        said = f"the check failed unexpectedly: {type(error).__name__}: {error}"
        return _failure(MediaError(Reason.SYS_WORKER_CRASH, said))


def _failure(error: "MediaError") -> dict[str, Any]:
    return {
        "reason": error.reason,
        "message": error.message,
        "value": error.value,
        "threshold": error.threshold,
        "measured": error.measured,
    }


def _set_clocks(seconds: float | None) -> None:
    """End this process a little after its parent would have; None stops the clocks."""
    work, wall = (0.0, 0) if seconds is None else (
        seconds + _GRACE_SECONDS, int(longest(seconds)) + _GRACE_SECONDS
    )  # fmt: skip
    signal.setitimer(signal.ITIMER_PROF, work)
    signal.alarm(wall)


def main() -> None:
    """Serve requests from standard input until it closes.

    Arguments: memory in MiB, and the descriptor of the line that ends this process when cut.
    """
    for line in sys.argv[2:]:
        lifeline.hold(int(line))
    import av
    import cv2
    import PIL.Image
    import PIL.ImageCms

    from mm_model.media import examine

    PIL.Image.preinit()
    cv2.setNumThreads(1)
    av.logging.set_level(None)
    warnings.simplefilter("ignore")
    memory_mb = int(sys.argv[1])
    confine(memory_mb)
    for clock in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(clock, signal.SIG_DFL)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    replies.write(json.dumps({"ready": examine.__name__}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        _set_clocks(request["seconds"])
        reply = answer(request | {"memory_mb": memory_mb})
        _set_clocks(None)
        replies.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()
