"""The Kubeflow pipelines and how their tasks are placed on a cluster."""
