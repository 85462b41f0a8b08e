"""From a server's certificate to a trusted one: path building and validation (RFC 5280 §6.1).

A path is looked for depth first, from the server's certificate upwards, the
trust store before what the server sent, by names and key identifiers only.
Each path that ends at a trust anchor is then checked as a whole; if a check
fails the search goes on. Every step up is paid from one budget, so that no
chain, however it is made up, costs more than `MAX_STEPS` signature checks.
A path never passes the same subject with the same key twice.

The verdicts are OpenSSL's at security level 2, in OpenSSL's words; where they
differ `tests/interop/test_openssl_verify.py` has the list and the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .alerts import Alert
from .certificates import DIGITAL_SIGNATURE, KEY_CERT_SIGN, SERVER_AUTH, WEAK_HASHES, Certificate
from .der import DerError
from .errors import CertificateError
from .names import comparable_name, matching_name, parse_ip
from .trust import TrustSource

if TYPE_CHECKING:
    from .crl import CrlStore
    from .name_constraints import Form, NameConstraints

MAX_SENT = 10  # certificates looked at of those sent: real chains have two to four
MAX_PATH = 10
MAX_STEPS = 100  # as Go has it; a real chain takes three
MIN_RSA_BITS = 2048  # OpenSSL's security level 2, Debian's default


class VerifiedPath(NamedTuple):
    """Made by `verify_chain` only: from the server's certificate to the anchor, and the name matched."""

    path: tuple[Certificate, ...]
    matched_name: str


class Break(NamedTuple):
    """Where a path does not hold: why in OpenSSL's words, and at which certificate of `path`."""

    openssl_text: str
    alert: Alert
    depth: int
    path: tuple[Certificate, ...]


def verify_chain(
    chain: Sequence[Certificate],
    server_name: str,
    trust: TrustSource,
    now: float,
    *,
    partial_chain: bool = False,
    crls: CrlStore | None = None,
) -> VerifiedPath:
    """Check that the chain a server sent leads to a trusted certificate and is for this name.

    `now` is wall-clock time in seconds since 1970. With `partial_chain` any
    certificate in the store ends a path, as with curl; without it only a
    self-signed one does, as with OpenSSL's own default. With `crls` each
    certificate of the path needs one, and must not be on it. The names are
    checked last. CertificateError says what does not hold.
    """
    if not chain:
        raise CertificateError("Certificate: the server sent none", Alert.DECODE_ERROR)
    path = find_path(chain, trust, now, partial_chain=partial_chain, crls=crls)
    if not isinstance(path, Break):
        if (name := matching_name(chain[0].names, server_name)) is not None:
            return VerifiedPath(path, name)
        kind = "hostname" if parse_ip(server_name) is None else "IP address"
        path = Break(f"{kind} mismatch", Alert.BAD_CERTIFICATE, 0, path)
    from .diagnosis import diagnose

    raise CertificateError(
        f"Certificate: {path.openssl_text}: {path.path[path.depth].subject}",
        path.alert,
        openssl_text=path.openssl_text,
        diagnosis=diagnose(path, chain[:MAX_SENT], server_name, trust, now),
    )


def find_path(
    chain: Sequence[Certificate],
    trust: TrustSource,
    now: float,
    *,
    partial_chain: bool = False,
    crls: CrlStore | None = None,
) -> tuple[Certificate, ...] | Break:
    """Find a path from `chain[0]` to a trust anchor, names aside; otherwise say where the best one breaks."""
    search = _Search(chain[1:MAX_SENT], trust, now, partial_chain, crls)
    leaf = chain[0]
    try:
        found = search.climb((leaf,), leaf in trust.find(leaf.subject_der))
    except _OutOfStepsError:
        return Break("certificate chain too long", Alert.BAD_CERTIFICATE, 0, (leaf,))
    if found:
        return found
    assert search.broken is not None
    return search.broken


class _OutOfStepsError(Exception):
    pass


