"""The stage `evaluate`: clips to compare, controls, cells, means with intervals, and the ladder."""
