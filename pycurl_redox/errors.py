"""What can go wrong in a fetch; the class says whose fault, `exit_code` is curl's number for it.

FetchError
├── UsageError               2   the command line
│   └── ArgumentError            of the library: a ValueError as well
├── UnsupportedProtocolError 1   a scheme, a reply or a version that is not spoken here
├── UrlError                 3   a URL or a pattern of URLs that is none
├── ProxyResolveError        5
├── ResolveFailedError       6
├── ConnectFailedError       7
├── AddressDeniedError       7   --allow-address, --deny-address
├── WeirdReplyError          8   a reply that breaks HTTP
├── PartialFileError        18   the body ended early
├── HttpReturnedError       22   --fail and a status from 400 on
├── WriteFailedError        23   the output cannot be written
├── UploadFailedError       25
├── ReadFailedError         26   a local file cannot be read
├── TooLargeError           27   a bound of ours: a header, a line, a decoded body
├── OperationTimedOutError  28
├── RangeError              33
├── TlsFailedError          35
├── ResumeError             36
├── FileUrlError            37   a file:// URL that cannot be read
├── AbortedError            42
├── BadArgumentError        43
├── InterfaceError          45
├── TooManyRedirectsError   47
├── OptionSyntaxError       49   --resolve, --connect-to
├── EmptyReplyError         52
├── SendFailedError         55
├── ReceiveFailedError      56
├── ClientCertificateError  58   a file of -E or --key cannot be used
├── CipherError             59
├── CertificateRefusedError 60
├── ContentEncodingError    61
├── FileSizeExceededError   63
├── RewindError             65   a body has to be sent again and cannot be
├── LoginDeniedError        67
├── CaFileError             77
├── CrlFileError            82
├── PinnedKeyError          90
├── CertStatusError         91
├── ProxyHandshakeError     97   SOCKS
└── EchRequiredError       101
"""

from __future__ import annotations

TRY_HELP = "curl: try 'curl --help' or 'curl --manual' for more information\n"


class FetchError(Exception):
    """Base of all errors of this package; `str()` is curl's text without its prefix."""

    exit_code = 2
    default_text = "Failed initialization"

    def __init__(self, text: str = "") -> None:
        super().__init__(text or self.default_text)

    def report(self) -> str:
        """Return what the command writes to stderr, with the newline."""
        return f"curl: ({self.exit_code}) {self}\n"


class UsageError(FetchError):
    """The command line is refused; `exit_code` is 2, or 1 and 26 where curl has it so."""

    def __init__(self, text: str = "", exit_code: int = 2) -> None:
        super().__init__(text)
        self.exit_code = exit_code
        self.text = text
        self.messages: list[str] = []
        self.redirections: list[tuple[int, str, bool]] = []
        """Warnings that came before, ready to be written."""

    def report(self) -> str:
        return (f"curl: {self.text}\n" if self.text else "") + TRY_HELP


class ArgumentError(UsageError, ValueError):
    """An argument of the library that no request can be made of."""


class UnsupportedProtocolError(FetchError):
    """A protocol that is not spoken here, or not allowed by `--proto`."""

    exit_code = 1
    default_text = "Unsupported protocol"


