"""What a run would cost before anything is rented, and how far such sums are from finished runs.

Numbers in, numbers out: nothing here opens a picture or loads PyTorch.
"""
