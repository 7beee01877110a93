"""Magic Mirror: identity-preserved video generation on video diffusion transformers.

The library computes: stages, networks, metrics, serving. It knows nothing of Dagster or DVC,
which drive it from outside. Importing this package imports nothing heavy.
"""

__version__ = "0.1.0"
