"""The stages of the arena: one folder a Kubeflow Pipelines component, and what they share."""
