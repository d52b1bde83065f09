"""The record of a service's rollouts: a ConfigMap that the InferenceService owns.

It is no annotation of the InferenceService, because KServe copies those to the template of stable's pods: every write
would restart them in Standard mode, and make a new revision in Knative mode. Up to version 0.1.0 the record was such
an annotation. A rollout that was recorded there is read from there and carried over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from content_arena.components.canary_rollout.controller.operator_requests import (
    ABORT,
    APPROVE,
    OperatorRequests,
    operator_requests,
)
from content_arena.components.canary_rollout.kube.client import ConflictError, Json, RolloutClient
from content_arena.components.canary_rollout.plan.state import State, StateError, load
from content_arena.components.shared.errors import InputError

#: Key of the state in the ConfigMap's data.
STATE = "state"
#: Annotations of the InferenceService, as version 0.1.0 wrote them.
FORMER_STATE, FORMER_LEFT = "content-arena/rollout", "content-arena/left-revision"
_FORMER = (FORMER_STATE, FORMER_LEFT, APPROVE, ABORT)
_ATTEMPTS = 5
_LABELS = {"app.kubernetes.io/name": "arena-rollout", "app.kubernetes.io/component": "record"}


def record_name(service: str) -> str:
    """Name of the ConfigMap with the record of a service's rollouts."""
    return f"rollout-{service}"


@dataclass(frozen=True)
class Record:
    """The record as read at one moment.

    Attributes:
        service: The InferenceService that it was read for.
        state: State of the last rollout; None if there has been none.
        annotations: Of the ConfigMap: people's requests.
        stored: The ConfigMap; empty if there is none.
        former: Annotations of the InferenceService that belong to the rollout under way. They have to be removed.
    """

    service: Json
    state: State | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    stored: Json = field(default_factory=dict)
    former: tuple[str, ...] = ()

    @property
    def is_carried_over(self) -> bool:
        """Whether nothing of the rollout that is under way is left in annotations of the InferenceService."""
        return not self.former

    @property
    def existing(self) -> State:
        """The state of the last rollout.

        Raises:
            InputError: There has been no rollout.
        """
        if self.state is None:
            metadata = self.service["metadata"]
            raise no_rollout(metadata["name"], metadata.get("namespace", "default"))
        return self.state

    def has_lost(self, running: State) -> bool:
        """Whether a rollout that is running is recorded no more: there is nothing, or only an earlier rollout.

        A later one is no loss: another process ended this rollout and began that one, so its record has to stay.

        Args:
            running: The state of the running rollout, as its process last wrote it.
        """
        if self.state is None:
            return True
        return self.state.rollout != running.rollout and self.state.started_at <= running.started_at

    def requests(self) -> OperatorRequests:
        """People's requests to the rollout."""
        found = operator_requests(self.annotations, self.existing.challenger)
        own = self.service["metadata"].get("annotations") or {}
        misplaced = [name for name in (APPROVE, ABORT) if name in own and self.is_carried_over]
        where = f"configmap {record_name(self.service['metadata']['name'])}"
        lines = [f"annotation {name} of the InferenceService is not read: annotate {where}" for name in misplaced]
        return replace(found, ignored=(*found.ignored, *lines))


def no_rollout(service: str, namespace: str) -> InputError:
    """The error for a service that has had no rollout."""
    start = f"arena rollout start --service {service} --namespace {namespace}"
    return InputError(f"{service} has had no rollout: start one with `{start}`")


