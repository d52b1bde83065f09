"""Who an S3 client is: keys from the environment, or a role that the platform gives.

Keys are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for temporary ones with AWS_SESSION_TOKEN. Without keys the client
asks for those of a role, and asks again before they expire. It looks where boto3 looks, so MLflow and KServe, which use
boto3, need no other settings:

    AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN           a service account's role: EKS (IRSA), or any STS
    AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI  EKS pod identity, ECS
    otherwise the instance's metadata server             EC2; AWS_EC2_METADATA_DISABLED=true leaves it out

AWS_ENDPOINT_URL_STS and AWS_EC2_METADATA_SERVICE_ENDPOINT name another server than Amazon's. Requests and errors are
made such that no token or key is in an address, since addresses are logged.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import certifi
import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import IamAwsProvider, Provider, StaticProvider
from urllib3.exceptions import HTTPError

from content_arena.components.shared.errors import ArenaError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
#: Beside the keys, where they are temporary.
SESSION_TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 - the name of a variable
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
_NEEDS = f"object storage needs {' and '.join(KEYS)} in the environment, or a role of the platform"


class CredentialsError(ArenaError):
    """The platform gives no credentials for its role."""


def credentials(environment: Mapping[str, str], roles: bool = True) -> Provider:
    """Keys of an environment, or those of a role; asks nobody yet.

    Args:
        environment: With the keys.
        roles: Whether a role will do instead. Its variables are read from the environment of this process.

    Raises:
        InputError: One key is there without the other, or keys have to be there and are not, or a role has no name.
    """
    missing = [name for name in KEYS if not environment.get(name)]
    if not missing:
        key, secret = (environment[name] for name in KEYS)
        return StaticProvider(key, secret, environment.get(SESSION_TOKEN) or None)
    if len(missing) < len(KEYS) or not roles:
        raise InputError(f"object storage needs {', '.join(missing)} in the environment")
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        if not environment.get("AWS_ROLE_ARN"):
            raise InputError("AWS_WEB_IDENTITY_TOKEN_FILE needs AWS_ROLE_ARN beside it: the role to ask for")
        sts = environment.get("AWS_ENDPOINT_URL_STS")
        region = environment.get("AWS_DEFAULT_REGION")
        return _Role(
            "AWS_WEB_IDENTITY_TOKEN_FILE", IamAwsProvider(custom_endpoint=sts, region=region, http_client=_http())
        )
    for name in _CONTAINER:
        if environment.get(name):
            return _Role(name, IamAwsProvider(http_client=_http()))
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise InputError(_NEEDS)
    server = (environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "").rstrip("/") or None
    # On a machine of another kind nobody answers: boto3 gives up after a second as well.
    return _Role("the metadata server", IamAwsProvider(custom_endpoint=server, http_client=_http(seconds=1, retries=1)))


class _Role(Provider):
    """A role's credentials, with errors that say what to do and hold no secret."""

    def __init__(self, source: str, asked: IamAwsProvider) -> None:
        self._source = source
        self._asked = asked

    def retrieve(self) -> Credentials:
        """Credentials that are valid for ten seconds or more.

        Raises:
            CredentialsError: The server of the role does not answer, refuses, or answers with something else.
        """
        try:
            return self._asked.retrieve()
        except _AnsweredError as error:
            reason = str(error)
        except HTTPError as error:
            reason = f"its server does not answer ({type(error).__name__})"
        except OSError as error:
            reason = f"{error.strerror}: {error.filename}"
        except (ValueError, KeyError, TypeError, SyntaxError) as error:  # SyntaxError: of XML
            unread = error.__cause__ if isinstance(error.__cause__, OSError) else None
            # The text of such an error may quote the answer, keys and all.
            reason = f"{unread.strerror}: {unread.filename}" if unread else "its answer is none of credentials"
        raise CredentialsError(f"{_NEEDS}; {self._source} gave none: {reason}") from None


class _AnsweredError(Exception):
    """A server of credentials answered with an error; the text names the server, and nothing of the request."""


class _Discreet(urllib3.PoolManager):
    """HTTP for credentials. urllib3 and minio put addresses into logs and errors, so an address may hold no token."""

    def urlopen(  # type: ignore[override]
        self,
        method: str,
        url: str,
        redirect: bool = True,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Sends the parameters of a POST in its body, as STS also takes them, and follows no redirection."""
        address, _, query = url.partition("?")
        sent = {**(headers or {}), "Accept": "application/xml, application/json, text/plain"}
        if method == "POST" and query:
            url, body, sent["Content-Type"] = address, query, "application/x-www-form-urlencoded"
        answer = super().urlopen(method, url, redirect=False, body=body, headers=sent)
        if answer.status != 200:
            raise _AnsweredError(f"{urlsplit(url).netloc} answered {answer.status}")
        return answer


def _http(seconds: float = 5, retries: int = 3) -> urllib3.PoolManager:
    return _Discreet(
        timeout=urllib3.Timeout(connect=seconds, read=2 * seconds),
        retries=urllib3.Retry(retries, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), allowed_methods=None),
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
    )
