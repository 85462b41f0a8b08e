"""Public suffixes, on the list's own vectors."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from pycurl_redox import public_suffix
from pycurl_redox.public_suffix import PublicSuffixes, load_public_suffixes

SPEC = find_spec("publicsuffixlist")
assert SPEC is not None and SPEC.origin is not None
FOLDER = Path(SPEC.origin).parent
CASES = re.findall(
    r"(?m)^checkPublicSuffix\('(\S+)', (?:null|'(\S+)')\);", (FOLDER / "test_psl.txt").read_text("utf-8")
)


def in_ascii(name: str) -> str:
    return name.encode("idna").decode() if name else ""


def test_the_list_s_own_vectors_hold() -> None:
    suffixes = PublicSuffixes((FOLDER / "public_suffix_list.dat").read_bytes())
    assert len(CASES) > 50
    for name, registrable in CASES:
        if name.startswith("."):
            continue
        host = in_ascii(name.lower())
        suffix = suffixes.suffix_of(host)
        found = "" if suffix == host else host[: -len(suffix) - 1].rpartition(".")[2] + "." + suffix
        assert found == in_ascii(registrable), name


@pytest.mark.parametrize(
    ("host", "domain", "is_accepted"),
    [
        ("a.co.uk", "co.uk", False),
        ("a.co.uk", "a.co.uk", True),
        ("b.a.co.uk", "a.co.uk", True),
        ("co.uk", "co.uk", True),
        ("x.www.ck", "www.ck", True),
        ("x.b.ck", "b.ck", False),
        ("a.github.io", "github.io", False),
        ("a.unknowntld", "unknowntld", False),
        ("A.Co.Uk", "CO.uk", False),
    ],
)
def test_a_domain_may_be_set_below_its_public_suffix(host: str, domain: str, is_accepted: bool) -> None:
    assert load_public_suffixes().accepts(host, domain) is is_accepted


def test_the_package_stands_in_for_the_system_s_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(public_suffix, "SYSTEM_LIST", str(tmp_path / "none"))
    assert load_public_suffixes().suffix_of("www.example.co.uk") == "co.uk"


def test_without_a_list_a_dot_is_enough() -> None:
    suffixes = PublicSuffixes(None)
    assert suffixes.accepts("a.co.uk", "co.uk") and not suffixes.accepts("a.uk", "uk")
