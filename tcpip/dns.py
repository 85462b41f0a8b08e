"""Names to addresses: a stub resolver without I/O (RFC 1034 §5.3.1, RFC 1035 §7).

A `Resolver` looks for the addresses of one name. Literals, `localhost`
(RFC 6761 §6.3), the hosts file and the cache answer at once. Otherwise, for
each name that the search list makes of it, A and AAAA are asked for together,
each with a random id and from a port of its own (RFC 5452):

    asked ──answer──▶ done           addresses, or word that there are none
      │ ▲                            (NXDOMAIN, or no such record)
      │ └─ time-out, SERVFAIL, REFUSED, what cannot be read,
      │    port unreachable: the next server,
      │    round and round until `attempts` are used up, then failed
      └─ truncated ──▶ over TCP ──▶ done, or the next server

When both are done, addresses end the search; so does the last name. A family
that is late while the other has addresses is given up after `grace`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tcpip.errors import MalformedPacketError, NameNotFoundError, ResolveError
from tcpip.scheduler import Signal
from tcpip.wire import dns as wire
from tcpip.wire.address import IPV4_ANY, IPV4_LOOPBACK, IPV6_LOOPBACK, IpAddress

MAX_CACHED = 1_024
MAX_TTL = 86_400  # a day: a wrong record must not stay for the life of a process
MAX_NEGATIVE_TTL = 300  # what is not there today may be there soon (RFC 2308 §5 allows up to 3 hours)
MAX_TCP_MESSAGE = 2 + 0xFFFF


class ResolverConfig(NamedTuple):
    """Whom to ask and what to try; the defaults are the C library's."""

    servers: tuple[IpAddress, ...] = ()
    ports: tuple[int, ...] = ()
    """Of the servers, in their order; those beyond its end have 53."""
    search: tuple[str, ...] = ()
    ndots: int = 1
    """Names with fewer dots are tried with the search list first."""
    timeout: float = 5.0
    """Seconds until the next server is asked."""
    attempts: int = 2
    """Rounds through the servers."""
    first: int = 0
    """The server that is asked first: `rotate` spreads the questions."""
    delay: float = 0.05
    """Seconds that IPv6 addresses are waited for when those of IPv4 are there (RFC 8305 §3)."""
    grace: float = 0.5
    """The same for IPv4, without which there is nothing to fall back to."""
    hosts: Mapping[str, Sequence[IpAddress]] = {}
    """The hosts file, as `hosts.parse_hosts` reads it."""


class Query(NamedTuple):
    """A datagram to send to `server`, from a port that serves this `number` only."""

    number: int
    server: IpAddress
    data: bytes
    port: int = wire.PORT


class Resolved(NamedTuple):
    """The addresses, IPv6 first."""

    addresses: tuple[IpAddress, ...]


class Services(NamedTuple):
    """The HTTPS records of a name (RFC 9460), none where it has none; the best first."""

    services: tuple[wire.ServiceBinding, ...]


class Failed(NamedTuple):
    """No addresses: NameNotFoundError, or ResolveError if asking again later may help."""

    error: ResolveError


class AskOverTcp(NamedTuple):
    """Send `data` on a connection to `server`, and give what comes to `receive_tcp`.

    Worth it until `deadline`; `wants_tcp` says when it is enough.
    """

    number: int
    server: IpAddress
    data: bytes
    deadline: float
    port: int = wire.PORT


Event = Resolved | Services | Failed | AskOverTcp


class Pending:
    """A lookup on its way, which others for the same name wait for."""

    def __init__(self) -> None:
        self.done = Signal()
        self.event: Resolved | Failed | None = None


