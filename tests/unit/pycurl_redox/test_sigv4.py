"""The signature, on an example of Amazon's documentation: a list of users asked of IAM."""

from pycurl_redox.sigv4 import Scope, sign


def test_the_published_example_is_signed_as_published() -> None:
    signed = sign(
        Scope("aws", "amz", "us-east-1", "iam"),
        b"AKIDEXAMPLE",
        b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        method=b"GET",
        host=b"iam.amazonaws.com",
        path=b"/",
        query=b"Action=ListUsers&Version=2010-05-08",
        headers=[(b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")],
        payload=b"",
        timestamp="20150830T123600Z",
    )
    assert signed.date == (b"X-Amz-Date", b"20150830T123600Z")
    assert signed.authorization == (
        b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        b"SignedHeaders=content-type;host;x-amz-date, "
        b"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
