"""One job of one client, in a process of its own: what `benchmarks/run` starts and times.

    python benchmarks/clients.py JOB CLIENT URL CA [COUNT]

Prints the seconds of the job itself, without the interpreter's start.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

CHUNK = 65_536
WIDTH = 100
UPLOAD = 256 * 1024 * 1024


def octets() -> Iterator[bytes]:
    piece = bytes(CHUNK)
    for _ in range(UPLOAD // CHUNK):
        yield piece


class Octets:
    """The same as a file of a known length, which requests sends without chunks."""

    def __init__(self) -> None:
        self.left = UPLOAD
        self.piece = bytes(CHUNK)

    def __len__(self) -> int:
        return self.left

    def read(self, size: int = CHUNK) -> bytes:
        piece = self.piece[: min(self.left, size)] if size >= 0 else bytes(self.left)
        self.left -= len(piece)
        return piece


def with_requests(job: str, url: str, ca: str, count: int) -> None:
    import requests

    session = requests.Session()
    session.verify = ca
    session.trust_env = False
    match job:
        case "bulk":
            with session.get(url, stream=True) as response:
                for _ in response.iter_content(CHUNK):
                    pass
        case "serial":
            for _ in range(count):
                assert session.get(url).status_code == 200
        case "parallel":
            session.mount(
                "https://", requests.adapters.HTTPAdapter(pool_connections=count, pool_maxsize=count)
            )
            with ThreadPoolExecutor(count) as pool:
                assert all(r.status_code == 200 for r in pool.map(session.get, [url] * count))
        case "wide":
            session.mount(
                "https://", requests.adapters.HTTPAdapter(pool_connections=WIDTH, pool_maxsize=WIDTH)
            )
            with ThreadPoolExecutor(WIDTH) as pool:
                urls = [f"{url}?{number}" for number in range(count)]
                assert all(r.status_code == 200 for r in pool.map(session.get, urls))
        case "upload":
            assert session.put(url, data=Octets()).status_code == 200


def with_http_client(job: str, url: str, ca: str, count: int) -> None:
    import http.client
    import ssl
    from urllib.parse import urlsplit

    parts = urlsplit(url)

    def connection() -> http.client.HTTPConnection:
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.netloc)
        return http.client.HTTPSConnection(parts.netloc, context=ssl.create_default_context(cafile=ca))

    def fetch(_: object) -> int:
        link = connection()
        link.request("GET", parts.path)
        response = link.getresponse()
        response.read()
        return response.status

    match job:
        case "bulk":
            link = connection()
            link.request("GET", parts.path)
            response = link.getresponse()
            buffer = bytearray(CHUNK)
            while response.readinto(buffer):
                pass
        case "serial":
            link = connection()
            for _ in range(count):
                link.request("GET", parts.path)
                response = link.getresponse()
                response.read()
                assert response.status == 200
        case "parallel":
            with ThreadPoolExecutor(count) as pool:
                assert all(status == 200 for status in pool.map(fetch, range(count)))
        case "wide":
            with ThreadPoolExecutor(WIDTH) as pool:
                assert all(status == 200 for status in pool.map(fetch, range(count)))
        case "upload":
            link = connection()
            link.request("PUT", parts.path, body=octets(), headers={"Content-Length": str(UPLOAD)})
            assert link.getresponse().status == 200


def with_pycurl_redox(job: str, url: str, ca: str, count: int) -> None:
    import pycurl_redox

    with pycurl_redox.Client(cacert=ca) as client:
        match job:
            case "bulk":
                with client.stream("GET", url) as response:
                    for _ in response.iter_bytes():
                        pass
            case "serial":
                for _ in range(count):
                    assert client.get(url).status == 200
            case "parallel":
                assert all(r.status == 200 for r in client.map([url] * count))
            case "wide":
                assert all(r.status == 200 for r in client.map(f"{url}?{n}" for n in range(count)))
            case "upload":
                headers = {"Content-Length": str(UPLOAD)}
                assert client.put(url, data=octets(), headers=headers).status == 200


CLIENTS: dict[str, Callable[[str, str, str, int], None]] = {
    "requests": with_requests,
    "http.client": with_http_client,
    "pycurl_redox": with_pycurl_redox,
}


def main() -> None:
    job, client, url, ca = sys.argv[1:5]
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    begin = time.perf_counter()
    CLIENTS[client](job, url, ca, count)
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