class Cache:
    """Answers by name and type until their time is over; bounded, the oldest go first."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int], tuple[float, tuple[IpAddress, ...]]] = {}
        self.pending: dict[tuple[str, int], Pending] = {}

    def find(self, name: str, record_type: int, now: float) -> tuple[IpAddress, ...] | None:
        """Give the addresses, () if there are none, None if that is not known."""
        entry = self._entries.get((name, record_type))
        if entry is None or entry[0] <= now:
            return None
        return entry[1]

    def keep(self, name: str, record_type: int, answer: wire.Answer, now: float) -> None:
        ttl = min(answer.ttl, MAX_TTL if answer.addresses else MAX_NEGATIVE_TTL)
        self._entries.pop((name, record_type), None)
        if ttl > 0:
            self._entries[name, record_type] = now + ttl, answer.addresses
            if len(self._entries) > MAX_CACHED:
                del self._entries[next(iter(self._entries))]

    @property
    def size(self) -> int:
        return len(self._entries)


class _Question:
    """One record type of one name, on its way through the servers."""

    __slots__ = (
        "addresses",
        "aliases",
        "asked",
        "attempt",
        "deadline",
        "identifier",
        "is_done",
        "is_last_attempt",
        "is_to_send",
        "name",
        "number",
        "octets",
        "port",
        "record_type",
        "server",
        "services",
        "tcp",
        "wanted",
    )

    def __init__(self, number: int, name: str, record_type: int, identifier: int) -> None:
        self.number = number
        self.name = name  # the name asked for now: `wanted`, or an alias of it
        self.wanted = name
        self.record_type = record_type
        self.identifier = identifier
        self.octets = wire.build_question(name, record_type)
        self.aliases = 0
        self.attempt = -1
        self.is_last_attempt = False
        self.server = IPV4_ANY  # the one asked now
        self.port = wire.PORT
        self.asked: set[tuple[IpAddress, int]] = set()
        self.is_to_send = False
        self.deadline = 0.0
        self.tcp: bytearray | None = None
        self.is_done = False
        self.addresses: tuple[IpAddress, ...] = ()
        self.services: tuple[wire.ServiceBinding, ...] = ()

    @property
    def at(self) -> tuple[IpAddress, int]:
        return self.server, self.port

    @property
    def data(self) -> bytes:
        return wire.build_query(self.identifier, self.octets)


class Resolver:
    """Looks for one name, driven from outside; see `tcpip.lookup`.

    `drops` counts, by reason, what came in and was no answer.
    """

    def __init__(self, config: ResolverConfig, cache: Cache, random_bytes: Callable[[int], bytes]) -> None:
        self._config = config
        self._cache = cache
        self._random_bytes = random_bytes
        self._name = ""
        self._types: tuple[int, ...] = ()
        self._candidates: list[str] = []
        self._questions: list[_Question] = []
        self._count = 0
        self._causes: list[str] = []
        self._events: list[Event] = []
        self.drops: dict[str, int] = {}

    def resolve(self, name: str, family: int, now: float) -> None:
        """Begin to look for `name`; `family` is 4, 6, or 0 for both. Once in the life of a resolver."""
        self._name = name
        self._types = {4: (wire.A,), 6: (wire.AAAA,)}.get(family, (wire.AAAA, wire.A))
        try:
            known = known_addresses(name, family, self._config.hosts)
            if known is None:
                self._candidates = candidate_names(name, self._config)
                self._next_candidate(now)
            else:
                self._events.append(Resolved(known))
        except NameNotFoundError as error:
            self._events.append(Failed(error))

    def find_services(self, name: str, now: float) -> None:
        """Begin to look for the HTTPS records of `name`, as it stands; in the place of `resolve`."""
        self._name = name
        self._types = (wire.HTTPS,)
        try:
            self._candidates = candidate_names(name, self._config._replace(search=()))
            self._next_candidate(now)
        except NameNotFoundError as error:
            self._events.append(Failed(error))

    def receive_datagram(self, data: bytes, source: tuple[IpAddress, int], number: int, now: float) -> None:
        """Take what came to the port of query `number`; whatever is no answer is counted and forgotten."""
        question = self._open_question(number)
        if question is None:
            self._drop("after the answer")
        elif source not in question.asked:
            self._drop("not from a server that was asked")
        else:
            self._receive(question, data, source, now, over_tcp=False)

    def receive_error(self, number: int, server: IpAddress, now: float, port: int = wire.PORT) -> None:
        """Take the network's word that `server` cannot be reached."""
        question = self._open_question(number)
        if question is not None and question.tcp is None and (server, port) == question.at:
            self._try_next(question, f"{server} cannot be reached", now)

    def receive_tcp(self, number: int, data: bytes, now: float) -> None:
        """Take octets of the answer that `AskOverTcp` asked for; b"" when no more will come."""
        question = self._open_question(number)
        if question is None or question.tcp is None:
            self._drop("after the answer")
            return
        server, at = question.server, question.at
        if not data:
            self._try_next(question, f"{server} sent no whole answer over TCP", now)
            return
        buffer = question.tcp
        buffer += data[: MAX_TCP_MESSAGE - len(buffer)]
        if len(buffer) >= 2 and len(buffer) >= 2 + int.from_bytes(buffer[:2], "big"):
            message = bytes(buffer[2 : 2 + int.from_bytes(buffer[:2], "big")])
            if not self._receive(question, message, at, now, over_tcp=True):
                self._try_next(question, f"{server} sent no answer over TCP", now)

    def datagrams_to_send(self, now: float) -> list[Query]:
        out = []
        for question in self._questions:
            if question.is_to_send and not question.is_done:
                question.is_to_send = False
                question.asked.add(question.at)
                out.append(Query(question.number, question.server, question.data, question.port))
        return out

    def wants_tcp(self, number: int) -> bool:
        """Whether the answer that `AskOverTcp` asked for is still to come."""
        question = self._open_question(number)
        return question is not None and question.tcp is not None

    def next_event(self) -> Event | None:
        return self._events.pop(0) if self._events else None

    def next_timeout(self) -> float | None:
        return min((q.deadline for q in self._questions if not q.is_done), default=None)

    def handle_timeout(self, now: float) -> None:
        """Ask the next server where one did not answer in time."""
        for question in list(self._questions):
            if not question.is_done and question.deadline <= now:
                self._try_next(question, f"no answer from {question.server}", now)

    def _open_question(self, number: int) -> _Question | None:
        return next((q for q in self._questions if q.number == number and not q.is_done), None)

    def _drop(self, reason: str) -> None:
        self.drops[reason] = self.drops.get(reason, 0) + 1

    def _next_candidate(self, now: float) -> None:
        """Ask about the next name of the search list, or give up."""
        while self._candidates:
            name = self._candidates.pop(0)
            self._questions = [self._question(name, record_type, now) for record_type in self._types]
            if not all(question.is_done for question in self._questions):
                return
            if found := self._found():
                self._events.append(Resolved(found))
                return
        self._questions = []
        if self._causes:
            error = ResolveError(f"DNS: {self._name}: {'; '.join(dict.fromkeys(self._causes))}")
        else:
            error = NameNotFoundError(f"DNS: {self._name} is not known, or has no address")
        self._events.append(Failed(error))

    def _question(self, name: str, record_type: int, now: float) -> _Question:
        self._count += 1
        identifier = int.from_bytes(self._random_bytes(2), "big")
        question = _Question(self._count, name, record_type, identifier)
        cached = self._cache.find(name, record_type, now)
        if cached is not None:
            question.addresses, question.is_done = cached, True
        elif not self._config.servers:
            self._causes.append("no server to ask")
            question.is_done = True
        else:
            self._ask_next(question, now)
        return question

    def _found(self) -> tuple[IpAddress, ...]:
        return tuple(address for question in self._questions for address in question.addresses)

    def _ask_next(self, question: _Question, now: float) -> None:
        question.attempt += 1
        config = self._config
        number = (config.first + question.attempt) % len(config.servers)
        question.server = config.servers[number]
        question.port = config.ports[number] if number < len(config.ports) else wire.PORT
        question.tcp = None
        question.is_to_send = True
        question.deadline = now + self._config.timeout

    def _try_next(self, question: _Question, cause: str, now: float) -> None:
        most = self._config.attempts * len(self._config.servers)
        if question.attempt + 1 < most and not question.is_last_attempt:
            self._ask_next(question, now)
        else:
            self._causes.append(cause)
            self._finish(question, now)

    def _finish(self, question: _Question, now: float) -> None:
        question.is_done = True
        waiting = [each for each in self._questions if not each.is_done]
        if question.addresses:
            for other in waiting:
                other.is_last_attempt = True
                patience = self._config.delay if other.record_type == wire.AAAA else self._config.grace
                other.deadline = min(other.deadline, now + patience)
        if not waiting:
            if question.record_type == wire.HTTPS and not self._causes:
                self._questions = []
                self._events.append(Services(question.services))
            elif found := self._found():
                self._questions = []
                self._events.append(Resolved(found))
            else:
                self._next_candidate(now)

    def _receive(
        self, question: _Question, data: bytes, source: tuple[IpAddress, int], now: float, *, over_tcp: bool
    ) -> bool:
        """Take a message; False if it is not the answer."""
        try:
            header = wire.Header.parse(data)
            if not wire.is_answer_to(data, header, question.identifier, question.octets):
                self._drop("not the answer to the question")
                return False
            if header.is_truncated and not over_tcp:
                self._ask_over_tcp(question, source, now)
                return True
            if header.rcode not in (wire.NOERROR, wire.NXDOMAIN):
                self._refused(question, source, header.rcode, now)
                return True
        except MalformedPacketError:
            self._drop("malformed")
            return False
        try:
            answer = wire.parse_answer(data, question.name, question.record_type)
        except MalformedPacketError:
            self._drop(
                "malformed"
            )  # it is the answer, with a loop of aliases or worse: no other one will come
            if source == question.at:
                self._try_next(question, f"{source[0]} answered what cannot be read", now)
            return True
        self._take(question, answer, header.rcode, now)
        return True

    def _ask_over_tcp(self, question: _Question, server: tuple[IpAddress, int], now: float) -> None:
        """RFC 7766 §5; an answer that was cut off is not looked at."""
        if question.tcp is None:
            question.tcp = bytearray()
            question.server, question.port = server
            question.is_to_send = False
            question.deadline = now + self._config.timeout
            data = len(question.data).to_bytes(2, "big") + question.data
            self._events.append(AskOverTcp(question.number, server[0], data, question.deadline, server[1]))

    def _refused(self, question: _Question, server: tuple[IpAddress, int], rcode: int, now: float) -> None:
        name = wire.RCODES[rcode] if rcode < len(wire.RCODES) else f"RCODE {rcode}"
        if server == question.at:
            self._try_next(question, f"{server[0]} answered {name}", now)
        else:
            self._drop("refused by a server given up before")

    def _take(self, question: _Question, answer: wire.Answer, rcode: int, now: float) -> None:
        if answer.alias is not None and rcode == wire.NOERROR:
            self._ask_for_alias(question, answer.alias, now)
            return
        question.addresses, question.services = answer.addresses, answer.services
        if question.name == question.wanted and question.record_type != wire.HTTPS:
            self._cache.keep(question.wanted, question.record_type, answer, now)
        self._finish(question, now)

    def _ask_for_alias(self, question: _Question, alias: str, now: float) -> None:
        """Go on where the server left the chain of aliases; the result is not cached."""
        question.aliases += 1
        if question.aliases > wire.MAX_CNAMES:
            self._causes.append(f"more than {wire.MAX_CNAMES} aliases, or a loop of them")
            self._finish(question, now)
            return
        question.name = alias
        question.octets = wire.build_question(alias, question.record_type)
        question.identifier = int.from_bytes(self._random_bytes(2), "big")
        question.attempt -= 1  # the same server
        self._ask_next(question, now)