class _Search:
    def __init__(
        self,
        sent: Sequence[Certificate],
        trust: TrustSource,
        now: float,
        partial_chain: bool,
        crls: CrlStore | None,
    ) -> None:
        self.sent = list(dict.fromkeys(sent))
        self.trust = trust
        self.now = now
        self.partial_chain = partial_chain
        self.crls = crls
        self.broken: Break | None = None
        self._is_broken_at_anchor = False
        self._steps = 0
        self._comparisons = 0
        # What a search finds out about the few certificates it has, it finds out once.
        self._signatures: dict[tuple[bytes, bytes], bool] = {}
        self._comparable_names: dict[bytes, bytes] = {}
        self._constraints: dict[bytes, NameConstraints] = {}
        self._forms: dict[bytes, list[Form]] = {}

    def climb(self, path: tuple[Certificate, ...], is_trusted: bool) -> tuple[Certificate, ...] | None:
        """Extend `path`, whose last certificate is from the store or not, to one that holds."""
        last = path[-1]
        if is_trusted and (self.partial_chain or last.is_self_signed):
            if (broken := self.check(path)) is None:
                return path
            self._note(broken, at_anchor=True)
            return None
        if len(path) == MAX_PATH:
            self._note_dead_end("certificate chain too long", path)
            return None
        if last.is_self_signed:
            text = "self-signed certificate" + (" in certificate chain" if len(path) > 1 else "")
            self._note_dead_end(text, path)
            return None
        climbed = False
        for issuer, issuer_is_trusted in self._issuers(last):
            if last.may_be_signed_by(issuer) and not any(_is_same_entity(issuer, c) for c in path):
                climbed = True
                self._step()
                if found := self.climb((*path, issuer), issuer_is_trusted):
                    return found
        if not climbed:
            local = "" if is_trusted and len(path) > 1 else "local "
            self._note_dead_end(f"unable to get {local}issuer certificate", path)
        return None

    def check(self, path: tuple[Certificate, ...]) -> Break | None:
        """Validate a path that ends at a trust anchor, in OpenSSL's order."""
        checks = (
            _check_extensions,
            _check_strength,
            self._check_revocation,
            self._check_signatures,
            self._check_name_constraints,
        )
        for check in checks:
            if broken := check(path):
                return broken
        return None

    def _issuers(self, subject: Certificate) -> list[tuple[Certificate, bool]]:
        trusted = self.trust.find(subject.issuer_der)
        sent = [c for c in self.sent if c.subject_der == subject.issuer_der]
        if not trusted and not sent:
            trusted = self.trust.find_alike(subject.issuer_der)
            wanted = self._comparable(subject.issuer_der)
            sent = [c for c in self.sent if self._comparable(c.subject_der) == wanted]
        return [(c, True) for c in trusted] + [(c, False) for c in sent if c not in trusted]

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _OutOfStepsError

    def _note(self, broken: Break, at_anchor: bool = False) -> None:
        """Keep the first break; one of a path that reached an anchor tells more than a dead end."""
        if self.broken is None or (at_anchor and not self._is_broken_at_anchor):
            self.broken, self._is_broken_at_anchor = broken, at_anchor

    def _note_dead_end(self, text: str, path: tuple[Certificate, ...]) -> None:
        self._note(Break(text, Alert.UNKNOWN_CA, len(path) - 1, path))

    def _check_revocation(self, path: tuple[Certificate, ...]) -> Break | None:
        """RFC 5280 §6.3, if lists were given at all."""
        if self.crls is None or (found := self.crls.check(path, self.now)) is None:
            return None
        return Break(*found, path)

    def _check_signatures(self, path: tuple[Certificate, ...]) -> Break | None:
        """Signatures and times from the anchor down; the anchor's own signature proves nothing."""
        for depth in reversed(range(len(path))):
            certificate = path[depth]
            if depth + 1 < len(path) and not self._is_signed(certificate, path[depth + 1]):
                return Break("certificate signature failure", Alert.BAD_CERTIFICATE, depth, path)
            if self.now < certificate.not_before:
                return Break("certificate is not yet valid", Alert.CERTIFICATE_EXPIRED, depth, path)
            if self.now > certificate.not_after:
                return Break("certificate has expired", Alert.CERTIFICATE_EXPIRED, depth, path)
        return None

    def _is_signed(self, subject: Certificate, issuer: Certificate) -> bool:
        pair = subject.der, issuer.key_der
        if pair not in self._signatures:
            self._signatures[pair] = subject.is_signed_by(issuer)
        return self._signatures[pair]

    def _comparable(self, name_der: bytes) -> bytes:
        if name_der not in self._comparable_names:
            self._comparable_names[name_der] = comparable_name(name_der)
        return self._comparable_names[name_der]

    def _check_name_constraints(self, path: tuple[Certificate, ...]) -> Break | None:
        """What each CA may vouch for (RFC 5280 §6.1.3 b, c), over all certificates below it."""
        for depth in reversed(range(1, len(path))):
            if (der := path[depth].name_constraints_der) is None:
                continue
            from .name_constraints import UNSUPPORTED_SYNTAX, NameConstraints  # few chains have any

            try:
                if der not in self._constraints:
                    self._constraints[der] = NameConstraints.parse(der)
                below = [c for i, c in enumerate(path[:depth]) if i == 0 or not c.is_self_issued]
                for certificate in below:
                    if text := self._violation(self._constraints[der], certificate):
                        return Break(text, Alert.BAD_CERTIFICATE, path.index(certificate), path)
            except DerError:
                return Break(UNSUPPORTED_SYNTAX, Alert.BAD_CERTIFICATE, depth, path)
        return None

    def _violation(self, constraints: NameConstraints, certificate: Certificate) -> str | None:
        from .name_constraints import MAX_COMPARISONS, TOO_MUCH_WORK, forms_of

        if certificate.der not in self._forms:
            self._forms[certificate.der] = forms_of(certificate.subject_der, certificate.names)
        forms = self._forms[certificate.der]
        self._comparisons += len(forms) * (len(constraints.permitted) + len(constraints.excluded))
        return TOO_MUCH_WORK if self._comparisons > MAX_COMPARISONS else constraints.violation(forms)