class UrlError(FetchError):
    """The URL cannot be used as it is."""

    exit_code = 3
    default_text = "URL using bad/illegal format or missing URL"

    def __init__(self, text: str = "", reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason
        """Which part is bad; curl says so of redirects only."""


class ProxyResolveError(FetchError):
    """The proxy's name has no address."""

    exit_code = 5
    default_text = "Couldn't resolve proxy name"


class ResolveFailedError(FetchError):
    """The host's name has no address."""

    exit_code = 6
    default_text = "Couldn't resolve host name"


class ConnectFailedError(FetchError):
    """No connection came to be."""

    exit_code = 7
    default_text = "Couldn't connect to server"
    was_refused = False
    """Somebody is there who said no: --retry-connrefused."""


class AddressDeniedError(FetchError):
    """The user's own rules forbid a connection to this address."""

    exit_code = 7
    default_text = "Address refused"


class WeirdReplyError(FetchError):
    """The server's reply breaks HTTP."""

    exit_code = 8
    default_text = "Weird server reply"


class PartialFileError(FetchError):
    """The body is shorter than promised."""

    exit_code = 18
    default_text = "Transferred a partial file"


class HttpReturnedError(FetchError):
    """A status of 400 or more, and `--fail` was asked for."""

    exit_code = 22
    default_text = "HTTP response code said error"


class WriteFailedError(FetchError):
    """The output cannot be written."""

    exit_code = 23
    default_text = "Failed writing received data to disk/application"


class UploadFailedError(FetchError):
    """The upload did not start."""

    exit_code = 25
    default_text = "Upload failed (at start)"


class ReadFailedError(FetchError):
    """A local file cannot be read."""

    exit_code = 26
    default_text = "Failed to open/read local data from file/application"


class TooLargeError(FetchError):
    """Something is beyond a bound of this client."""

    exit_code = 27
    default_text = "Out of memory"


class OperationTimedOutError(FetchError):
    """A time limit of the user's, or the network's own, has passed."""

    exit_code = 28
    default_text = "Timeout was reached"


class RangeError(FetchError):
    """The server does not do ranges."""

    exit_code = 33
    default_text = "Requested range was not delivered by the server"


class TlsFailedError(FetchError):
    """The handshake failed for another reason than the certificate."""

    exit_code = 35
    default_text = "SSL connect error"


class ResumeError(FetchError):
    """The download cannot go on where it stopped."""

    exit_code = 36
    default_text = "Couldn't resume download"


class FileUrlError(FetchError):
    """The file of a `file://` URL cannot be opened."""

    exit_code = 37
    default_text = "Couldn't read a file:// file"


class AbortedError(FetchError):
    """The caller ended the transfer."""

    exit_code = 42
    default_text = "Operation was aborted by an application callback"


class BadArgumentError(FetchError):
    """An option's value is none, which nobody saw before the transfer."""

    exit_code = 43
    default_text = "A libcurl function was given a bad argument"


class InterfaceError(FetchError):
    """The outgoing interface cannot be used."""

    exit_code = 45
    default_text = "Failed binding local connection end"


class TooManyRedirectsError(FetchError):
    """More redirects than `--max-redirs` allows."""

    exit_code = 47
    default_text = "Number of redirects hit maximum amount"


class OptionSyntaxError(FetchError):
    """An option's value is found to be bad when the transfer is set up."""

    exit_code = 49
    default_text = "Malformed option provided in a setopt"


class EmptyReplyError(FetchError):
    """The server closed without a word."""

    exit_code = 52
    default_text = "Server returned nothing (no headers, no data)"


class SendFailedError(FetchError):
    """The request could not be sent."""

    exit_code = 55
    default_text = "Failed sending data to the peer"


class ReceiveFailedError(FetchError):
    """The connection broke while receiving."""

    exit_code = 56
    default_text = "Failure when receiving data from the peer"


class ClientCertificateError(FetchError):
    """Our own certificate, or its key, cannot be used."""

    exit_code = 58
    default_text = "Problem with the local SSL certificate"


class CipherError(FetchError):
    """Suites or groups of TLS that are not known."""

    exit_code = 59
    default_text = "Couldn't use specified SSL cipher"


class CertificateRefusedError(FetchError):
    """The server's certificate does not hold for this host."""

    exit_code = 60
    default_text = "SSL peer certificate or SSH remote key was not OK"
    verify_result = 0
    """OpenSSL's number for the reason."""


class ContentEncodingError(FetchError):
    """A coding that is unknown, broken or too many at once."""

    exit_code = 61
    default_text = "Unrecognized or bad HTTP Content or Transfer-Encoding"


class FileSizeExceededError(FetchError):
    """Larger than `--max-filesize`."""

    exit_code = 63
    default_text = "Maximum file size exceeded"


class RewindError(FetchError):
    """The body has to be sent again, from a source that cannot go back."""

    exit_code = 65
    default_text = "Send failed since rewinding of the data stream failed"


class LoginDeniedError(FetchError):
    """Credentials are refused, here those in a URL."""

    exit_code = 67
    default_text = "Login denied"


class CaFileError(FetchError):
    """The file of trusted certificates cannot be used."""

    exit_code = 77
    default_text = "Problem with the SSL CA cert (path? access rights?)"


class CrlFileError(FetchError):
    """The file of `--crlfile` cannot be used."""

    exit_code = 82
    default_text = "Failed to load CRL file (path? access rights?, format?)"


class PinnedKeyError(FetchError):
    """The server's public key is not the pinned one."""

    exit_code = 90
    default_text = "SSL public key does not match pinned public key"


class CertStatusError(FetchError):
    """The server's OCSP response is missing, or does not say that its certificate is good."""

    exit_code = 91
    default_text = "SSL server certificate status verification FAILED"


class ProxyHandshakeError(FetchError):
    """A SOCKS proxy refuses, or breaks its protocol."""

    exit_code = 97
    default_text = "proxy handshake error"


class EchRequiredError(FetchError):
    """Encrypted ClientHello was asked for and did not come to be."""

    exit_code = 101
    default_text = "ECH attempted but failed"
    retry_configs: bytes | None = None
    """With which the server says that it would come to be."""


def protocol_not_supported(scheme: str) -> UnsupportedProtocolError:
    """Return the error for a scheme that is unknown or switched off."""
    return UnsupportedProtocolError(f'Protocol "{scheme}" not supported or disabled in libcurl')


def http_returned(status: int) -> HttpReturnedError:
    """Return the error of `--fail`."""
    return HttpReturnedError(f"The requested URL returned error: {status}")


def resolve_failed(host: str) -> ResolveFailedError:
    """Return the error for a host without an address."""
    return ResolveFailedError(f"Could not resolve host: {host}")


def proxy_resolve_failed(host: str) -> ProxyResolveError:
    """Return the error for a proxy without an address."""
    return ProxyResolveError(f"Could not resolve proxy: {host}")


def connect_failed(host: str, port: int, milliseconds: int, reason: str = "") -> ConnectFailedError:
    """Return the error for a host that none of its addresses could be reached at."""
    reason = reason or ConnectFailedError.default_text
    return ConnectFailedError(f"Failed to connect to {host} port {port} after {milliseconds} ms: {reason}")


def connect_refused(status: int) -> ReceiveFailedError:
    """Return the error for a proxy that opens no tunnel."""
    return ReceiveFailedError(f"CONNECT tunnel failed, response {status}")


def operation_timed_out(milliseconds: int, received: int, expected: int | None) -> OperationTimedOutError:
    """Return the error of `-m` during a transfer; `expected` is None when the length is not known."""
    of = "" if expected is None else f" out of {expected}"
    return OperationTimedOutError(
        f"Operation timed out after {milliseconds} milliseconds with {received}{of} bytes received"
    )


def connect_timed_out(host: str, port: int, milliseconds: int) -> OperationTimedOutError:
    """Return the error of `--connect-timeout` while TCP connects."""
    reason = OperationTimedOutError.default_text
    return OperationTimedOutError(
        f"Failed to connect to {host} port {port} after {milliseconds} ms: {reason}"
    )


def connection_timed_out(milliseconds: int) -> OperationTimedOutError:
    """Return the error of `-m` before there is a connection."""
    return OperationTimedOutError(f"Connection timed out after {milliseconds} milliseconds")


def resolving_timed_out(milliseconds: int) -> OperationTimedOutError:
    """Return the error of a time limit that passes while a name is looked up."""
    return OperationTimedOutError(f"Resolving timed out after {milliseconds} milliseconds")


def too_slow(limit: int, seconds: int) -> OperationTimedOutError:
    """Return the error of `--speed-limit`."""
    return OperationTimedOutError(
        f"Operation too slow. Less than {limit} bytes/sec transferred the last {seconds} seconds"
    )


def too_many_redirects(limit: int) -> TooManyRedirectsError:
    """Return the error of `--max-redirs`."""
    return TooManyRedirectsError(f"Maximum ({limit}) redirects followed")


def transfer_closed(outstanding: int) -> PartialFileError:
    """Return the error for a body that ends before its Content-Length."""
    return PartialFileError(f"transfer closed with {outstanding} bytes remaining to read")


def chunked_transfer_closed() -> PartialFileError:
    """Return the error for a chunked body without its last chunk."""
    return PartialFileError("transfer closed with outstanding read data remaining")


def empty_reply() -> EmptyReplyError:
    """Return the error for a connection that closes before the reply."""
    return EmptyReplyError("Empty reply from server")
