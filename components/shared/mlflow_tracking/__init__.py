"""What the arena keeps in MLflow, and how it is reached."""
