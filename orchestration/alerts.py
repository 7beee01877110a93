"""What somebody is told when nobody watches: once, in the log, by a webhook and by e-mail.

An alert is written down first, in `work/alerts/`, and then sent; what could not be sent waits there
and is tried again. Addresses hold secrets, so they come from the environment and never from a
profile. `python -m orchestration.alerts` sends a trial to every address.
"""

import contextlib
import os
import re
import smtplib
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from mm_model.errors import UserError
from mm_model.store import atomic, documents
from mm_model.store.atomic import Document
from mm_model.store.walk import why

WEBHOOK, EMAIL = "MM_ALERT_WEBHOOK", "MM_ALERT_EMAIL"
"""Variables: an http(s) address that takes JSON, and smtp(s)://user:password@host:port/?from=&to="""

Way: TypeAlias = tuple[str, Callable[[Mapping[str, str]], None]]
Ways: TypeAlias = Sequence[Way]

_PATIENCE = 10.0
_PORTS = {"smtp": 25, "smtps": 465}
_unwritten: dict[Path, list[str]] = {}
"""By which ways this process sent an alert; for when no disk takes that."""


@dataclass(frozen=True)
class Alert:
    """One thing that somebody should know. `key` names it: nothing is told twice under one key."""

    key: str
    sentence: str
    _: KW_ONLY
    job: str = ""
    stage: str = ""
    run_id: str = ""

    @property
    def title(self) -> str:
        """What happened and where, in a few words."""
        where = f" in {self.stage}" if self.stage else ""
        return f"Magic Mirror: {self.job or 'automation'}{where}"


def folder(root: Path) -> Path:
    """Where alerts are written down."""
    return root / "work" / "alerts"


def log(root: Path) -> Path:
    """A line for each alert."""
    return root / "work" / "alerts.log"


def tell(root: Path, alert: Alert) -> list[str]:
    """Write an alert down and send it; return why it could not be sent by one way or another.

    An alert that was told before is not told again. One that cannot be written down, as on a full
    disk, is sent all the same: nobody would hear of that disk otherwise.
    """
    path, problems = folder(root) / f"{re.sub(r'[^A-Za-z0-9-]', '-', alert.key)[:120]}.json", []
    if not path.is_file():
        at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        said = {**asdict(alert), "at": at, "host": socket.gethostname(), "tree": str(root)}
        ways = list(_ways())
        said |= {"ways": [name for name, _ in ways], "sent": _told(path, {})}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(path, said)
            with log(root).open("a") as lines:
                run = alert.run_id or "none"
                lines.write(f"{at}  {alert.title}: {alert.sentence}  (run {run})\n")
        except OSError as error:
            problems.append(f"{error.filename or path} cannot be written ({why(error)}).")
        if not path.is_file():
            return [*problems, *_send(path, said, ways, {}).values()]
    return [*problems, *send_waiting(root)]


def send_waiting(root: Path) -> list[str]:
    """Send what was not sent yet; return why it could not be.

    One address that does not answer keeps no other from its turn, and is asked once a call.
    """
    ways, problems = list(_ways()), dict[str, str]()
    for path in sorted(folder(root).glob("*.json")):
        if said := documents.read_or_empty(path):
            owed = [(name, send) for name, send in ways if name in _owed(path, said, ways)]
            problems |= _send(path, said, owed, problems)
    return list(problems.values())


def waiting(root: Path) -> bool:
    """Whether anything is still to be sent by a way that there is now."""
    ways = list(_ways())
    known = ((path, documents.read_or_empty(path)) for path in folder(root).glob("*.json"))
    return any(_owed(path, said, ways) for path, said in known if said)


def _owed(path: Path, said: Document, ways: Ways) -> list[str]:
    """Ways that there are now and that an alert is still to be sent by.

    An address that is named later is told of no old alert, unless that one reached nobody although
    it was to.
    """
    meant, sent = said.get("ways", []), _told(path, said)
    names = [name for name, _ in ways if name not in sent]
    return [name for name in names if name in meant or (meant and not sent)]


