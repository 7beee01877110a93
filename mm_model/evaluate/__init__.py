"""Metrics, controls, intervals and the report page."""
