"""Shared by several stages: records, the canonicaliser, the Reader, the bundle format, the filter and MLflow tracking."""