class RecordStore:
    """Reads and writes the record of one service."""

    def __init__(self, client: RolloutClient, service: str) -> None:
        """Reads nothing yet.

        Args:
            client: Of the service's namespace.
            service: Name of the InferenceService.
        """
        self._client, self._service, self.name = client, service, record_name(service)

    def read(self, service: Json) -> Record:
        """The record as it is now.

        Args:
            service: The InferenceService as just read.

        Raises:
            StateError: It cannot be read.
        """
        stored = self._client.config_map(self.name) or {}
        found = Record(service, stored=stored)
        # That of a deleted service of the same name, which the cluster is about to delete too.
        if stored and _is_owned(stored, service):
            text = (stored.get("data") or {}).get(STATE)
            annotations = stored["metadata"].get("annotations") or {}
            found = replace(found, state=load(text) if text else None, annotations=annotations)
        return _with_former(found)

    def write(self, before: Record, after: State) -> Record:
        """Records a state, and removes the requests that were carried out.

        Args:
            before: As read or last written.
            after: The state.

        Raises:
            ConflictError: The record was written since, by a person's request for example.
        """
        written: dict[str, str | None] = dict(before.annotations) if not before.is_carried_over else {}
        state = before.state
        is_edge = state is None or state.rollout != after.rollout or after.phase.is_end
        if is_edge or (state is not None and state.approvals != after.approvals):
            written[APPROVE] = None
        if is_edge:
            written[ABORT] = None
        metadata = {"annotations": written, "labels": _LABELS, "ownerReferences": [_owner(before.service)]}
        body: Json = {"metadata": metadata, "data": {STATE: after.dump()}}
        if not before.stored:
            set_ones = {name: value for name, value in written.items() if value is not None}
            metadata |= {"name": self.name, "annotations": set_ones}
            stored = self._client.create_config_map({"apiVersion": "v1", "kind": "ConfigMap"} | body)
        else:
            version = before.stored["metadata"]["resourceVersion"]
            stored = self._client.patch_config_map(self.name, body, version)
        annotations = stored["metadata"].get("annotations") or {}
        return replace(before, state=after, annotations=annotations, stored=stored)

    def remove_former(self, record: Record) -> Json:
        """Removes what version 0.1.0 wrote to the InferenceService: one patch, so that its pods restart once at most.

        Returns:
            The InferenceService after it.

        Raises:
            ConflictError: It was written since it was read.
        """
        body = {"metadata": {"annotations": dict.fromkeys(record.former)}}
        version = record.service["metadata"]["resourceVersion"]
        return self._client.patch_service(self._service, body, version)

    def request(self, annotations: Mapping[str, str]) -> None:
        """Writes a request, as a person does with kubectl. Tries again if the record was written meanwhile.

        Raises:
            InputError: The service does not exist, or has had no rollout.
            ConflictError: The record was written at every attempt.
        """
        for attempt in range(_ATTEMPTS):
            record = self.read(self._client.service(self._service))
            try:
                if not record.stored or not record.is_carried_over:
                    # Nobody has run the rollout since the upgrade.
                    record = self.write(record, record.existing)
                version = record.stored["metadata"]["resourceVersion"]
                self._client.patch_config_map(self.name, {"metadata": {"annotations": dict(annotations)}}, version)
            except ConflictError:
                if attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return


def _with_former(found: Record) -> Record:
    """Adds what version 0.1.0 recorded in annotations of the InferenceService, where that is newer."""
    own = found.service["metadata"].get("annotations") or {}
    if FORMER_STATE not in own:
        return found
    try:
        former = load(own[FORMER_STATE])
    except StateError:
        if found.state is None:
            raise
        return found
    names = tuple(name for name in _FORMER if name in own)
    if found.state is not None and found.state.rollout == former.rollout:
        # It was carried over, and the process was killed before it removed the annotations.
        return found if found.state.phase.is_end else replace(found, former=names)
    if found.state is not None and found.state.started_at >= former.started_at:
        return found
    if former.phase.is_end:
        # It stays where it is: removing it would restart the pods for nothing.
        return replace(found, state=former)
    if FORMER_LEFT in own:
        stable = replace(former.stable, mode_state={**former.stable.mode_state, "left": own[FORMER_LEFT]})
        former = replace(former, stable=stable)
    # Nothing has checked the name in an approval there, so a person has to approve again.
    requests = {ABORT: own[ABORT]} if ABORT in own else {}
    return replace(found, state=former, annotations=requests, former=names)


def _is_owned(stored: Json, service: Json) -> bool:
    owners = stored["metadata"].get("ownerReferences") or []
    return any(owner.get("uid") == service["metadata"].get("uid", "") for owner in owners)


def _owner(service: Json) -> Json:
    metadata = service["metadata"]
    return {
        "apiVersion": service.get("apiVersion", "serving.kserve.io/v1beta1"),
        "kind": "InferenceService",
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
    }
