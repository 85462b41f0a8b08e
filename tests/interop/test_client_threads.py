"""One client in several threads, and what becomes of one that nobody closes: over the real ring."""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pycurl_redox import Client
from pycurl_redox.errors import FetchError

pytestmark = pytest.mark.interop

THREADS = 8
EACH = 25


class Echo(socketserver.StreamRequestHandler):
    """Answers with the path it was asked for, some more often than others."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.server.connections += 1  # type: ignore[attr-defined]
        while line := self.rfile.readline():
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            body = line.split()[1] * (1 + len(line) % 7 * 500)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    connections = 0


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Echo) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running
        running.shutdown()


def base(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.slow
def test_eight_threads_share_a_client_and_each_gets_its_own_responses(server: Server) -> None:
    with Client() as client:
        opened: set[int] = set()

        def work(thread: int) -> int:
            for number in range(EACH):
                path = f"/{thread}/{number}"
                text = client.get(base(server) + path).text
                opened.add(id(client.network))
                assert text == path * (len(text) // len(path)) and text
            return EACH

        with ThreadPoolExecutor(THREADS) as pool:
            done = list(pool.map(work, range(THREADS)))
    assert done == [EACH] * THREADS
    assert len(opened) == 1 and server.connections <= THREADS


def test_connections_at_rest_have_a_thread_that_looks_after_them_until_the_client_is_closed() -> None:
    def keepers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "redox-keeper"]

    before = set(keepers())
    client = Client()
    with pytest.raises(FetchError):
        client.get("http://127.0.0.1:1/")
    (keeper,) = set(keepers()) - before
    client.close()
    keeper.join(2)
    assert not keeper.is_alive()
    client.close()  # once more does nothing


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["", "threading.Thread(target=lambda: print(client.get(url).status)).start()"]
)
def test_a_client_that_nobody_closes_does_not_hold_up_the_interpreter(server: Server, how: str) -> None:
    program = f"""
import threading
from pycurl_redox import Client
client, url = Client(), {base(server)!r} + "/x"
print(client.get(url).status)
{how}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=10, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert set(done.stdout.split()) == {"200"}
