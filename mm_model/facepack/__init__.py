"""Face detection and recognition behind one port, with an adapter for each kind of pack."""
