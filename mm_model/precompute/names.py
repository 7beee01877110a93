"""Names of what `precompute` leaves, for those who need no tensor."""

PICTURES, CLIPS = "pictures", "clips"
"""The sets: single frames, and clips of the model's frames."""

EMPTY_TEXT = "empty_text.safetensors"
"""Beside the sets: T5's output for the empty prompt."""
