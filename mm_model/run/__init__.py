"""The contract of a stage, the list of stages, and the runner that makes and publishes outputs."""
