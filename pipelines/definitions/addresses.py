"""Addresses of services and names of Secrets in ``manifests/``, as the stages' pods see them."""

TRACKING_URI = "http://mlflow.content-arena:5000"
MODELS_URI = "s3://models/content-filter"
FIRST_SERVICE = "content-arena/content-filter"
S3_ENDPOINT = "http://s3.content-arena:9000"
S3_SECRET = "arena-s3"  # noqa: S105 - the name of a Secret
#: With the login of the stages at MLflow; may be absent where MLflow asks for none.
MLFLOW_SECRET = "arena-mlflow"  # noqa: S105
HUB_SECRET = "arena-hub"  # noqa: S105
PROBE_SECRET = "arena-probe"  # noqa: S105
DATA_SECRET = "arena-data"  # noqa: S105
#: With what an LLM is reached by, for stages that have it write attacks.
LLM_SECRET = "arena-llm"  # noqa: S105
#: With a token of the account that rolls out.
ROLLOUT_SECRET = "arena-rollout"  # noqa: S105
#: With the key by which forgotten texts are recognised; needed once a text was forgotten.
FORGET_SECRET = "arena-forget"  # noqa: S105
