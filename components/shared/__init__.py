"""Shared by several stages: records, the canonicaliser, the bundle format, the filter and MLflow tracking."""
