"""redox-netcfg: what it shows, as text and as JSON, and that it always answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.commands import REDOX_NETCFG, Done, needs_root, run
from tests.fakes.local_servers import body
from tests.fakes.raw_server import saying, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


def netcfg(*arguments: str, **more: object) -> Done:
    return run(REDOX_NETCFG, *arguments, **more)  # type: ignore[arg-type]


# A schema: a dict has at least these keys, a list holds items of one kind, a tuple is any of its members.

NUMBER = (int, float)
OPTIONAL_TEXT, OPTIONAL_NUMBER = (str, None), (int, float, None)
RING = dict.fromkeys(
    ("size", "posted", "used", "outstanding", "available_index", "used_index", "kicks", "frames", "octets"),
    int,
)
LEASE = {
    "address": str, "prefix_length": int, "server": str, "routers": [str], "dns_servers": [str],
    "renew": OPTIONAL_NUMBER,
}  # fmt: skip
SCHEMA: dict[str, Any] = {
    "interfaces": [
        {
            "name": str,
            "mac": OPTIONAL_TEXT,
            "mtu": int,
            "addresses": [{"address": str, "prefix_length": int, "origin": str, "valid": OPTIONAL_NUMBER}],
        }
    ],
    "routes": [{"destination": str, "gateway": OPTIONAL_TEXT, "interface": str, "origin": str}],
    "neighbors": [{"address": str, "mac": OPTIONAL_TEXT, "state": str, "router": bool}],
    "resolvers": [str],
    "dhcp": {"state": str, "lease": (LEASE, None)},
    "virtio": {
        "features": [str], "status": int, "mac": str, "mtu": int, "link_up": bool,
        "receive": RING, "transmit": RING, "interrupts": int, "found_without_interrupt": int,
        "rechecks": int, "resets": int, "lies": dict, "dropped": dict,
    },
}  # fmt: skip


def mismatch(value: object, schema: Any, at: str = "$") -> str | None:
    """Where a value differs from its schema, or None."""
    if isinstance(schema, tuple):
        found = [mismatch(value, each, at) for each in schema]
        return None if None in found else found[0]
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return f"{at}: {value!r} is no object"
        found = [
            mismatch(value[key], each, f"{at}.{key}") if key in value else f"{at}.{key} is missing"
            for key, each in schema.items()
        ]
    elif isinstance(schema, list):
        if not isinstance(value, list):
            return f"{at}: {value!r} is no list"
        found = [mismatch(each, schema[0], f"{at}[{i}]") for i, each in enumerate(value)]
    elif schema is None:
        found = [None if value is None else f"{at}: {value!r} is not null"]
    else:
        is_right = isinstance(value, schema) and (schema is bool or not isinstance(value, bool))
        found = [None if is_right else f"{at}: {value!r} is no {schema.__name__}"]
    return next((each for each in found if each is not None), None)


def test_json_has_everything_under_its_name() -> None:
    done = netcfg("--json")
    assert (done.code, done.err) == (0, "")
    state = json.loads(done.out)
    assert mismatch(state, SCHEMA) is None
    assert mismatch(state | {"usernet": state["usernet"]}, SCHEMA) is None
    assert state["dhcp"]["lease"]["address"] == "10.0.2.15"
    assert {"0.0.0.0/0", "127.0.0.0/8", "::1/128"} <= {route["destination"] for route in state["routes"]}
    assert "VERSION_1" in state["virtio"]["features"]


def test_the_schema_would_show_what_is_missing() -> None:
    assert mismatch({}, SCHEMA) == "$.interfaces is missing"
    assert mismatch({"a": True}, {"a": int}) == "$.a: True is no int"


def test_the_text_shows_the_same_to_people() -> None:
    done = netcfg()
    assert (done.code, done.err) == (0, "")
    text = done.out.decode()
    for line in (
        r"lo: mtu 65535",
        r"    127\.0\.0\.1/8 \(kernel\)",
        r"user: mtu 1500 mac 52:54:00:12:34:56",
        r"    10\.0\.2\.15/24 \(dhcp.*\)",
        r"    fd00:2::[0-9a-f:]+/64 \(slaac, valid \d+ s\)",
        r"routes:",
        r"    0\.0\.0\.0/0 via 10\.0\.2\.2 dev user \(dhcp\)",
        r"    ::/0 via fe80::2 dev user \(.*\)",
        r"    10\.0\.2\.0/24 on link dev user \(dhcp\)",
        r"neighbours:",
        r"resolvers: 10\.0\.2\.3.*",
        r"lease: 10\.0\.2\.15/24 from 10\.0\.2\.2, renewed in 43\d\d\d s",
        r"virtio-net: status 0x0f, link up, features .*VERSION_1",
        r"    receive: ring 256, posted \d+, used \d+, outstanding \d+, kicks \d+, frames \d+, octets \d+",
        r"    interrupts \d+, found without one 0, resets 0",
    ):
        assert re.search(f"(?m)^{line}$", text), f"{line} is not in\n{text}"


def test_the_rings_figures_agree_with_what_was_moved() -> None:
    content = body(1 << 20)
    reply = saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
    with serving(reply) as port:
        done = netcfg("--json", "--fetch", f"http://127.0.0.1:{port}/")
    assert done.code == 0, done.err
    rings = json.loads(done.out)["virtio"]
    assert len(content) < rings["receive"]["octets"] < len(content) * 1.05
    for name in ("receive", "transmit"):
        ring = rings[name]
        assert ring["posted"] == ring["used"] + ring["outstanding"]
        assert 0 < ring["kicks"] <= ring["posted"]
        # The last frames sent may not have come back yet when the figures are taken.
        assert 0 < ring["frames"] <= ring["used" if name == "receive" else "posted"]


def test_without_time_to_wait_it_shows_what_there_is() -> None:
    begin = time.monotonic()
    done = netcfg("--timeout", "0")
    assert time.monotonic() - begin < 5.0
    assert done.code in (0, 1) and done.out.startswith(b"lo: mtu")
    if done.code == 1:
        assert done.err == "redox-netcfg: no address came within 0 seconds\n"


@pytest.mark.parametrize("limit", ["0", "0.3", "1"])
def test_it_answers_within_its_time_on_a_device_that_delivers_nothing(limit: str) -> None:
    program = [sys.executable, "-m", "tests.fakes.whole_path", "netcfg", "--json", "--timeout", limit]
    begin = time.monotonic()
    done = subprocess.run(
        program, cwd=ROOT, env={**os.environ, "SWALLOW": "all"}, capture_output=True, timeout=20
    )
    assert time.monotonic() - begin < float(limit) + 2.0
    assert done.returncode == 1
    assert f"redox-netcfg: no address came within {limit} seconds" in done.stderr.decode()
    state = json.loads(done.stdout)
    assert mismatch(state, SCHEMA) is None and state["dhcp"]["lease"] is None


@needs_root
@pytest.mark.privileged
def test_a_tap_on_which_nobody_answers_is_shown_as_it_is() -> None:
    lonely = "ip link set lo up; ip tuntap add t0 mode tap vnet_hdr; ip link set t0 up"
    done = netcfg("--nic", "tap:t0", "--json", "--timeout", "0.5", within=lonely)
    assert (done.code, done.err) == (1, "redox-netcfg: no address came within 0.5 seconds\n")
    state = json.loads(done.out)
    assert mismatch(state, SCHEMA) is None
    assert state["dhcp"]["lease"] is None and state["virtio"]["transmit"]["frames"] > 0
    assert "usernet" not in state


@needs_root
@pytest.mark.privileged
def test_a_tap_with_an_address_needs_nobody() -> None:
    lonely = "ip link set lo up; ip tuntap add t0 mode tap vnet_hdr; ip link set t0 up"
    nic = "tap:t0,address=192.0.2.9/24,gateway=192.0.2.1,dns=192.0.2.53"
    done = netcfg("--nic", nic, "--timeout", "0.5", within=lonely)
    assert done.code == 0
    assert b"    0.0.0.0/0 via 192.0.2.1 dev t0 (static)\n" in done.out
    assert b"resolvers: 192.0.2.53\n" in done.out


BAD = [
    (["--nosuchoption"], "option --nosuchoption not recognized"),
    (["--timeout", "soon"], "could not convert"),
    (["--timeout", "-1"], "--timeout is 0 to 86400 seconds"),
    (["--timeout", "nan"], "--timeout is 0 to 86400 seconds"),
    (["--timeout"], "option --timeout requires argument"),
    (["--nic", "wifi"], "--nic wifi: neither 'user' nor 'tap:NAME'"),
    (["--nic", "tap:"], "--nic tap:: neither"),
    (["--nic", "tap:no/name"], "not the name of an interface"),
    (["eth0"], ""),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=str)
def test_a_bad_command_line_is_named_and_ends_with_2(arguments: list[str], message: str) -> None:
    done = netcfg(*arguments)
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith("redox-netcfg: ") and message in done.err
