"""The model that MLflow serves: request, refusals, prediction."""
