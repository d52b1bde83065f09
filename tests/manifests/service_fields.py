"""The fields of an InferenceService, as the definition of KServe 0.21 has them."""

from __future__ import annotations

import json

from tests.manifests.rendering import Object, kubectl

#: Fields of spec.predictor that a rollout does not write.
POD = (
    "activeDeadlineSeconds", "affinity", "annotations", "autoScaling", "automountServiceAccountToken", "batcher",
    "containerConcurrency", "containers", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases", "hostIPC",
    "hostNetwork", "hostPID", "hostUsers", "hostname", "hostnameOverride", "huggingface", "imagePullSecrets",
    "initContainers", "labels", "lightgbm", "logger", "nodeName", "nodeSelector", "onnx", "os", "overhead", "paddle",
    "pmml", "preemptionPolicy", "priority", "priorityClassName", "pytorch", "readinessGates", "resourceClaims",
    "resources", "restartPolicy", "runtimeClassName", "scaleMetric", "scaleMetricType", "scaleTarget", "schedulerName",
    "schedulingGates", "securityContext", "serviceAccount", "serviceAccountName", "setHostnameAsFQDN",
    "shareProcessNamespace", "sklearn", "storageContainerName", "storageUris", "subdomain", "tensorflow",
    "terminationGracePeriodSeconds", "timeout", "tolerations", "topologySpreadConstraints", "triton", "volumes",
    "workerSpec", "xgboost",
)  # fmt: skip
#: Fields of a model that a rollout does not write.
CONTAINER = (
    "args", "command", "confidential", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports",
    "protocolVersion", "readinessProbe", "resizePolicy", "resources", "restartPolicy", "restartPolicyRules",
    "runtimeVersion", "securityContext", "startupProbe", "stdin", "stdinOnce", "storage", "terminationMessagePath",
    "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts", "workingDir",
)  # fmt: skip


def definition() -> dict[str, Object]:
    """What the definition of the cluster has at each place of the spec, field by field."""
    found = json.loads(kubectl("get", "crd", "inferenceservices.serving.kserve.io", "--output=json"))
    (version,) = [each for each in found["spec"]["versions"] if each["name"] == "v1beta1"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    predictor = spec["predictor"]["properties"]
    of_canary = spec["canary"]["items"]["properties"]["predictor"]["properties"]
    return {
        "predictor": predictor, "model": predictor["model"]["properties"],
        "canary.predictor": of_canary, "canary.model": of_canary["model"]["properties"],
    }  # fmt: skip


def example(schema: Object) -> object:
    """A least value that a schema takes."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            known = schema.get("properties", {})
            return {name: example(known[name]) for name in schema.get("required", [])}
        case "array":
            return [example(schema["items"])]
        case "string":
            return "a"
        case "boolean":
            return True
    return 7
