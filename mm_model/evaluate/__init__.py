"""The stage `evaluate`: clips to compare, controls, metrics, intervals, ladder and goals."""
