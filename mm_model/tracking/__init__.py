"""Everything that talks to the MLflow store: the tracker of a stage, shipping, places.

Mlflow is imported inside functions only.
"""
