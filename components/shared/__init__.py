"""What more than one stage needs: records, the canonicaliser, the bundle format, the filter and MLflow tracking."""
