"""Other TLS of Python's, for the tables of `tls_alone`: the client's half of a handshake, in seconds.

What is not installed is left out; nothing of it is used by the product.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import trustme

NAME = "server.test"


def others(root: trustme.CA, leaf: trustme.LeafCert) -> dict[str, Callable[[], float]]:
    """Those that are installed, by name."""
    found: dict[str, Callable[[], float]] = {}
    if find_spec("aioquic"):
        found["aioquic"] = _aioquic(root, leaf)
    if find_spec("tlslite"):
        found["tlslite-ng"] = _tlslite(leaf)
    return found


def _aioquic(root: trustme.CA, leaf: trustme.LeafCert) -> Callable[[], float]:
    """Its TLS is QUIC's, without records; both sides in memory."""
    from aioquic.buffer import Buffer
    from aioquic.tls import Context, Epoch
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    certificates = [x509.load_pem_x509_certificate(pem.bytes()) for pem in leaf.cert_chain_pems]
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    authorities = root.cert_pem.bytes()

    def buffers() -> dict[Any, Any]:
        return {epoch: Buffer(capacity=8192) for epoch in (Epoch.INITIAL, Epoch.HANDSHAKE, Epoch.ONE_RTT)}

    def shake() -> float:
        server: Any = Context(is_client=False)
        server.certificate, server.certificate_private_key = certificates[0], key
        server.certificate_chain = certificates[1:]
        sent = buffers()
        begin = time.perf_counter()
        client = Context(is_client=True, cadata=authorities, server_name=NAME)
        client.handle_message(b"", sent)
        hello = sent[Epoch.INITIAL].data
        spent = time.perf_counter() - begin
        answer, sent = buffers(), buffers()
        server.handle_message(hello, answer)
        begin = time.perf_counter()
        client.handle_message(answer[Epoch.INITIAL].data, sent)
        client.handle_message(answer[Epoch.HANDSHAKE].data, sent)
        assert sent[Epoch.HANDSHAKE].data
        return spent + time.perf_counter() - begin

    return shake


def _tlslite(leaf: trustme.LeafCert) -> Callable[[], float]:
    """Over a pair of sockets, the time of the client's thread alone; it verifies no chain."""
    from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

    chain = X509CertChain()
    chain.parsePemList("".join(pem.bytes().decode() for pem in leaf.cert_chain_pems))
    key = parsePEMKey(leaf.private_key_pem.bytes().decode(), private=True)
    settings = HandshakeSettings()
    settings.minVersion = (3, 4)
    settings.keyShares = ["x25519"]

    def shake() -> float:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            serve = threading.Thread(
                target=lambda: TLSConnection(theirs).handshakeServer(certChain=chain, privateKey=key)
            )
            serve.start()
            begin = time.thread_time()
            TLSConnection(ours).handshakeClientCert(serverName=NAME, settings=settings)
            spent = time.thread_time() - begin
            serve.join()
        return spent

    return shake


class OpenSslServer:
    """The OpenSSL inside `cryptography`, by pyOpenSSL: newer than Python's, with the hybrid groups."""

    def __init__(self, leaf: trustme.LeafCert) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from OpenSSL import SSL

        self._ssl = SSL
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        certificates = [x509.load_pem_x509_certificate(pem.bytes()) for pem in leaf.cert_chain_pems]
        self.context.use_certificate(certificates[0])
        for each in certificates[1:]:
            self.context.add_extra_chain_cert(each)
        key: Any = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
        self.context.use_privatekey(key)

    def connection(self) -> OpenSslConnection:
        return OpenSslConnection(self._ssl, self.context)


class OpenSslConnection:
    """One connection in memory."""

    def __init__(self, ssl: Any, context: Any) -> None:
        self._ssl = ssl
        self._tls = ssl.Connection(context, None)
        self._tls.set_accept_state()
        self.left = b""

    def answer(self, octets: bytes) -> bytes:
        self._tls.bio_write(octets)
        try:
            self._tls.do_handshake()
        except self._ssl.WantReadError:
            pass
        try:
            self.left = bytes(self._tls.bio_read(1 << 17))
        except self._ssl.WantReadError:
            self.left = b""
        return self.left
