"""The embedded default: procedural people, and the scripts that train the shipped weights."""
