"""The client's own certificate: what answers a CertificateRequest (RFC 8446 §4.4), also late (§4.6.2).

A server that may ask decides what comes of an empty answer: most go on
without knowing who asks, the others end the connection with an alert.
"""

from __future__ import annotations

from typing import NamedTuple

from . import messages
from .alerts import Alert
from .config import ClientCertificate
from .errors import PeerMisbehavedError
from .events import CertificateRequested
from .key_schedule import Transcript, finished_verify_data
from .messages import CertificateRequest, HandshakeMessage
from .output import Output
from .record import Protection


def answer(
    request: CertificateRequest, mine: ClientCertificate | None, transcript: Transcript
) -> tuple[bytes, ...]:
    """Certificate and CertificateVerify; an empty Certificate when there is none that the server can check.

    What is returned is in the transcript already.
    """
    scheme = None if mine is None else common_scheme(request, mine)
    if mine is None or scheme is None:
        empty = messages.build_certificate(request.context, ())
        transcript.add(empty)
        return (empty,)
    certificate = messages.build_certificate(request.context, mine.chain)
    transcript.add(certificate)
    content = messages.certificate_verify_content("client", transcript.digest())
    verify = messages.build_certificate_verify(scheme, mine.signer.sign(scheme, content))
    transcript.add(verify)
    return certificate, verify


def common_scheme(request: CertificateRequest, mine: ClientCertificate) -> int | None:
    """The first scheme of our key that the server takes; its order says nothing of what it likes better."""
    return next((one for one in mine.signer.schemes if one in request.signature_schemes), None)


class PostHandshakeAuth(NamedTuple):
    """What a request after the handshake needs: the transcript up to our Finished, and what to show.

    Made only where post_handshake_auth was offered.
    """

    transcript: Transcript
    certificate: ClientCertificate
    contexts: frozenset[bytes] = frozenset()

    def __repr__(self) -> str:
        return "PostHandshakeAuth(...)"

    def answered(self, message: HandshakeMessage, hash_name: str, output: Output) -> PostHandshakeAuth:
        """Send Certificate, CertificateVerify and Finished; each answer has its own transcript (§4.4.1)."""
        request = CertificateRequest.parse(message, in_handshake=False)
        if request.context in self.contexts:
            raise PeerMisbehavedError(
                "CertificateRequest: context was used before on this connection", Alert.ILLEGAL_PARAMETER
            )
        if len(self.contexts) >= output.config.limits.certificate_requests:
            raise PeerMisbehavedError(
                f"CertificateRequest: too many: over {output.config.limits.certificate_requests}",
                Alert.UNEXPECTED_MESSAGE,
            )
        transcript = self.transcript.copy()
        transcript.add(message.encoded)
        flight = answer(request, self.certificate, transcript)
        assert isinstance(output.writer.protection, Protection)
        # The base key is the traffic secret of the moment, KeyUpdates and all (RFC 8446 §4.4).
        secret = output.writer.protection.secret
        finished = messages.build_finished(finished_verify_data(hash_name, secret, transcript.digest()))
        output.send_messages(*flight, finished)
        output.events.append(CertificateRequested(was_answered=len(flight) > 1))
        return self._replace(contexts=self.contexts | {request.context})
