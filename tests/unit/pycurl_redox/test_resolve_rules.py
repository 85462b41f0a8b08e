import pytest

from pycurl_redox.errors import OptionSyntaxError
from pycurl_redox.resolve_rules import ConnectTo, ResolveRules, connect_to


def test_a_host_gets_the_addresses_of_its_port():
    rules = ResolveRules(["H:80:1.2.3.4,[::1]", "+i:81:127.0.0.1"])
    rules.load()
    assert rules.addresses("h", 80) == ["1.2.3.4", "::1"]
    assert rules.addresses("h", 81) is None
    assert rules.notes == [
        "Added H:80:1.2.3.4,[::1] to DNS cache",
        "Added i:81:127.0.0.1 to DNS cache (non-permanent)",
    ]


def test_a_star_is_for_every_host_and_a_minus_takes_back():
    rules = ResolveRules(
        ["*:80:1.1.1.1", "h:80:2.2.2.2", "h:80:3.3.3.3", "i:80:4.4.4.4", "-i:80:9.9.9.9", "-x"]
    )
    rules.load()
    assert (rules.addresses("any", 80), rules.addresses("h", 80), rules.addresses("i", 80)) == (
        ["1.1.1.1"],
        ["3.3.3.3"],
        ["1.1.1.1"],
    )
    assert "RESOLVE h:80 is - old addresses discarded" in rules.notes
    assert "Couldn't parse CURLOPT_RESOLVE removal entry '-x'" in rules.notes


@pytest.mark.parametrize(
    "entry", ["h", "h:80", "h:80:", "h:x:1.1.1.1", "h:99999:1.1.1.1", "h:80:name", "h:80:[::1"]
)
def test_a_rule_that_is_none_ends_with_exit_code_49(entry):
    with pytest.raises(OptionSyntaxError) as caught:
        ResolveRules([entry]).load()
    assert caught.value.report() == f"curl: (49) Couldn't parse CURLOPT_RESOLVE entry '{entry}'\n"


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ("h:80:other:81", ("other", 81)),
        ("H:80:other:", ("other", None)),
        ("::other:81", ("other", 81)),
        ("h::[::1]:81", ("::1", 81)),
        (":80::81", (None, 81)),
        ("h:81:other:82", None),
        ("x:80:other:82", None),
        ("h:80::", None),
        ("h:80", None),
    ],
)
def test_the_first_rule_that_fits_leads_elsewhere(entry, target):
    assert connect_to([entry], "h", 80) == (ConnectTo(*target) if target else None)


def test_rules_are_tried_in_their_order():
    assert connect_to(["x:1:a:1", "[::1]:80:b:2", "::c:3"], "::1", 80) == ("b", 2)


def test_a_bad_port_of_a_rule_that_fits_is_refused():
    with pytest.raises(OptionSyntaxError, match=r"No valid port number in connect to host string \(x\)"):
        connect_to(["h:80:o:x"], "h", 80)
