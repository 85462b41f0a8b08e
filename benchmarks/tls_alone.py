"""TLS alone, in memory: records each way and the client's half of a handshake, beside Python's `ssl`.

    python benchmarks/tls_alone.py [--seconds 0.5]

Bulk: 64 records of 16 KiB a call, octets in and octets out, best of several
rounds.  Handshake: only the time inside the client's calls counts; the server
is `ssl.MemoryBIO` for both, and both verify the chain, P-256 throughout.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import trustme

from tls.client import TlsClient
from tls.config import (
    CIPHER_SUITE_NAMES,
    SECP256R1,
    X25519,
    X25519MLKEM768,
    TlsConfig,
)
from tls.crypto import CIPHER_SUITES
from tls.events import ApplicationData

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

    def answer(self, octets: bytes) -> bytes:
        self.incoming.write(octets)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()


class Peers:
    """Certificates and contexts for both kinds of client."""

    def __init__(self, with_intermediate: bool) -> None:
        root = issuer = trustme.CA(key_type=trustme.KeyType.ECDSA)
        if with_intermediate:
            issuer = root.create_child_ca(key_type=trustme.KeyType.ECDSA)
        leaf = issuer.issue_cert(NAME, key_type=trustme.KeyType.ECDSA)
        self.root_pem = root.cert_pem.bytes()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.num_tickets = 0
        leaf.configure_cert(self.server)
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


def connect(config: TlsConfig, peers: Peers) -> tuple[TlsClient, Server, float]:
    """One handshake; the last value is the time spent in the client."""
    server = Server(peers.server)
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

    def __init__(self, peers: Peers) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = peers.client.wrap_bio(self.incoming, self.outgoing, server_hostname=NAME)
        self.room = bytearray(16384)

    def step(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass

    @classmethod
    def connect(cls, peers: Peers) -> tuple[SslClient, Server, float]:
        server = Server(peers.server)
        begin = time.perf_counter()
        client = cls(peers)
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
        peers = Peers(with_intermediate)
        chain = "leaf, intermediate, root" if with_intermediate else "leaf, root"
        theirs = best(2 * seconds, lambda peers=peers: SslClient.connect(peers)[2])
        for label, groups in (("X25519", (X25519,)), ("hybrid offered too", (X25519MLKEM768, X25519))):
            config = peers.verified(groups)
            ours = best(2 * seconds, lambda config=config, peers=peers: connect(config, peers)[2])
            rows[f"handshake, client half, {chain}, {label}"] = {"µs": ours * 1e6, "µs, ssl": theirs * 1e6}
    return rows


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
