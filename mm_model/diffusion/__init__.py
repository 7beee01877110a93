"""Diffusion arithmetic: noise schedule, frame counts, masked velocity loss, identity loss.

The package imports nothing by itself: import the module you need.
"""
