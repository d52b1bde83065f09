"""The version of KServe in a cluster.

Nothing in the custom resources tells it: the schemas of 0.20 and 0.21 are identical. Its configuration names the image
of the storage initialiser, whose tag is KServe's version.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, RolloutClient
from content_arena.components.shared.errors import InputError

NAMESPACE, CONFIG_MAP = "kserve", "inferenceservice-config"
#: Since this version KServe writes the weights of an HTTPRoute. Before, a canary has pods and never gets a share.
ROUTE_WEIGHTS = (0, 21)
_VERSION = re.compile(r"v?(?P<major>[0-9]+)\.(?P<minor>[0-9]+)(?:[.+-].*)?")


@dataclass(frozen=True)
class KServeVersion:
    """The version of KServe.

    Attributes:
        number: Major and minor version; None if it is not known.
        source: Where it comes from, or why it is not known, for people.
    """

    number: tuple[int, int] | None
    source: str

    @property
    def has_route_weights(self) -> bool:
        """Whether a canary gets its share in Standard mode. False if the version is not known."""
        return self.number is not None and self.number >= ROUTE_WEIGHTS

    def __str__(self) -> str:
        """For a message."""
        if self.number is None:
            return f"of unknown version ({self.source})"
        return f"{self.number[0]}.{self.number[1]} ({self.source})"


def parsed(text: str) -> KServeVersion:
    """A version that a person gave.

    Raises:
        InputError: It is not a version.
    """
    number = _number(text)
    if number is None:
        raise InputError(f"{text!r} is no version of KServe: wanted one such as 0.21 or v0.21.0")
    return KServeVersion(number, "as given")


def installed(client: RolloutClient) -> KServeVersion:
    """The version by the tag of the storage initialiser's image.

    Raises:
        AwayError: The API server does not answer.
    """
    where = f"ConfigMap {NAMESPACE}/{CONFIG_MAP}"
    try:
        found = client.config_map(CONFIG_MAP, NAMESPACE)
    except AwayError:
        raise
    except ClusterError as error:
        return KServeVersion(None, f"{where} can not be read: {error}")
    if found is None:
        return KServeVersion(None, f"there is no {where}")
    try:
        image = json.loads(found["data"]["storageInitializer"])["image"]
        tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    except (AttributeError, KeyError, TypeError, ValueError):
        return KServeVersion(None, f"storageInitializer of {where} names no image")
    number = _number(tag)
    return KServeVersion(number, f"{where} names {image}")


def _number(text: str) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(text.strip())
    return (int(match["major"]), int(match["minor"])) if match else None
