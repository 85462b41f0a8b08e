"""Names over HTTPS (RFC 8484): A and AAAA asked side by side, each by a POST of its own.

The requests are transfers beside the one that needs the name: over their own
connections, with `--doh-insecure` in place of `-k`, the user's CA files, and
the address rules.  The DoH server's own name comes from the ordinary DNS.
The notes are curl's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurl_redox import errors
from pycurl_redox.config import OperationConfig
from pycurl_redox.fetcher import Fetcher
from pycurl_redox.transfer import Transfer
from pycurl_redox.upload import BytesBody
from pycurl_redox.url import parse_url
from tcpip.dns import Cache, ResolverConfig, candidate_names, known_addresses
from tcpip.errors import MalformedPacketError, ResolveError, TimedOutError
from tcpip.wire import dns as wire

if TYPE_CHECKING:
    from pycurl_redox.message import Head, Observer
    from pycurl_redox.tls_options import TlsOptions
    from pycurl_redox.tls_settings import TlsSettings
    from tcpip.wire.address import IpAddress

MEDIA_TYPE = "application/dns-message"
MAX_MESSAGE = 0xFFFF
"""Octets of an answer (RFC 8484 §6)."""
INHERITED = (
    "cacert", "capath", "ca_native", "crlfile", "connect_timeout", "happy_eyeballs_timeout_ms",
    "dns_servers", "dns_interface", "dns_ipv4_addr", "dns_ipv6_addr", "allow_address", "deny_address",
)  # fmt: skip
"""What of the user's options holds for the DoH server as well."""
TYPES = {wire.A: "A", wire.AAAA: "AAAA"}


class DohResolver:
    """Asks one DoH server for the transfers of an operation."""

    def __init__(self, fetcher: Fetcher, config: OperationConfig) -> None:
        assert config.doh_url is not None
        self._network = fetcher.network
        self._url = config.doh_url
        self._config = _config(config)
        self._cache = Cache()
        routing = fetcher.routing.beside(self._config)
        self._fetcher = Fetcher(fetcher.network, fetcher.pool, routing, self._make_tls)

    async def resolve(
        self, name: str, family: int, deadline: float | None, observer: Observer
    ) -> list[IpAddress]:
        """Find the addresses, the best first; ResolveFailedError in curl's words."""
        try:
            known = known_addresses(name, family, {})
            if known is not None:
                return list(known)
            plain = candidate_names(name, ResolverConfig(ndots=0))[0]
        except ResolveError as error:
            raise errors.resolve_failed(name) from error
        wanted = [wire.A] * (family != 6) + [wire.AAAA] * (family != 4)
        if (found := self._cached(plain, wanted)) is not None:
            return found
        probes = [_Probe(self, plain, record_type, observer.aside()) for record_type in wanted]
        left = len(probes)

        async def run(probe: _Probe) -> None:
            nonlocal left
            await probe.run(deadline)
            left -= 1
            observer.note(f"a DoH request is completed, {left} to go")
            if probe.failure is not None:
                observer.note(f"DoH request {probe.failure.default_text}")

        tasks = [self._network.spawn(run(probe)) for probe in probes]
        try:
            for task in tasks:
                await task.join(deadline)
        except TimeoutError as error:
            raise TimedOutError(f"DoH: no answer about {name} in time") from error
        finally:
            for task in tasks:
                task.cancel()
        return self._taken(plain, probes, observer)

    async def services(
        self, name: str, deadline: float | None, observer: Observer
    ) -> tuple[wire.ServiceBinding, ...]:
        """Find a name's HTTPS records (RFC 9460); ResolveFailedError where the server has no answer."""
        probe = _Probe(self, name, wire.HTTPS, observer.aside())
        await probe.run(deadline)
        if probe.answer is None:
            raise errors.ResolveFailedError(str(probe.failure or f"DoH: {probe.problem}"))
        return probe.answer.services

    def _cached(self, name: str, wanted: list[int]) -> list[IpAddress] | None:
        answers = [self._cache.find(name, record_type, self._network.now()) for record_type in wanted]
        if None in answers or not any(answers):
            return None
        return self._sorted([address for answer in answers for address in answer or ()])

    def _taken(self, name: str, probes: list[_Probe], observer: Observer) -> list[IpAddress]:
        now = self._network.now()
        for probe in probes:
            if probe.answer is not None:
                self._cache.keep(name, probe.record_type, probe.answer, now)
        answers = [probe.answer for probe in probes if probe.answer is not None and probe.answer.addresses]
        if not answers:
            for probe in probes:
                observer.note(f"DoH: {probe.problem} type {TYPES[probe.record_type]} for {name}")
            raise errors.ResolveFailedError()
        observer.note(f"DoH Host name: {name}")
        observer.note(f"TTL: {min(answer.ttl for answer in answers)} seconds")
        found = [address for answer in answers for address in answer.addresses]
        for address in found:
            observer.note(f"DoH {'A' if address.version == 4 else 'AAAA'}: {address}")
        return self._sorted(found)

    def _sorted(self, addresses: list[IpAddress]) -> list[IpAddress]:
        from tcpip.destinations import in_order

        return in_order(addresses, self._network.source_for)

    @staticmethod
    def _make_tls(options: TlsOptions) -> TlsSettings:
        import os

        from pycurl_redox.tls_settings import TlsSettings

        return TlsSettings(options, os.environ)

    async def ask(self, question: bytes, observer: Observer, deadline: float | None) -> tuple[Head, bytes]:
        """Send one question and return the response; FetchError when there is none."""
        url = parse_url(self._url, default_scheme="https")
        if url.scheme != "https":
            raise errors.protocol_not_supported(url.scheme)
        config = OperationConfig()
        config.__dict__.update(vars(self._config))
        if deadline is not None:
            config.max_time = max(deadline - self._network.now(), 0.001)
        body = BytesBody(wire.build_query(0, question))  # RFC 8484 §4.1: 0, so that caches find it again
        transfer = Transfer(config, url, "POST", body=body, observer=observer)
        transfer.extra_headers = ["Expect:", f"Content-Type: {MEDIA_TYPE}"]
        incoming = await self._fetcher.fetch(transfer)
        assert incoming.head is not None  # https has one
        answer = bytearray()
        try:
            while len(chunk := await incoming.read()):
                answer += chunk
                if len(answer) > MAX_MESSAGE:
                    raise errors.FileSizeExceededError(f"DoH: an answer of over {MAX_MESSAGE} octets")
        finally:
            incoming.close()
        return incoming.head, bytes(answer)


