"""What one worker takes of a cluster's nodes, and how many workers they hold.

Arithmetic alone; the nodes are told as Ray tells them, `{"CPU": 16.0, "GPU": 1.0, ...}` a node.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mm_model.errors import UserError
from mm_model.run.pools.port import Limits

Nodes = Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class Share:
    """Whole CPUs and GPUs that a worker asks for."""

    cpus: int
    gpus: int

    @classmethod
    def of(cls, limits: Limits, nodes: Nodes) -> "Share":
        """The share of each worker; all are alike, so that none computes on another device.

        A node that has fewer CPUs than a worker has threads is used too: it is slower, but other
        numbers of threads could give other last bits.

        Raises:
            UserError: a GPU is a must, and no node has one.
        """
        with_gpu = [node for node in nodes if node.get("GPU", 0) >= 1]
        if limits.device == "cuda" and not with_gpu:
            raise UserError(
                "run.device is cuda, but no node of the Ray cluster has a GPU: start a node that "
                "has one, or set run.device to cpu or auto."
            )
        gpus = int(limits.device != "cpu" and bool(with_gpu))
        largest = max(
            (int(node.get("CPU", 0)) for node in (with_gpu if gpus else nodes)), default=0
        )
        return cls(max(1, min(limits.threads, largest)), gpus)

    def fits(self, nodes: Nodes) -> int:
        """How many workers the nodes hold."""
        found = 0
        for node in nodes:
            fit = int(node.get("CPU", 0)) // self.cpus
            found += min(fit, int(node.get("GPU", 0))) if self.gpus else fit
        return found

    def __str__(self) -> str:
        cpus = "a CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        return f"{cpus} and a GPU" if self.gpus else cpus
