"""Object storage (S3)."""
