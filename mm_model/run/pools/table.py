"""Which pools there are, and which of them the machine's owner named.

A pool is another thing than a value of a profile: it changes no result, so it stands in no
fingerprint. A further one takes its own file, a line in `POOLS` and its test (docs/ports.md).
"""

import os
from collections.abc import Callable

from mm_model.errors import UserError
from mm_model.run.pools import local, ray
from mm_model.run.pools.here import Here
from mm_model.run.pools.port import Limits, Pool, Start
from mm_model.settings import RunSettings

VARIABLE = "MM_POOL"
"""Environment variable that names the pool; `local` when it is not set."""

POOLS: dict[str, Callable[[Start, int, Limits], Pool]] = {
    "local": local.Local,
    "ray": ray.opened,
}
"""Name to what makes the pool from the arguments of `open_pool`."""

HEAVY: dict[str, Callable[[Start, Limits], Pool]] = {"ray": ray.heavy}
"""Of the pools whose workers may be on other machines, what makes the pool of heavy ones."""

_USUAL = "local"
_ANY = Limits()
_LOADING_SECONDS = 3600
"""Of processor time to load models: T5-XXL alone is 10 GB."""


def open_pool(start: Start, processes: int, limits: Limits = _ANY) -> Pool:
    """A pool of `processes` workers, each with what `start` returns; use `contextlib.closing`.

    With 0 processes the work is too little to leave this process, whichever pool is named: then
    no limit can be kept.

    Raises:
        UserError: the variable names no pool.
        ValueError: limits are asked for and no process is there to keep them.
    """
    name = _named()
    if processes == 0:
        if limits != _ANY:
            raise ValueError("limits need a process of their own")
        return Here(start)
    return POOLS[name](start, processes, limits)


def open_heavy(start: Start, run: RunSettings) -> Pool:
    """A pool whose workers each load models, and compute with `run.threads` or on a GPU.

    One of them is enough for a machine, so that on one machine it is this process, and `start` is
    called here; on several each worker is as `run` says.

    Raises:
        UserError: the variable names no pool.
    """
    name, device = _named(), run.device
    limits = Limits(threads=run.threads, device=device, start_seconds=_LOADING_SECONDS)
    return HEAVY[name](start, limits) if name in HEAVY else Here(start)


def _named() -> str:
    name = os.environ.get(VARIABLE) or _USUAL
    if name not in POOLS:
        raise UserError(f"{VARIABLE}={name} is no pool: choose one of {', '.join(POOLS)}.")
    return name