def known_addresses(
    name: str, family: int, hosts: Mapping[str, Sequence[IpAddress]]
) -> tuple[IpAddress, ...] | None:
    """Give the addresses of a name that needs no DNS; None if it does.

    NameNotFoundError for a literal of the other family, and for names that must not be asked for.
    """
    literal = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        address = IpAddress.parse(literal)
    except ValueError:
        pass
    else:
        if family not in (0, address.version):
            raise NameNotFoundError(f"{name} is no IPv{family} address")
        return (address,)
    plain = name.lower().removesuffix(".")
    last = plain.rpartition(".")[2]
    if last == "localhost":
        # Against RFC 6724, as curl has it: what listens on one of them only is seldom on ::1.
        return _of_family((IPV4_LOOPBACK, IPV6_LOOPBACK), family)
    if last in ("onion", "invalid"):
        raise NameNotFoundError(f"{name}: names in .{last} are not in the DNS (RFC 7686, RFC 6761)")
    return _of_family(hosts.get(plain, ()), family) or None


def _of_family(addresses: Sequence[IpAddress], family: int) -> tuple[IpAddress, ...]:
    return tuple(address for address in addresses if family in (0, address.version))


def candidate_names(name: str, config: ResolverConfig) -> list[str]:
    """List the names to ask for, in order, small and in A-labels; NameNotFoundError if it is no name."""
    absolute = _ascii(name).lower()
    plain = absolute.removesuffix(".")
    if not wire.is_name(plain):
        raise NameNotFoundError(f"DNS: {name!r} is no host name")
    if plain != absolute:
        return [plain]
    searched = [f"{plain}.{domain}" for domain in config.search]
    names = [plain, *searched] if plain.count(".") >= config.ndots else [*searched, plain]
    return [each for each in dict.fromkeys(names) if wire.is_name(each)]


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise NameNotFoundError(f"DNS: {name!r} is no host name: {error}") from None
