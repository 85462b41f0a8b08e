"""A transfer's result under the names of -w's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurl_redox.job import Job
    from pycurl_redox.transfer import Transfer
    from pycurl_redox.writeout import Value
    from tls.events import HandshakeCompleted


def values_of(job: Job, transfer: Transfer) -> dict[str, Value]:
    """Return all values that `writeout` knows of."""
    result = transfer.result
    total = result.total or 1e-6
    # Of a connection that was there already curl says nothing.
    tls, proxy_tls = (result.tls, result.proxy_tls) if result.connects else (None, None)
    status = result.status
    return {
        "certs": _certificates(job.config.write_out or "", tls),
        "conn_id": result.connection_number,
        "content_type": _text(result.header(b"content-type")),
        "errormsg": result.error.partition("\n")[0] or None,  # curl's line, without what we have to add
        "exitcode": result.exit_code,
        "filename_effective": _file_name(job),
        "http_code": status,
        "response_code": status,
        "http_connect": result.connect_status,
        "http_version": {b"1.0": "1", b"1.1": "1.1"}.get(result.http_version, "0"),
        "local_ip": result.local[0],
        "local_port": result.local[1],
        "remote_ip": result.remote[0],
        "remote_port": result.remote[1],
        "method": result.method or transfer.method,
        "num_certs": len(tls.peer_chain) if tls is not None else 0,
        "num_connects": result.connects,
        "num_headers": result.header_count,
        "num_redirects": result.redirects,
        "num_retries": result.retries,
        "proxy_ssl_verify_result": result.proxy_verify_result or _unverified(transfer, proxy_tls),
        "proxy_used": int(result.proxy_used),
        "redirect_url": result.redirect_url,
        "referer": result.referer,
        "scheme": _scheme(transfer),
        "size_download": result.downloaded,
        "size_header": result.header_octets,
        "size_request": result.request_octets,
        "size_upload": result.uploaded,
        "size_delivered": job.output.written,
        "speed_download": int(result.downloaded / total),
        "ssl_verify_result": result.verify_result or _unverified(transfer, tls),
        "speed_upload": int(result.uploaded / total),
        "time_appconnect": result.app_connect,
        "time_connect": result.connect,
        "time_namelookup": result.name_lookup,
        "time_posttransfer": result.post_transfer,
        "time_pretransfer": result.pre_transfer,
        "time_queue": result.queued,
        "time_redirect": result.redirect_time,
        "time_starttransfer": result.start_transfer,
        "time_total": result.total,
        "url": job.url_text,
        "url_effective": transfer.url.text(),
        "urlnum": job.url_number,
        "xfer_id": job.number,
    }


def _file_name(job: Job) -> str | None:
    """Where the body is; of a name out of a header curl does not say in which folder."""
    path, folder = job.output.path, job.config.output_dir
    if path is not None and folder and job.output.name_is_from_header:
        return path.removeprefix(f"{folder}/")
    return path


def _unverified(transfer: Transfer, done: HandshakeCompleted | None) -> int:
    """Under -k: the number of what was passed over."""
    if done is None or done.verified_path is not None:
        return 0
    from pycurl_redox.verify_result import of_unverified

    return of_unverified(done, transfer.url.ascii_host())[0]


def _scheme(transfer: Transfer) -> str | None:
    """What is spoken on the connection, once there is one."""
    scheme, result = transfer.url.scheme, transfer.result
    is_file_open = scheme == "file" and result.local[1] < 0
    return scheme.upper() if is_file_open or result.connect or result.pre_transfer else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")


def _certificates(template: str, tls: HandshakeCompleted | None) -> str:
    """What there is to say of the server's chain, where anybody asks for it."""
    if tls is None or not any(word in template.lower() for word in ("certs", "json")):
        return ""
    from pycurl_redox.certificate_text import certificate_text

    return "".join(map(certificate_text, tls.peer_chain))
