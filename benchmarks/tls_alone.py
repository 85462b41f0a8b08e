"""TLS alone, in memory: records each way and the client's half of a handshake, beside other TLS of Python's.

    python benchmarks/tls_alone.py [--seconds 0.5]

Bulk: 64 records of 16 KiB a call, octets in and octets out, best of several
rounds.  Handshake: only the time inside the client's calls counts; the server
is `ssl.MemoryBIO`, or with X25519MLKEM768 the newer OpenSSL that `cryptography`
has inside; the chain is verified, P-256 throughout.  A session resumed is one
of this process, whose chain was verified when it was made.  Last: what a first
verified handshake imports, in a process that has h11 and the command loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import trustme

from benchmarks import tls_others
from tls.client import TlsClient
from tls.config import (
    CIPHER_SUITE_NAMES,
    SECP256R1,
    X25519,
    X25519MLKEM768,
    ResumptionOffer,
    SessionTicket,
    TlsConfig,
)
from tls.crypto import CIPHER_SUITES
from tls.events import ApplicationData, TicketReceived

CHUNK = bytes(64 * 16384)
NAME = "server.test"


def best(seconds: float, run: Callable[[], float]) -> float:
    """The best of as many rounds as fit, as on a busy machine the others measure the neighbours."""
    deadline, times = time.perf_counter() + seconds, []
    while not times or time.perf_counter() < deadline:
        times.append(run())
    return min(times)


class Server:
    """`ssl` in memory as the server."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.left = b""
        """What was said last: behind the client's Finished, tickets."""

    def answer(self, octets: bytes) -> bytes:
        self.incoming.write(octets)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        self.left = self.outgoing.read()
        return self.left


class Peers:
    """Certificates and contexts for both kinds of client."""

    def __init__(self, with_intermediate: bool) -> None:
        self.root = issuer = trustme.CA(key_type=trustme.KeyType.ECDSA)
        if with_intermediate:
            issuer = self.root.create_child_ca(key_type=trustme.KeyType.ECDSA)
        self.leaf = issuer.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)
        self.root_pem = self.root.cert_pem.bytes()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.num_tickets = 0
        self.leaf.configure_cert(self.server)
        self.client = ssl.create_default_context(cadata=self.root_pem.decode())

    def suite(self, code: int) -> TlsConfig:
        return TlsConfig(cipher_suites=(code,), key_shares=(X25519,), groups=(X25519, SECP256R1))

    def verified(self, groups: tuple[int, ...]) -> TlsConfig:
        from tls.paths import verify_chain
        from tls.trust import TrustStore

        trust = TrustStore.from_pem(self.root_pem)

        def verify(chain, server_name):
            return verify_chain(chain, server_name, trust, time.time())

        return TlsConfig(verify=verify, groups=groups, key_shares=groups)


def connect(
    config: TlsConfig, peers: Peers, server: Server | tls_others.OpenSslConnection | None = None
) -> tuple[TlsClient, Any, float]:
    """One handshake; the last value is the time spent in the client."""
    server = Server(peers.server) if server is None else server
    begin = time.perf_counter()
    client = TlsClient(config, NAME)
    hello = b"".join(client.data_to_send())
    spent = time.perf_counter() - begin
    flight = server.answer(hello)
    begin = time.perf_counter()
    client.receive_data(flight)
    while client.next_event() is not None:
        pass
    finished = b"".join(client.data_to_send())
    spent += time.perf_counter() - begin
    server.answer(finished)
    return client, server, spent


def send(client: TlsClient) -> float:
    begin = time.perf_counter()
    client.send_data(CHUNK)
    client.data_to_send()
    return time.perf_counter() - begin


def receive(client: TlsClient, server: Server) -> float:
    server.tls.write(CHUNK)
    octets = server.outgoing.read()
    begin = time.perf_counter()
    client.receive_data(octets)
    total = 0
    while (event := client.next_event()) is not None:
        if isinstance(event, ApplicationData):
            total += len(event.data)
    spent = time.perf_counter() - begin
    assert total == len(CHUNK)
    return spent


