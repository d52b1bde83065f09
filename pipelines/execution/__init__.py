"""Running pipelines: on this machine with kfp.local, or on a Kubeflow Pipelines server."""
