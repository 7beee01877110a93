"""Judges: recognisers that say who a clip shows, the house's own, outsiders and the control."""
