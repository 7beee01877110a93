"""The command line, `python -m mm_model`."""
