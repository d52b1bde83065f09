"""The stages of the arena, one folder for each Kubeflow Pipelines component, and their shared code."""

import os

# ONNX Runtime's packages for Linux (1.29 and later) send figures of models and machines to Microsoft unless this is set
# before it is loaded, and keep a device's id and a database in the home folder. A filter's server reports to nobody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
