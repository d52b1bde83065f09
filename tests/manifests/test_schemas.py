"""Field names and types by Kubernetes' published schemas, where no API server is at hand."""

from __future__ import annotations

import pytest

from tests.manifests.rendering import EVERYTHING, Renderer, name_of

KUBERNETES = "1.33"
#: Known to an API server with their definitions only (test_cluster.py).
CUSTOM = {
    "ClusterStorageContainer", "InferenceService", "ServingRuntime", "PodMonitor", "ServiceMonitor", "PrometheusRule",
}  # fmt: skip


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_field_is_in_the_schema(manifests: Renderer, folder: str):
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate: make install")
    for item in manifests.objects(folder):
        if item["kind"] in CUSTOM:
            continue
        try:
            kubernetes_validate.validate(item, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{name_of(item)}: {'.'.join(map(str, error.path))}: {error.message}")