def _is_same_entity(a: Certificate, b: Certificate) -> bool:
    return a.key_der == b.key_der and a.subject_der == b.subject_der


def _check_extensions(path: tuple[Certificate, ...]) -> Break | None:
    """What each certificate says it may be used for (RFC 5280 §6.1.4 k to n, §6.1.3 o)."""
    below = 0  # intermediates below this one that are not self-issued
    for depth, certificate in enumerate(path):
        is_anchor = depth == len(path) - 1
        if certificate.unknown_critical:
            return Break("unhandled critical extension", Alert.UNSUPPORTED_CERTIFICATE, depth, path)
        if depth and not _may_be_ca(certificate, is_anchor):
            return Break("invalid CA certificate", Alert.BAD_CERTIFICATE, depth, path)
        if not _fits_purpose(certificate, depth):
            return Break("unsuitable certificate purpose", Alert.UNSUPPORTED_CERTIFICATE, depth, path)
        if depth and certificate.path_length is not None and below > certificate.path_length:
            return Break("path length constraint exceeded", Alert.BAD_CERTIFICATE, depth, path)
        if depth and not certificate.is_self_issued:
            below += 1
    return None


def _may_be_ca(certificate: Certificate, is_anchor: bool) -> bool:
    if certificate.key_usage is not None and not certificate.key_usage & KEY_CERT_SIGN:
        return False
    if certificate.is_ca is None:
        # Only whoever filled the store can vouch for a CA that does not say it is one, as old roots do not.
        return is_anchor and (certificate.version == 1 or certificate.key_usage is not None)
    return certificate.is_ca


def _fits_purpose(certificate: Certificate, depth: int) -> bool:
    """Authentication of a TLS 1.3 server; its own key signs (RFC 8446 §4.4.2.2)."""
    usages = certificate.extended_key_usage
    if usages is not None and SERVER_AUTH not in usages:
        return False
    return depth > 0 or certificate.key_usage is None or bool(certificate.key_usage & DIGITAL_SIGNATURE)


def _check_strength(path: tuple[Certificate, ...]) -> Break | None:
    for depth, certificate in enumerate(path):
        kind = "CA" if depth else "EE"
        try:
            is_weak = certificate.key_algorithm.startswith("rsa") and certificate.key_bits < MIN_RSA_BITS
            _ = certificate.public_key
        except CertificateError:
            return Break("unable to decode issuer public key", Alert.UNSUPPORTED_CERTIFICATE, depth, path)
        if is_weak:
            return Break(f"{kind} certificate key too weak", Alert.BAD_CERTIFICATE, depth, path)
        if depth + 1 < len(path) and certificate.signature_hash in WEAK_HASHES:
            return Break("CA signature digest algorithm too weak", Alert.BAD_CERTIFICATE, depth, path)
    return None
