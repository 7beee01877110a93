"""The face pack of the tiny weights: a detector and two recognisers in InsightFace's format.

Trained on procedural people only, by the functions of ``train.py``; nobody else's weights or
pictures enter. The package imports nothing by itself: import the module you need.
"""
