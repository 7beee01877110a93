"""What is measured of a sample and what it is rejected for: a file a stage, one table of all."""
