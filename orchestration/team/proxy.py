"""The proxy in front of a team's pages: who may pass, and nginx's configuration.

nginx, because Debian keeps it with security updates, it asks for passwords itself, and it passes
WebSockets. Passwords are kept as salted SHA-512 (`crypt`), and are never words of a command line.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mm_model.errors import UserError
from mm_model.store import atomic
from orchestration.team import settings as team

PAGES = Path(__file__).with_name("pages.conf")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_FILLED = re.compile(r"\$\{(MM_TEAM_[A-Z_]+)\}")
_UNSAFE = re.compile(r"[\x00-\x1f\"\\$]")
"""What ends even a word in quotation marks, or means a variable to nginx."""
_LEAST = 12
_MAIN = """\
# Written by orchestration/team/proxy.py.
daemon off;
{user}worker_processes 1;
pid "{folder}/nginx.pid";
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path "{folder}/nginx-body";
    proxy_temp_path "{folder}/nginx-proxy";
    fastcgi_temp_path "{folder}/nginx-fastcgi";
    scgi_temp_path "{folder}/nginx-scgi";
    uwsgi_temp_path "{folder}/nginx-uwsgi";
{tls}    include "{folder}/pages.conf";
}}
"""


def passwords(root: Path) -> Path:
    """The file of names and salted digests of passwords; nginx reads it at each request."""
    return team.folder(root) / "passwords"


def known(root: Path) -> dict[str, str]:
    """Digest of a password by name."""
    path = passwords(root)
    lines = path.read_text().splitlines() if path.is_file() else []
    return dict(line.split(":", 1) for line in lines if ":" in line)


def let_in(root: Path, name: str, password: str) -> None:
    """Let `name` pass with `password` from now on.

    Raises:
        UserError: the name or the password cannot be used, or there is no openssl.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name: letters, digits, and . _ @ - between them.")
    if len(password) < _LEAST or not password.isprintable():
        raise UserError(f"A password has at least {_LEAST} characters, all of them printable.")
    said = subprocess.run(
        [team.program("openssl", "openssl"), "passwd", "-6", "-stdin"],
        input=password + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode or not said.stdout.startswith("$6$"):
        raise UserError("openssl could not digest the password: see that openssl passwd -6 works.")
    _write(root, known(root) | {name: said.stdout.strip()})


def keep_out(root: Path, name: str) -> None:
    """Let `name` pass no more.

    Raises:
        UserError: nobody of that name passes.
    """
    left = known(root)
    if left.pop(name, None) is None:
        who = ", ".join(sorted(left)) or "nobody"
        raise UserError(f"{name!r} has no password here; {who} has.")
    _write(root, left)


def _write(root: Path, digests: Mapping[str, str]) -> None:
    team.private_folder(root)
    lines = "".join(f"{name}:{one}\n" for name, one in sorted(digests.items()))
    atomic.write_text(passwords(root), lines)


def filled(values: Mapping[str, str]) -> str:
    """The pages' configuration with each `${MM_TEAM_...}` filled in.

    Raises:
        UserError: a value cannot be written down for nginx.
    """
    for name, value in values.items():
        if _UNSAFE.search(value):
            raise UserError(f"{name} is {value!r}: nginx takes no $, \\ or quotation mark there.")
    return _FILLED.sub(lambda found: values[found[1]], PAGES.read_text())


def values(settings: team.Settings) -> dict[str, str]:
    """What `pages.conf` is filled with where all are processes of this machine."""
    host = settings.of("ADDRESS")
    host = f"[{host}]" if ":" in host else host
    tls = " ssl" if settings.of("CERTIFICATE") else ""
    found = {
        "MM_TEAM_PASSWORDS": str(passwords(settings.root)),
        "MM_TEAM_ACCESS_LOG": str(team.folder(settings.root) / "access.log"),
        "MM_TEAM_DOOR_BODY": settings.of("DOOR_BODY"),
    }
    for page in team.PAGES:
        found[f"MM_TEAM_LISTEN_{page}"] = f"{host}:{settings.port(page)}{tls}"
        found[f"MM_TEAM_TO_{page}"] = settings.inner(page)
    return found


def write(settings: team.Settings) -> Path:
    """Write nginx's configuration of a tree's team; the main file.

    Raises:
        UserError: nobody has a password yet, or a path or value cannot stand there.
    """
    if not known(settings.root):
        raise UserError("Nobody has a password yet: make team-user WHO=you.")
    folder = team.folder(settings.root)
    atomic.write_text(folder / "pages.conf", filled(values(settings)))
    # Its workers read the passwords: as root they would else run as somebody who may not.
    user = "user root;\n" if os.geteuid() == 0 else ""
    main = folder / "nginx.conf"
    atomic.write_text(main, _MAIN.format(user=user, folder=folder, tls=_tls(settings)))
    return main


def _tls(settings: team.Settings) -> str:
    if not settings.of("CERTIFICATE"):
        return ""
    certificate = (settings.root / settings.of("CERTIFICATE")).resolve()
    key = (settings.root / settings.of("CERTIFICATE_KEY")).resolve()
    return (
        f'    ssl_certificate "{certificate}";\n    ssl_certificate_key "{key}";\n'
        "    ssl_protocols TLSv1.2 TLSv1.3;\n"
    )
