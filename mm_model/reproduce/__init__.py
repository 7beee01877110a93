"""Figures of the paper measured again on drawn people: `make figure8`, `9`, `14`, `16`.

Each leaves a plot and a JSON of every number in it; docs/reproduced.md shows and reads them.
"""
