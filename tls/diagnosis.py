"""A picture of a certificate chain that does not hold, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .certificates import Certificate
from .der import time_text
from .names import parse_ip

if TYPE_CHECKING:
    from .paths import Break
    from .trust import TrustSource

MAX_NAMES_SHOWN = 400  # characters
MAX_LISTED = 8


def diagnose(
    broken: Break, sent: Sequence[Certificate], server_name: str, trust: TrustSource, now: float
) -> str:
    """Draw the chain as sent, mark where it breaks, and name the option that would help."""
    culprit = broken.path[broken.depth]
    lines = [f"The server at {server_name!r} sent {len(sent)} certificate{'s'[: len(sent) != 1]}:"]
    for number, certificate in enumerate(sent):
        lines += _lines(str(number), certificate)
        if number == sent.index(certificate) and certificate == culprit:
            lines.append(f"      ^^^ {_reason(broken, server_name, trust, now)}")
    if culprit not in sent:
        lines.append(f"and {trust.description} has:")
        lines += _lines("*", culprit)
        lines.append(f"      ^^^ {_reason(broken, server_name, trust, now)}")
    return "\n".join([*lines, *_help(broken, server_name)])


def _lines(label: str, certificate: Certificate) -> list[str]:
    names = str(certificate.names)
    if len(names) > MAX_NAMES_SHOWN:
        names = names[:MAX_NAMES_SHOWN] + "..."
    return [
        f"  {label:>2}  {certificate.subject or '(no subject)'}",
        f"      issuer  {certificate.issuer}",
        f"      valid   {time_text(certificate.not_before)} to {time_text(certificate.not_after)}",
        f"      names   {names}",
    ]


def _reason(broken: Break, server_name: str, trust: TrustSource, now: float) -> str:
    text, culprit = broken.openssl_text, broken.path[broken.depth]
    if text == "unable to get certificate CRL":
        return f"{text}: no list by {culprit.issuer} is among those given"
    if text.startswith("unable to get"):
        return f"{text}: {culprit.issuer} was not sent and is not in {trust.description}"
    if text.startswith("self-signed"):
        return f"{text}: it is not in {trust.description}"
    if text.endswith("mismatch"):
        return f"{text}: none of its names covers {server_name!r}"
    if text in ("certificate has expired", "certificate is not yet valid"):
        return f"{text}: the clock of this machine says {time_text(int(now))}"
    if text == "unhandled critical extension":
        known, more = culprit.unknown_critical[:MAX_LISTED], culprit.unknown_critical[MAX_LISTED:]
        return f"{text}: {', '.join(known)}{', ...' if more else ''}"
    if text == "certificate signature failure":
        return (
            f"{text}: {broken.path[broken.depth + 1].subject} did not sign it with {culprit.signature_hash}"
        )
    return text


def _help(broken: Break, server_name: str) -> list[str]:
    text = broken.openssl_text
    lines = []
    if text.startswith(("unable to get local", "unable to get issuer", "self-signed")):
        lines.append("--cacert FILE   trusts the certificates in FILE, such as the issuer missing here")
    if text == "unable to get certificate CRL":
        lines.append("--crlfile FILE   needs a list by each issuer of the path, the root's own too")
    if text.endswith("mismatch"):
        names = broken.path[0].names.dns or ("NAME",)
        known = names[0].removeprefix("*.")
        what = "address" if parse_ip(server_name) is not None else "name"
        lines.append(f"Use a name of the certificate instead of the {what} {server_name!r};")
        lines.append(f"--resolve {known}:PORT:ADDRESS   says where that name is, if the DNS does not")
    lines.append("-k   goes on without checking who the server is")
    return lines
