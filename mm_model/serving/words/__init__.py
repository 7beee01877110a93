"""The word filter's tables: data with reasons, and how a prompt is read."""
