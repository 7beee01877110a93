"""Everything that talks to MLflow: the store, shipping of tracked points, versions, promotion.

Only these modules and `mm_model.serving.model` import mlflow, always inside functions.
"""
