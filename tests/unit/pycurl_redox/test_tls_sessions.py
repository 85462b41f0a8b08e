"""`SessionStore`: what is kept, given out, written and read."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurl_redox.tls_options import TlsOptions
from pycurl_redox.tls_sessions import MAX_FILE, MAX_SERVERS, PER_SERVER, Kept, SessionStore
from tls.client import TlsClient
from tls.config import TLS12, TLS13, SessionTicket, TlsConfig
from tls.paths import VerifiedPath

NOW = 1_800_000_000.0


def random_bytes(size: int) -> bytes:
    return bytes(range(size))


def ticket(identity: bytes = b"ticket", **changes: object) -> SessionTicket:
    plain = SessionTicket(
        "a.test",
        identity,
        b"s" * 32,
        0x1301,
        600,
        77,
        0,
        b"http/1.1",
        (b"leaf", b"issuer"),
        None,
        None,
        True,
        0x0403,
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


def taken(store: SessionStore, now: float = NOW, host: str = "a.test", port: int = 443, settings: str = "s"):  # type: ignore[no-untyped-def]
    found = store.take(host, port, settings, now)
    return None if found is None else (found[0].ticket.identity, found[0].age, found[1])


def full(*tickets: SessionTicket) -> SessionStore:
    store = SessionStore()
    for number, each in enumerate(tickets):
        store.give("a.test", 443, "s", each, NOW + number)
    return store


def reread(store: SessionStore, now: float = NOW) -> SessionStore:
    again = SessionStore()
    assert again.load(store.file_octets(now, random_bytes), now) == 0
    return again


def test_the_newest_comes_first_and_each_once() -> None:
    store = full(ticket(b"1"), ticket(b"2"))
    assert taken(store, NOW + 2) == (b"2", 1000, False)
    assert taken(store, NOW + 2) == (b"1", 2000, False)
    assert taken(store, NOW + 2) is None


def test_one_of_tls_1_2_serves_again_and_again_until_another_comes() -> None:
    store = full(ticket(b"1", version=TLS12))
    assert [taken(store)[0] for _ in range(3)] == [b"1"] * 3
    store.give("a.test", 443, "s", ticket(b"2", version=TLS12), NOW)
    assert [taken(store)[0] for _ in range(3)] == [b"2"] * 3


@pytest.mark.parametrize(
    "other", [{"host": "b.test"}, {"port": 444}, {"settings": "t"}, {"now": NOW + 600}, {"now": NOW - 1}]
)
def test_another_server_other_settings_or_another_time_have_none(other: dict[str, object]) -> None:
    assert taken(full(ticket()), **other) is None  # type: ignore[arg-type]


def test_a_host_is_the_same_in_capitals() -> None:
    assert taken(full(ticket()), host="A.TEST") is not None


def test_it_says_whether_the_server_was_known() -> None:
    store = SessionStore()
    assert not store.give("a.test", 443, "s", ticket(), NOW)
    assert store.give("a.test", 443, "s", ticket(), NOW)
    assert not store.give("b.test", 443, "s", ticket(), NOW)


def test_there_is_a_bound_for_a_server_and_for_all() -> None:
    store = full(*(ticket(bytes((number,))) for number in range(PER_SERVER + 3)))
    given_out = []
    while (found := taken(store, NOW + 10)) is not None:
        given_out.append(found[0][0])
    assert given_out == [6, 5, 4, 3]
    for number in range(MAX_SERVERS + 1):
        store.give(f"{number}.test", 443, "s", ticket(), NOW)
    assert taken(store, host="0.test") is None
    assert taken(store, host="1.test") is not None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"version": TLS12, "session_id": b"id", "identity": b"", "group": 0x1D, "cipher_suite": 0xC02B},
        {"alpn": None, "ocsp_response": b"staple", "sct_list": b"\0\1x", "was_verified": False},
        {"signature_scheme": None, "is_raw_key": True, "max_early_data_size": 0xFFFFFFFF, "version": TLS13},
    ],
)
def test_a_session_is_read_back_as_it_was_written(changes: dict[str, object]) -> None:
    store = reread(full(ticket(**changes)))
    found = store.take("a.test", 443, "s", NOW + 1.5)
    assert found is not None
    assert found[0] == (ticket(**changes), 1500) and found[1] is True


def test_a_file_names_nobody_and_who_asks_finds_his_own() -> None:
    store = full(ticket(b"1"))
    store.give("b.test", 443, "s", ticket(b"2", server_name="b.test"), NOW)
    octets = store.file_octets(NOW, random_bytes)
    assert b"a.test" not in octets and octets.startswith(b"# ")
    again = reread(store)
    assert taken(again, host="c.test") is None
    assert taken(again, host="b.test") == (b"2", 0, True)
    assert taken(reread(again)) == (b"1", 0, True), "what nobody asked for is written again"
    assert taken(reread(again), host="b.test") is None


def test_what_is_over_is_neither_written_nor_read() -> None:
    store = full(ticket())
    octets = store.file_octets(NOW, random_bytes)
    assert store.file_octets(NOW + 600, random_bytes).count(b"\n") == 1
    late = SessionStore()
    assert late.load(octets, NOW + 600) == 0
    assert late.file_octets(NOW, random_bytes).count(b"\n") == 1


def test_it_knows_what_the_file_has_not_got() -> None:
    store, file = reread(full(ticket(b"1"))), SessionStore()
    store.claims.append(lambda identity: True)
    assert not store.has_unsaved
    for each in (ticket(b"2"), ticket(b"3")):
        store.give("a.test", 443, "s", each, NOW)
    assert store.has_unsaved
    assert taken(store) == (b"3", 0, False), "what is used before it is written is never written"
    store.hand_on(file)
    assert not store.has_unsaved
    assert taken(file) == (b"2", 0, False) and taken(file) is None


def test_what_a_file_has_is_asked_for_before_it_is_used() -> None:
    asked: list[bytes] = []
    store = reread(full(ticket(b"1"), ticket(b"2"), ticket(b"3")), NOW + 9)

    def claim(identity: bytes) -> bool:
        asked.append(identity)
        return identity == b"1"

    store.claims.append(claim)
    assert taken(store, NOW + 9) == (b"1", 9000, True)
    assert asked == [b"3", b"2", b"1"]


def test_one_of_tls_1_2_is_not_asked_for() -> None:
    store = reread(full(ticket(version=TLS12)))
    store.claims.append(lambda identity: False)
    assert taken(store) is not None


def session_octets(**changes: object) -> bytes:
    line = full(ticket(**changes)).file_octets(NOW, random_bytes).split(b"\n")[1]
    return a2b_base64(line.partition(b":")[2])


def test_a_file_is_never_longer_than_what_is_read_of_it() -> None:
    store = SessionStore()
    for number in range(12):
        store.give(f"{number}.test", 443, "s", ticket(peer_chain=(bytes(600_000),)), NOW)
    octets = store.file_octets(NOW, random_bytes)
    assert MAX_FILE // 2 < len(octets) <= MAX_FILE
    again = SessionStore()
    assert again.load(octets, NOW) == 0
    assert taken(again, host="0.test") is None and taken(again, host="11.test") is not None


LINES = {
    "no colon": lambda line: line.replace(b":", b""),
    "no base64": lambda line: line.replace(b":", b":*"),
    "an owner that is too short": lambda line: line[4:],
}
SESSIONS = {
    "a session cut short": lambda session: session[:-1],
    "a session with more behind it": lambda session: session + b"x",
    "another form": lambda session: b"\x09" + session[1:],
    "no chain": lambda _: session_octets(peer_chain=()),
    "an unknown version": lambda _: session_octets(version=0x0302),
    "a lifetime over a week": lambda _: session_octets(lifetime=604_801),
    "a session id that is too long": lambda _: session_octets(session_id=bytes(33)),
    "a ticket that no message holds": lambda _: session_octets(identity=bytes(20_481)),
    "a name that is no text": lambda session: session.replace(b"a.test", b"a.\xff\xfes"),
}


def damaged(line: bytes, damage: str) -> bytes:
    if damage in LINES:
        return LINES[damage](line)
    owner, colon, session = line.partition(b":")
    return owner + colon + b2a_base64(SESSIONS[damage](a2b_base64(session)), newline=False)


@pytest.mark.parametrize("damage", [*LINES, *SESSIONS])
def test_a_damaged_line_is_numbered_and_the_others_serve(damage: str) -> None:
    header, line, *_ = full(ticket()).file_octets(NOW, random_bytes).split(b"\n")
    store = SessionStore()
    assert store.load(b"\n".join([header, damaged(line, damage), line, b""]), NOW) == 2
    assert taken(store) == (b"ticket", 0, True)


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    SessionStore().load(octets, NOW)
    owner = b2a_base64(bytes(64), newline=False)
    SessionStore().load(owner + b":" + b2a_base64(octets), NOW)


SECRET = bytes(range(0x40, 0x60))


def test_no_secret_shows_in_a_repr() -> None:
    options = TlsOptions(passphrase="a pass phrase")
    store = full(ticket(resumption_secret=SECRET))
    store.give("b.test", 443, repr(tuple(options)), ticket(resumption_secret=SECRET), NOW)
    shown = " ".join(map(repr, (store, Kept(ticket(resumption_secret=SECRET), NOW), options)))
    for text in (SECRET.hex(), repr(SECRET)[2:-1], "pass phrase"):
        assert text not in shown


EDITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4)), max_size=4
)


@given(EDITS)
def test_what_is_left_of_a_session_can_be_offered(edits: list[tuple[int, int, bytes]]) -> None:
    octets = session_octets(max_early_data_size=100)
    for kind, place, piece in edits:
        at = place % (len(octets) + 1)
        octets = octets[:at] + (b"" if kind == 2 else piece) + octets[at + (kind != 1) * len(piece) :]
    store = SessionStore()
    owner = full(ticket()).file_octets(NOW, random_bytes).split(b"\n")[1].partition(b":")[0]
    store.load(owner + b":" + b2a_base64(octets), NOW)
    found = store.take("a.test", 443, "s", NOW)
    if found is None:
        return

    def verify(chain: object, name: str) -> VerifiedPath:
        raise AssertionError("no chain of these can be read")

    config = TlsConfig(verify=verify, resumption=found[0], early_data=True, alpn=(b"http/1.1",))
    client = TlsClient(config, "a.test")
    assert client.data_to_send() and client.early_data_room == 0
