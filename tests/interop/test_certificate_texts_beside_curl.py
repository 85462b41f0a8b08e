"""What `%{certs}` says of certificates of all kinds: ours and curl's word for word."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from pycurl_redox.certificate_text import certificate_text, pem
from tests.fakes.commands import curl, needs_curl, redox_curl
from tests.fakes.raw_server import saying, serving

pytestmark = [pytest.mark.interop, pytest.mark.slow]

TIMESTAMP = "00" + "AB" * 32 + "0000019212345678" + "0000" + "0403" + "0014" + "30" * 20
BARE = "00" + "CD" * 32 + "0000019212340000" + "0002FFFE" + "0401" + "0003" + "010203"
OTHER_VERSION = "01" + "EF" * 60

CERTIFICATES = {
    "names": (
        "rsa:2048",
        '/C=DE/O=A, B "q" \\\\ é€/OU= lead/OU=#x/CN=a.test+OU=y/CN=𝄞/emailAddress=a@b.c',
        "",
        """
subjectAltName=DNS:a.test,email:x@y.z,URI:http://u/,IP:10.0.0.1,IP:2001:db8::1,RID:1.2.3.4,dirName:dn,\
otherName:1.2.3.4;UTF8:hi,otherName:1.2.3.4;INTEGER:5,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:me@x
issuerAltName=DNS:x
[dn]
C=DE
O=Some, Örg
CN=x
""",
    ),
    "usages": (
        "rsa:2048",
        "/CN=b",
        "-set_serial 0x0080ff",
        """
keyUsage=critical,digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyAgreement,keyCertSign,\
cRLSign,encipherOnly,decipherOnly
extendedKeyUsage=serverAuth,clientAuth,codeSigning,emailProtection,timeStamping,OCSPSigning,1.2.3.4,\
anyExtendedKeyUsage,ipsecIKE,msSGC,nsSGC,ipsecEndSystem,ipsecTunnel,ipsecUser
basicConstraints=critical,CA:TRUE,pathlen:3
authorityKeyIdentifier=keyid:always,issuer:always
nsCertType=server,client,email,objsign,sslCA,emailCA,objCA
2.5.29.16=DER:3022800f32303236303130313030303030305a810f32303237303130313030303030305a
2.5.29.33=DER:300c300a06032a030406032a0305
policyConstraints=requireExplicitPolicy:3,inhibitPolicyMapping:0
inhibitAnyPolicy=2
tlsfeature=status_request,status_request_v2,7
nsComment="hello world"
noCheck=ignored
""",
    ),
    "policies": (
        "ec -pkeyopt ec_paramgen_curve:secp384r1",
        "/CN=c",
        "-sha384",
        """
certificatePolicies=1.2.3.4,2.5.29.32.0,@p,@q
[p]
policyIdentifier=1.3.5.8
CPS.1=http://cps.test/
CPS.2=http://cps2.test/
userNotice.1=@n
userNotice.2=@m
[n]
explicitText="Explicit Text Here"
organization="Organisation Name"
noticeNumbers=1,2,3
[m]
organization="Only Org"
noticeNumbers=4
[q]
policyIdentifier=1.3.5.9
userNotice.1=@n2
[n2]
explicitText=only
""",
    ),
    "points": (
        "ed25519",
        "/DC=test/UID=me/serialNumber=12/street=x y /1.2.3.4=odd",
        "",
        """
crlDistributionPoints=c2,c1,c3
freshestCRL=URI:http://f/,URI:http://g/
authorityInfoAccess=OCSP;URI:http://ocsp.test/,caIssuers;URI:http://ca.test/
subjectInfoAccess=1.2.3.4;URI:http://s/
nameConstraints=permitted;DNS:a.test,permitted;IP:10.0.0.0/255.0.0.0,permitted;dirName:dn,excluded;email:x.test,\
excluded;IP:2001:db8::/ffff:ffff::
[c1]
fullname=URI:http://one/,dirName:dn
reasons=keyCompromise,CACompromise
CRLissuer=dirName:dn
[c2]
relativename=rn
CRLissuer=dirName:dn
[c3]
relativename=rn
reasons=superseded
[rn]
CN=rel
[dn]
C=DE
CN=x
""",
    ),
    "odd": (
        "ed448",
        "/CN=e",
        "-set_serial 0",
        """
1.2.3=DER:0102ff41420a7f
2.5.29.33=DER:3003020101
2.5.29.16=DER:3003020101
2.5.29.9=DER:3000
1.3.6.1.4.1.11129.2.4.2=DER:TIMESTAMPS
""",
    ),
}


def timestamps() -> str:
    """The extension of RFC 6962 §3.3 with three timestamps, one of a version that nobody knows."""
    each = [bytes.fromhex(text) for text in (TIMESTAMP, BARE, OTHER_VERSION)]
    listed = b"".join(len(sct).to_bytes(2, "big") + sct for sct in each)
    listed = len(listed).to_bytes(2, "big") + listed
    return (b"\x04\x81" + bytes([len(listed)]) + listed).hex()


def openssl(*words: str, cwd: Path) -> None:
    subprocess.run(["openssl", *words], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ca")
    subject = ("-subj", "/C=DE/O=Test Org/CN=Test CA")
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        *subject,
        cwd=folder,
    )
    return folder


def issue(folder: Path, name: str) -> None:
    key, subject, options, extensions = CERTIFICATES[name]
    (folder / f"{name}.ext").write_text(extensions.replace("TIMESTAMPS", timestamps()))
    files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl("req", "-new", "-newkey", *key.split(), "-nodes", *files, "-utf8", "-subj", subject, cwd=folder)
    by = ("-CA", "ca.pem", "-CAkey", "ca.key", *options.split(), "-extfile", f"{name}.ext")
    openssl("x509", "-req", "-in", f"{name}.csr", *by, "-out", f"{name}.pem", cwd=folder)
    chain = (folder / f"{name}.pem").read_text() + (folder / "ca.pem").read_text()
    (folder / f"{name}.chain").write_text(chain)


@needs_curl
@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_chain_is_told_as_curl_tells_it(name: str, folder: Path) -> None:
    issue(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.chain", folder / f"{name}.key")
    words = ("-sSk", "-o", "/dev/null", "-w", r"%{num_certs}\n%{certs}|%{json}")
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), context) as port:
        ours, theirs = (run(*words, f"https://127.0.0.1:{port}/") for run in (redox_curl, curl))
    told, their = (done.out.decode("utf-8", "surrogateescape").partition("|") for done in (ours, theirs))
    assert told[0].splitlines() == their[0].splitlines()
    assert (
        told[2].partition('"content_type"')[0] == their[2].partition('"content_type"')[0]
        and told[0][0] == "2"
    )


def test_what_is_no_certificate_is_shown_as_it_came() -> None:
    assert certificate_text(b"\x30\x03abc") == pem(b"\x30\x03abc")
