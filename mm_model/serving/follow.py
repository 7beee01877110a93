"""Serves what an alias of the registry names, and follows it: a move starts the next one's door.

This process keeps the listening socket and accepts nothing. Each release runs in a process of its
own (`mm_model.serving.handed`) on that one socket. The next one is started beside the one at work;
when it takes requests, the old one takes no new connection, answers what it has, and ends. So no
request falls between the two. For that moment two releases are in memory, and never a third. The
process of the next one may have been prepared: its libraries, which take longest, are loaded.
"""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from mm_model.errors import UserError, first_line
from mm_model.serving.chosen import ChosenVersion as ChosenVersion
from mm_model.serving.doors import DoorProcess, PreparedProcess
from mm_model.serving.doors import Front as Front
from mm_model.settings import FollowSettings

_TICK_SECONDS = 0.1
_LAST_SECONDS = 2.0
"""How long the end waits for a look at the registry that is under way."""
_ENDING = (signal.SIGINT, signal.SIGTERM)


class ReleaseSource(Protocol):
    """Where releases come from."""

    def wanted(self) -> ChosenVersion:
        """What is to be served.

        Raises:
            UserError: nobody can say.
        """
        ...

    def folder(self, choice: ChosenVersion) -> Path:
        """Its folder, after it was checked.

        Raises:
            UserError: it is not what was registered.
        """
        ...


@dataclass(frozen=True)
class _Served:
    """One release, and the process that serves it."""

    choice: ChosenVersion
    folder: Path
    door: DoorProcess
    started: float = field(default_factory=time.monotonic)


@dataclass
class _News:
    """What the look at the registry found, for the one who starts and ends processes."""

    wanted: ChosenVersion
    checked: tuple[ChosenVersion, Path] | None = None
    not_before: dict[ChosenVersion, float] = field(default_factory=dict)


