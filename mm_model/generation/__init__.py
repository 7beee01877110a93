"""From references and a sentence to frames: pipeline, guidance, branches, sampling, references.

The package imports nothing by itself: import the module you need.
"""
