"""What lies outside the tree's files: the registry, MLflow's store, servers that are named."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mm_model.doctor.diagnosis import Diagnosis
from mm_model.register import served
from mm_model.settings import load_params, load_profile
from mm_model.store.layout import Layout
from mm_model.tracking import store

SERVERS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MM_CATALOGUE_URL", "MM_DAGSTER_URL")
"""Variables that may hold the address of a server."""
_PORTS = {"http": 80, "https": 443, "postgresql": 5432}
_SECONDS = 2.0


def registry(root: Path) -> Iterator[Diagnosis]:
    """Whether the champion can be served, byte for byte, and whose choice it is."""
    params = load_params(root)
    layout = Layout(root, params.profile)
    if not store.is_shared(layout) and not layout.database.exists():
        yield Diagnosis("champion", "note", "nothing was registered yet", "make run")
        return
    from mm_model.register import pins

    name = load_profile(root, params.profile).register_.model_name
    folder = served.checked_folder(layout, name)
    standing = pins.standing(store.open_client(layout, reading=True), name)
    said = f"{name} version {standing.number} is whole ({layout.relative(folder)})"
    yield Diagnosis("champion", "good", said)
    if standing.pin is not None:
        yield Diagnosis("pin", "note", standing.pin.sentence())


def spool(root: Path) -> Iterator[Diagnosis]:
    """Executions that MLflow was not told of yet."""
    left = [path for path in root.glob("work/*/spool/*") if path.is_dir()]
    if left:
        said = f"{len(left)} execution{'s' * (len(left) > 1)} not shipped yet to MLflow"
        yield Diagnosis("MLflow", "note", said, "the next stage that runs ships them")
    else:
        yield Diagnosis("MLflow", "good", "everything was shipped")


def servers() -> Iterator[Diagnosis]:
    """Whether the servers that the environment names take a connection."""
    for name in SERVERS:
        parts = urlsplit(os.environ.get(name, ""))
        port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
        if not parts.hostname or port is None:
            continue
        where = f"{parts.hostname}:{port}"  # never the whole address, which may hold a password
        try:
            socket.create_connection((parts.hostname, port), _SECONDS).close()
        except OSError as error:
            yield Diagnosis(
                name,
                "bad",
                f"{where} does not answer ({error.strerror or error})",
                "start it, or unset it",
            )
        else:
            yield Diagnosis(name, "good", f"{where} answers")
