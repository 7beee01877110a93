"""The stage `ingest`: which raw files can be used at all, as records and normalised copies."""
