"""What to do when an MLflow server refuses a login, what a user may not do, or has a certificate of an unknown CA."""

from __future__ import annotations

import os

#: MLflow's own variables; every client of it reads them.
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
_WRITER, _READER = "arena-mlflow", "arena-mlflow-reader"
#: MLflow's own variable too.
CA = "MLFLOW_TRACKING_SERVER_CERT_PATH"


def advice(error: BaseException) -> str | None:
    """Why MLflow refused somebody or is not trusted, and what to do; None if it is another error.

    Args:
        error: As the client of MLflow, or requests on its behalf, raised it.
    """
    # MLflow's own error has that of requests as its text alone, and nothing else speaks of its API.
    if "/mlflow" in str(error) and (said := untrusted(error)) is not None:
        return said
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


def untrusted(error: BaseException) -> str | None:
    """What to do about a server's certificate that is not trusted; None if the error is another one.

    Args:
        error: As requests raised it on the way to an MLflow server, or MLflow's client.
    """
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return None
    why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "certificate verify failed"
    return (
        f"its certificate is not trusted ({why}): {CA} has to name a file with the CA of the server; without TLS its "
        "address begins with http://"
    )


def _status(error: BaseException) -> int | None:
    """The status of an answer of an MLflow server; None of any other error."""
    if type(error).__module__.partition(".")[0] == "mlflow":
        status = getattr(error, "get_http_status_code", None)
        return int(status()) if status is not None else None
    response = getattr(error, "response", None)
    is_of_mlflow = "/mlflow" in str(getattr(response, "url", ""))
    return int(response.status_code) if response is not None and is_of_mlflow else None