class SslClient:
    """`ssl` in memory as the client, measured in the same way."""

    def __init__(self, peers: Peers, session: ssl.SSLSession | None = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = peers.client
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=NAME, session=session)
        self.room = bytearray(16384)

    @classmethod
    def session(cls, peers: Peers) -> ssl.SSLSession:
        """What the first connection leaves to later ones."""
        peers.server.num_tickets = 1
        client, server, _ = cls.connect(peers)
        peers.server.num_tickets = 0
        client.incoming.write(server.left)
        server.tls.write(b"x")
        client.incoming.write(server.outgoing.read())
        client.tls.read(1)
        assert client.tls.session is not None
        return client.tls.session

    def step(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass

    @classmethod
    def connect(cls, peers: Peers, session: ssl.SSLSession | None = None) -> tuple[SslClient, Server, float]:
        server = Server(peers.server)
        begin = time.perf_counter()
        client = cls(peers, session)
        client.step()
        hello = client.outgoing.read()
        spent = time.perf_counter() - begin
        flight = server.answer(hello)
        begin = time.perf_counter()
        client.incoming.write(flight)
        client.step()
        finished = client.outgoing.read()
        spent += time.perf_counter() - begin
        server.answer(finished)
        return client, server, spent

    def send(self) -> float:
        begin = time.perf_counter()
        self.tls.write(CHUNK)
        self.outgoing.read()
        return time.perf_counter() - begin

    def receive(self, server: Server) -> float:
        server.tls.write(CHUNK)
        octets = server.outgoing.read()
        begin = time.perf_counter()
        self.incoming.write(octets)
        total = 0
        while total < len(CHUNK):
            total += self.tls.read(16384, self.room)
        return time.perf_counter() - begin


def measure(seconds: float) -> dict[str, dict[str, float]]:
    """Rows of figures; the chain of a handshake is verified."""
    rows: dict[str, dict[str, float]] = {}
    peers = Peers(with_intermediate=False)
    gigabyte = len(CHUNK) / 1e9
    for code in CIPHER_SUITES:
        client, server, _ = connect(peers.suite(code), peers)
        out = gigabyte / best(seconds, lambda client=client: send(client))
        into = gigabyte / best(seconds, lambda client=client, server=server: receive(client, server))
        rows[f"16 KiB records, {CIPHER_SUITE_NAMES[code]}"] = {"send GB/s": out, "receive GB/s": into}
    other, server, _ = SslClient.connect(peers)
    out = gigabyte / best(seconds, other.send)
    into = gigabyte / best(seconds, lambda: other.receive(server))
    rows[f"the same, ssl.MemoryBIO, {other.tls.cipher()[0]}"] = {"send GB/s": out, "receive GB/s": into}
    for with_intermediate in (False, True):
        chain = "leaf, intermediate, root" if with_intermediate else "leaf, root"
        for label, row in handshakes(2 * seconds, Peers(with_intermediate)).items():
            rows[f"handshake, client half, {chain}, {label}"] = row
    for label, row in resumptions(2 * seconds, Peers(with_intermediate=False)).items():
        rows[f"session resumed, client half, {label}"] = row
    rows["imports of a first verified handshake"] = imports()
    return rows


def handshakes(seconds: float, peers: Peers) -> dict[str, dict[str, float]]:
    """Full ones, by what is agreed, with all that others need for theirs in the first row."""
    classical = peers.verified((X25519,))
    first = {"µs": best(seconds, lambda: connect(classical, peers)[2])}
    first["µs, ssl"] = best(seconds, lambda: SslClient.connect(peers)[2])
    for name, shake in tls_others.others(peers.root, peers.leaf).items():
        first[f"µs, {name}"] = best(seconds, shake)
    both = peers.verified((X25519MLKEM768, X25519))
    rows = {"X25519": first, "hybrid offered too": {"µs": best(seconds, lambda: connect(both, peers)[2])}}
    if find_spec("OpenSSL"):
        newer = tls_others.OpenSslServer(peers.leaf)
        agreed = best(seconds, lambda: connect(both, peers, newer.connection())[2])
        rows["X25519MLKEM768 agreed"] = {"µs": agreed}
    return in_microseconds(rows)


def resumptions(seconds: float, peers: Peers) -> dict[str, dict[str, float]]:
    """Sessions of this process: the chain was verified when they were made."""
    peers.server.num_tickets = 1
    ticket = ticket_of(*connect(peers.verified((X25519,)), peers)[:2])
    peers.server.num_tickets = 0
    session = SslClient.session(peers)
    again = resuming(peers, ticket, (X25519,))
    row = {"µs": best(seconds, lambda: connect(again, peers)[2])}
    row["µs, ssl"] = best(seconds, lambda: SslClient.connect(peers, session)[2])
    rows = {"X25519": row}
    if find_spec("OpenSSL"):
        newer, groups = tls_others.OpenSslServer(peers.leaf), (X25519MLKEM768, X25519)
        ticket = ticket_of(*connect(peers.verified(groups), peers, newer.connection())[:2])
        config = resuming(peers, ticket, groups)
        rows["X25519MLKEM768"] = {"µs": best(seconds, lambda: connect(config, peers, newer.connection())[2])}
    return in_microseconds(rows)


def ticket_of(client: TlsClient, server: Server | tls_others.OpenSslConnection) -> SessionTicket:
    client.receive_data(server.left)
    while (event := client.next_event()) is not None:
        if isinstance(event, TicketReceived):
            return event.ticket
    raise AssertionError("the server has sent no ticket")


def resuming(peers: Peers, ticket: SessionTicket, groups: tuple[int, ...]) -> TlsConfig:
    resumption = ResumptionOffer(ticket, 0)
    return peers.verified(groups)._replace(resumption=resumption, verify_resumed=False)


def in_microseconds(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {label: {name: value * 1e6 for name, value in row.items()} for label, row in rows.items()}


def imports() -> dict[str, float]:
    """Milliseconds of imports that https has and http has not, without and with those of `cryptography`."""
    identity = trustme.CA(key_type=trustme.KeyType.ECDSA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.issue_cert("localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    with identity.cert_pem.tempfile() as ca:
        plain, secure = modules("http", None, ca), modules("https", context, ca)
    added = {name: spent for name, spent in secure.items() if name not in plain}
    theirs = sum(spent for name, spent in added.items() if name.startswith(("cryptography", "cffi", "_cffi")))
    return {"ms, ours": sum(added.values()) - theirs, "ms, cryptography's": theirs}


def modules(scheme: str, context: ssl.SSLContext | None, ca: str) -> dict[str, float]:
    """What a GET in a new process imports, each with its milliseconds, the best of several runs."""
    best_of: dict[str, float] = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://localhost:{listener.getsockname()[1]}/"
        command = [sys.executable, "-X", "importtime", "-m", "pycurl_redox", "-qsS", "--cacert", ca, url]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        root = str(Path(__file__).resolve().parents[1])
        for _ in range(7):
            serve = threading.Thread(target=answer_one, args=(listener, context))
            serve.start()
            done = subprocess.run(
                command, cwd=root, env=environment, capture_output=True, text=True, check=True
            )
            serve.join()
            for line in done.stderr.splitlines():
                numbers, _, name = line.removeprefix("import time:").rpartition("|")
                spent = numbers.partition("|")[0].strip()
                if spent.isdigit():
                    milliseconds = int(spent) / 1000
                    best_of[name.strip()] = min(milliseconds, best_of.get(name.strip(), milliseconds))
    return best_of


def answer_one(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    connection, _ = listener.accept()
    stream = connection if context is None else context.wrap_socket(connection, server_side=True)
    with stream:
        stream.recv(65536)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each figure")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.seconds)
    if arguments.json:
        print(json.dumps(rows))
        return
    for name, row in rows.items():
        print(f"{name:60} " + "  ".join(f"{figure} {value:,.2f}" for figure, value in row.items()))


if __name__ == "__main__":
    main()
