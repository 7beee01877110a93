"""The only folder that knows how files are written, locked and found again."""
