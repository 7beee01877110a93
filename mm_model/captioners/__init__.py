"""Captioners: what says in words what a photograph or clip shows, behind one port, and the lint."""
