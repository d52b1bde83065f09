"""Names of the tags in which the registry keeps what is known about a version."""

from __future__ import annotations

#: Tag with the SHA-256 of a version's bundle.
DIGEST = "bundle_sha256"
#: Tag with how many rounds of the arena lie behind a version.
GENERATION = "generation"
#: Prefix of the tags with the figures of a version's last evaluation.
METRIC = "metric."
#: Tag with the language of the corpus that a version was trained on.
LANG = "lang"
#: Tag with the digest of the corpus that a version was trained on.
CORPUS_SHA256 = "corpus_sha256"
#: Tags with the strategies that a version's line of champions never trained on, and with those that it was trained on,
#: joined by commas. A version that was trained on no attacks has neither; nor has one of a release before these tags.
HELD_OUT = "held_out_strategies"
TRAINED_ON = "trained_on_strategies"
#: Tag with the SHA-256 of the bundle that a training continued from; empty for a new adapter.
STARTED_FROM = "started_from"
#: Tag with the address in object storage that a version was published at.
STORAGE_URI = "storage_uri"
#: Tag with the day on which a version's bundle was removed to make room; its figures and its verdict stay.
REMOVED_AT = "bundle_removed_at"
#: Tag with the champion that a version succeeded.
SUCCEEDED = "succeeded_version"
#: Tag with when a version became champion (Unix time, seconds).
PROMOTED_AT = "promoted_at"
#: Tag with the services whose rollouts made a version champion, as NAMESPACE/SERVICE, joined by commas.
PROMOTED_FOR = "promoted_for_service"
#: Tag with why a person promoted a version against its gates or its rejection.
OVERRIDE = "override_reason"
#: Tag with why a version was rejected.
REJECTED = "rejected"
#: Tag with when a version was rejected (Unix time, seconds).
REJECTED_AT = "rejected_at"
#: Tag with how floors and gates decided about a version, and on which guard set, as JSON.
VERDICT = "verdict"
#: Tags with the same for people who look at the version in MLflow: the guard set, and which floors failed.
GUARD_SET, FLOORS = "guard_set", "floors"
#: Tag with the rollout that rejected a version. If a person overrides the rejection, a later rollout is another one.
REJECTED_BY = "rejected_by_rollout"
