"""What the manuals say beside the options: prose, imported by `manual` alone."""

from __future__ import annotations

Entry = tuple[str, str]
"""What is explained, and its paragraph."""

SYNOPSIS = "redox-curl [options / URLs]"
SUMMARY = "transfer a URL, by a network stack of its own"

DESCRIPTION = (
    "redox-curl takes the options of curl 7.88.1, and those of later versions that HTTP has a use for, and behaves "
    "as curl does: the same output, the same messages, the same exit codes. It speaks HTTP/1.1, TLS 1.3 and TLS 1.2 "
    "over a TCP/IP stack and a network driver of its own, in the process, without privileges.",
    "The protocols are http, https and file. An option of another protocol is taken and does nothing; one that "
    "curl may be built without, and that is not here, is refused.",
)

URL = (
    "A URL without a scheme is one of http. A file:// URL is a path of this machine; no other host can be named "
    "in it.",
    "Braces and brackets make several URLs of one: {one,two} stands for each of its parts, [1-10], [001-100] and "
    "[a-z:2] for a range, with a step behind a colon. --globoff switches it off, a backslash makes one of them "
    "literal. In --output #1 stands for what the first pattern stood for.",
    "Several URLs are fetched in their order, over connections that are kept; --parallel fetches them at once.",
)

OPTIONS = (
    "A short option may stand in one word with others, and its value behind it or in the next word. A long one "
    "may be shortened as long as it is the only one that begins so; options that came after curl 7.88.1 have to be "
    "written in full. A switch is undone by no- before its name: --no-location. What is said in .curlrc is read "
    "first.",
)

WRITE_OUT: tuple[Entry, ...] = (
    ("%{NAME}", "a variable; unknown ones are named on standard error"),
    ("%header{NAME}", "a header of the last response"),
    ("%time{FORMAT}", "the time in UTC as strftime writes it, %f for microseconds"),
    ("%output{FILE}", "what follows goes to this file, with >> before its name at its end"),
    ("%{stderr} %{stdout}", "what follows goes there"),
    ("%{onerror}", "what follows is printed only after a failure"),
    ("%{json} %{header_json}", "all variables, or all headers, as JSON"),
    ("%{url.PART} %{urle.PART}", "scheme, user, password, options, host, port, path, query, fragment or zoneid of the "
     "URL given, and of the one fetched last"),
    ("%{response_code} %{http_code}", "the status; %{http_connect} that of a proxy's answer to CONNECT"),
    ("%{exitcode} %{errormsg}", "how the transfer ended"),
    ("%{url} %{url_effective} %{redirect_url}", "the URL given, the one fetched last, the one not followed"),
    ("%{content_type} %{filename_effective}", "type of the body, name of the file"),
    ("%{method} %{scheme} %{http_version} %{referer}", "what was asked for, and how"),
    ("%{local_ip} %{local_port} %{remote_ip} %{remote_port}", "the ends of the last connection"),
    ("%{num_connects} %{num_headers} %{num_redirects} %{num_retries} %{num_certs}", "how many there were"),
    ("%{size_download} %{size_upload} %{size_header} %{size_request} %{size_delivered}", "octets"),
    ("%{speed_download} %{speed_upload}", "octets a second"),
    ("%{time_namelookup} %{time_connect} %{time_appconnect} %{time_pretransfer} %{time_posttransfer} "
     "%{time_starttransfer} %{time_redirect} %{time_queue} %{time_total}", "seconds since the beginning"),
    ("%{certs} %{ssl_verify_result} %{proxy_ssl_verify_result} %{tls_earlydata}", "what TLS has to tell"),
    ("%{urlnum} %{xfer_id} %{conn_id} %{proxy_used}", "numbers of the URL, the transfer, the connection; 1 for a proxy"),
)  # fmt: skip

ENVIRONMENT: tuple[Entry, ...] = (
    (
        "http_proxy, HTTPS_PROXY, ALL_PROXY",
        "proxies, in small or large letters; http_proxy in small ones only",
    ),
    ("NO_PROXY", "hosts that are reached without a proxy, as --noproxy has them"),
    ("CURL_HOME, XDG_CONFIG_HOME, HOME", "folders where .curlrc is looked for, in this order"),
    ("SSL_CERT_FILE, SSL_CERT_DIR, CURL_CA_BUNDLE", "certificates to trust"),
    ("SSLKEYLOGFILE", "the keys of TLS connections are written to this file, for Wireshark"),
    ("COLUMNS", "width of the progress bar"),
    ("NO_COLOR", "when it is set, names of headers are not bold"),
)

FILES: tuple[Entry, ...] = (
    ("~/.curlrc", "options that are read before those of the command line"),
    ("~/.netrc", "logins, for --netrc"),
)

SEE_ALSO = "redox-ping(1), redox-netcfg(1), curl(1)"

PING = """\
redox-ping sends ICMP echo requests over the same network as redox-curl and prints what comes back as iputils' ping
does. It reaches loopback and the gateway always, hosts beyond where the system lets the user send them."""
PING_CODES: tuple[Entry, ...] = (
    ("0", "at least one reply came"),
    ("1", "no reply came"),
    ("2", "something else was wrong"),
)
NETCFG = """\
redox-netcfg brings up the network that redox-curl uses and prints it: interfaces, addresses, routes, neighbours, the
DHCP lease, resolvers, what the virtio driver and the device agreed upon, and the state of both rings."""
NETCFG_CODES: tuple[Entry, ...] = (
    ("0", "the network is configured"),
    ("1", "no address came"),
    ("2", "there is no network, or the command line was wrong"),
)
