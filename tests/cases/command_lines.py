"""The command line as data: arguments, what servers send, and what the command writes and returns."""

from __future__ import annotations

from typing import NamedTuple

from pycurl_redox.version import USER_AGENT
from tests.fakes.memory_network import RESET, SILENCE, Script


class Case(NamedTuple):
    name: str
    arguments: str
    scripts: tuple[Script | None, ...]
    stdout: bytes = b""
    stderr: str = ""
    exit_code: int = 0
    sent: bytes = b""
    """What a connection must have been sent, somewhere."""
    files: tuple[tuple[str, bytes], ...] = ()


def reply(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


HI = (reply(b"hi\n"),)
METER = (
    "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    "                                 Dload  Upload   Total   Spent    Left  Speed\n"
)
ZERO = "  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"

CASES = [
    Case("a body goes to stdout", "-s a.test/x", (HI,), b"hi\n", sent=b"GET /x HTTP/1.1\r\nHost: a.test\r\n"),
    Case("-i shows the head before it", "-si a.test", (HI,), HI[0]),
    Case("-I asks for the head alone", "-sI a.test", ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",),),
         b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", sent=b"HEAD / HTTP/1.1"),
    Case("-o writes a file", "-s -o f a.test", (HI,), files=(("f", b"hi\n"),)),
    Case("-o of nothing makes an empty file", "-s -o f a.test", ((reply(),),), files=(("f", b""),)),
    Case("-O takes the name from the URL", "-sO a.test/d/n?q", (HI,), files=(("n", b"hi\n"),)),
    Case("-O without a name is refused", "-O a.test", (),
         stderr="curl: Remote file name has no length!\n"
         "curl: (23) Failed writing received data to disk/application\n",
         exit_code=23),
    Case("a pattern makes several files", "-s -o f#1 a.test/[1-2]", ((*HI, reply(b"ho")),),
         files=(("f1", b"hi\n"), ("f2", b"ho"))),
    Case("-D keeps the head", "-s -D h a.test", (HI,), b"hi\n",
         files=(("h", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),)),
    Case("-f has no body and exit 22", "-sSf a.test", ((reply(b"no", "404 Not Found"),),),
         stderr="curl: (22) The requested URL returned error: 404\n", exit_code=22),
    Case("--fail-with-body has both", "-sS --fail-with-body a.test", ((reply(b"no", "404 Not Found"),),),
         b"no",
         "curl: (22) The requested URL returned error: 404\n", 22),
    Case("-d posts", "-s -d a=b a.test", (HI,), b"hi\n",
         sent=b"Content-Length: 3\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=b"),
    Case("-X says another word", "-s -X PURGE a.test", (HI,), b"hi\n", sent=b"PURGE / HTTP/1.1"),
    Case("-H changes, empties and removes", "-s -H User-Agent: -H Accept:a/b -H X; a.test", (HI,), b"hi\n",
         sent=b"Host: a.test\r\nAccept:a/b\r\nX:\r\n\r\n"),
    Case("-w comes after the body", "-s -w %{http_code}.%{size_download} a.test", (HI,), b"hi\n200.3"),
    Case("-L follows", "-sL a.test", ((reply(b"x", "302 Found", "Location: /y"), *HI),), b"hi\n"),
    Case("too many redirects", "-sSL --max-redirs 1 a.test",
         ((reply(b"", "302 F", "Location: /y"), reply(b"", "302 F", "Location: /z")),),
         stderr="curl: (47) Maximum (1) redirects followed\n", exit_code=47),
    Case("--retry tries again", "-s --retry 1 a.test", ((reply(b"", "503 Busy"),), HI), b"hi\n"),
    Case("an unknown host", "-sS nowhere.test", (), stderr="curl: (6) Could not resolve host: nowhere.test\n",
         exit_code=6),
    Case("a refused connection", "-sS a.test", (None,),
         stderr="curl: (7) Failed to connect to a.test port 80 after 0 ms: Couldn't connect to server\n",
         exit_code=7),
    Case("-m", "-sS -m 2 a.test", ((SILENCE,),),
         stderr="curl: (28) Operation timed out after 2000 milliseconds with 0 bytes received\n",
         exit_code=28),
    Case("a broken connection", "-sS a.test", ((RESET,),),
         stderr="curl: (56) Recv failure: Connection reset by peer\n", exit_code=56),
    Case("an empty reply", "-sS a.test", ((),), stderr="curl: (52) Empty reply from server\n", exit_code=52),
    Case("a short body is kept", "-sS a.test", ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",),),
         b"abc",
         "curl: (18) transfer closed with 6 bytes remaining to read\n", 18),
    Case("the exit code is the last one's", "-s nowhere.test a.test", (HI,), b"hi\n"),
    Case("--fail-early stops", "-s --fail-early nowhere.test a.test", (), exit_code=6),
    Case("an unknown option", "--nonsense", (), stderr="curl: option --nonsense: is unknown\n"
         "curl: try 'curl --help' or 'curl --manual' for more information\n", exit_code=2),
    Case("a scheme that is not spoken", "-sS gopher://a.test/", (),
         stderr='curl: (1) Protocol "gopher" not supported or disabled in libcurl\n', exit_code=1),
    Case("-T of a file that is not there", "-T none a.test", (), stderr="curl: Can't open 'none'!\n"
         "curl: try 'curl --help' or 'curl --manual' for more information\n"
         "curl: (26) Failed to open/read local data from file/application\n", exit_code=26),
    Case("the meter", "-o f a.test", ((reply(b""),),),
         stderr=METER + "\r" + ZERO + "\r" + ZERO + "\n", files=(("f", b""),)),
    Case("-v", "-sv -o f a.test", ((reply(b"hi"), b""),), files=(("f", b"hi"),), stderr=(
        "*   Trying 192.0.2.1:80...\n* Connected to a.test (192.0.2.1) port 80 (#0)\n"
        f"> GET / HTTP/1.1\n> Host: a.test\n> User-Agent: {USER_AGENT}\n> Accept: */*\n> \n"
        "< HTTP/1.1 200 OK\n< Content-Length: 2\n< \n{ [2 bytes data]\n"
        "* Connection #0 to host a.test left intact\n")),
]  # fmt: skip
