"""A team of a test's own: free ports, a password, real nginx; nothing outlives the test."""

from __future__ import annotations

import base64
import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mm_model.errors import UserError
from orchestration.process_group import ProcessGroup
from orchestration.team import proxy
from orchestration.team import settings as team
from tests.graph.stores import free_port

NAME, PASSWORD = "ada", "open sesame: 29 thieves"


def needs_nginx() -> None:
    """Skip the test where there is no nginx or no openssl."""
    for name, package in (("nginx", "nginx-light"), ("openssl", "openssl")):
        try:
            team.program(name, package)
        except UserError:
            pytest.skip(f"no {name} here (Debian's package {package})")


def ports() -> dict[str, str]:
    """Free ports for everything that listens, as the environment says them."""
    found: set[int] = set()
    while len(found) < len(team.PAGES) + len(team.INNER):
        found.add(free_port())
    names = [*team.PAGES, *(f"INNER_{name}" for name in team.INNER)]
    return {f"MM_TEAM_{name}": str(port) for name, port in zip(names, found, strict=True)}


def basic(name: str, password: str) -> str:
    """The header that says name and password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


KNOWN = {"Authorization": basic(NAME, PASSWORD)}


def ask(
    port: int, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    """Status and body of one request on a connection of its own."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(asked):
        asked.request(method, path, body, headers)
        reply = asked.getresponse()
        return reply.status, reply.read() if reply.status != 101 else b""


@contextlib.contextmanager
def passing(settings: team.Settings) -> Iterator[Path]:
    """nginx on the team's pages, alone; its folder."""
    main = proxy.write(settings)
    nginx = [team.program("nginx", "nginx-light"), "-e", "stderr", "-c", str(main)]
    with ProcessGroup(nginx, settings.root, {}) as group:
        for _ in range(200):
            with contextlib.suppress(OSError):
                ask(settings.port("DAGSTER"))
                break
            time.sleep(0.05)
        else:
            raise AssertionError(list(group.lines()))
        yield main.parent
        group.interrupt()
