"""Everything a resume needs, in one safetensors file written aside, renamed and then sealed.

Randomness is drawn anew from (seed, step), so no generator state is kept: a resumed run repeats the
straight run bit for bit on a CPU. A file that its seal does not fit is passed over for the one
before.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mm_model.store import sealed
from mm_model.store.atomic import written_aside

KEEP = 2


@dataclass(frozen=True)
class Restored:
    """What the newest readable checkpoint holds: its step and the curve so far."""

    step: int
    curve: list[dict]


def save(
    folder: Path,
    step: int,
    fingerprint: str,
    *,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    curve: list[dict],
) -> Path:
    """Write `step_<n>.safetensors` and remove all but the newest two."""
    tensors = {f"model/{name}": p.detach() for name, p in parameters.items()}
    for name, parameter in parameters.items():
        for field, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{field}/{name}"] = value
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    header = {"step": str(step), "fingerprint": fingerprint, "curve": json.dumps(curve)}
    target = folder / f"step_{step:08d}.safetensors"
    with written_aside(target) as aside:
        save_file(plain, aside, metadata=header)
        sealed.seal(target, fingerprint, aside)
    for old in sorted(folder.glob("step_*.safetensors"))[:-KEEP]:
        sealed.remove(old)
    return target


def restore(
    folder: Path,
    fingerprint: str,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    say: Callable[[str], None] = print,
) -> Restored | None:
    """Load the newest whole checkpoint of this fingerprint into parameters and optimiser.

    What is damaged, unfinished or of other work is set aside, and `say` hears of it in one line.
    """
    for path in sorted(folder.glob("step_*.safetensors"), reverse=True):
        if flaw := sealed.flaw(path, fingerprint):
            sealed.move_aside(path)
            say(f"checkpoint {path.name} {flaw}: passed over")
            continue
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        _fill(state, parameters, optimizer)
        return Restored(int(header["step"]), json.loads(header["curve"]))
    return None


@torch.no_grad()
def _fill(
    state: dict[str, Tensor], parameters: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(state[f"model/{name}"])
    for name, parameter in parameters.items():
        fields = [key for key in state if key.startswith("optimizer/") and key.endswith(f"/{name}")]
        optimizer.state[parameter] = {
            key.split("/")[1]: state[key].to(parameter.device if "exp_avg" in key else "cpu")
            for key in fields
        }
