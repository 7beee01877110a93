"""Metrics of a clip: the port, what each is given and yields, and the one table of them."""
