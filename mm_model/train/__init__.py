"""The training loop, its data and its resumable state."""
