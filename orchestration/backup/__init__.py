"""Backup and restore of a tree and its books: `make backup TO=...`, `make restore FROM=...`.

What is in a backup, and what is not, stands in docs/team.md.
"""
