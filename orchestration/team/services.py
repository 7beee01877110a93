"""The processes of a team: the command of each, and what its environment holds.

Addresses of databases and keys stand in environments alone, never on a command line, and each is
given to those that need it. Programs inside speak to MLflow directly, so they need no password.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from mm_model.store import atomic
from orchestration import home
from orchestration.team import proxy
from orchestration.team import settings as team

LOCATION = "orchestration.definitions"
_BIN = Path(sys.executable).parent
_NOT_HANDED_ON = (
    "DAGSTER_MODULE_NAME",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_TRACKING_URI",
    team.BACKEND,
    home.BOOKS,
)


@dataclass(frozen=True)
class Service:
    """One process by its name: what starts it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def mlflow(settings: team.Settings) -> dict[str, str]:
    """What MLflow's server is told, by its own variables. Its jobs are off."""
    return {
        team.BACKEND: settings.values[team.BACKEND],
        team.ARTIFACTS: settings.artifacts,
        "MLFLOW_HOST": "127.0.0.1",
        "MLFLOW_PORT": str(settings.port("INNER_MLFLOW")),
        "MLFLOW_WORKERS": "1",
        "MLFLOW_SERVER_ALLOWED_HOSTS": settings.inner("MLFLOW"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _plain(
    settings: team.Settings, told: Mapping[str, str], *, keys: bool = False
) -> dict[str, str]:
    """The environment of a service: ours without what is nobody's business, and what it is told.

    `keys` says that it moves data to and from a bucket itself.
    """
    kept = {
        name: one
        for name, one in settings.values.items()
        if name not in _NOT_HANDED_ON and (keys or not name.startswith("AWS_"))
    }
    return {**kept, "MM_ROOT": str(settings.root), "PYTHONUNBUFFERED": "1", **told}


def _workspace(settings: team.Settings) -> Path:
    """What page and daemon load: the one server of our definitions."""
    server = {
        "host": "127.0.0.1",
        "port": settings.port("INNER_CODE"),
        "location_name": LOCATION,
    }
    path = team.folder(settings.root) / "workspace.yaml"
    atomic.write_text(path, yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    return path


def of(settings: team.Settings) -> list[Service]:
    """Every service of the team, in the order in which they are started.

    Raises:
        UserError: nginx is not installed, or nobody has a password.
    """
    nginx = (team.program("nginx", "nginx-light"), "-e", "stderr", "-c")
    books = {home.BOOKS: settings.values[home.BOOKS]}
    tracked = {"MLFLOW_TRACKING_URI": f"http://{settings.inner('MLFLOW')}"}
    workspace = ("-w", str(_workspace(settings)))
    host = ("--host", "127.0.0.1", "--port")
    dagster = {name: str(_BIN / name) for name in ("dagster", "dagster-webserver")}
    served = ("code-server", "start", "-m", LOCATION, "--location-name", LOCATION)
    code = (dagster["dagster"], *served, "--working-directory", str(home.REPOSITORY))
    page = (dagster["dagster-webserver"], *workspace, *host)
    daemon = (str(_BIN / "dagster-daemon"), "run", *workspace)
    door = (sys.executable, "-m", "mm_model", "serve", *host, str(settings.port("INNER_DOOR")))
    return [
        Service("proxy", (*nginx, str(proxy.write(settings))), {"PATH": "/usr/sbin:/usr/bin"}),
        Service(
            "mlflow",
            (sys.executable, "-m", "mlflow", "server"),
            _plain(settings, mlflow(settings), keys=True),
        ),
        Service(
            "code",
            (*code, *host, str(settings.port("INNER_CODE"))),
            _plain(settings, books | tracked, keys=True),
        ),
        Service("dagster", (*page, str(settings.port("INNER_DAGSTER"))), _plain(settings, books)),
        Service("daemon", daemon, _plain(settings, books | tracked)),
        Service("door", door, _plain(settings, tracked)),
    ]
