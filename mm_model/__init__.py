"""Magic Mirror: identity-preserved video generation on video diffusion transformers.

The library computes: stages, networks, metrics, serving. It knows nothing of Dagster or DVC,
which drive it from outside. Importing this package imports nothing heavy: `MagicMirrorPipeline` is
loaded when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mm_model.generation.pipeline import MagicMirrorPipeline

__all__ = ["MagicMirrorPipeline"]
__version__ = "0.1.0"

_PLACES = {"MagicMirrorPipeline": ("generation", "pipeline")}
"""Where a name of the package lies. In parts, since a stage that imports the package does not
depend on them, as it would on a module that is named here (`mm_model.store.closure`)."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(".".join((__name__, *_PLACES[name]))), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
