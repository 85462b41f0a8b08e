"""The tables of `tests/cases`, each line typed into a shell: ours, and curl 7.88.1 held to the same."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cases.answering import Answering, answering
from tests.cases.table import Case, difference, read_tables
from tests.cases.world import World, make_pems, peers, world
from tests.fakes.beside_curl import CURL_IS_7_88
from tests.fakes.commands import CURL, REDOX_CURL
from tests.fakes.local_servers import NGINX

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
CASES = read_tables()
FILES = ROOT / "tests" / "cases" / "files"
PRELUDE = (ROOT / "tests" / "cases" / "prelude.sh").read_text()
NEEDS = {"$nginx": NGINX, "$openssl": shutil.which("openssl")}
NEEDS |= {f"in_{name} ": shutil.which(name) for name in ("bash", "fish", "zsh")}
SIDE_BY_SIDE = 4
"""Most of a case is waiting."""


class Ended(NamedTuple):
    ending: str
    streams: dict[str, str]
    """1, 2, `asked`, and what is new in the folder."""
    requests: list[str]


class Both(NamedTuple):
    ours: Ended
    theirs: Ended | None


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Both]]]:
    """All cases that this run asks for, a few at a time."""
    wanted = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_the_table_holds
    ]
    folder = tmp_path_factory.mktemp("cases")
    (pems := folder / "pems").mkdir()
    make_pems(pems)
    with ExitStack() as stack:
        common = stack.enter_context(peers(pems))
        worlds: queue.SimpleQueue[World] = queue.SimpleQueue()
        for _ in range(SIDE_BY_SIDE):
            worlds.put(stack.enter_context(world(pems, common)))
        pool = stack.enter_context(ThreadPoolExecutor(SIDE_BY_SIDE))
        stack.callback(pool.shutdown, cancel_futures=True)

        def run(case: Case, own: Path) -> Both:
            here = worlds.get()
            try:
                theirs = None
                if CURL_IS_7_88 and not case.ours:
                    theirs = ended(case, here, own / "curl", f"{CURL} -q --http1.1")
                return Both(ended(case, here, own / "ours", " ".join(REDOX_CURL)), theirs)
            finally:
                worlds.put(here)

        yield {repr(case): pool.submit(run, case, folder / str(number)) for number, case in enumerate(wanted)}


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_table_holds(outcomes: dict[str, Future[Both]], case: Case) -> None:
    for word, program in NEEDS.items():
        if word in case.script and program is None:
            pytest.skip(f"{word.strip('$')} is not installed")
    ours, theirs = outcomes[repr(case)].result(120)
    if not case.is_beside_curl:
        check(case, ours, "ours")
        if theirs is not None:
            check(case, theirs, "curl")
    elif theirs is None:
        pytest.skip("the curl that is the model, 7.88.1, is not installed")
    else:
        assert ours == theirs


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({repr(case) for case in CASES}) == len(CASES)


def check(case: Case, found: Ended, whose: str) -> None:
    expected = {"1": [], "2": [], **case.expected}
    wrong = [
        f"{whose}, {name}: {why}"
        for name, lines in expected.items()
        if (why := difference(lines, found.streams.get(name, "(no such file)")))
    ]
    if found.ending != case.ending:
        wrong.append(f"{whose}: exit {found.ending}, not {case.ending}")
    wrong += [f"{whose}: {name} is there" for name in case.absent if name in found.streams]
    if wrong:
        said = [] if "2" in case.expected else [f"{whose}, 2: {found.streams['2']}"]
        pytest.fail("\n".join([case.script, *wrong, *said]), pytrace=False)


def ended(case: Case, here: World, folder: Path, client: str) -> Ended:
    folder.mkdir(parents=True)
    for file in FILES.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    server = Answering(case.answers)
    with ExitStack() as stack:
        words = here.words
        if case.answers:
            ports = stack.enter_context(answering(server, here.tls))
            words = {**words, **ports}
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        environment |= {
            **words, "curl": client, "key": folder.name, "PYTHONPATH": str(ROOT), "COLUMNS": "80",
            "LC_ALL": "C.UTF-8", "python": sys.executable,
        }  # fmt: skip
        here.site.take()
        here.mute.met = 0
        streams = {"1": folder.parent / f"{folder.name}.1", "2": folder.parent / f"{folder.name}.2"}
        with streams["1"].open("wb") as out, streams["2"].open("wb") as err:
            process = subprocess.Popen(
                ["bash", "-c", PRELUDE + case.script],
                stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                cwd=folder, env=environment, start_new_session=True,
            )  # fmt: skip
            try:
                if case.signal is not None:
                    number = signal.Signals[f"SIG{case.signal[0]}"]
                    await_moment(case.signal[1], process, here, server, {**streams, "": folder})
                    process.send_signal(number)
                    process.wait(1.0)  # what it takes at most
                code = process.wait(60)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    new = {name: octets for name, octets in files.items() if not is_given(name, octets)}
    octets = {name: path.read_bytes() for name, path in streams.items()}
    assert b"Traceback" not in octets["2"], octets["2"].decode()
    requests = sorted(alike(request, folder) for request in here.site.take() + server.requests)
    asked = b"".join(server.requests)
    return Ended(
        str(code) if code >= 0 else f"by {signal.Signals(-code).name[3:]}",
        {name: alike(content, folder) for name, content in {**octets, **new, "asked": asked}.items()},
        requests,
    )


def is_given(name: str, octets: bytes) -> bool:
    file = FILES / name
    return file.exists() and file.read_bytes() == octets


def await_moment(
    moment: str, process: subprocess.Popen[bytes], here: World, server: Answering, places: dict[str, Path]
) -> None:
    """Until `asked`, `met`, or `FILE holds TEXT`; 1 and 2 are files too."""
    end = time.monotonic() + 20
    name, _, text = moment.partition(" holds ")

    def has_come() -> bool:
        if moment == "asked":
            return bool(server.requests or here.site.requests)
        if moment == "met":
            return bool(here.mute.met)
        path = places.get(name) or places[""] / name
        return path.exists() and text.encode() in path.read_bytes()

    while not has_come():
        assert process.poll() is None, "ended before its moment"
        assert time.monotonic() < end, f"{moment}: does not come"
        time.sleep(0.005)


def alike(octets: bytes, folder: Path) -> str:
    """Without what differs from run to run."""
    text = octets.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    text = text.replace(str(folder.parent.parent), "TMP")
    for pattern, stand_in in STAND_INS:
        text = re.sub(pattern, stand_in, text)
    return text


STAND_INS = [
    (r"curl/[\w.-]+", "curl/VERSION"),
    (r"\d+ (ms|milliseconds)", r"N \1"),
    (r"[0-9a-f]{16}", "HEX"),
    (r'cnonce="[^"]*"', "cnonce"),
    (r'response="[^"]*"', "response"),
    (r"/flaky/(ours|curl)", "/flaky/KEY"),
    (r"(Accept-Encoding: deflate, gzip).*", r"\1"),  # brotli and zstd are extras
    (r"(?m)^(127\.0\.0\.1\t.*\t)\d{10}\t", r"\1EXPIRY\t"),
    (r"(curl: \((35|60)\)) (?s:.*)", r"\1"),  # what is wrong with TLS is told in words of our own
    (r"(port:?) \d+", r"\1 P"),
    (r":\d{5}\b", ":P"),
    (r"0x[0-9a-f]+|^[0-9a-f]{4}: ", "0x"),
    (r"(?m)^[\r \d.kM]+(--|\d+):.*$", "METER"),
]
