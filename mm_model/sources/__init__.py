"""The stage `sources`: raw files with their licence and consent, drawn or read from a folder."""
