"""Files of options beside curl 7.88.1: what is sent, what is warned of, how it ends."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycurl_redox.version import USER_AGENT
from tests.fakes.commands import CURL, REDOX_CURL, Done, needs_curl, run
from tests.fakes.raw_server import read_request, serving

pytestmark = [pytest.mark.interop, needs_curl]

# B is where the server is.
FILES = (
    'url = B/\nheader = "X-A: b c"\n',
    "# comment\n\n  url: B/\n/x\n*y\n",
    '-H "X: \\"q\\" \\t \\\\"\nurl B/\n',
    "--header X:1\nurl=B/\n",
    "--header=X:1\nurl=B/\n",
    "-d@data\nurl=B/\n",
    "header = X: unquoted value\nurl = B/ # comment\n",
    "header\nurl = B/\n",
    "nothing = 3\nurl = B/\n",
    "silent = yes\nurl = B/\n",
    'url = "B/unterminated\n',
    'header = "Y: unterminated',
    'url = B/1\nnext\nurl = B/2\nheader = "Z: 1"\n',
    'url = B/\r\nheader = "CR: 1"\r\n',
    'url = ""\n',
    'url = B/\ndata = ""\n',
    'data = x=1\ndata = "y=2" # t\nurl = B/\n',
    '"url" = B/\n',
    "url == B/\n",
    'url\t=\tB/\nreferer : "z"\n',
    "no-silent\nno-verbose\nurl B/",
    'H = "A: 1"\nurl = B/\n',
    "max-time = abc\nurl = B/\n",
    "config = missing\nurl = B/\n",
    "url = B/\nhelp\n",
    "version\nmanual\nurl = B/\n",
    "verb = 1\nurl = B/\n",
    'header = "A: a\\t1\\q"\nurl = B/\n',
    "-sSd x\nurl = B/\n",
    "\ufeffurl = B/\n",
    'header = "one:" two\nurl = B/\n',
    "header = 'A: b'\nurl = B/\n",
    'request = "PUT" "x"\nurl= B/\nfail-with-body\nfail\n',
)
OURS, THEIRS = REDOX_CURL[:-1], (CURL or "",)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A server that answers with the head it was sent; names of header fields are all that differs then."""

    def converse(link):
        while True:
            head = read_request(link).replace(b"X:1", b"X: 1")  # what is sent of it is not this test's matter
            link.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(head) + head
            )
            return

    with serving(converse) as port:
        yield f"http://127.0.0.1:{port}"


def ending(client: tuple[str, ...], *arguments: str, **more: object) -> Done:
    return run(client, *arguments, **more)


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_a_config_file_means_what_it_means_to_curl(base: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(
        text.replace("B/", base + "/").replace("next\n", f'next\nuser-agent = "{USER_AGENT}"\n')
    )
    (tmp_path / "data").write_text("data")
    ends = []
    for client in (OURS, THEIRS):
        done = ending(
            client, "-q", "-A", USER_AGENT, "--no-progress-meter", "-K", "file", cwd=tmp_path, input=b""
        )
        # Where -v stands beside the warnings is the standard streams' matter.
        ends.append((done.code, done.out, done.err if "verb" not in text else ""))
    assert ends[0] == ends[1]


def test_options_come_from_standard_input(base: str) -> None:
    line = ("-q", "-A", USER_AGENT, "-s", "-K", "-")
    text = f'url = "{base}/from-stdin"\n'.encode()
    assert ending(OURS, *line, input=text) == ending(THEIRS, *line, input=text)


@pytest.mark.parametrize("variable", ["CURL_HOME", "XDG_CONFIG_HOME", "HOME"])
@pytest.mark.parametrize("name", [".curlrc", "_curlrc", "curlrc", ".config/curlrc"])
def test_a_curlrc_is_found_where_curl_finds_it(base: str, tmp_path: Path, variable: str, name: str) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / name).write_text(f'url = "{base}/"\nsilent\nuser-agent = "{USER_AGENT}"\n')
    environment = {
        key: value for key, value in os.environ.items() if key not in ("CURL_HOME", "XDG_CONFIG_HOME")
    }
    environment["HOME"] = str(tmp_path / "nowhere")
    environment[variable] = str(tmp_path)
    assert ending(OURS, env=environment) == ending(THEIRS, env=environment)


@pytest.mark.parametrize("curl_home", ["a", "", None])
@pytest.mark.parametrize("xdg_home", ["b", "", None])
@pytest.mark.parametrize("place", ["a/.config", "b", "c/.config"])
def test_only_the_first_config_folder_counts(
    base: str, tmp_path: Path, curl_home: str | None, xdg_home: str | None, place: str
) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "curlrc").write_text(f'url = "{base}/"\nsilent\nuser-agent = "{USER_AGENT}"\n')
    environment = {
        key: value for key, value in os.environ.items() if key not in ("CURL_HOME", "XDG_CONFIG_HOME")
    }
    environment["HOME"] = str(tmp_path / "c")
    for name, folder in (("CURL_HOME", curl_home), ("XDG_CONFIG_HOME", xdg_home)):
        if folder is not None:
            environment[name] = str(tmp_path / folder) if folder else ""
    assert ending(OURS, env=environment) == ending(THEIRS, env=environment)


@pytest.mark.parametrize("options", [(), ("-q",), ("--disable",), ("-qs",), ("-s", "-q"), ("--DISABLE",)])
def test_q_counts_when_it_comes_first(base: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / ".curlrc").write_text('referer = "curlrc"\nno-progress-meter\n')
    environment = {**os.environ, "CURL_HOME": str(tmp_path)}
    line = (*options, "-s", "-A", USER_AGENT, base + "/")
    assert ending(OURS, *line, env=environment) == ending(THEIRS, *line, env=environment)
