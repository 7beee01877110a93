"""Settings of the process: freed memory is kept, whichever thread frees it."""

import platform
import subprocess
import sys

import pytest

_TOUCHED = """
import resource, sys, threading
from mm_model.environment import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
import numpy as np

def touch():
    global found
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [np.ones(2_000_000) for _ in range(4)]  # 64 MB
        del blocks
        found = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

for _ in range(3):
    worker = threading.Thread(target=touch)
    worker.start()
    worker.join()
print(found)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's allocator")
@pytest.mark.parametrize(("how", "few"), [("kept", True), ("not kept", False)])
def test_a_thread_finds_the_memory_that_it_freed(how: str, few: bool) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _TOUCHED, how], capture_output=True, text=True, check=True
    )
    pages = int(said.stdout)
    assert (pages < 1000) == few, pages
