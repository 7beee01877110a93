"""Whether what is asked for can be learned: loss terms that reach the prediction, weights that are
reached. It measures and refuses; it never changes a gradient.
"""

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from mm_model.errors import UserError


def require_gradient(name: str, term: Tensor, prediction: Tensor) -> None:
    """Refuse a loss term that does not change with the model's prediction.

    `term` is a scalar computed from `prediction`; the graph stays for the caller's own backward.

    Raises:
        UserError: the term is cut off from the prediction, or its gradient is zero everywhere.
    """
    found = None
    if term.requires_grad and prediction.requires_grad:
        (found,) = torch.autograd.grad(term, prediction, retain_graph=True, allow_unused=True)
    if found is None or not bool(found.any()):
        how = "is cut off from" if found is None else "has a zero gradient at"
        raise UserError(
            f"The {name} loss {how} what the model predicts, so it would teach nothing: mend what "
            f"computes it (for the identity loss a torch recogniser, landmarks inside the frame), "
            f"or set its weight to 0."
        )


def never_reached(
    parameters: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> list[str]:
    """Names of trained tensors that got no gradient but zeros so far, in this run or before it.

    Read off the optimiser's second moments, which a checkpoint carries; of sharded ones, off this
    process's part.
    """
    silent = []
    for name, parameter in parameters.items():
        seen = optimizer.state.get(parameter, {}).get("exp_avg_sq")
        seen = seen.to_local() if isinstance(seen, DTensor) else seen
        if seen is None or not bool(seen.any()):
            silent.append(name)
    return silent


def require_trainable(parameters: dict[str, nn.Parameter]) -> None:
    """Nothing that is to be trained is frozen, as it is by who builds a pipeline afterwards.

    Raises:
        ValueError: one of `parameters` asks for no gradient.
    """
    frozen = sorted(name for name, p in parameters.items() if not p.requires_grad)
    if frozen:
        raise ValueError(
            f"{len(frozen)} of {len(parameters)} tensors to be trained were frozen since the "
            f"trainer was made (first: {frozen[0]}): make whatever freezes them before it"
        )


def require_masters(parameters: dict[str, nn.Parameter]) -> None:
    """What is trained is float32: in 16 bits a step of the usual size rounds to nothing.

    Raises:
        ValueError: another dtype among `parameters`.
    """
    wrong = sorted(name for name, p in parameters.items() if p.dtype != torch.float32)
    if wrong:
        raise ValueError(f"{len(wrong)} trained tensors are not float32 (first: {wrong[0]})")
