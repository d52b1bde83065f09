"""What to do when an MLflow server refuses a login, or what a user may not do."""

from __future__ import annotations

import os

#: MLflow's own variables; every client of it reads them.
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
_WRITER, _READER = "arena-mlflow", "arena-mlflow-reader"


def advice(error: BaseException) -> str | None:
    """Why MLflow refused somebody, and what to do; None if the error is no such refusal.

    Args:
        error: As the client of MLflow, or requests on its behalf, raised it.
    """
    match _status(error):
        case 401:
            return f"MLflow asks for a login, and {_given()}; in a cluster both come from the Secret {_WRITER}"
        case 403:
            user = os.environ.get(USERNAME) or "nobody"
            return (
                f"MLflow does not allow this to the user {user} ({USERNAME}); in a cluster the user of the Secret "
                f"{_WRITER} may write, and that of {_READER} only read"
            )
    return None


def _given() -> str:
    missing = [name for name in (USERNAME, PASSWORD) if not os.environ.get(name)]
    if missing:
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
    return f"does not know the user {os.environ[USERNAME]} ({USERNAME}) with the password in {PASSWORD}"


def _status(error: BaseException) -> int | None:
    """The status of an answer of an MLflow server; None of any other error."""
    if type(error).__module__.partition(".")[0] == "mlflow":
        status = getattr(error, "get_http_status_code", None)
        return int(status()) if status is not None else None
    response = getattr(error, "response", None)
    is_of_mlflow = "/mlflow" in str(getattr(response, "url", ""))
    return int(response.status_code) if response is not None and is_of_mlflow else None
