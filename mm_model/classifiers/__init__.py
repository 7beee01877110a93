"""Classifiers of pictures from a shelf: how probably a picture is what one of their labels says."""
