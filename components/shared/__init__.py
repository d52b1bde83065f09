"""Shared by several stages: records, reading of texts, the bundle format, the filter and MLflow tracking."""
