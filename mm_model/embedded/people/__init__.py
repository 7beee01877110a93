"""The procedural people of the embedded default.

A small parametric renderer: people, photographs, clips and raw source folders whose identity, pose,
landmarks and captions are known. It draws with numpy and OpenCV only, knows nothing of models or
stages, and refuses to depict anyone real: every person is a seed.
"""
