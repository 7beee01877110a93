"""Follows a "registry" of one file, with releases whose door is a few lines (test_follow.py)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from mm_model.errors import UserError
from mm_model.serving import follow
from mm_model.serving.__main__ import bound
from mm_model.settings import FollowSettings

DOOR = """
import asyncio, os, sys, time
from pathlib import Path

MARK = "{mark}"


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/slow":
        Path("under-way").touch()
        while not Path("go-on").exists():
            await asyncio.sleep(0.02)
    content = MARK.encode()
    length = (b"content-length", str(len(content)).encode())
    await send({{"type": "http.response.start", "status": 200, "headers": [length]}})
    await send({{"type": "http.response.body", "body": content}})


def {private}bound(host, port):
    raise SystemExit("the socket is handed on")


def {private}server(config, opened):
    import uvicorn

    return uvicorn.Server(config)


def main(arguments):
    {first}
    import uvicorn

    # whoever ends it while somebody is answered cuts that off, as the real door's grace would
    told = {{"timeout_graceful_shutdown": {grace}, "timeout_keep_alive": 60}}
    config = uvicorn.Config(app, loop="{loop}", log_config=None, access_log=False, **told)
    {private}server(config, app).run([{private}bound("", 0)])
    print("Serving has ended.", file=sys.stderr)
    return 0
"""


def release(folder: Path, mark: str, first: str = "pass", threads: int = 1, **door: str) -> Path:
    """A release's folder with such a door, which answers with `mark`; `first` is done first."""
    door = {"private": "", "loop": "auto", "grace": "0", **door}
    described = {"flavors": {"python_function": {"config": {"threads": threads}}}}
    folder.mkdir()
    (folder / "MLmodel").write_text(json.dumps(described))
    code = folder / "code" / "mm_model"
    (code / "serving").mkdir(parents=True)
    (code / "__init__.py").touch()
    (code / "serving" / "__init__.py").touch()
    (code / "errors.py").write_text("class UserError(Exception): pass\n")
    text = DOOR.format(mark=mark, first=first, **door)
    (code / "serving" / "__main__.py").write_text(text)
    return folder


class FileSource:
    """`registry.json` says number, digest and folder; without it nobody can say."""

    def wanted(self) -> follow.ChosenVersion:
        try:
            said = json.loads(Path("registry.json").read_text())
        except OSError:
            raise UserError("The registry does not answer: see that it runs.") from None
        return follow.ChosenVersion(said["version"], said["digest"])

    def folder(self, choice: follow.ChosenVersion) -> Path:
        folder = Path(f"release-{choice.version}")
        if (folder / "damaged").exists():
            raise UserError(f"Version {choice.version} is not what was registered.")
        return folder


def main() -> int:
    prepare = "prepare" in sys.argv
    retry = 600 if "patient" in sys.argv else 0.5
    start = 5 if "impatient" in sys.argv else 600
    settings = FollowSettings(
        look_seconds=0.1, retry_seconds=retry, start_seconds=start, prepare=prepare
    )
    with bound("127.0.0.1", 0) as listening:
        Path("port").write_text(str(listening.getsockname()[1]))
        front = follow.Front(listening, "127.0.0.1", [], dict(os.environ))
        follower = follow.Follower(
            FileSource(), front, settings, lambda said: print(said, flush=True)
        )
        return follower.serve(FileSource().wanted())


if __name__ == "__main__":
    sys.exit(main())
