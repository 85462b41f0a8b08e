"""`file://` beside curl 7.88.1: the same lines, the same octets, the same exit codes."""

import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.commands import REDOX_CURL, curl, needs_curl, redox_curl
from tests.fakes.raw_server import saying, serving

pytestmark = pytest.mark.interop

WRITE_OUT = (
    "%{num_headers} %{local_port} %{remote_ip} %{scheme} %{size_download} %{size_header} %{size_upload} "
    "%{http_code} %{errormsg} %{exitcode} %{num_connects} %{url_effective} %{method} %{filename_effective}\\n"
)
MODIFIED = 1_709_618_828
"""Tue, 05 Mar 2024 06:07:08 GMT"""

# U is the folder's URL, F its path.
LINES = """\
U/a.txt
-i U/a.txt
-I U/a.txt
-v U/a.txt
-I U/empty
-i U/empty
-i U/folder
-I U/folder
U/folder/
-D - -o F/out U/a.txt
U/missing
-v U/missing
-f U/missing
U/a.txt%00b
U/sp%20ace
U/a.txt?query#fragment
U/folder/../a.txt
--path-as-is U/./a.txt
--trace-ascii - -i U/a.txt
file://localhostF/a.txt
file://LOCALHOSTF/a.txt
file://127.0.0.1F/a.txt
file://hostF/a.txt
file://localhost:80F/a.txt
file://a:b@localhostF/a.txt
file:F/a.txt
file:a.txt
file://localhost
FILE://F/a.txt
-r 0-4 U/a.txt
-i -r 6-10 U/a.txt
-r 6- U/a.txt
-r -5 U/a.txt
-r 100-200 U/a.txt
-r 5-2 U/a.txt
-r 5-200 U/a.txt
-r -100 U/a.txt
-r 0-2,4-5 U/a.txt
-r -0 U/a.txt
-C 5 U/a.txt
-C 5 -o F/begun U/a.txt
-C - -o F/begun U/a.txt
-C 500 -o F/out U/a.txt
-C 21 U/a.txt
-r 2-5 -C 3 U/a.txt
-v -z Jan-1-2025 U/a.txt
-z Jan-1-2024 U/a.txt
-v -z -Jan-1-2024 -o F/out U/a.txt
-z -Jan-1-2025 U/a.txt
-z F/a.txt U/a.txt
-z Jan-1-2025 -r 0-3 U/a.txt
--max-filesize 5 U/a.txt
--proto -file U/a.txt
--proto =http U/a.txt
--proto =all U/a.txt
--proto-default file F/a.txt
-X PUT U/a.txt
-d a=b U/a.txt
-G -d a=b U/a.txt
-O --output-dir F/folder U/a.txt
-R -o F/out U/a.txt
-T F/a.txt U/up
-v -T F/a.txt U/up
-T F/a.txt --create-file-mode 600 U/up
-T F/a.txt U/folder/
-v -T F/a.txt U/nowhere/up
-T F/a.txt U/folder
-C 3 -T F/a.txt U/begun
-C - -T F/a.txt U/begun
-T F/empty U/begun
-T - U/up
-x http://127.0.0.1:1 U/a.txt
-i -o F/nowhere/x U/a.txt
-o F/nowhere/x U/a.txt
U/{a.txt,missing,empty}
"""


def a_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"hello world\nline two\n")
    (folder / "empty").write_bytes(b"")
    (folder / "sp ace").write_bytes(b"x y")
    (folder / "begun").write_bytes(b"hello")
    (folder / "folder").mkdir()
    for path in (*folder.iterdir(), folder):
        os.utime(path, (MODIFIED, MODIFIED))
    return folder


