"""Captioners: what says in words what a file shows, behind one port, and the lint of captions."""