def _told(path: Path, said: Document) -> list[str]:
    """Ways that an alert was sent by, also where that could not be written down."""
    return list(dict.fromkeys([*said.get("sent", []), *_unwritten.get(path, [])]))


def _send(path: Path, said: Document, ways: Ways, failed: Mapping[str, str]) -> dict[str, str]:
    """Send one alert by those of these ways that have not `failed` in this call; the problems."""
    problems = dict[str, str]()
    for name, send in ways:
        if name in failed or name in (sent := _told(path, said)):
            continue
        try:
            send(said)
        except Exception as error:  # whatever the other side or the way there does
            problems[name] = f"{name} could not be reached: {_reason(error)}"
            continue
        said = {**said, "sent": [*sent, name]}
        _unwritten[path] = said["sent"]
        if path.is_file():
            with contextlib.suppress(OSError):  # it is remembered, and not sent twice
                atomic.write_json(path, said)
    return problems


def _ways() -> Iterator[Way]:
    """Each way that the environment names, by its variable."""
    if url := os.environ.get(WEBHOOK):
        yield WEBHOOK, lambda said: _post(url, said)
    if address := os.environ.get(EMAIL):
        yield EMAIL, lambda said: _mail(address, said)


def _reason(error: Exception) -> str:
    """Why it could not be sent. A library's words may hold the address, which is a secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted here (SSL_CERT_FILE names one that is)"
    return str(error) if isinstance(error, UserError) else type(error).__name__


def _text(said: Mapping[str, str]) -> str:
    run = f"\nRun: {said['run_id']}" if said["run_id"] else ""
    return f"{said['sentence']}\n\nWhere: {said['tree']} on {said['host']}\nWhen: {said['at']}{run}"


def _title(said: Mapping[str, str]) -> str:
    return Alert("", "", job=said["job"], stage=said["stage"]).title


def _post(url: str, said: Mapping[str, str]) -> None:
    import requests

    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise UserError(f"{WEBHOOK} must read https://host/path")
    names = ("key", "sentence", "job", "stage", "run_id", "at", "host", "tree")
    # `text` is what chat services show
    body = {"text": f"{_title(said)}\n{_text(said)}", **{name: said[name] for name in names}}
    answer = requests.post(url, json=body, timeout=_PATIENCE, allow_redirects=False)
    if not answer.ok:
        raise UserError(f"it answered {answer.status_code}")


def _mail(address: str, said: Mapping[str, str]) -> None:
    parts, sender, receivers = _mailbox(address)
    message = EmailMessage()
    message["Subject"] = " ".join(_title(said).split())
    message["From"], message["To"] = sender, ", ".join(receivers)
    message.set_content(_text(said))
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    trusted = ssl.create_default_context()  # smtplib's own would take any certificate
    made: smtplib.SMTP = (
        smtplib.SMTP_SSL(host, port, timeout=_PATIENCE, context=trusted)
        if parts.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=_PATIENCE)
    )
    # not its own block: that fails on a strange farewell, when the message is sent already
    with contextlib.closing(made) as server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=trusted)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()


def _mailbox(address: str) -> tuple[SplitResult, str, list[str]]:
    """The server, the sender and the receivers that the address names."""
    parts = _parts(address)
    asked = parse_qs(parts.query) if parts else {}
    receivers = [one.strip() for text in asked.get("to", []) for one in text.split(",")]
    if parts is None or parts.scheme not in _PORTS or not any(receivers):
        raise UserError(f"{EMAIL} must read smtp://user:password@host:587/?from=a@b.org&to=c@d.org")
    return parts, asked.get("from", receivers)[0], receivers


def _parts(address: str) -> SplitResult | None:
    """The parts of an address; None where it names no host, or a port that is none."""
    try:
        parts = urlsplit(address)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def main() -> int:
    """Send a trial to every address of the environment; return the exit status."""
    from orchestration import home

    if not any(True for _ in _ways()):
        print(f"No address is named: set {WEBHOOK} or {EMAIL} (docs/decisions/automation.md).")
        return 1
    root = home.root()
    problems = tell(root, Alert(f"trial-{time.time_ns()}", "This is a trial.", job="trial"))
    print("\n".join(problems) or "The trial was sent.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
