"""Results to MLflow, one way."""
