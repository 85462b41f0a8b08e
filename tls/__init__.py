"""A TLS 1.3 client (RFC 8446) that does no I/O; `tls.client` is where to begin."""
