"""What is wrong in a tree or on its machine, and what mends it: `python -m mm_model doctor`."""
