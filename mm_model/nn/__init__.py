"""The Magic Mirror model: backbone subclass, adapter, perceivers, identity encoder, prompt
handling.

Everything here is sized by configuration; the tiny and the paper model are the same classes. The
package imports nothing by itself: import the module you need.
"""
