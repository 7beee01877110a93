"""What a team's services are told: `team.env`, then `work/team/secrets.env`, then the environment.

All three hold lines `NAME=value`; the later wins. Git keeps the first, so no secret stands there.
"""

import importlib.util
import ipaddress
import os
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mm_model.errors import UserError
from orchestration import home

FILE = Path(__file__).with_name("team.env")
BACKEND = "MLFLOW_BACKEND_STORE_URI"
ARTIFACTS = "MLFLOW_ARTIFACTS_DESTINATION"
PAGES = ("DAGSTER", "MLFLOW", "DOOR")
"""What stands behind the password."""
INNER = (*PAGES, "CODE")
"""What listens on this machine alone."""
_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_TEAM = "MM_TEAM_"


def folder(root: Path) -> Path:
    """Where passwords, secrets, logs and the proxy's configuration of a tree's team lie."""
    return root / "work" / "team"


def private_folder(root: Path) -> Path:
    """The same, made where it is not there, and closed to everybody but its owner."""
    found = folder(root)
    found.mkdir(parents=True, exist_ok=True)
    found.chmod(0o700)
    return found


def secrets(root: Path) -> Path:
    """The file of secrets, which only its owner may read."""
    return folder(root) / "secrets.env"


def lines_of(path: Path) -> dict[str, str]:
    """The values in a file of lines `NAME=value`; empty lines and those that begin with # are none.

    Raises:
        UserError: a line is neither; it is named by its number, since it may hold a secret.
    """
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if (said := _LINE.fullmatch(line.strip())) is None:
            raise UserError(f"Line {number} of {path} is no NAME=value: mend it.")
        found[said[1]] = said[2]
    return found


@dataclass(frozen=True)
class Settings:
    """Values by name, of one tree."""

    root: Path
    values: Mapping[str, str]

    def of(self, name: str) -> str:
        """The value of `MM_TEAM_<name>`; "" where it is empty.

        Raises:
            UserError: no file gives one.
        """
        try:
            return self.values[_TEAM + name]
        except KeyError:
            raise UserError(f"{_TEAM}{name} is not set: {FILE} has a line for it.") from None

    def port(self, name: str) -> int:
        """The port that `MM_TEAM_<name>` gives.

        Raises:
            UserError: it is none.
        """
        said = self.of(name)
        if not said.isdecimal() or not 0 < int(said) < 65536:
            raise UserError(f"{_TEAM}{name} is {said!r}: name a port from 1 to 65535.")
        return int(said)

    @property
    def artifacts(self) -> str:
        """Where MLflow's server keeps artifacts: an absolute path, or a bucket's address."""
        said = self.values.get(ARTIFACTS, "")
        return said if "://" in said else str((self.root / said).resolve())

    def address(self, page: str) -> str:
        """Where people find a page."""
        scheme = "https" if self.of("CERTIFICATE") else "http"
        host = self.of("ADDRESS")
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port(page)}"

    def inner(self, name: str) -> str:
        """Host and port of a service behind the proxy."""
        return f"127.0.0.1:{self.port(f'INNER_{name}')}"


def read(root: Path) -> Settings:
    """The settings of the team of the tree at `root`.

    Raises:
        UserError: a file has a line that is none, or others may read the secrets.
    """
    values = lines_of(FILE)
    path = secrets(root)
    if path.is_file():
        if path.stat().st_mode & 0o077:
            raise UserError(f"Others may read {path}: chmod 600 {path}.")
        values |= lines_of(path)
    return Settings(root, {**values, **os.environ})


def check(settings: Settings) -> None:
    """See that everything is there, before anything is started.

    Raises:
        UserError: a program, an address of a database, a password or a certificate is missing, or
            a port is taken.
    """
    home.check()
    if importlib.util.find_spec("dagster_postgres") is None:
        raise UserError("What speaks to PostgreSQL is not installed: make cluster.")
    for name, whose in ((home.BOOKS, "Dagster's books"), (BACKEND, "MLflow's")):
        if not settings.values.get(name, "").startswith("postgresql+psycopg2://"):
            raise UserError(
                f"{name} must name a PostgreSQL database for {whose}, as postgresql+psycopg2://"
                f"user:password@host/name: write it to {secrets(settings.root)} (docs/team.md)."
            )
    if settings.artifacts.startswith("s3://") and importlib.util.find_spec("boto3") is None:
        raise UserError("What speaks to an object store is not installed: make s3.")
    _check_address(settings)
    _check_ports(settings)


def _check_address(settings: Settings) -> None:
    """A password must not cross a network in the clear."""
    said, given = settings.of("ADDRESS"), settings.of("CERTIFICATE")
    try:
        loopback = ipaddress.ip_address(said).is_loopback
    except ValueError:
        raise UserError(f"{_TEAM}ADDRESS is {said!r}: name an address in numbers.") from None
    if not loopback and not given:
        raise UserError(
            f"{_TEAM}ADDRESS is {said}, and passwords would cross the network in the clear: name a "
            f"certificate and its key ({_TEAM}CERTIFICATE, {_TEAM}CERTIFICATE_KEY), or keep "
            "127.0.0.1 and come by ssh -L."
        )
    for name in ("CERTIFICATE", "CERTIFICATE_KEY") if given else ():
        path = settings.root / settings.of(name)
        if not path.is_file():
            raise UserError(f"{_TEAM}{name}: there is no file {path}.")


def _check_ports(settings: Settings) -> None:
    places = [(settings.of("ADDRESS"), page) for page in PAGES]
    places += [("127.0.0.1", f"INNER_{name}") for name in INNER]
    taken: dict[int, str] = {}
    for host, name in places:
        port = settings.port(name)
        if port in taken:
            raise UserError(f"{_TEAM}{name} and {_TEAM}{taken[port]} are one port, {port}.")
        taken[port] = name
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, port))
            except OSError as error:
                raise UserError(
                    f"Port {port} of {host} ({_TEAM}{name}) cannot be opened ({error.strerror}): "
                    "end what uses it, or name another."
                ) from None


def program(name: str, package: str) -> str:
    """Path of a program; Debian keeps some where only root looks.

    Raises:
        UserError: it is not installed.
    """
    searched = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    if (found := shutil.which(name, path=searched)) is None:
        raise UserError(f"{name} is not installed here: apt-get install {package}.")
    return found
