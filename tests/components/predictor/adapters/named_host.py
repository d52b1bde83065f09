"""The name of Google's host, on this machine: a certificate of one's own, and TLS in front of a server."""

from __future__ import annotations

import contextlib
import datetime
import socket
import socketserver
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.background import serve

HOST = "commentanalyzer.googleapis.com"


def write_certificate(path):
    """Writes a certificate for the host that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)


@contextlib.contextmanager
def in_front_of(port, certificate):
    """A TLS server that hands every connection to a port; gives its own port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with (
                context.wrap_socket(self.request, server_side=True) as client,
                socket.create_connection(("127.0.0.1", port)) as server,
            ):
                back = threading.Thread(target=hand_over, args=(server, client))
                back.start()
                hand_over(client, server)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as front:
        front.daemon_threads = True
        serve(front)
        yield front.server_address[1]
        front.shutdown()


def hand_over(source, destination):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            destination.sendall(chunk)
        destination.shutdown(socket.SHUT_WR)


def resolve(monkeypatch, port):
    """Lets the host's name mean a port of this machine, as an entry in /etc/hosts would."""
    found = socket.getaddrinfo

    def getaddrinfo(host, asked, *args, **kwargs):
        here = host in (HOST, HOST.encode())
        return found("127.0.0.1" if here else host, port if here else asked, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
