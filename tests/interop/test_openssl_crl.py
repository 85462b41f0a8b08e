"""Lists of revoked certificates beside `openssl verify -crl_check_all`: its verdict, in its words."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509

from tests.fakes import pki
from tests.fakes.pki import DAY, NOW, crl, issuing_point
from tls.crl import CrlStore
from tls.paths import Break, find_path
from tls.trust import TrustStore

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine"),
]

ROOT = pki.ca("Root")
MIDDLE = pki.ca("Middle", ROOT)
BARE = pki.ca("Bare", ROOT, usage=pki.key_usage("key_cert_sign"))
LEAF = pki.leaf(MIDDLE)


def names(text: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(f"http://{text}.test/crl")]


POINT = x509.CRLDistributionPoints([x509.DistributionPoint(names("here"), None, None, None)])
POINTED = pki.leaf(MIDDLE, extra=[(POINT, False)])
CRITICALLY_POINTED = pki.leaf(MIDDLE, extra=[(POINT, True)])
OTHER_KEY = x509.AuthorityKeyIdentifier.from_issuer_public_key(pki.key("P-256", 999).public_key())
OWN_KEY = x509.AuthorityKeyIdentifier.from_issuer_public_key(MIDDLE.key.public_key())
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")
OLD = {"updated": NOW - 3 * DAY, "until": NOW - 2 * DAY}
ABOVE = crl(ROOT)

Case = tuple[pki.Issued, pki.Issued, Sequence[bytes]]
CASES: dict[str, Case] = {
    "all there": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE)]),
    "leaf revoked": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, LEAF)]),
    "issuer revoked": (LEAF, MIDDLE, [crl(ROOT, MIDDLE), crl(MIDDLE)]),
    "both revoked": (LEAF, MIDDLE, [crl(ROOT, MIDDLE), crl(MIDDLE, LEAF)]),
    "root revoked by itself": (LEAF, MIDDLE, [crl(ROOT, ROOT), crl(MIDDLE)]),
    "no list for the leaf": (LEAF, MIDDLE, [ABOVE]),
    "no list for the issuer": (LEAF, MIDDLE, [crl(MIDDLE)]),
    "expired": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, **OLD)]),
    "expired and revoked": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, LEAF, **OLD)]),
    "not yet valid": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, updated=NOW + 60)]),
    "expired and a good one": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, **OLD), crl(MIDDLE)]),
    "later one counts": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, LEAF), crl(MIDDLE, updated=NOW - 9)]),
    "later one revokes": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE), crl(MIDDLE, LEAF, updated=NOW - 9)]),
    "forged": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, key=pki.key("P-256", 999))]),
    "of another key": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[(OTHER_KEY, False)])]),
    "of its own key": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[(OWN_KEY, False)])]),
    "issuer may not sign": (pki.leaf(BARE), BARE, [ABOVE, crl(BARE)]),
    "taken off": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, LEAF, reason=x509.ReasonFlags.remove_from_crl)]),
    "on hold": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, LEAF, reason=x509.ReasonFlags.certificate_hold)]),
    "for users": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[issuing_point(only_contains_user_certs=True)])]),
    "for CAs": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[issuing_point(only_contains_ca_certs=True)])]),
    "CAs' for a CA": (
        LEAF,
        MIDDLE,
        [crl(ROOT, extra=[issuing_point(only_contains_ca_certs=True)]), crl(MIDDLE)],
    ),
    "for attributes": (
        LEAF,
        MIDDLE,
        [ABOVE, crl(MIDDLE, extra=[issuing_point(only_contains_attribute_certs=True)])],
    ),
    "at its point": (POINTED, MIDDLE, [ABOVE, crl(MIDDLE, extra=[issuing_point(full_name=names("here"))])]),
    "at another point": (
        POINTED,
        MIDDLE,
        [ABOVE, crl(MIDDLE, extra=[issuing_point(full_name=names("there"))])],
    ),
    "at no point": (POINTED, MIDDLE, [ABOVE, crl(MIDDLE)]),
    "point of a pointless one": (
        LEAF,
        MIDDLE,
        [ABOVE, crl(MIDDLE, extra=[issuing_point(full_name=names("here"))])],
    ),
    "critical point": (CRITICALLY_POINTED, MIDDLE, [ABOVE, crl(MIDDLE)]),
    "indirect": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[issuing_point(indirect_crl=True)])]),
    "some reasons": (
        LEAF,
        MIDDLE,
        [
            ABOVE,
            crl(
                MIDDLE,
                extra=[issuing_point(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise]))],
            ),
        ],
    ),
    "a delta": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[(x509.DeltaCRLIndicator(1), True)])]),
    "unknown and critical": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[(UNKNOWN, True)])]),
    "unknown": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[(UNKNOWN, False)])]),
    "an entry of another with what is unknown and critical": (
        LEAF,
        MIDDLE,
        [ABOVE, crl(MIDDLE, pki.leaf(MIDDLE, "other.test"), on_entries=[(UNKNOWN, True)])],
    ),
    "an entry of another with what is unknown": (
        LEAF,
        MIDDLE,
        [ABOVE, crl(MIDDLE, pki.leaf(MIDDLE, "other.test"), on_entries=[(UNKNOWN, False)])],
    ),
    "its own entry with what is unknown and critical": (
        LEAF,
        MIDDLE,
        [ABOVE, crl(MIDDLE, LEAF, on_entries=[(UNKNOWN, True)])],
    ),
    "a list with such an entry, and one without": (
        LEAF,
        MIDDLE,
        [ABOVE, crl(MIDDLE, LEAF, on_entries=[(UNKNOWN, True)]), crl(MIDDLE, updated=NOW - 9 * DAY)],
    ),
    "a critical reason": (
        LEAF,
        MIDDLE,
        [
            ABOVE,
            crl(
                MIDDLE,
                pki.leaf(MIDDLE, "other.test"),
                on_entries=[(x509.CRLReason(x509.ReasonFlags.key_compromise), True)],
            ),
        ],
    ),
    "numbered": (LEAF, MIDDLE, [ABOVE, crl(MIDDLE, extra=[(x509.CRLNumber(7), False)])]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_verdict_is_openssls(tmp_path: Path, case: Case) -> None:
    leaf, issuer, lists = case
    for name, content in (
        ("root", ROOT.pem),
        ("issuer", issuer.pem),
        ("leaf", leaf.pem),
        ("crl", b"".join(lists)),
    ):
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "verify", "-attime", str(NOW), "-crl_check_all", "-CRLfile", "crl"]
    command += ["-CAfile", "root", "-untrusted", "issuer", "leaf"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    first = re.search(r"error (\d+) at (\d+) depth lookup: (.*)", done.stdout + done.stderr)
    expected = None if first is None else (first[3], int(first[2]))
    assert (done.returncode == 0) == (expected is None)
    path = find_path(
        [leaf.certificate, issuer.certificate],
        TrustStore.from_pem(ROOT.pem),
        NOW,
        crls=CrlStore.from_file(str(tmp_path / "crl")),
    )
    assert ((path.openssl_text, path.depth) if isinstance(path, Break) else None) == expected