class _Probe:
    """One question; `problem` says in a word of curl's why there is no answer."""

    def __init__(self, resolver: DohResolver, name: str, record_type: int, observer: Observer) -> None:
        self._resolver = resolver
        self._name = name
        self._observer = observer
        self.record_type = record_type
        self.answer: wire.Answer | None = None
        self.problem = "Too small"
        self.failure: errors.FetchError | None = None

    async def run(self, deadline: float | None) -> None:
        question = wire.build_question(self._name, self.record_type)
        try:
            head, data = await self._resolver.ask(question, self._observer, deadline)
        except errors.FetchError as error:
            self.failure = error
            return
        kind = (head.header(b"content-type") or b"").partition(b";")[0].strip().lower()
        if not 200 <= head.status < 300 or kind != MEDIA_TYPE.encode():  # RFC 8484 §4.2.1
            self.failure = errors.http_returned(head.status)
        else:
            self._read(question, data)

    def _read(self, question: bytes, data: bytes) -> None:
        try:
            header = wire.Header.parse(data)
            if header.identifier:
                self.problem = "Bad ID"
            elif header.rcode:
                self.problem = "Bad RCODE"
            elif not wire.is_answer_to(data, header, 0, question):
                self.problem = "Malformat"
            else:
                self.answer = wire.parse_answer(data, self._name, self.record_type)
                self.problem = "No content"
        except MalformedPacketError:
            if len(data) >= 12:
                self.problem = "Malformat"


def _config(config: OperationConfig) -> OperationConfig:
    """What the requests to the DoH server are made with."""
    made = OperationConfig()
    for field in INHERITED:
        setattr(made, field, getattr(config, field))
    made.insecure = config.doh_insecure
    made.cert_status = config.doh_cert_status
    made.user_agent = ""
    made.http_version = "1.1"
    return made
