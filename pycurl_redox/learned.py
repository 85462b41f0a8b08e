"""What a head teaches, beside its status: cookies, HSTS, alternative services, how to log in.

Each header is taken as it comes, before its line is shown: what `-v` says of
it stands above.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tcpip.clock import wall_clock

if TYPE_CHECKING:
    from pycurl_redox.auth import Authenticator
    from pycurl_redox.connection import Connection
    from pycurl_redox.cookies import CookieJar
    from pycurl_redox.fetch import Session
    from pycurl_redox.message import Head

REWINDS = "Please rewind output before next send"
TOSSED = "Keep sending data to get tossed away"


def learn(session: Session, head: Head, connection: Connection) -> None:
    """Take what is to be remembered, header by header; what `-v` says of it stands before its line."""
    jar, url = session.transfer.cookies, session.transfer.url
    is_secure = url.scheme == "https"
    challenge, notes = _take_challenge(session, head, connection)
    is_proxied = connection.route.proxy is not None and head.http_version == b"1.1"
    sends_again = _sends_again(session, head, connection)
    for name, value in head.headers:
        if name == b"location" and sends_again and not head.goes_on:
            head.notes.append((name, [REWINDS]))
        elif name == challenge:
            head.notes.append((name, next(notes)))
        elif name == b"proxy-connection" and is_proxied and b"close" in value.lower():
            head.notes.append((name, ["HTTP/1.1 proxy connection set close"]))
        elif name == b"set-cookie" and jar is not None:
            head.notes.append((name, _take_cookie(session, jar, value)))
        elif name == b"strict-transport-security" and session.fetcher.hsts is not None and is_secure:
            text = session.fetcher.hsts.receive(value, url.ascii_host(), int(wall_clock()))
            head.notes.append((name, [text]))
        elif name == b"alt-svc" and session.fetcher.alt_svc is not None and is_secure:
            texts = session.fetcher.alt_svc.receive(value, url.ascii_host(), url.port, int(wall_clock()))
            head.notes.append((name, texts))
    if sends_again and (head.goes_on or head.header(b"location") is not None):
        texts = [REWINDS] * head.goes_on + [TOSSED] * connection.body_goes_by_itself
        head.notes.append((b"", texts))  # before the empty line


def _sends_again(session: Session, head: Head, connection: Connection) -> bool:
    """True where something of a body was sent that another request may begin anew."""
    if not connection.body_sent or session.transfer.body is None:
        return False
    return head.goes_on or (300 <= head.status < 400 and session.transfer.config.location)


def _take_cookie(session: Session, jar: CookieJar, value: bytes) -> list[str]:
    from pycurl_redox.cookies import is_secure_context

    host, url = session.transfer.cookie_host(), session.transfer.url
    is_secure = is_secure_context(url.scheme, host)
    text = jar.receive(value, host, url.path, is_secure=is_secure, now=int(wall_clock()))
    return [text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")]


def _take_challenge(
    session: Session, head: Head, connection: Connection
) -> tuple[bytes, Iterator[list[str]]]:
    """See whether a challenge can be answered; the name of its headers, and what is said of each."""
    login, name = session.login, b"www-authenticate"
    if head.status == 407 and connection.route.sends_absolute_targets:
        login, name = session.proxy_login, b"proxy-authenticate"
    elif head.status != 401:
        login = None
    if login is None:
        return b"", iter(())
    head.goes_on, notes = challenged(login, head, name)
    return name, iter(notes)


def challenged(login: Authenticator, head: Head, name: bytes) -> tuple[bool, list[list[str]]]:
    """Say whether to ask again after a head's challenges, and what `-v` says of each of them."""
    values = head.values_of(name)
    again = login.receive_challenges(values)
    notes: list[list[str]] = [[] for _ in values]
    for number, text in login.notes:
        notes[number].append(text)
    login.notes.clear()
    return again, notes
