"""How traffic moves in KServe's Standard and Knative modes, and what would be written (dry run)."""
