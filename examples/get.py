"""A GET with the library, and what it knows about the way there.

python examples/get.py https://example.com/ [CA-FILE]
"""

from __future__ import annotations

import sys

import pycurl_redox


def main(url: str, cacert: str | None = None) -> None:
    """Fetch twice and tell about the first."""
    with pycurl_redox.Client(cacert=cacert) as client:
        response = client.get(url)
        again = client.get(url)  # the same connection
    timings, tls = response.timings, response.tls
    print(f"{response.status} {response.reason}, {len(response.content)} octets from {response.remote[0]}")
    print(f"connected after {timings.connect * 1000:.1f} ms")
    print(f"first octet after {timings.first_byte * 1000:.1f} ms")
    print(f"again, on the same connection: {again.status} in {again.timings.total * 1000:.1f} ms")
    if tls is not None and response.certificate is not None:
        print(f"{tls.version}, {tls.cipher_suite}, {tls.group}; {response.certificate.subject}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: " + (__doc__ or "").splitlines()[2])
    main(*sys.argv[1:])
