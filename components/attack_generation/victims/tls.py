"""Whom a filter behind https:// is trusted by, and what it is shown in return; what to do where TLS fails.

The options are named as curl names them. A stage runs in a process or pod of its own, so what they say reaches it
through the environment, as a login does.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.attack_generation.settings import (
    CA_FILE_VARIABLE,
    CERT_FILE_VARIABLE,
    INSECURE_VARIABLE,
    KEY_FILE_VARIABLE,
)
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class Tls:
    """How the server of a filter is verified.

    Attributes:
        ca_file: Certificates (PEM) of those who may have signed the server's, in place of the usual ones.
        cert_file: The client's certificate (PEM), with its chain.
        key_file: Its private key (PEM, without a password); "" if it is in ``cert_file``.
        insecure: Whether the server's certificate is not verified.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure: bool = False

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return bool(self.files) or self.insecure

    @classmethod
    def from_environment(cls) -> Tls:
        """What the variables of :mod:`content_arena.components.attack_generation.settings` hold."""
        ca_file, cert_file, key_file, insecure = (
            os.environ.get(name, "")
            for name in (CA_FILE_VARIABLE, CERT_FILE_VARIABLE, KEY_FILE_VARIABLE, INSECURE_VARIABLE)
        )
        return cls(ca_file, cert_file, key_file, insecure.lower() in ("1", "true"))

    def as_environment(self) -> dict[str, str]:
        """The variables that :meth:`from_environment` reads; none that would be empty."""
        given = {
            CA_FILE_VARIABLE: self.ca_file, CERT_FILE_VARIABLE: self.cert_file, KEY_FILE_VARIABLE: self.key_file,
            INSECURE_VARIABLE: "1" if self.insecure else "",
        }  # fmt: skip
        return {name: value for name, value in given.items() if value}

    @property
    def files(self) -> list[str]:
        """The files that are named."""
        return [name for name in (self.ca_file, self.cert_file, self.key_file) if name]

    @property
    def verify(self) -> str | bool | None:
        """As requests takes it; None for its own choice, which ``REQUESTS_CA_BUNDLE`` may make."""
        return False if self.insecure else self.ca_file or None

    @property
    def client(self) -> str | tuple[str, str] | None:
        """As requests takes it."""
        return (self.cert_file, self.key_file) if self.key_file else self.cert_file or None

    def check(self) -> None:
        """Refuses what cannot be used.

        Raises:
            InputError: A file cannot be read, is not PEM, or does not fit the other; or options contradict each other.
        """
        if self.ca_file and self.insecure:
            raise InputError(
                "--cacert says how the certificate is verified, and --insecure that it is not: leave one out"
            )
        if self.key_file and not self.cert_file:
            raise InputError("--key is the key of a certificate: give that with --cert")
        for name in self.files:
            if not Path(name).is_file():
                raise InputError(f"there is no file {name}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.ca_file:
                context.load_verify_locations(self.ca_file)
        except OSError as error:
            raise InputError(f"{self.ca_file} holds no certificates in PEM ({error})") from error
        try:
            if self.cert_file:
                # Without a password OpenSSL would ask for one on the terminal.
                context.load_cert_chain(self.cert_file, self.key_file or None, password="")
        except OSError as error:
            given = " and ".join(name for name in (self.cert_file, self.key_file) if name)
            raise InputError(f"{given}: no certificate and its key in PEM, without a password ({error})") from error


#: By the usual CAs, with no certificate of the client.
USUAL = Tls()


def broke_off(error: BaseException) -> bool:
    """Whether a failure of TLS is a connection that ended, which another one may not."""
    return "EOF occurred" in str(error)


def advice_on(error: BaseException) -> str:
    """Why TLS failed, and what to do.

    Args:
        error: As requests raised it for a failure of TLS.
    """
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "it is for another host"
        return f"its certificate cannot be verified ({why}): {_on_certificate(why)}"
    if "_ALERT_" in text or broke_off(error):
        # With TLS 1.3 a server refuses a client behind its back, and what comes first is a matter of luck.
        return (
            "it breaks off: does it want a certificate of its clients (--cert FILE --key FILE), or one of another CA, "
            "or is it down?"
        )
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text or "HTTP_REQUEST" in text:
        return "what listens there does not speak TLS: give http://, or another port"
    return "TLS failed: is the server up, and does that port speak TLS?"


def _on_certificate(why: str) -> str:
    if "expired" in why or "not yet valid" in why:
        return "it has to be renewed, or give --insecure to trust it all the same"
    if "ostname" in why or "IP address" in why or "host" in why:
        return "give the URL with a name that the certificate is for, or --insecure to trust it all the same"
    return "give the certificate of the CA that signed it with --cacert FILE, or --insecure to trust anybody"