class Follower:
    """Serves what `source` wants, until it is told to end; `say` takes sentences."""

    def __init__(
        self,
        source: ReleaseSource,
        front: Front,
        settings: FollowSettings,
        say: Callable[[str], None],
    ) -> None:
        self._source, self._front, self._settings, self._say = source, front, settings, say
        self._complained = ""
        self._served: _Served | None = None
        self._next: _Served | None = None
        self._leaving: _Served | None = None
        self._prepared: PreparedProcess | None = None
        self._unprepared: _Served | None = None
        self._signals: list[int] = []  # that came, and are not passed on yet
        self._told: int | None = None
        self._over = threading.Event()

    def serve(self, first: ChosenVersion) -> int:
        """Serve `first`, then whatever is wanted; return the exit status of what was served last,
        negative where a signal ended it.

        Raises:
            UserError: the first cannot be served.
            KeyboardInterrupt: told to end before it took requests.
        """
        news = _News(first)
        folder = self._checked(first)
        before = {number: signal.signal(number, self._note) for number in _ENDING}
        try:
            self._served = self._started(first, folder)
            if not self._came_up(self._served):
                return self._served.door.process.returncode
            self._say(f"{_capital(first)} is served; a move of its alias is followed.")
            watching = threading.Thread(target=self._watch, args=(news,), daemon=True)
            watching.start()
            status = self._follow(news)
            watching.join(_LAST_SECONDS)
            return status
        finally:
            self._over.set()
            for one in self._all():
                one.kill()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _all(self) -> list[DoorProcess]:
        every = [one.door for one in (self._served, self._next, self._leaving) if one is not None]
        if self._prepared is not None:
            every.append(self._prepared.door)
        return [one for one in dict.fromkeys(every) if not one.is_over()]

    def _note(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)  # no more: it comes amid whatever is being done

    def _pass_on(self) -> None:
        """Tell every process what this one was told since."""
        while self._signals:
            self._told = self._signals.pop(0)
            self._over.set()
            for one in self._all():
                one.end(self._told)

    def _checked(self, choice: ChosenVersion) -> Path:
        folder = self._source.folder(choice)
        self._front.words(folder)
        return folder

    def _started(self, choice: ChosenVersion, folder: Path) -> _Served:
        prepared, self._prepared = self._prepared, None
        door = prepared.becomes(folder, self._front) if prepared is not None else None
        return _Served(choice, folder, door or DoorProcess.start(folder, self._front))

    def _prepare(self, news: _News) -> None:
        """While what is served is what is wanted, have a process ready for the release that comes
        next; without one it takes longer."""
        assert self._served is not None
        moving = self._next is not None or self._leaving is not None
        settled = self._served.choice == news.wanted and not moving
        needed = self._prepared is None and self._unprepared is not self._served
        if self._settings.prepare and settled and needed:
            try:
                self._prepared = PreparedProcess.like(self._served.folder, self._front)
            except (OSError, UserError):
                self._unprepared = self._served  # not tried again for this one

    def _came_up(self, first: _Served) -> bool:
        while not first.door.is_over():
            self._pass_on()
            if self._told is None and first.door.is_ready():
                return True
            time.sleep(_TICK_SECONDS)
        self._pass_on()
        if self._told is not None:
            raise KeyboardInterrupt
        return False

    def _follow(self, news: _News) -> int:
        """Until the one that is served has ended: start, hand over, let go."""
        assert self._served is not None
        while not self._served.door.is_over():
            self._pass_on()
            if self._leaving is not None and self._leaving.door.is_over():
                self._leaving = None
            if self._told is None:
                self._step(news)
                self._prepare(news)
            time.sleep(_TICK_SECONDS)
        self._pass_on()
        if self._told is None:
            self._say(f"{_capital(self._served.choice)} has ended by itself: nothing is served.")
            return self._served.door.process.returncode
        while self._leaving is not None and not self._leaving.door.is_over():
            time.sleep(_TICK_SECONDS)  # it was told as well
            self._pass_on()
        return self._served.door.process.returncode

    def _step(self, news: _News) -> None:
        if (coming := self._next) is not None:
            if coming.choice != news.wanted:  # the alias has moved again
                self._next = None
                if coming.door.is_ready():
                    self._leaving = coming  # somebody may be answered by it already
                    coming.door.leave()
                else:
                    coming.door.kill()
            elif coming.door.is_over():
                self._not_up(news, coming)
            elif coming.door.is_ready():
                self._hand_over(coming)
            elif time.monotonic() - coming.started > self._settings.start_seconds:
                coming.door.kill()
                self._next = None
                seconds = self._settings.start_seconds
                self._failed(news, coming.choice, f"it does not answer after {seconds:g} s")
            return
        checked, news.checked = news.checked, None
        if checked is None or self._leaving is not None or checked[0] != news.wanted:
            return
        self._begin(news, *checked)

    def _begin(self, news: _News, choice: ChosenVersion, folder: Path) -> None:
        try:
            self._next = self._started(choice, folder)
        except (OSError, UserError) as error:
            self._failed(news, choice, _clause(error))

    def _not_up(self, news: _News, coming: _Served) -> None:
        """Try again from nothing where the process had been prepared: it says little of the release
        that this one ended."""
        coming.door.kill()
        self._next = None
        if coming.door.prepared:
            self._begin(news, coming.choice, coming.folder)
        else:
            status = coming.door.process.returncode
            self._failed(news, coming.choice, f"its process ended with status {status}")

    def _hand_over(self, coming: _Served) -> None:
        assert self._served is not None
        self._leaving, self._served, self._next = self._served, coming, None
        self._leaving.door.leave()
        self._complained = ""
        self._say(
            f"{_capital(coming.choice)} is served now; version {self._leaving.choice.version} "
            "answers what it has and ends."
        )

    def _failed(self, news: _News, choice: ChosenVersion, why: str) -> None:
        seconds = self._settings.retry_seconds
        news.not_before[choice] = time.monotonic() + seconds
        self._complain(
            f"{_capital(choice)} is wanted and cannot be served ({why}), tried again every "
            f"{seconds:g} s"
        )

    def _complain(self, why: str) -> None:
        """Say it, once while it stays so."""
        assert self._served is not None
        if why != self._complained:
            self._complained = why
            self._say(f"{why}: version {self._served.choice.version} goes on being served.")

    def _watch(self, news: _News) -> None:
        """Look at the registry again and again; check what is to be served next."""
        while not self._over.wait(self._settings.look_seconds):
            assert self._served is not None
            try:
                news.wanted = wanted = self._source.wanted()
            except Exception as error:  # whatever it is, what is served goes on
                self._complain(f"What to serve cannot be told ({_clause(error)})")
                continue
            aims = {one.choice for one in (self._served, self._next) if one is not None}
            late = time.monotonic() < news.not_before.get(wanted, 0.0)
            if wanted in aims or late or news.checked is not None or self._leaving is not None:
                if wanted == self._served.choice:
                    self._complained = ""
                continue
            try:
                news.checked = (wanted, self._checked(wanted))
            except Exception as error:
                self._failed(news, wanted, _clause(error))


def _capital(choice: ChosenVersion) -> str:
    return str(choice).capitalize()


def _clause(error: Exception) -> str:
    said = str(error) if isinstance(error, UserError) else first_line(error)
    return said.rstrip(".")