def what_is_there(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@needs_curl
@pytest.mark.parametrize("line", LINES.splitlines())
def test_a_file_url_gives_what_curl_gives(tmp_path: Path, line: str) -> None:
    seen = []
    for number, client in enumerate((curl, redox_curl)):
        folder = a_folder(tmp_path / str(number))
        words = [
            re.sub("F(?=/)", str(folder), word.replace("U/", f"file://{folder}/")).replace("file:F", "file:")
            for word in line.split()
        ]
        done = client("-sS", "-w", WRITE_OUT, *words)
        said = [text.replace(str(folder).encode(), b"F") for text in (done.out, done.err.encode())]
        seen.append((done.code, *said, what_is_there(folder)))
    assert seen[0] == seen[1]


def test_a_redirect_to_a_file_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "files")
    location = f"file://{folder}/a.txt".encode()
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with serving(saying(head)) as port:
        url = f"http://127.0.0.1:{port}/"
        refused = redox_curl("-sSL", url)
        asked_for = redox_curl("-sSL", "--proto-redir", "+file", url)
        forbidden = redox_curl("-sSL", "--proto-redir", "+file", "--proto", "-file", url)
    message = 'curl: (1) Protocol "file" not supported or disabled in libcurl\n'
    assert (refused.code, refused.out, refused.err) == (1, b"", message)
    assert (forbidden.code, forbidden.out, forbidden.err) == (1, b"", message)
    assert (asked_for.code, asked_for.out) == (0, b"hello world\nline two\n")


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_fifo_is_read_to_its_end(fifo: Path) -> None:
    with subprocess.Popen([*REDOX_CURL, "-sS", f"file://{fifo}"], stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        with open(fifo, "wb", buffering=0) as file:  # opened when the command has opened it
            file.write(b"one,")
            assert command.stdout.read(4) == b"one,"
            file.write(b"two" * 1_000)
        assert command.stdout.read() == b"two" * 1_000
    assert command.returncode == 0


def test_a_fifo_is_written_when_somebody_reads_it(fifo: Path) -> None:
    data = b"three" * 100_000
    with subprocess.Popen(
        [*REDOX_CURL, "-sS", "-T", "-", f"file://{fifo}"], stdin=subprocess.PIPE
    ) as command:
        assert command.stdin is not None
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(fifo.read_bytes)
            command.stdin.write(data)
            command.stdin.close()
            assert read.result(20) == data
    assert command.returncode == 0


@pytest.mark.parametrize(
    "words",
    ["{url}", "-T /dev/null {url}", "file:///dev/zero -o /dev/null"],
    ids=["read", "write", "endless"],
)
def test_a_time_limit_holds_for_files_without_end(fifo: Path, words: str) -> None:
    done = redox_curl("-sS", "-m", "0.2", *words.format(url=f"file://{fifo}").split(), timeout=10)
    assert done.code == 28
    assert re.match(r"curl: \(28\) Operation timed out after \d+ milliseconds", done.err)


def test_a_time_limit_holds_for_uploads_that_do_not_come(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    try:
        line = [*REDOX_CURL, "-sS", "-m", "0.2", "-T", "-", f"file://{tmp_path}/up"]
        assert subprocess.run(line, stdin=ours, timeout=10, capture_output=True).returncode == 28
    finally:
        os.close(ours)
        os.close(theirs)


def test_an_interrupt_ends_the_wait_for_a_fifo(fifo: Path) -> None:
    line = [*REDOX_CURL, "-sS", f"file://{fifo}"]
    with subprocess.Popen(line, stderr=subprocess.PIPE) as command, open(fifo, "wb"):  # it waits for octets
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=10)
    assert (command.returncode, err) == (-signal.SIGINT, b"")


def test_a_file_is_read_where_there_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"here")
    words = ("-sS", "--nic", "tap:no-such-tap", f"file://{tmp_path}/a")
    assert redox_curl(*words)[:2] == (0, b"here")
    assert redox_curl(*words, "http://127.0.0.1:1/").code == 45


@needs_curl
def test_the_meter_of_a_file_begins_when_it_is_open(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "files")

    def meter(text: str) -> str:
        text = re.sub(r"[\d.]+k? +(0 +)?--:--| +[\d.]+k?$", "", text, flags=re.M)
        return re.sub(" +", " ", text)

    for words in (
        ("-o", "/dev/null", f"file://{folder}/a.txt"),
        ("-o", "/dev/null", f"file://{folder}/missing"),
        ("-T", f"{folder}/a.txt", f"file://{folder}/up"),
        ("-#", "-o", "/dev/null", f"file://{folder}/a.txt"),
    ):
        assert meter(redox_curl(*words).err) == meter(curl(*words).err)
