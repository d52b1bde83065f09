"""The stages of the arena, one folder for each Kubeflow Pipelines component, and their shared code."""
