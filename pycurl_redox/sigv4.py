"""AWS Signature Version 4, as curl 7.88 signs (`--aws-sigv4 PROVIDER1[:PROVIDER2[:REGION[:SERVICE]]]`).

The canonical request has all headers of -H, the host and the date.  As in curl, path and query are signed as
they are sent: a query whose parts are not in order is for the user to sort.
"""

from __future__ import annotations

from typing import NamedTuple

from pycurl_redox import errors


class Scope(NamedTuple):
    """Whose signature it is, and what for."""

    provider1: str
    provider2: str
    region: str
    service: str

    @classmethod
    def parse(cls, text: str, host: str) -> Scope:
        """Read the option's value; region and service may be told by the host, `SERVICE.REGION.REST`."""
        provider1, _, rest = text.partition(":")
        provider2, _, rest = rest.partition(":")
        region, _, service = rest.partition(":")
        if not provider1:
            raise errors.BadArgumentError("first provider can't be empty")
        first, dot, rest = host.partition(".")
        second, second_dot, _ = rest.partition(".")
        if not service or not region:  # a service without a region counts for nothing
            if not dot:
                raise errors.UrlError("service missing in parameters and hostname")
            service = first
        if not region:
            if not second_dot:
                raise errors.UrlError("region missing in parameters and hostname")
            region = second
        return cls(provider1, provider2 or provider1, region, service)


class Signed(NamedTuple):
    """The two headers of a signed request."""

    authorization: bytes
    date: tuple[bytes, bytes]


def sign(
    scope: Scope,
    user: bytes,
    password: bytes,
    *,
    method: bytes,
    host: bytes,
    path: bytes,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    payload: bytes,
    timestamp: str,
) -> Signed:
    """Sign a request; `headers` are those of -H, `timestamp` looks like 20261125T101112Z.

    A date, a host or a hash of the payload among the headers is used as it is.
    """
    provider1, provider2 = scope.provider1.lower(), scope.provider2.lower()
    date_name = f"x-{provider2}-date".encode()
    canonical = {name.strip().lower(): b" ".join(value.split()) for name, value in headers}
    canonical.setdefault(b"host", host)
    date = canonical.setdefault(date_name, timestamp.encode())
    payload_hash = canonical.get(f"x-{provider2}-content-sha256".encode()) or _sha256(payload)
    names = sorted(canonical)
    signed_names = b";".join(names)
    request = b"\n".join(
        [
            method,
            path,
            query,
            *[name + b":" + canonical[name] for name in names],
            b"",
            signed_names,
            payload_hash,
        ]
    )
    day, algorithm = date[:8], f"{provider1.upper()}4-HMAC-SHA256".encode()
    request_type = f"{provider1}4_request".encode()
    region, service = scope.region.encode(), scope.service.encode()
    credential = b"/".join([day, region, service, request_type])
    text = b"\n".join([algorithm, date, credential, _sha256(request)])
    key = provider1.upper().encode() + b"4" + password
    for part in (day, region, service, request_type):
        key = _hmac(key, part)
    authorization = b"%s Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        algorithm, user, credential, signed_names, _hmac(key, text).hex().encode(),
    )  # fmt: skip
    return Signed(authorization, (f"X-{scope.provider2.capitalize()}-Date".encode(), date))


def _sha256(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).hexdigest().encode()


def _hmac(key: bytes, data: bytes) -> bytes:
    import hmac

    return hmac.digest(key, data, "sha256")
