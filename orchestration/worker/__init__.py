"""One stage on another machine, seen from here: laptop and GPU box behind one graph.

`python -m orchestration.worker` is the end that works there, started by ssh from the end that
asks (docs/cluster.md). Data travels through the object store, words through the connection.
"""
