"""Models that look at pictures: face detection and recognition behind one port."""
