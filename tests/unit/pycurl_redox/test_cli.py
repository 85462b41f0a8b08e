"""The command through `main`, over scripted connections; the cases are in `tests/cases/command_lines.py`."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pycurl_redox.cli import main
from tests.cases.command_lines import CASES, Case
from tests.fakes.memory_network import MemoryNetwork, MemoryStream


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "all_proxy", "ALL_PROXY", "SSLKEYLOGFILE", "CURL_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_command_does_what_its_case_says(
    case: Case, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    network = MemoryNetwork(*case.scripts)
    exit_code = main(shlex.split(case.arguments), network_factory=lambda nic: network)
    written = capfdbinary.readouterr()
    assert written.out == case.stdout
    assert written.err.replace(b"\r\n", b"\n").decode() == case.stderr
    assert exit_code == case.exit_code
    assert any(case.sent in stream.sent for stream in network.streams) or not case.sent
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict(case.files)


def test_ctrl_c_keeps_what_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = MemoryNetwork([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"interrupt"])
    read = MemoryStream.read

    async def interrupted(stream: MemoryStream, deadline: float | None) -> object:
        data = await read(stream, deadline)
        if data == b"interrupt":
            raise KeyboardInterrupt
        return data

    monkeypatch.setattr(MemoryStream, "read", interrupted)
    assert main(["-s", "-o", "f", "a.test"], network_factory=lambda nic: network) == 130
    assert (tmp_path / "f").read_bytes() == b"abc" and network.is_closed


def test_an_upload_sends_the_file_after_a_100(tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"content")
    network = MemoryNetwork([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 Done\r\n\r\n"])
    assert main(["-s", "-T", "up", "a.test/d/"], network_factory=lambda nic: network) == 0
    sent = bytes(network.streams[0].sent)
    assert sent.startswith(b"PUT /d/up HTTP/1.1\r\n") and sent.endswith(
        b"Expect: 100-continue\r\n\r\ncontent"
    )


def test_resuming_asks_for_the_rest_and_adds_it(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    network = MemoryNetwork([b"HTTP/1.1 206 P\r\nContent-Range: bytes 3-5/6\r\nContent-Length: 3\r\n\r\ndef"])
    assert main(["-s", "-C", "-", "-o", "f", "a.test"], network_factory=lambda nic: network) == 0
    assert (tmp_path / "f").read_bytes() == b"abcdef"
    assert b"Range: bytes=3-\r\n" in network.streams[0].sent


def test_cookies_go_to_the_jar_and_come_back(tmp_path: Path) -> None:
    network = MemoryNetwork([b"HTTP/1.1 200 OK\r\nSet-Cookie: k=v; path=/\r\nContent-Length: 0\r\n\r\n"] * 2)
    assert main(["-s", "-c", "jar", "a.test", "a.test"], network_factory=lambda nic: network) == 0
    assert b"a.test\tFALSE\t/\tFALSE\t0\tk\tv\n" in (tmp_path / "jar").read_bytes()
    assert b"Cookie: k=v\r\n" in network.streams[0].sent


def test_no_name_out_of_a_header_leaves_the_folder(tmp_path: Path) -> None:
    from pycurl_redox.disposition import file_name_of

    assert file_name_of(b'attachment; filename="../../etc/passwd"') == "passwd"
    assert file_name_of(b"attachment; filename=..\\..\\x") == "x"
    assert file_name_of(b'attachment; filename=".."') == ""
    assert file_name_of(b"inline") is None


def test_cookies_that_came_before_a_head_was_too_long_are_kept(tmp_path: Path) -> None:
    cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (number, b"x" * 3800) for number in range(100))
    network = MemoryNetwork([b"HTTP/1.1 200 OK\r\n", cookies, b"\r\n"])
    assert main(["-s", "-c", "jar", "a.test"], network_factory=lambda nic: network) == 56
    assert (tmp_path / "jar").read_text().count("\na.test\t") == 50


def test_a_cookie_file_that_is_not_there_is_noted_with_each_transfer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    (tmp_path / "folder").mkdir()
    words = ["-sv", "-b", "none", "-b", "folder", "a.test", "a.test"]
    assert main(words, network_factory=lambda nic: MemoryNetwork([reply, reply])) == 0
    lines = capfd.readouterr().err.splitlines()
    noted = [number for number, line in enumerate(lines) if "WARNING" in line]
    assert {lines[number] for number in noted} == {'* WARNING: failed to open cookie file "none"'}
    assert noted[0] == 0 and lines[noted[1] + 1].startswith("* Found bundle for host")


@pytest.mark.parametrize(("words", "connections"), [("-X HEAD", 2), ("-I", 1)])
def test_a_head_asked_for_by_name_leaves_no_connection_behind(words: str, connections: int) -> None:
    """Its server may send a body all the same, which would be read as the next answer."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    network = MemoryNetwork([reply, reply], [reply])
    assert main(["-s", *words.split(), "a.test", "a.test"], network_factory=lambda nic: network) == 0
    assert len(network.streams) == connections
