"""Work of another thread is waited for so that an interrupt is heard."""

import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from mm_model.waiting import outcome


def test_the_result_comes_out_and_so_does_an_error() -> None:
    with ThreadPoolExecutor(1) as one:
        assert outcome(one.submit(lambda: 3)) == 3
        with pytest.raises(TimeoutError, match="its own"):
            outcome(one.submit(_late))


def _late() -> None:
    raise TimeoutError("its own")


def test_an_interrupt_that_ends_no_wait_is_heard_before_the_work_is_done() -> None:
    work: Future[None] = Future()

    def press() -> None:
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)
        if not heard.wait(30):  # deaf: let the wait end by itself
            work.set_result(None)

    heard, began = threading.Event(), time.monotonic()
    threading.Thread(target=press, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with pytest.raises(KeyboardInterrupt):
            outcome(work)
        assert time.monotonic() - began < 25
    finally:
        heard.set()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
