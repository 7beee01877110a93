"""Files that nobody should trust, made by scripts: each kind, and what must become of it."""
