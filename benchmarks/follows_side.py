"""The side of `serving_follows` that follows: a file says which of two folders is served.

`python -m benchmarks.follows_side PLACE DIGEST PREPARE`; the first line of its output is the port.
"""

import os
import sys
from pathlib import Path

from mm_model.register import served
from mm_model.serving import __main__ as door
from mm_model.serving import follow
from mm_model.settings import FollowSettings, load_params, load_profile
from mm_model.store.layout import repository_root

_WANTED = "wanted"


def point(place: Path, number: int) -> None:
    """Move the alias to folder `number`, 1 or 2, below `place`."""
    aside = place / "aside"
    aside.write_text(str(number))
    aside.replace(place / _WANTED)


class _Source:
    """Folders `1` and `2` of one release."""

    def __init__(self, place: Path, digest: str) -> None:
        self._place, self._digest = place, digest

    def wanted(self) -> follow.ChosenVersion:
        return follow.ChosenVersion(int((self._place / _WANTED).read_text()), self._digest)

    def folder(self, choice: follow.ChosenVersion) -> Path:
        folder = self._place / str(choice.version)
        served.refuse_other(folder, choice.digest)
        return folder


def _settings(prepare: bool) -> FollowSettings:
    root = repository_root()
    known = load_profile(root, load_params(root).profile).follow
    return known.model_copy(update={"prepare": prepare})


def main() -> int:
    """Follow until told to end."""
    place, digest, prepare = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "yes"
    source = _Source(place, digest)
    with door.bound("127.0.0.1", 0) as listening:
        print(listening.getsockname()[1], flush=True)
        front = follow.Front(listening, "127.0.0.1", [], dict(os.environ))
        follower = follow.Follower(
            source, front, _settings(prepare), lambda said: print(said, flush=True)
        )
        return follower.serve(source.wanted())


if __name__ == "__main__":
    sys.exit(main())
