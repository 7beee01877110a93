"""Readings of the machine while a stage runs, under the names by which MLflow shows them.

MLflow's page has a tab for metrics that begin with `system/`. Its own reader would need the server
while the stage runs; this one only yields numbers.
"""

import contextlib
import sys
import threading
from collections.abc import Callable

Numbers = dict[str, float]
_MEGA = 1e6


class SystemReader:
    """Reads processor, memory, disk and network of the machine, this process's memory with its
    children's, and each GPU that PyTorch works on."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._own = psutil.Process()
        psutil.cpu_percent()  # the first reading counts from here
        self._sent = psutil.net_io_counters()

    def read(self) -> Numbers:
        """Numbers by name; those that cannot be read are left out."""
        found: Numbers = {}
        for part in (self._processor, self._memory, self._disk, self._network, _gpus):
            with contextlib.suppress(Exception):  # a container may hide any of them
                found |= part()
        return {f"system/{name}": float(value) for name, value in found.items()}

    def _processor(self) -> Numbers:
        return {"cpu_utilization_percentage": self._psutil.cpu_percent()}

    def _memory(self) -> Numbers:
        whole, own = self._psutil.virtual_memory(), self._own.memory_info().rss
        for child in self._own.children(recursive=True):
            with contextlib.suppress(self._psutil.Error):
                own += child.memory_info().rss
        return {
            "system_memory_usage_megabytes": whole.used / _MEGA,
            "system_memory_usage_percentage": whole.percent,
            "process_memory_usage_megabytes": own / _MEGA,
        }

    def _disk(self) -> Numbers:
        disk = self._psutil.disk_usage(".")
        return {
            "disk_usage_megabytes": disk.used / _MEGA,
            "disk_usage_percentage": disk.percent,
            "disk_available_megabytes": disk.free / _MEGA,
        }

    def _network(self) -> Numbers:
        now = self._psutil.net_io_counters()
        return {
            "network_receive_megabytes": (now.bytes_recv - self._sent.bytes_recv) / _MEGA,
            "network_transmit_megabytes": (now.bytes_sent - self._sent.bytes_sent) / _MEGA,
        }


def _gpus() -> Numbers:
    """Only where the stage uses the cards: asking would wake them."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    found: Numbers = {}
    for place in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(place)
        found |= {
            f"gpu_{place}_memory_usage_megabytes": (total - free) / _MEGA,
            f"gpu_{place}_memory_usage_percentage": 100 * (total - free) / total,
        }
        with contextlib.suppress(Exception):  # PyTorch asks NVIDIA's package, where it is installed
            found[f"gpu_{place}_utilization_percentage"] = torch.cuda.utilization(place)
            found[f"gpu_{place}_power_usage_watts"] = torch.cuda.power_draw(place) / 1000
    return found


class SystemReadings:
    """A thread that reads at once, every so many seconds, and once more at the end."""

    def __init__(self, seconds: float, tell: Callable[[Numbers, int], None]) -> None:
        self._seconds, self._tell, self._step = seconds, tell, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="system-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read once more, and end."""
        self._over.set()
        self._thread.join(self._seconds)

    def _read(self) -> None:
        with contextlib.suppress(Exception):  # a stage goes on without
            reader = SystemReader()
            over = False
            while not over:
                over = self._over.wait(self._seconds if self._step else _FIRST)
                self._tell(reader.read(), self._step)
                self._step += 1


_FIRST = 0.5
"""Seconds to the first reading, so that a short stage has two."""
