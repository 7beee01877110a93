"""What made a release or a sample, and where it went: `python -m mm_model explain`."""
