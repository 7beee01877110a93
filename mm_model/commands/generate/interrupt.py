"""Ctrl-C and SIGTERM while a clip is made: the first ends the command in order, the second at once.

The clip is made in a thread of its own: the work there is told to end at its next step, and the
process does not wait for that step. Light to import.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

STATUS = 130
"""Exit status of an interrupted command, whichever signal it was."""

_ENDING = (signal.SIGINT, signal.SIGTERM)

_MOMENT = 0.05
"""Seconds until a swallowed signal is sent again."""


class Interrupted(KeyboardInterrupt):
    """A command that was interrupted; `sentence` says what is kept and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class _Signals:
    """What came. Told on as KeyboardInterrupt in the main thread, but not while held back."""

    def __init__(self) -> None:
        self.came = False
        self.lost = False
        self.held_back = False
        self._number = signal.SIGINT

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            os._exit(STATUS)  # asked twice: a step may take minutes
        self.came, self.lost, self._number = True, False, signal.Signals(number)
        if not self.held_back:
            raise KeyboardInterrupt

    def swallowed(self) -> None:
        """What was raised met code whose exceptions Python passes over: it is raised once more."""
        self.came, self.lost = False, True
        again = threading.Timer(_MOMENT, os.kill, (os.getpid(), self._number))
        again.daemon = True
        again.start()

    @property
    def is_over(self) -> bool:
        """Whether somebody asked for the end, told on or not."""
        return self.came or self.lost


_signals = _Signals()


@contextlib.contextmanager
def heeded() -> Iterator[None]:
    """Heed the signals within the block; once one came, the next ends the process, after it too.

    A signal that was set to be ignored (a shell's background job) stays ignored.

    Raises:
        KeyboardInterrupt: one came, also where a library made another exception of it.
    """
    global _signals
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    _signals = heard = _Signals()
    before = {number: signal.getsignal(number) for number in _ENDING}
    hook = sys.unraisablehook

    def passed_over(fault: "sys.UnraisableHookArgs") -> None:
        if heard.came and issubclass(fault.exc_type, KeyboardInterrupt):
            heard.swallowed()  # in a finaliser or weak reference's callback: no error of theirs
        else:
            hook(fault)

    sys.unraisablehook = passed_over
    for number in _ENDING:
        if before[number] != signal.SIG_IGN:
            signal.signal(number, heard)
    try:
        # `make` lets a signal wait while Python is starting
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_ENDING, signal.SIGHUP))
        yield
        heard.held_back |= heard.lost  # all was done by then: the signal came too late
    except Exception:
        if heard.is_over:
            raise KeyboardInterrupt from None
        raise
    finally:
        if not heard.is_over:
            sys.unraisablehook = hook
            for number in _ENDING:
                signal.signal(number, before[number])


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Whoever interrupts within the block comes too late: what it does is done to its end."""
    heard = _signals
    if heard.is_over:
        raise KeyboardInterrupt
    heard.held_back = True
    try:
        yield
    finally:
        heard.held_back = False


def leave() -> None:
    """End the process if a signal came, without waiting for the thread that was at work.

    Not by `sys.exit`: Python would wait for it, and dies of SIGINT there when the interrupt first
    met a text that was being executed (`exec`, in most imports).
    """
    if _signals.is_over:
        with contextlib.suppress(OSError):  # whoever read our words may have been interrupted too
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(STATUS)
