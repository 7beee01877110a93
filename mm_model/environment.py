"""Process-wide settings every entry point applies first: telemetry off, threads bounded.

Only environment variables are touched, so it is safe to call before any heavy import.
"""

import os

_QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


def silence_telemetry() -> None:
    """Switch off usage reports, downloads and chatter of the stack; a set variable wins."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def bound_threads(threads: int) -> None:
    """Give numeric libraries at most `threads` threads; call before importing them."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
