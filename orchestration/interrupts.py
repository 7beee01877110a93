"""Ctrl-C, SIGTERM and a closed terminal end a command at any moment, with status 130.

Python runs its handlers between two instructions of the main thread, and Dagster sets them aside
for whole stretches of a run. So a thread sees each signal too, and ends the process when the main
thread has not done so after a while, or at the second signal. Imports nothing heavy: it must stand
before anything else is loaded. What the process started ends with it
(`orchestration/process_group.py`).
"""

import contextlib
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

STATUS = 130
GRACE = 5.0
"""Seconds that the main thread has to end in order after the first signal."""

_TURN = 0.5
"""Seconds in which a thread of this process has its turn, on a busy machine too."""

_SENTENCE = "Interrupted; finished work is kept and the next run resumes."
_said, _came = threading.Event(), threading.Event()
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _hush()
    raise KeyboardInterrupt


def _hush() -> None:
    """No traceback of a finaliser, or of a connection, in which the signal happened to arrive."""
    _came.set()
    sys.unraisablehook = lambda _: None
    logging.disable(logging.CRITICAL)


def _watch(end: int) -> None:
    while os.read(end, 1)[0] not in _ENDING:
        pass
    _hush()
    again = threading.Event()
    threading.Thread(target=_second, args=(end, again), daemon=True).start()
    again.wait(GRACE)
    with contextlib.suppress(OSError):
        say()
    os._exit(STATUS)


def _second(end: int, again: threading.Event) -> None:
    while os.read(end, 1)[0] not in _ENDING:
        pass
    again.set()


def came() -> bool:
    """Whether a signal came: a stage that it reached as well did not fail by itself.

    Waits a moment: the stage may be gone before the thread that sees signals here had its turn.
    """
    return _came.wait(_TURN)


def say() -> None:
    """The one sentence of an interrupted command, once."""
    if not _said.is_set():
        _said.set()
        print(_SENTENCE, file=sys.stderr, flush=True)


def leave() -> NoReturn:
    """End the process with the sentence and the status.

    Not by `sys.exit`: Python dies of SIGINT there when the interrupt first met a text that was
    being executed (`exec`, in most imports), caught since or not.
    """
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # whoever read our words may have been interrupted too
        say()
        sys.stdout.flush()
    os._exit(STATUS)


def heed() -> None:
    """Heed the signals from now on, as KeyboardInterrupt in the main thread and at last resort.

    A signal that was set to be ignored (`nohup`) stays ignored.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    threading.Thread(target=_watch, args=(reading,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # what came while Python was starting
