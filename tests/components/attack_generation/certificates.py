"""Certificates for tests: a CA, and what it signs."""

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A CA of its own, whose files lie in a folder.

    Attributes:
        ca_file: Its certificate.
    """

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA of a test")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        certificate = self._made(self._name, self._key, timedelta(days=1)).add_extension(constraints, critical=True)
        self.ca_file = self._written("ca.pem", certificate.sign(self._key, hashes.SHA256()))

    def signed(self, name, *, days=1, host="127.0.0.1", password=None):
        """Files of a certificate and its key, for a server at ``host`` or for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        certificate = self._made(subject, key, timedelta(days=days)).add_extension(names, critical=False)
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        key_file = self._folder / f"{name}.key"
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
        return self._written(f"{name}.pem", certificate.sign(self._key, hashes.SHA256())), str(key_file)

    def _made(self, subject, key, lasts):
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + lasts)
        )

    def _written(self, name, certificate):
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)
