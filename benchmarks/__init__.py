"""Measurements that hold two ways of doing one thing against each other: `python -m benchmarks`."""
