"""The rules of KServe's webhook for canaries as an admission policy, so that no webhook has to run."""

from __future__ import annotations

import yaml

from tests.manifests.rendering import kubectl

_FORBIDDEN = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling")
_CANARIES = "object.spec.?canary.orValue([])"
_RULES = {
    f"{_CANARIES}.all(c, {' && '.join(f'!has(c.predictor.{name})' for name in _FORBIDDEN)})":
        "canary replicas are fixed: maxReplicas, scaleTarget, scaleMetric and autoScaling are not allowed",
    f"{_CANARIES}.all(c, c.predictor.?minReplicas.orValue(0) <= object.spec.predictor.?minReplicas.orValue(1))":
        "canary minReplicas must not exceed the stable predictor's minReplicas",
    f"{_CANARIES}.all(c, {_CANARIES}.exists_one(d, d.predictor.?name.orValue('') == c.predictor.?name.orValue('')))":
        "canary names must be unique",
    f"{_CANARIES}.all(c, c.predictor.?name.orValue('') != object.spec.predictor.?name.orValue(''))":
        "a canary must not have the stable predictor's name",
    f"{_CANARIES}.map(c, c.trafficPercent).sum() <= 100":
        "the sum of canary trafficPercent must not exceed 100",
    f"size({_CANARIES}) == 0 || object.metadata.?annotations['serving.kserve.io/deploymentMode'].orValue('') == "
    "'Standard'":
        "canary is supported in Standard deployment mode only",
}  # fmt: skip


def objects(namespace: str) -> str:
    """The policy and its binding to one namespace, as YAML."""
    name = f"stand-in-{namespace}"
    metadata = {"name": name}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1"}
    rule = {
        "apiGroups": ["serving.kserve.io"], "apiVersions": ["v1beta1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["inferenceservices"],
    }  # fmt: skip
    validations = [{"expression": expression, "message": message} for expression, message in _RULES.items()]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    constraints = {"resourceRules": [rule], "namespaceSelector": selector}
    policy = {"failurePolicy": "Fail", "matchConstraints": constraints, "validations": validations}
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return yaml.safe_dump_all(
        [
            kind | {"kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": policy},
            kind | {"kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata, "spec": binding},
        ]
    )


def install(namespace: str) -> None:
    kubectl("apply", "--filename=-", given=objects(namespace))


def remove(namespace: str) -> None:
    kubectl("delete", "--ignore-not-found", "--filename=-", given=objects(namespace))
