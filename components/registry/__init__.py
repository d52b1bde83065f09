"""The model registry on MLflow: versions, aliases, gates, and object storage that follows them."""
